"""Decisions sent from pages: an approval takes the password again, a refusal a reason."""

from datetime import datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from exchange.api.decisions import ApprovalIn, RefusalIn
from exchange.identity import proofs
from exchange.portal.forms import Form, shape
from exchange.portal.visitors import Visitor

Verdict = Literal["approval", "refusal"]


async def approval(
    session: AsyncSession, visitor: Visitor, form: Form, *, now: datetime
) -> ApprovalIn:
    """Return an approval of exactly what the page showed, proved with one's password.

    Raises:
        PasswordWrong, TooManyAttempts: see `proofs.prove`.
        InvalidContent: the form lacks the hash.
    """
    proof = await proofs.prove(session, visitor.caller, form.text("password"), now=now)
    return shape(ApprovalIn, content_sha256=form.text("content_sha256"), proof=proof.id)


def refusal(form: Form) -> RefusalIn:
    """Return a refusal of exactly what the page showed.

    Raises:
        InvalidContent: the form lacks the hash or the reason.
    """
    return shape(RefusalIn, content_sha256=form.text("content_sha256"), reason=form.text("reason"))
