"""Evidence bundles: putting together what a stranger needs to check a trade offline."""
