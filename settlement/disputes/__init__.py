"""Disputes (拒付争议): what a card holder contests, and what becomes of the money meanwhile."""
