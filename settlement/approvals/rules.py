"""Decisions about approvals: two natural persons, one content, once, within a day (pure).

An approval names the SHA-256 of what was read. Whatever is done by it must have the same hash, so
that changing any field voids it. The database holds all of this too.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from contracts import canonical
from contracts.refusal import Kind, Refusal

PREPARED, APPROVED, REFUSED = "prepared", "approved", "refused"
LASTS = timedelta(hours=24)  # what is approved today is not paid by that next week
LONGEST_REASON = 500


class SamePerson(Refusal):
    """Who made something may not decide it (经办与复核分离)."""

    kind, code = Kind.FORBIDDEN, "same-person"
    hint = "Ask another approver."


class ApprovalMissing(Refusal):
    """Nobody approved exactly this content."""

    kind, code = Kind.CONFLICT, "approval-missing"
    hint = "Have another person approve it as it is now."


class ApprovalSpent(Refusal):
    """The approval was used before."""

    kind, code = Kind.CONFLICT, "approval-spent"
    hint = "An approval serves once; make it anew and have it approved."


class ApprovalExpired(Refusal):
    """The approval was given too long ago."""

    kind, code = Kind.CONFLICT, "approval-expired"
    hint = "Have it approved again: an approval holds for 24 hours."


class ProofSpent(Refusal):
    """The proof of identity has served for another decision."""

    kind, code = Kind.FORBIDDEN, "proof-spent"
    hint = "Prove who you are again, once for each decision."


class AlreadyDecided(Refusal):
    """It was approved or refused before."""

    kind, code = Kind.CONFLICT, "already-decided"
    hint = "A decision stands; after a refusal another can be prepared."


class ContentChanged(Refusal):
    """It is not what was looked at, or it would do other things by now."""

    kind, code = Kind.CONFLICT, "content-changed"
    hint = "Read it again; decide what it says now, or refuse it and have it prepared anew."


@dataclass(frozen=True, slots=True)
class Decision:
    """What a decider looked at: who decides, and the hash of the content that was read.

    An approval also has the proof that the decider was there in person; a refusal has none.
    """

    person_id: UUID
    content_sha256: str
    proof_id: UUID | None = None

    def repeats(self, decided_by: UUID | None, content_sha256: str) -> bool:
        """Whether it was taken before: the same person decided the same content."""
        return (self.person_id, self.content_sha256) == (decided_by, content_sha256)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is decided: its kind and id, the SHA-256 of its content, and who made it (经办)."""

    object_type: str
    object_id: UUID
    object_hash: str
    maker_id: UUID


class Prepared(Protocol):
    """A row of something prepared, which keeps by whom and when it was decided."""

    state: str
    content: bytes
    decided_by: UUID | None
    decided_at: datetime | None


def check_two(subject: Subject, checker_id: UUID) -> None:
    """Check that another natural person decides.

    Raises:
        SamePerson: it is the one who made it.
    """
    if checker_id == subject.maker_id:
        raise SamePerson("Another person has to decide this.")


def check_decision(decision: Decision, *, subject: Subject, state: str, content_now: bytes) -> None:
    """Check that something prepared may be decided by this person on this content.

    Args:
        decision: who decides, and what they looked at.
        subject: what was prepared, by whom.
        state: its state.
        content_now: what it would do if it were prepared at this moment.

    Raises:
        AlreadyDecided: it was decided before.
        SamePerson: the decider prepared it.
        ContentChanged: the decider saw other content, or it would do other things by now.
    """
    if state != PREPARED:
        raise AlreadyDecided(f"This {subject.object_type} is {state}.", state=state)
    check_two(subject, decision.person_id)
    sha256 = subject.object_hash
    if decision.content_sha256 != sha256 or canonical.sha256_hex(content_now) != sha256:
        said = f"The {subject.object_type} is not the one that was looked at."
        raise ContentChanged(said, content_sha256=sha256)


def proof_of(decision: Decision) -> UUID:
    """Return the proof that an approval needs.

    Raises:
        ValueError: there is none; every door asks for it (a bug, not a refusal).
    """
    if decision.proof_id is None:
        raise ValueError("an approval needs a proof of who approves")
    return decision.proof_id


def check_use(*, used_at: datetime | None, expires_at: datetime, now: datetime) -> None:
    """Check that an approval may be used.

    Raises:
        ApprovalSpent: it was used before.
        ApprovalExpired: it was given too long ago.
    """
    if used_at is not None:
        raise ApprovalSpent("This approval was used before.")
    if now >= expires_at:
        raise ApprovalExpired("This approval was given too long ago.")
