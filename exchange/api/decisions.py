"""Deciding what another person prepared (复核): the shapes and checks that every door shares."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.refusal import Malformed, Unknown
from exchange.api import problems
from exchange.api.deps import Shape
from exchange.identity import proofs
from exchange.identity.rules import Caller, ProofNeeded, Role
from settlement.approvals import rules
from settlement.approvals.rules import Decision, ProofSpent

PROVING = (ProofNeeded, ProofSpent)
# What any decision may be refused with; a slice adds its own.
DECIDING = (*problems.SIGNED, Malformed, Unknown)
DECIDED = (*DECIDING, rules.AlreadyDecided, rules.ContentChanged, rules.SamePerson)
EXAMPLE_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
EXAMPLE_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Reason = Annotated[str, Field(min_length=1, max_length=rules.LONGEST_REASON, pattern=r"\S")]


class ApprovalIn(Shape):
    """The hash of what the approver read, and a fresh proof (POST /v1/proofs)."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"content_sha256": EXAMPLE_HASH, "proof": EXAMPLE_ID}]}
    )

    content_sha256: Sha256
    proof: UUID


class RefusalIn(Shape):
    """The hash of what the approver read, and why it is refused."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"content_sha256": EXAMPLE_HASH, "reason": "收款账户待核实 (account to be checked)"}
            ]
        }
    )

    content_sha256: Sha256
    reason: Reason


async def approving(
    session: AsyncSession, caller: Caller, body: ApprovalIn, *, now: datetime
) -> Decision:
    """Return the approval that a person gives, in person.

    Raises:
        NotAllowed, ScopeMissing: only approvers approve.
        ProofNeeded: the proof is unknown, another's, or older than five minutes.
    """
    caller.need("money", Role.APPROVER)
    proof_id = await proofs.need(session, caller, body.proof, now=now)
    return Decision(caller.person_id, body.content_sha256, proof_id)


def refusing(caller: Caller, body: RefusalIn) -> Decision:
    """Return the refusal that a person gives; it moves no money and asks for no proof.

    Raises:
        NotAllowed, ScopeMissing: only approvers refuse.
    """
    caller.need("money", Role.APPROVER)
    return Decision(caller.person_id, body.content_sha256)
