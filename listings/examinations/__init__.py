"""Examinations (检验): a master decoded once, in pieces, for everything that is asked of it."""
