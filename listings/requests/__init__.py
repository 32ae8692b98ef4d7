"""Requests for proposals (询价): a broadcaster asks, answers stay sealed until the deadline."""
