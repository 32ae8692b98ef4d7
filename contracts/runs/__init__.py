"""Runs (播出次数): the log of telecasts, and how many runs of a grant they have used."""
