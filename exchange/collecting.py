"""How often a long-running process looks for cycles of objects that nothing else lets go."""

import gc

# Objects made more than freed before a look at the youngest; Python's own 700 means dozens of looks
# for each batch of the log. Every 20th goes on to the middle ones, every 20th of those to all.
YOUNG, MIDDLE, ALL = 100_000, 20, 20


def seldom() -> None:
    """Keep what is loaded out of every collection, and collect seldom.

    A collection that looks through all that is loaded stops every loop for 0.2 s. Objects without
    cycles, which is nearly all of them, are freed at once as ever.
    """
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, ALL)
