"""Outbound: money instructions to others, sent exactly once."""
