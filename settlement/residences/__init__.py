"""Where payees are resident for tax, and the treaties they claim (税收居民身份、协定待遇)."""
