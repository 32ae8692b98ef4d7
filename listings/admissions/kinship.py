"""Who is connected with whom: groups of parties that share owners, directors, accounts (pure).

A relation joins a party to a node: another party, or what several parties may have in common (a
person, a bank account, an address, a key), known by a hash. Union-find makes groups of them.
"""

import hashlib
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from contracts.refusal import InvalidContent

OWNER, DIRECTOR, BANK, KEY, ADDRESS = "owner", "director", "bank-account", "key", "address"
# From a quarter on an owner counts as one who may decide (受益所有人: 25 %, the threshold of
# anti-money-laundering rules); a smaller share alone joins nobody.
LEAST_OWNER_BP = 2_500
_TAG = b"uhdx/relation/v1\x00"


@dataclass(frozen=True, slots=True)
class Relation:
    """A party and what it is joined to; `share_bp` is of owners alone, in basis points."""

    party_id: UUID
    kind: str
    node: str
    share_bp: int | None = None


class Groups:
    """Union-find over nodes, with halved paths; the order of unions does not matter."""

    def __init__(self) -> None:
        """Begin with every node alone."""
        self._above: dict[str, str] = {}

    def root(self, node: str) -> str:
        """Return the node that stands for the group."""
        above = self._above
        while above.get(node, node) != node:
            above[node] = above.get(above[node], above[node])
            node = above[node]
        return node

    def join(self, one: str, other: str) -> None:
        """Make one group of two; the smaller name stands for it."""
        low, high = sorted((self.root(one), self.root(other)))
        self._above[high] = low
        self._above.setdefault(low, low)


def party_node(party_id: UUID) -> str:
    """Return the node of a party."""
    return f"party:{party_id}"


def shared_node(kind: str, value: str) -> str:
    """Return the node of something parties may share: a hash of it, never the thing itself.

    Spaces, hyphens, width and case make no difference. A hash of an account number can be guessed
    by trying all; it keeps names out of the table and of backups, and is no secret.

    Raises:
        InvalidContent: nothing is left of the value.
    """
    folded = unicodedata.normalize("NFKC", value).casefold()
    plain = "".join(sign for sign in folded if not sign.isspace() and sign not in "-‐‑–—_.,，。")
    if not plain:
        raise InvalidContent("The value is empty.", field="value")
    what = "person" if kind in (OWNER, DIRECTOR) else kind
    digest = hashlib.sha256(_TAG + what.encode() + b"\x00" + plain.encode()).hexdigest()
    return f"{what}:{digest}"


def parties_named(relations: Iterable[Relation]) -> frozenset[UUID]:
    """Return the parties that relations lead to."""
    nodes = (relation.node.partition(":") for relation in relations)
    return frozenset(UUID(name) for kind, _, name in nodes if kind == "party")


def groups(relations: Iterable[Relation]) -> Groups:
    """Return who belongs together; owners of less than a quarter join nobody."""
    made = Groups()
    for relation in relations:
        if relation.kind == OWNER and (relation.share_bp or 0) < LEAST_OWNER_BP:
            continue
        made.join(party_node(relation.party_id), relation.node)
    return made


def related(
    parties: Collection[UUID], others: Collection[UUID], relations: Iterable[Relation]
) -> frozenset[UUID]:
    """Return those of `parties` that belong to the group of one of `others`, themselves apart."""
    made = groups(relations)
    theirs = {made.root(party_node(other)): other for other in others}
    return frozenset(
        party for party in parties if party not in others and made.root(party_node(party)) in theirs
    )
