"""Checks of a bundle against the transparency log: checkpoint, proofs, leaves, chains."""

from datetime import UTC, datetime
from uuid import UUID

from contracts import canonical, rfc3339
from contracts.evidence.opened import CHECKPOINT, EVENTS, Bundle, Event, Failed
from contracts.facts import rules as facts
from contracts.log import merkle, proof

# Which field of its record names the object that a fact is about; other nouns (a pause, a seal, a
# disclosure) are about the auction, listing or offer that their record names.
SUBJECTS = {
    "listing": "listing",
    "auction": "auction",
    "bid": "auction",
    "award": "auction",
    "deal": "deal",
    "grant": "deal",
    "settlement": "deal",
    "invoice": "invoice",
    "payment": "invoice",
    "payout": "payout",
    "transfer": "payout",
    "key": "key",
    "offer": "offer",
    "agreement": "agreement",
}
ABOUT = ("auction", "listing", "offer", "deal")


def proofs(bundle: Bundle) -> str:
    """Each fact has its proof, and each proof leads to the root of the one checkpoint."""
    wanted = {event.proof for event in bundle.events}
    given = {name for name in bundle.files if name.startswith("proofs/")}
    for name in sorted(wanted ^ given):
        raise Failed(name, "there is not one proof for each fact")
    signed = bundle.files[CHECKPOINT].decode()
    for event in bundle.events:
        read = proof.parse(bundle.files[event.proof].decode())
        if read.index != event.index or read.extra is not None or read.checkpoint != signed:
            raise Failed(event.proof, "is not the proof of this fact under checkpoint.txt")
        leaf, root = merkle.leaf_hash(event.leaf), bundle.checkpoint.root
        if not merkle.includes(read.index, bundle.checkpoint.size, leaf, read.hashes, root):
            raise Failed(event.proof, "does not lead from the leaf to the root")
    return f"{len(bundle.events)} facts are in the log of {bundle.checkpoint.size}"


def leaves(bundle: Bundle) -> str:
    """Each leaf commits to the record beside it, and to nothing else."""
    for event in bundle.events:
        if event.is_withheld:
            _check_withheld(event)
            continue
        prev = canonical.loads(event.leaf)["prev"]
        recorded_at = _instant(event)
        commitment = facts.commitment(event.blind, canonical.dumps(dict(event.record)))
        made = facts.leaf(UUID(event.fact), event.kind, recorded_at, commitment, prev)
        if made != event.leaf:
            raise Failed(EVENTS, f"the record at index {event.index} does not open its leaf")
    return "every record opens its leaf"


def chains(bundle: Bundle) -> str:
    """The facts about one object follow one another without a gap."""
    heads: dict[str, str] = {}
    for event in bundle.events:
        if event.subject != _subject(event):
            raise Failed(EVENTS, f"the record at index {event.index} is about something else")
        if canonical.loads(event.leaf)["prev"] != heads.get(event.subject):
            raise Failed(EVENTS, f"a fact before index {event.index} is missing")
        heads[event.subject] = merkle.leaf_hash(event.leaf).hex()
    return f"the facts about {len(heads)} objects are whole"


def _instant(event: Event) -> datetime:
    return datetime.strptime(event.recorded_at, rfc3339.WHOLE_SECONDS).replace(tzinfo=UTC)


def _check_withheld(event: Event) -> None:
    """A fact without its record still is what its leaf says."""
    leaf = canonical.loads(event.leaf)
    if event.record or (leaf["n"], leaf["t"]) != (event.fact, event.kind):
        raise Failed(EVENTS, f"the leaf at index {event.index} is not that of the fact")


def _subject(event: Event) -> str:
    if event.is_withheld:  # its place in the chain shows what it is about
        return event.subject
    # These are about the deal, unlike the keys that parties sign with and what invoices are paid.
    of_deal = event.kind in ("key.released", "payment.carried")
    noun = "deal" if of_deal else event.kind.partition(".")[0]
    subject: str
    if noun in SUBJECTS:
        subject = event.record[SUBJECTS[noun]]
        return subject
    named = [event.record[name] for name in ABOUT if event.record.get(name)]
    if not named:
        raise Failed(EVENTS, f"a fact {event.kind} has no place in a bundle")
    return event.subject if event.subject in named else str(named[0])
