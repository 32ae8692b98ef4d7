"""Pages for exchange staff."""
