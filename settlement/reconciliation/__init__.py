"""Ledger, payment files and bank brought together: matches, differences, suspense (对账)."""
