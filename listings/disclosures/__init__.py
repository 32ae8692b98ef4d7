"""Disclosures (信息披露): the public notice of a sale under 32号令, and of its result."""
