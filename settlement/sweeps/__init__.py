"""Sweeps (归集): the provider's balance, as far as it is ours, paid out to our own bank."""
