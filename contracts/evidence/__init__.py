"""Evidence of a trade as a stranger checks it: offline, from the archive and one key."""
