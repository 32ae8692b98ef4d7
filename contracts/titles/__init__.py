"""Titles: who owns and holds what, conflicts, availability."""
