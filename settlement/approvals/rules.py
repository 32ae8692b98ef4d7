"""Decisions about approvals: two natural persons, one content, once, within a day (pure).

An approval names the SHA-256 of what was read. Whatever is done by it must have the same hash, so
that changing any field voids it. The database holds all of this too.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts.refusal import Kind, Refusal

APPROVED, REFUSED = "approved", "refused"
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


@dataclass(frozen=True, slots=True)
class Subject:
    """What is decided: its kind and id, the SHA-256 of its content, and who made it (经办)."""

    object_type: str
    object_id: UUID
    object_hash: str
    maker_id: UUID


def check_two(subject: Subject, checker_id: UUID) -> None:
    """Check that another natural person decides.

    Raises:
        SamePerson: it is the one who made it.
    """
    if checker_id == subject.maker_id:
        raise SamePerson("Another person has to decide this.")


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
