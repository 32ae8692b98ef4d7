"""Double-entry ledger, its invariants kept by the database."""
