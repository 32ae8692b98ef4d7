"""Auctions (竞价): bids, standing, close, award."""
