"""Facts: what happened, recorded in the transaction that made it happen."""
