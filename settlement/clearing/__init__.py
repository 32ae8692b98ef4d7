"""Clearing: the payment provider's own list of movements beside the ledger (渠道对账)."""
