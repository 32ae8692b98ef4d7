"""What the screens look for: shills in open bidding, rings in sealed bidding (pure).

Leads, and never verdicts: a bidder that cares for one seller's works alone scores like a shill, and
bidders that price after the same costs move together like a ring. Nothing is voided by a screen.

Source: Trevathan and Read, shill score of six ratings (alpha to zeta); Bajari and Ye (2003),
independence of bids given what everybody knows; low variation of bids as a mark of rings.
Differs from the source: p-values by exact counting or by permutation in the place of the normal
approximation, because markets here are small; the residual is the bid's distance from the mean of
its auction, which under independence leans below zero, so the test is cautious.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import Any

from listings.screens import statistics

SHILL, RESIDUALS, VARIATION = "shill", "residuals", "variation"
SCREENS = (SHILL, RESIDUALS, VARIATION)
LEAST_TOGETHER = 5  # Fisher's transformation needs n - 3 > 1; the reference asks for five
LEAST_WITH_SELLER = 3
LEAST_BIDS = 3  # a sealed auction with fewer has no market to differ from
MOST_PAIRS = 300
FALSE_SHARE = Fraction(1, 10)
# alpha to zeta, as the authors weigh them.
WEIGHTS = (9, 2, 5, 2, 2, 2)
RATINGS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")
_BP = 10_000


@dataclass(frozen=True, slots=True)
class Placed:
    """A bid: whose, how much in minor units, and when in milliseconds of any one clock."""

    party: str
    amount_minor: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Held:
    """An auction that is over; `bids` in their order, of sealed ones each party's last."""

    auction: str
    seller: str
    is_open: bool
    bids: tuple[Placed, ...]
    winner: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a screen found for a bidder and a seller, or for two bidders.

    `statistic` holds whole numbers, the unit in each name; `p` and `q` are exact.
    """

    screen: str
    parties: tuple[str, str]
    auctions: tuple[str, ...]
    statistic: Mapping[str, int]
    p: Fraction
    q: Fraction = Fraction(1)

    @property
    def is_lead(self) -> bool:
        """Whether somebody should look: one lead in ten is expected to be false."""
        return self.q <= FALSE_SHARE

    def wire(self) -> dict[str, Any]:
        """Return it as it is stored and exported."""
        return {
            "screen": self.screen,
            "parties": list(self.parties),
            "auctions": list(self.auctions),
            "statistic": dict(self.statistic),
            "p_ppm": statistics.ppm(self.p),
            "q_ppm": statistics.ppm(self.q),
            "is_lead": self.is_lead,
        }


def screened(held: Sequence[Held]) -> list[Finding]:
    """Return every finding of every screen, the rarest first; q is reckoned within each screen."""
    found = [one for screen in (shills, residuals, variation) for one in weighed(screen(held))]
    return sorted(found, key=lambda one: (one.q, one.p, one.screen, one.parties))


def weighed(found: Sequence[Finding]) -> list[Finding]:
    """Return the findings of one screen with the share of false leads that taking each implies."""
    shares = statistics.false_shares([one.p for one in found])
    return [replace(one, q=share) for one, share in zip(found, shares, strict=True)]


def shills(held: Sequence[Held]) -> list[Finding]:
    """Return the shill score of each bidder that lost to others with one seller three times.

    `p` asks how rare it is that so many of the auctions it lost were this seller's, among bidders
    of whom three and more were: whoever is looked at was chosen by the same count.
    """
    held = [one for one in held if one.is_open and one.bids]
    of_seller: dict[str, int] = defaultdict(int)
    lost: dict[str, int] = defaultdict(int)
    met: dict[tuple[str, str], list[Held]] = defaultdict(list)
    for one in held:
        of_seller[one.seller] += 1
        for party in _parties(one):
            met[party, one.seller].append(one)
            lost[party] += party != one.winner
    found = []
    for (party, seller), several in sorted(met.items()):
        times = sum(party != one.winner for one in several)
        if times < LEAST_WITH_SELLER:
            continue
        chances = [
            statistics.least_overlap(
                least, drawn=lost[party], marked=of_seller[seller], total=len(held)
            )
            for least in (times, LEAST_WITH_SELLER)
        ]
        found.append(
            Finding(
                SHILL,
                (party, seller),
                tuple(one.auction for one in several),
                _score(party, several, of_seller[seller]),
                chances[0] / chances[1],
            )
        )
    return found


def residuals(held: Sequence[Held]) -> list[Finding]:
    """Return for two bidders whether their bids lie above and below the market together."""
    found = []
    for pair, several in _together(held):
        xs, ys = ([_residual_ppm(one, party) for one in several] for party in pair)
        seed = "/".join(("uhdx/screen/residuals/v1", *pair)).encode()
        found.append(
            Finding(
                RESIDUALS,
                pair,
                tuple(one.auction for one in several),
                {"n": len(several), "correlation_bp": statistics.correlation_bp(xs, ys)},
                statistics.moves_together(xs, ys, seed=seed),
            )
        )
    return found


def variation(held: Sequence[Held]) -> list[Finding]:
    """Return for two bidders whether bids vary less where both take part than elsewhere."""
    spread = {one.auction: variation_bp(one) for one in _sealed(held)}
    everywhere, found = list(spread.values()), []
    for pair, several in _together(held):
        if len(several) == len(everywhere):
            continue  # they are always there: nothing to compare with
        here = [spread[one.auction] for one in several]
        seed = "/".join(("uhdx/screen/variation/v1", *pair)).encode()
        found.append(
            Finding(
                VARIATION,
                pair,
                tuple(one.auction for one in several),
                {
                    "n": len(several),
                    "variation_bp": sum(here) // len(here),
                    "elsewhere_bp": sum(everywhere) // len(everywhere),
                },
                statistics.as_low(here, everywhere, seed=seed),
            )
        )
    return found


def variation_bp(one: Held) -> int:
    """Return standard deviation by mean of an auction's bids, in ten-thousandths."""
    amounts = [bid.amount_minor for bid in one.bids]
    n, total = len(amounts), sum(amounts)
    squares = n * sum(amount * amount for amount in amounts) - total * total
    return statistics.root(_BP * _BP * squares // (total * total))


def _score(party: str, several: Sequence[Held], sellers: int) -> dict[str, int]:
    """Return the six ratings in ten-thousandths and the score, 0 to 10, in hundredths."""
    n = len(several)
    won = sum(party == one.winner for one in several)
    ratings = [Fraction(n, sellers), Fraction(0), Fraction(n - won, n)] + [Fraction(0)] * 3
    for one in several:
        mine = sum(bid.party == party for bid in one.bids)
        ratings[1] += Fraction(mine, len(one.bids)) / n
        ratings[3] += _below_the_most(_gaps(one), party) / n
        ratings[4] += _below_the_most(_raises(one), party) / n
        ratings[5] += _early(one, party) / n
    total = sum(weight * rating for weight, rating in zip(WEIGHTS, ratings, strict=True))
    score = total * 10 / sum(WEIGHTS)
    return {
        "score_hundredths": int(score * 100),
        **{f"{name}_bp": int(r * _BP) for name, r in zip(RATINGS, ratings, strict=True)},
    }


def _gaps(one: Held) -> dict[str, Fraction]:
    """Return for each bidder the mean time from the bid before to its own."""
    return _means(
        (bid.party, bid.at_ms - before.at_ms)
        for before, bid in zip(one.bids, one.bids[1:], strict=False)
    )


def _raises(one: Held) -> dict[str, Fraction]:
    return _means(
        (bid.party, bid.amount_minor - before.amount_minor)
        for before, bid in zip(one.bids, one.bids[1:], strict=False)
    )


def _means(values: Iterable[tuple[str, int]]) -> dict[str, Fraction]:
    several: dict[str, list[int]] = defaultdict(list)
    for party, value in values:
        several[party].append(max(value, 0))
    return {party: Fraction(sum(each), len(each)) for party, each in several.items()}


def _below_the_most(means: Mapping[str, Fraction], party: str) -> Fraction:
    """Return how far a bidder's mean lies below the largest: 1 is nothing at all."""
    most = max(means.values(), default=Fraction(0))
    return 1 - means[party] / most if most and party in means else Fraction(0)


def _early(one: Held, party: str) -> Fraction:
    first, last = one.bids[0].at_ms, one.bids[-1].at_ms
    mine = next(bid.at_ms for bid in one.bids if bid.party == party)
    return Fraction(last - mine, last - first) if last > first else Fraction(0)


def _sealed(held: Sequence[Held]) -> list[Held]:
    return [one for one in held if not one.is_open and len(_parties(one)) >= LEAST_BIDS]


def _together(held: Sequence[Held]) -> list[tuple[tuple[str, str], list[Held]]]:
    """Return the pairs of bidders that met five times and more, who met most often first."""
    met: dict[tuple[str, str], list[Held]] = defaultdict(list)
    for one in _sealed(held):
        for first, second in combinations(_parties(one), 2):
            met[first, second].append(one)
    often = [(pair, several) for pair, several in met.items() if len(several) >= LEAST_TOGETHER]
    return sorted(often, key=lambda each: (-len(each[1]), each[0]))[:MOST_PAIRS]


def _residual_ppm(one: Held, party: str) -> int:
    total = sum(bid.amount_minor for bid in one.bids)
    mine = next(bid.amount_minor for bid in one.bids if bid.party == party)
    return mine * len(one.bids) * statistics.PPM // total - statistics.PPM


def _parties(one: Held) -> list[str]:
    return sorted({bid.party for bid in one.bids})
