"""Deals: licence text, signing, the life of a contract."""
