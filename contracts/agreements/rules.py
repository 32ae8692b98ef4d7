"""Signing an agreement with the exchange: one signature is awaited, it is the party's (pure)."""

from contracts.deals.sealing import AGREEMENT_ROLES
from contracts.refusal import Kind, Refusal

ROLE = AGREEMENT_ROLES[-1]
CERTIFIED, SIGNED = "certified", "signed"


class AgreementSigned(Refusal):
    """The agreement bears its party's signature already; nothing else is awaited."""

    kind, code = Kind.CONFLICT, "agreement-signed"
    hint = "Read GET /v1/agreements/{id}: it says who signed, and when."


def next_role(state: str) -> str | None:
    """Return the role whose signature is awaited, or None."""
    return ROLE if state == CERTIFIED else None


def check_awaited(state: str) -> None:
    """Let only an agreement pass that waits for its party's signature.

    Raises:
        AgreementSigned: it is signed.
    """
    if state != CERTIFIED:
        raise AgreementSigned("This agreement is signed.")
