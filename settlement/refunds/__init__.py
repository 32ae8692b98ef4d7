"""Refunds (退款): prepared by one person, approved by another, made once."""
