"""Evidence bundles: what a stranger needs to check a trade offline, and the check."""
