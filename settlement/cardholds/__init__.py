"""Deposits on a card (银行卡预授权): asked for, confirmed, held, taken or let go."""
