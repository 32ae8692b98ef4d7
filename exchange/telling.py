"""What is told of facts, and to whom: a fact's bytes are made once, and everybody gets the same.

Source: WHATWG HTML §9.2 (server-sent events).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts import canonical, rfc3339
from contracts.facts.kinds import KINDS
from contracts.facts.rules import Audience, SealedFact
from contracts.log import rules
from exchange import clock

STATE = "bid.placed"  # of these, the latest says all that the earlier ones said


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who follows, and what about.

    With a `subject`, the facts about that object; `own`, the facts that name the party;
    `latest_only`, of an auction's states the latest.
    """

    party: UUID | None
    staff: bool
    subject: UUID | None = None
    own: bool = False
    latest_only: bool = False

    def sees(self, fact: SealedFact) -> bool:
        """Tell whether the fact belongs in this viewer's feed."""
        if self.subject is not None and fact.subject != self.subject:
            return False
        if self.own and self.party not in fact.parties:
            return False
        return rules.may_read(fact.kind, fact.parties, party=self.party, staff=self.staff)


EVERYTHING = Viewer(None, staff=True)


@dataclass(frozen=True, slots=True)
class Told:
    """A fact as it is told: its bytes are made once, and everybody gets the same."""

    fact: SealedFact
    raw: bytes
    public: bool

    @classmethod
    def of(cls, fact: SealedFact, server_time: str) -> "Told":
        """Encode a fact."""
        known = KINDS.get(fact.kind)
        is_public = known is not None and known.audience is Audience.PUBLIC
        return cls(fact, event(fact, server_time), is_public)


def event(fact: SealedFact, server_time: str) -> bytes:
    """Return a fact as one server-sent event; its id is the number to resume from."""
    data = {
        "seq": fact.seq,
        "kind": fact.kind,
        "subject": str(fact.subject),
        "record": dict(fact.record),
        "recorded_at": rfc3339.exact(fact.recorded_at),
        "server_time": server_time,
    }
    head = f"id: {fact.seq}\nevent: {fact.kind}\ndata: ".encode()
    return head + canonical.dumps(data) + b"\n\n"


def tick() -> bytes:
    """Return the heartbeat: the server's time, under no number."""
    return b'event: clock\ndata: {"server_time":"%s"}\n\n' % rfc3339.exact(clock.now()).encode()


def told_of(facts: Iterable[SealedFact]) -> list[Told]:
    """Encode each fact, with the server's time of this moment."""
    server_time = rfc3339.exact(clock.now())
    return [Told.of(fact, server_time) for fact in facts]


def thinned(viewer: Viewer, told: list[Told]) -> tuple[list[Told], list[Told]]:
    """Return what is told at once, and the latest state, which may wait its turn."""
    if not viewer.latest_only:
        return told, []
    kept: list[Told] = []
    state: list[Told] = []
    for one in told:
        if one.fact.kind == STATE:
            state = [one]
        else:
            kept += [*state, one]
            state = []
    return kept, state


def joined(told: Sequence[Told]) -> bytes:
    """Return the bytes of several facts, for one write."""
    return told[0].raw if len(told) == 1 else b"".join(one.raw for one in told)
