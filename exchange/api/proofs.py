"""Proving again who one is: what a decision about money asks for besides a session or key."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.refusal import InvalidContent, Malformed, NotAllowed
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.identity import proofs
from exchange.identity.rules import (
    CsrfToken,
    PasswordWrong,
    ScopeMissing,
    SignInNeeded,
    TooManyAttempts,
)

router = APIRouter(route_class=JsonRoute, tags=["sessions"])

_REFUSALS = (
    SignInNeeded, CsrfToken, ScopeMissing, NotAllowed, InvalidContent, Malformed, PasswordWrong,
    TooManyAttempts,
)  # fmt: skip


class ProofIn(Shape):
    """The caller's own password."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"password": "a sentence does well"}]}
    )

    password: Annotated[str, Field(max_length=1024)]


class ProofOut(Shape):
    """A proof of who decides (重新认证), for one decision."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "proof": "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01",
                    "expires_at": "2026-11-22T09:05:00Z",
                }
            ]
        }
    )

    proof: UUID
    expires_at: AwareDatetime


@router.post("/proofs", status_code=201, responses=problems.responses(*_REFUSALS))
async def prove_identity(body: ProofIn, session: Session, caller: Signed, now: Now) -> ProofOut:
    """Give one's password again; the proof holds for five minutes and one decision."""
    caller.need("money")
    made = await proofs.prove(session, caller, body.password, now=now)
    return ProofOut(proof=made.id, expires_at=made.expires_at)
