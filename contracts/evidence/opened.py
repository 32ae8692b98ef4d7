"""An opened bundle: its files as values, for the checks (no database, no network)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts import canonical
from contracts.deals.verification import SignatureVerdict
from contracts.evidence.manifest import Manifest
from contracts.log.checkpoint import Checkpoint
from contracts.log.note import Verifier

CONTRACT, TERMS, EVENTS = "contract.pdf", "terms.json", "events.jsonl"
CHECKPOINT, LOG_KEY, ROOT = "checkpoint.txt", "log.vkey", "pki/root.pem"
LISTING, PROBE, FINGERPRINT = "listing.json", "probe.json", "fingerprint.json"
POSTINGS, README = "postings.json", "README.zh-en.txt"
# Later additions, which older bundles lack: the text as typeset, the witnesses a proof has to have.
BASE, LOG_POLICY = "base.pdf", "log-policy.txt"
# What the time-stamps of outside authorities lead to; absent where the exchange stamps itself.
TIME_ROOTS = "pki/time-roots.pem"
# Where the deal comes from: the log of an auction, or the version of an offer that was accepted.
AUCTION, OFFER = "auction.jsonl", "offer.json"
# Of an agreement on a deposit: the rules of its auction.
RULEBOOK = "rulebook.json"
# What an amendment came from: terms 0 (the first contract), patch 1, terms 1, patch 2 … to TERMS.
AMENDMENTS = "amendments/"
REQUIRED = (CONTRACT, TERMS, EVENTS, CHECKPOINT, LOG_KEY, ROOT, POSTINGS, README)
REQUIRED_OF_AGREEMENT = (CONTRACT, TERMS, EVENTS, CHECKPOINT, LOG_KEY, ROOT, RULEBOOK, BASE, README)


# What replays an auction's log and returns what it comes to; raises Failed when it does not hold.
Replay = Callable[[bytes], Mapping[str, Any]]


class Failed(Exception):
    """A check does not hold; `where` names the file."""

    def __init__(self, where: str, detail: str) -> None:
        """Say where and what."""
        super().__init__(f"{where}: {detail}")
        self.where = where


@dataclass(frozen=True, slots=True)
class Event:
    """A sealed fact with what opens its leaf.

    A fact that is no business of the deal's sides (another bidder's) is withheld: of it the bundle
    holds the leaf alone, so that the chain of facts shows no gap.
    """

    index: int
    fact: str
    kind: str
    subject: str
    recorded_at: str
    record: Mapping[str, Any]
    blind: bytes
    leaf: bytes

    @property
    def proof(self) -> str:
        """The name of the file with the event's proof."""
        return proof_name(self.index)

    @property
    def is_withheld(self) -> bool:
        """Whether the bundle holds the leaf alone."""
        return not self.blind

    def line(self) -> bytes:
        """Return the event as its line of `events.jsonl`."""
        return canonical.dumps(
            {
                "index": self.index,
                "fact": self.fact,
                "kind": self.kind,
                "subject": self.subject,
                "recorded_at": self.recorded_at,
                "record": dict(self.record),
                "blind": self.blind.hex(),
                "leaf": self.leaf.decode(),
            }
        )


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files of a bundle whose manifest holds, and what it is checked against."""

    files: Mapping[str, bytes]
    manifest: Manifest
    key: Verifier
    checkpoint: Checkpoint
    events: tuple[Event, ...]
    replay: Replay | None = None
    before: tuple[str, ...] = ()  # the deals that this one took the place of, the first one first
    # The signatures of its contract by all who sign: several checks ask, and judging takes long.
    judged: dict[tuple[str, ...], Sequence[SignatureVerdict]] = field(
        default_factory=dict, init=False, compare=False
    )

    @property
    def first_terms(self) -> str:
        """The file with the terms of the first contract, which an award or an offer led to."""
        return terms_name(0) if self.before else TERMS

    @property
    def first_deal(self) -> str:
        """The deal that an award or an offer led to."""
        return self.before[0] if self.before else str(self.manifest.deal)

    def json(self, name: str) -> Any:
        """Return a file that holds canonical JSON."""
        raw = self.files[name]
        value = canonical.loads(raw)
        if canonical.dumps(value) != raw:
            raise Failed(name, "is not in canonical form (RFC 8785)")
        return value

    def all_of(self, kind: str) -> list[Event]:
        """Return the events of a kind, in order, without those of the contracts amended."""
        return [
            event
            for event in self.events
            if event.kind == kind and event.subject not in self.before
        ]

    def one(self, kind: str) -> Event:
        """Return the one event of a kind."""
        return _only(self.all_of(kind), kind)

    def of(self, deal: str, kind: str) -> Event:
        """Return the one event of a kind about a deal, this one or one that it amends."""
        return _only([one for one in self.events if (one.subject, one.kind) == (deal, kind)], kind)


def _only(found: list[Event], kind: str) -> Event:
    if len(found) != 1:
        raise Failed(EVENTS, f"holds {len(found)} facts {kind}, not one")
    return found[0]


def of_work(place: int, name: str, *, count: int) -> str:
    """Return the file about one work of a contract, counted from 0; of one work, the plain name."""
    return name if count == 1 else f"works/{place}/{name}"


def terms_name(number: int) -> str:
    """Return the file with the terms of a contract that was amended, counted from 0."""
    return f"{AMENDMENTS}{number}.terms.json"


def patch_name(number: int) -> str:
    """Return the file with the patch of an amendment, counted from 1."""
    return f"{AMENDMENTS}{number}.patch.json"


def amended(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the deals whose terms a bundle holds as amended, the first one first."""
    found: list[str] = []
    while (name := terms_name(len(found))) in files:
        found.append(str(canonical.loads(files[name])["deal"]))
    return tuple(found)


def read_events(raw: bytes) -> tuple[Event, ...]:
    """Read `events.jsonl`, whose lines are canonical JSON in the order of their index."""
    events = tuple(_event(line) for line in raw.removesuffix(b"\n").split(b"\n"))
    if b"".join(event.line() + b"\n" for event in events) != raw:
        raise Failed(EVENTS, "a line is not in canonical form")
    indexes = [event.index for event in events]
    if indexes != sorted(set(indexes)):
        raise Failed(EVENTS, "the facts are not in the order of their index")
    return events


def all_same(pairs: Iterable[tuple[Any, Any]], where: str, detail: str) -> None:
    """Check pairs of values that have to be equal.

    Raises:
        Failed: two differ; names the file, and both.
    """
    for left, right in pairs:
        if left != right:
            raise Failed(where, f"{detail}: {left} is not {right}")


def proof_name(index: int) -> str:
    """Return the name of the file with the proof of a leaf."""
    return f"proofs/{index}.tlog-proof"


def _event(line: bytes) -> Event:
    read = canonical.loads(line)
    return Event(
        index=read["index"],
        fact=read["fact"],
        kind=read["kind"],
        subject=read["subject"],
        recorded_at=read["recorded_at"],
        record=read["record"],
        blind=bytes.fromhex(read["blind"]),
        leaf=read["leaf"].encode(),
    )
