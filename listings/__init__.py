"""The market: masters, catalogue, auctions."""
