"""Orders to the ledger: what staff book or decide by hand, once another person approves it."""
