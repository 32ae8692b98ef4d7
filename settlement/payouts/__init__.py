"""Payouts: what payees receive, prepared by one person and approved by another."""
