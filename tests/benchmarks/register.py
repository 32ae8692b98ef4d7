"""A large register, generated: trees of works, and grants that do not clash, from a seed.

The number of grants of a tree (a film, or a series with its episodes) is log-normal. A box is drawn
from pools of rights with media, territories, languages and years as the trade cuts them; an
exclusive one that meets another grant of its tree is drawn again, and after some tries entered as
history (released or ended), which may meet anything.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from itertools import accumulate
from random import Random
from typing import Any
from uuid import UUID

from contracts.rights import rules as rights
from contracts.rights.algebra import RightsBox
from contracts.works import tree

SEED = 20261122
SIGMA = 1.0  # of the log-normal number of grants of a tree
EPISODES = 11
WORKS_FOR_ONE_SERIES = 60  # one series with its episodes among so many works
HISTORY = 0.30
TRIES = 12
TERRITORY_SETS = 5_000
FIRST_YEAR, YEARS = 2015, 20
TZ = "Asia/Shanghai"
STRENGTHS = (("exclusive", 60), ("non-exclusive", 30), ("sole", 10))
STATES = (("effective", 92), ("held", 4), ("reserved", 4))
LANGUAGES = (
    (("*",), 50), (("zh",), 20), (("zh:dubbed",), 8), (("zh:original", "zh:subtitled"), 7),
    (("en",), 8), (("es",), 3), (("fr",), 2), (("ru",), 2),
)  # fmt: skip
USES = (
    ("broadcasting", ("satellite",), 9), ("broadcasting", ("satellite.free",), 5),
    ("broadcasting", ("satellite.pay",), 5), ("broadcasting", ("terrestrial",), 7),
    ("broadcasting", ("cable",), 6), ("broadcasting", ("cable.pay",), 4),
    ("broadcasting", ("digital-pay",), 5), ("broadcasting", ("iptv",), 4),
    ("broadcasting", ("cable", "satellite", "terrestrial"), 6),
    ("broadcasting", ("live-stream",), 2), ("broadcasting", ("public-screen",), 1),
    ("network-transmission", ("ott",), 7), ("network-transmission", ("ott.subscription",), 6),
    ("network-transmission", ("ott.free", "mobile.free", "web.free"), 4),
    ("network-transmission", ("ott.per-view", "mobile.per-view", "web.per-view"), 4),
    ("network-transmission", ("mobile", "ott", "web"), 5),
    ("network-transmission", ("iptv",), 4), ("network-transmission", ("cable-vod",), 3),
    ("network-transmission", ("inflight",), 2), ("network-transmission", ("hotel",), 2),
    ("projection", ("theatrical",), 4), ("projection", ("on-demand-cinema",), 1),
    ("projection", ("education", "library"), 1), ("distribution", ("physical",), 2),
)  # fmt: skip
_COUNTRIES = (
    "US JP KR GB FR DE IT ES CA AU NZ IN ID TH VN MY SG PH RU UA PL CZ HU RO TR SA AE EG ZA NG KE "
    "BR AR MX CL CO PE NL BE SE NO DK FI PT GR IL KZ MN PK BD LK MM KH LA HK MO TW"
)
_PROVINCES = (
    "BJ TJ HE SX NM LN JL HL SH JS ZJ AH FJ JX SD HA HB HN GD GX HI CQ SC GZ YN XZ SN GS QH NX XJ"
)
COUNTRIES = _COUNTRIES.split()
PROVINCES = [f"CN-{code}" for code in _PROVINCES.split()]
REGIONS = ("EU", "ASEAN", "GCC", "150", "019", "002", "142", "009", "CN HK MO TW", "US CA", "JP KR")


Drawn = tuple["Node", int, int, int, int, int]
Row = tuple[int, int, bool, int, int, int, int, int]
Taken = dict[str, list[Row]]


@dataclass(frozen=True, slots=True)
class Node:
    """A work of the register."""

    id: UUID
    root: UUID
    parent: UUID | None
    kind: str
    units: tuple[int, int]
    owner: int


@dataclass(frozen=True, slots=True)
class Draw:
    """A grant, as places in the pools: what is drawn before anything is resolved."""

    node: Node
    use: int
    place: int
    tongue: int
    start: int  # quarters since the first of FIRST_YEAR
    end: int
    exclusivity: str
    state: str


class Pools:
    """What boxes are drawn from, and what each part resolves to."""

    def __init__(self, random: Random) -> None:
        self.territories = [_territories(random) for _ in range(TERRITORY_SETS)]
        self._use_weights = list(accumulate(weight for *_, weight in USES))
        self._tongue_weights = list(accumulate(weight for _, weight in LANGUAGES))

    @cached_property
    def masks(self) -> tuple[list[int], list[int], list[int]]:
        """Masks of media, territories and languages, by place in their pools."""
        uses = [self.box(use, 0, 0, 0, 4).media for use in range(len(USES))]
        places = [self.box(0, at, 0, 0, 4).territories for at in range(len(self.territories))]
        tongues = [self.box(0, 0, at, 0, 4).languages for at in range(len(LANGUAGES))]
        return uses, places, tongues

    def parts(self, random: Random) -> tuple[int, int, int]:
        """Draw places in the pools of uses, territories and languages."""
        return (
            random.choices(range(len(USES)), cum_weights=self._use_weights)[0],
            random.randrange(TERRITORY_SETS),
            random.choices(range(len(LANGUAGES)), cum_weights=self._tongue_weights)[0],
        )

    def wire(self, use: int, place: int, tongue: int, start: int, end: int) -> dict[str, Any]:
        """Return a box as an offer says it, without its exclusivity and runs."""
        right, media, _ = USES[use]
        included, excluded = self.territories[place]
        return {
            "right": right,
            "media": list(media),
            "territories": list(included),
            "excluded": list(excluded),
            "languages": list(LANGUAGES[tongue][0]),
            "first_day": _quarter(start).isoformat(),
            "last_day": date.fromordinal(_quarter(end).toordinal() - 1).isoformat(),
            "tz": TZ,
        }

    def box(self, *parts: int, exclusivity: str = "exclusive") -> RightsBox:
        """Return what a wire form resolves to."""
        return rights.resolve({**self.wire(*parts), "exclusivity": exclusivity})


def nodes(random: Random, works: int, *, owners: int) -> Iterator[list[Node]]:
    """Yield trees, `works` nodes in all: films, and here and there a series with its episodes."""
    left = works
    while left:
        series = left > EPISODES and random.random() < 1 / (WORKS_FOR_ONE_SERIES - EPISODES)
        made = _tree(random, random.randrange(owners), EPISODES if series else 0)
        left -= len(made)
        yield made


def _tree(random: Random, owner: int, episodes: int) -> list[Node]:
    root = _id(random)
    whole = (0, tree.WHOLE)
    kind = "series" if episodes else "film"
    made = [Node(root, root, None, kind, whole, owner)]
    for number in range(1, episodes + 1):
        block = tree.part(whole, number)
        made.append(Node(_id(random), root, root, "episode", block, owner))
    return made


def counts(random: Random, trees: int, grants: int) -> list[int]:
    """Return numbers of grants, log-normal, that make `grants` together."""
    weights = [random.lognormvariate(0, SIGMA) for _ in range(trees)]
    scale = grants / sum(weights)
    made = [int(weight * scale) for weight in weights]
    for at in range(grants - sum(made)):
        made[at % trees] += 1
    return made


def draws(random: Random, pools: Pools, works: Sequence[Node], number: int) -> Iterator[Draw]:
    """Yield the grants of one tree; those that are live do not clash."""
    taken: Taken = {}
    for _ in range(number):
        past = random.random() < HISTORY
        exclusivity = _pick(random, STRENGTHS)
        for _ in range(TRIES):
            drawn = _draw(random, pools, works)
            if past or _enter(taken, pools, drawn, exclusivity):
                break
        else:
            past = True
        state = random.choice(("released", "ended")) if past else _pick(random, STATES)
        yield Draw(*drawn, exclusivity, state)


def _draw(random: Random, pools: Pools, works: Sequence[Node]) -> Drawn:
    node = works[0] if len(works) == 1 or random.random() < 0.6 else random.choice(works[1:])
    start = random.randrange(YEARS * 4 - 4)
    end = min(start + 4 * random.randint(1, 5), YEARS * 4)
    return node, *pools.parts(random), start, end


def _enter(taken: Taken, pools: Pools, drawn: Drawn, exclusivity: str) -> bool:
    """Note a grant unless it meets one of its tree, and one of the two keeps others out."""
    node, use, place, tongue, start, end = drawn
    media, territories, languages = pools.masks
    mine = (
        start, end, exclusivity != "non-exclusive", *node.units,
        media[use], languages[tongue], territories[place],
    )  # fmt: skip
    others = taken.setdefault(USES[use][0], [])
    if any(_meets(mine, other) for other in others):
        return False
    others.append(mine)
    return True


def _meets(a: Row, b: Row) -> bool:
    return bool(
        a[0] < b[1] and b[0] < a[1] and (a[2] or b[2]) and a[3] < b[4] and b[3] < a[4]
        and a[5] & b[5] and a[6] & b[6] and a[7] & b[7]
    )  # fmt: skip


def question(random: Random, pools: Pools) -> tuple[tuple[int, int, int, int, int], str]:
    """Draw what a buyer asks for: one to three years that begin in the next five."""
    start = (2027 - FIRST_YEAR) * 4 + random.randrange(20)
    return (*pools.parts(random), start, start + 4 * random.randint(1, 3)), _pick(random, STRENGTHS)


def _pick(random: Random, weighted: Sequence[tuple[str, int]]) -> str:
    names, weights = zip(*weighted, strict=True)
    return str(random.choices(names, weights)[0])


def _territories(random: Random) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Draw territories to include and to leave out."""
    kind = random.random()
    if kind < 0.20:
        return ("CN",), ()
    if kind < 0.38:
        return tuple(sorted(random.sample(PROVINCES, random.randint(1, 4)))), ()
    if kind < 0.46:
        return ("CN",), tuple(sorted(random.sample(PROVINCES, random.randint(1, 4))))
    if kind < 0.76:
        return tuple(sorted(random.sample(COUNTRIES, random.choice((1, 1, 1, 2, 3, 5))))), ()
    if kind < 0.88:
        return tuple(random.choice(REGIONS).split()), ()
    if kind < 0.92:
        return ("WRD",), ()
    return ("WRD",), tuple(sorted({"CN", *random.sample(COUNTRIES, random.randint(0, 6))}))


@lru_cache(maxsize=1024)
def _quarter(number: int) -> date:
    return date(FIRST_YEAR + number // 4, number % 4 * 3 + 1, 1)


def _id(random: Random) -> UUID:
    """Return a UUIDv7 of some instant of 2026 (ids of a register do not come in its order)."""
    stamp = 1_767_225_600_000 + random.randrange(28_000_000_000)
    value = stamp << 80 | 0x7 << 76 | random.getrandbits(12) << 64
    return UUID(int=value | 0b10 << 62 | random.getrandbits(62))
