"""Revisions of a contract's file as rows, and the paper that they are checked against."""

from collections.abc import Sequence
from datetime import datetime

from contracts import canonical
from contracts.deals.papers import Paper
from contracts.deals.tables import Deal, DealDocument, SigningSession


def paper(deal: Deal) -> Paper:
    """Return what the contract of a deal is checked against."""
    return Paper(deal.terms)


def keys_of(signed: Sequence[SigningSession]) -> dict[str, str]:
    """Return who has signed, in order, with the hash (hex) of the key."""
    return {one.role: one.spki_sha256 for one in signed}


def document(deal: Deal, revision: int, pdf: bytes, *, now: datetime) -> DealDocument:
    """Return the row that keeps a revision."""
    return DealDocument(
        deal_id=deal.id, revision=revision, pdf=pdf, sha256=canonical.sha256_hex(pdf), made_at=now
    )
