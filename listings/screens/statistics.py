"""Exact and seeded tests for small markets, in whole numbers: the same on every machine (pure).

A p-value is the chance of what was seen, or of something more telling, were there nothing to see;
`_ppm` is millionths, rounded up, so that nothing looks rarer than it is. Where every order of the
data can be tried, all are; else up to 9,999 are drawn from a seed, and fewer once 20 of them were
as telling as what was seen, for then it is nothing rare.

Source: Benjamini and Hochberg (1995) for the share of false leads among all; Besag and Clifford
(1991) for ending the draws early, and for counting what was seen as one of them.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import permutations
from math import comb, factorial

PPM = 1_000_000
DRAWS, ENOUGH = 9_999, 20
MOST_ORDERS = 720  # 6!


def ppm(share: Fraction) -> int:
    """Return a share in millionths, rounded up."""
    return -(-share.numerator * PPM // share.denominator)


def least_overlap(seen: int, *, drawn: int, marked: int, total: int) -> Fraction:
    """Return the chance that of `drawn` out of `total` at least `seen` are among the `marked`."""
    most = min(drawn, marked)
    ways = sum(
        comb(marked, k) * comb(total - marked, drawn - k) for k in range(max(seen, 0), most + 1)
    )
    return Fraction(ways, comb(total, drawn))


def moves_together(xs: Sequence[int], ys: Sequence[int], *, seed: bytes) -> Fraction:
    """Return the chance that two series go together so much when their order means nothing.

    The statistic is the sum of products, which orders as the correlation does: its other parts do
    not change with the order. One-sided: only series that go together are of interest.
    """
    seen = sum(x * y for x, y in zip(xs, ys, strict=True))
    if factorial(len(ys)) <= MOST_ORDERS:
        sums = [sum(x * y for x, y in zip(xs, order, strict=True)) for order in permutations(ys)]
        return Fraction(sum(one >= seen for one in sums), len(sums))
    return _drawn(
        seed,
        lambda numbers: sum(x * y for x, y in zip(xs, shuffled(ys, numbers), strict=True)) >= seen,
    )


def as_low(seen: Sequence[int], among: Sequence[int], *, seed: bytes) -> Fraction:
    """Return the chance that as many values, drawn from `among`, sum to as little as those seen."""
    most, size = sum(seen), len(seen)
    return _drawn(seed, lambda numbers: sum(shuffled(among, numbers, size)) <= most)


def false_shares(chances: Sequence[Fraction]) -> list[Fraction]:
    """Return for each p-value the share of false leads if it and all below it are taken (q)."""
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    shares = [Fraction(1)] * len(chances)
    least = Fraction(1)
    for rank in range(len(order), 0, -1):
        place = order[rank - 1]
        least = min(least, chances[place] * len(chances) / rank)
        shares[place] = least
    return shares


def correlation_bp(xs: Sequence[int], ys: Sequence[int]) -> int:
    """Return the correlation of two series in ten-thousandths, cut towards zero."""
    n = len(xs)
    over = n * sum(x * y for x, y in zip(xs, ys, strict=True)) - sum(xs) * sum(ys)
    spread = (n * sum(x * x for x in xs) - sum(xs) ** 2) * (
        n * sum(y * y for y in ys) - sum(ys) ** 2
    )
    if spread <= 0:
        return 0
    share = root(10**8 * over * over // spread)
    return share if over >= 0 else -share


def root(number: int) -> int:
    """Return the whole part of a square root."""
    guess = number
    while guess * guess > number:
        guess = (guess + number // guess) // 2
    return guess


def stream(seed: bytes) -> Iterator[int]:
    """Yield numbers of 32 bits that follow from a seed alone."""
    block = 0
    while True:
        raw = hashlib.shake_256(seed + block.to_bytes(8, "big")).digest(4096)
        for start in range(0, len(raw), 4):
            yield int.from_bytes(raw[start : start + 4], "big")
        block += 1


def below(numbers: Iterator[int], bound: int) -> int:
    """Return a number below `bound`; the bias of the remainder is under `bound` in 2^32."""
    return next(numbers) % bound


def shuffled(values: Sequence[int], numbers: Iterator[int], first: int | None = None) -> list[int]:
    """Return the values in a drawn order, or only as many as `first` of them."""
    order = list(values)
    size = len(order) if first is None else first
    for place in range(size):
        other = place + below(numbers, len(order) - place)
        order[place], order[other] = order[other], order[place]
    return order[:size]


def _drawn(seed: bytes, is_as_telling: Callable[[Iterator[int]], bool]) -> Fraction:
    """Draw until enough were as telling as what was seen, or all draws are made."""
    numbers, telling = stream(seed), 0
    for draw in range(1, DRAWS + 1):
        telling += is_as_telling(numbers)
        if telling == ENOUGH:
            return Fraction(telling, draw)
    return Fraction(telling + 1, DRAWS + 1)
