"""People, sessions, API keys, roles."""
