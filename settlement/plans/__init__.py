"""The plan of a settlement: who gets which part of a price."""
