"""One whole trade, played through the public HTTP API."""
