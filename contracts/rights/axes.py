"""Axes of rights: territories, languages, media and uses as bit sets over leaves.

A leaf is what cannot be cut further: a country without subdivisions or a subdivision, a version of
a variety of a language, a medium with the way its viewer pays. A *mask* is a Python integer with
one bit for each leaf. Masks live in memory only: the database keeps the stable numbers of the
vocabulary as ranges, so that new leaves change nothing that is stored.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache

from contracts.rights import vocabulary
from contracts.rights.vocabulary import BLOCK

TODAY = date.max  # groups without a day are read by their latest definition
LAST_NUMBER = 2**31 - 1  # the database keeps numbers as int4
WAYS = 10  # numbers that one variety of a language takes in the block of its language


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf: its code and its half-open span of numbers."""

    code: str
    low: int
    high: int


@dataclass(frozen=True)
class Axis:
    """One axis: its leaves in the order of their numbers, and the codes that name sets of them.

    `tree` maps the codes that roll up to, widest first, to their leaves' codes; `everything` is the
    code of the whole axis; `plain` returns the one spelling of a code or refuses it.
    """

    name: str
    everything: str
    leaves: tuple[Leaf, ...]
    tree: Mapping[str, frozenset[str]]
    plain: Callable[[str], str]

    @cached_property
    def all(self) -> int:
        """Return the mask of every leaf."""
        return (1 << len(self.leaves)) - 1

    @cached_property
    def _bits(self) -> Mapping[str, int]:
        bits = {leaf.code: 1 << place for place, leaf in enumerate(self.leaves)}
        nodes = {code: _union(bits[one] for one in below) for code, below in self.tree.items()}
        return {**bits, **nodes, self.everything: self.all}

    @cached_property
    def _lows(self) -> list[int]:
        return [leaf.low for leaf in self.leaves]

    def mask(self, codes: Iterable[str], *, on: date = TODAY) -> int:
        """Return the leaves that codes name, groups as they are defined on a day.

        Raises:
            UnknownTerritory, UnknownLanguage, UnknownMedium: by the axis, for a code it lacks.
        """
        return _union(self._one(self.plain(code), on) for code in codes)

    def members(self, code: str, *, on: date = TODAY) -> tuple[str, ...]:
        """Return the codes that a group stands for on a day; anything else stands for itself."""
        plain = self.plain(code)
        return vocabulary.group(self.name, plain, on=on) or (plain,)

    def codes(self, mask: int) -> tuple[str, ...]:
        """Return the fewest codes of the tree that name the leaves, in the order of the axis."""
        if mask == self.all:
            return (self.everything,)
        return tuple(self._rolled(mask))

    def said(self, mask: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the leaves as codes to include and codes to leave out, whichever is shorter."""
        included, left_out = self.codes(mask), self.codes(self.all & ~mask)
        if not left_out or len(included) <= len(left_out) + 1:
            return included, ()
        return (self.everything,), left_out

    def ranges(self, mask: int) -> list[tuple[int, int]]:
        """Return the leaves as half-open spans of numbers, whole blocks where all of it is held.

        The whole axis is one span up to the last number there can be: what is taken all over the
        world is taken in a territory that gets its number later, too.
        """
        if mask == self.all:
            return [(0, LAST_NUMBER)]
        spans: list[tuple[int, int]] = []
        for low, high in self._spans(mask):
            if spans and spans[-1][1] == low:
                spans[-1] = (spans[-1][0], high)
            else:
                spans.append((low, high))
        return spans

    def of_ranges(self, spans: Iterable[tuple[int, int]]) -> int:
        """Return the leaves that have a number in one of the spans."""
        return _union(self._between(low, high) for low, high in spans)

    def _one(self, code: str, on: date) -> int:
        found = self._bits.get(code)
        if found is not None:
            return found
        members = vocabulary.group(self.name, code, on=on) or ()
        return _union(self._bits[member] for member in members)

    def _rolled(self, mask: int) -> Iterator[str]:
        left, found = mask, []
        for code in self.tree:
            node = self._bits[code]
            if left & node == node:
                left &= ~node
                found.append((node & -node, code))
        while left:
            lowest = left & -left
            left &= ~lowest
            found.append((lowest, self.leaves[lowest.bit_length() - 1].code))
        return (code for _, code in sorted(found))

    def _spans(self, mask: int) -> Iterator[tuple[int, int]]:
        """Yield spans in the order of numbers; a block all of whose leaves are held is one."""
        for block, bits in self._blocks:
            held = mask & bits
            if held == bits:
                yield block * BLOCK, (block + 1) * BLOCK
            elif held:
                first, last = (held & -held).bit_length() - 1, held.bit_length() - 1
                for place in range(first, last + 1):
                    if held >> place & 1:
                        yield self.leaves[place].low, self.leaves[place].high

    @cached_property
    def _blocks(self) -> list[tuple[int, int]]:
        found: dict[int, int] = {}
        for place, leaf in enumerate(self.leaves):
            found[leaf.low // BLOCK] = found.get(leaf.low // BLOCK, 0) | 1 << place
        return sorted(found.items())

    def _between(self, low: int, high: int) -> int:
        first, after = bisect_left(self._lows, low), bisect_left(self._lows, high)
        if first and self.leaves[first - 1].high > low:
            first -= 1
        return ((1 << (after - first)) - 1) << first if after > first else 0


def _union(masks: Iterable[int]) -> int:
    mask = 0
    for one in masks:
        mask |= one
    return mask


def _by_number(leaves: Iterable[Leaf]) -> tuple[Leaf, ...]:
    return tuple(sorted(leaves, key=lambda leaf: leaf.low))


def _territories() -> Axis:
    inside: dict[str, list[vocabulary.Inner]] = {}
    for place in vocabulary.SUBDIVISIONS.values():
        inside.setdefault(place.parent, []).append(place)
    leaves: list[Leaf] = []
    for country in vocabulary.TERRITORIES.values():
        low, high = vocabulary.block(country.number)
        parts = inside.get(country.code, [])
        leaves += [Leaf(part.code, low + part.number, low + part.number + 1) for part in parts]
        leaves += [] if parts else [Leaf(country.code, low, high)]
    tree = {code: frozenset(part.code for part in parts) for code, parts in inside.items()}
    order = {code: tree[code] for code in vocabulary.TERRITORIES if code in tree}
    known = {leaf.code for leaf in leaves}
    order |= {  # subdivisions with subdivisions: GB-ENG; FR-GES before FR-6AE, which lies in it
        group.code: frozenset(group.members)
        for group in sorted(vocabulary.GROUPS, key=lambda group: -len(group.members))
        if group.code[2:3] == "-" and known.issuperset(group.members)
    }
    return Axis("territory", vocabulary.WORLD, _by_number(leaves), order, vocabulary.territory)


def _languages() -> Axis:
    leaves: list[Leaf] = []
    tree: dict[str, frozenset[str]] = {}
    kinds: dict[str, list[tuple[int, str]]] = {}
    for one in vocabulary.VARIETIES.values():
        kinds.setdefault(one.parent, [(0, one.parent + vocabulary.OTHER_VARIETY)])
        kinds[one.parent].append((one.number, one.code))
    for word in vocabulary.LANGUAGES.values():
        low, _ = vocabulary.block(word.number)
        tags = kinds.get(word.code, [(0, word.code)])
        mine = [
            Leaf(f"{tag}:{version}", low + number * WAYS + way.number,
                 low + number * WAYS + way.number + 1)
            for number, tag in tags for version, way in vocabulary.VERSIONS.items()
        ]  # fmt: skip
        leaves += mine
        tree[word.code] = frozenset(leaf.code for leaf in mine)
        if len(tags) > 1:
            tree |= _inside(word.code, [tag for _, tag in tags])
    return Axis("language", vocabulary.ANY_LANGUAGE, _by_number(leaves), tree, vocabulary.language)


def _inside(language: str, tags: list[str]) -> dict[str, frozenset[str]]:
    """Return the codes inside a language with varieties: each version, each variety."""
    versions = {
        f"{language}:{version}": frozenset(f"{tag}:{version}" for tag in tags)
        for version in vocabulary.VERSIONS
    }
    return versions | {
        tag: frozenset(f"{tag}:{version}" for version in vocabulary.VERSIONS) for tag in tags
    }


def _media() -> Axis:
    leaves: list[Leaf] = []
    tree: dict[str, frozenset[str]] = {}
    for word in vocabulary.MEDIA.values():
        low, high = vocabulary.block(word.number)
        ways = [(f"{word.code}.{way}", vocabulary.ACCESS[way].number) for way in word.access]
        leaves += [Leaf(code, low + number, low + number + 1) for code, number in ways]
        leaves += [] if ways else [Leaf(word.code, low, high)]
        if ways:
            tree[word.code] = frozenset(code for code, _ in ways)
    return Axis("medium", "all-media", _by_number(leaves), tree, vocabulary.medium)


TERRITORIES = _territories()
LANGUAGES = _languages()
MEDIA = _media()

# A use is a right with a medium that needs it: the pairs, in the order of rights and media.
_PAIRS: tuple[tuple[str, int], ...] = tuple(
    (right.code, place)
    for right in vocabulary.RIGHTS.values()
    for place, leaf in enumerate(MEDIA.leaves)
    if right.code in vocabulary.MEDIA[leaf.code.partition(".")[0]].rights
)
ALL_USES = (1 << len(_PAIRS)) - 1


@lru_cache(maxsize=4096)
def uses(right: str, media: int) -> int:
    """Return the uses of a right by media (a mask of MEDIA); media that do not need it drop out."""
    return _union(
        1 << bit for bit, (code, place) in enumerate(_PAIRS) if code == right and media >> place & 1
    )


@lru_cache(maxsize=4096)
def media_of_uses(mask: int) -> tuple[tuple[str, int], ...]:
    """Return uses as (right, mask of media), one pair for each right, in the order of art. 10."""
    found: dict[str, int] = {}
    for bit, (code, place) in enumerate(_PAIRS):
        if mask >> bit & 1:
            found[code] = found.get(code, 0) | 1 << place
    return tuple(found.items())
