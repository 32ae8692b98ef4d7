"""Taxes by dated rules with their legal basis."""
