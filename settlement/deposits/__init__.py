"""Deposits (保证金): paid in, frozen, paid back, turned into price, or forfeited."""
