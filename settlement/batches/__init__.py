"""Payout batches: several payouts read together and approved at once, each in one batch."""
