"""Decisions sent from pages: an approval takes the password again, a refusal a reason."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from exchange.api.decisions import ApprovalIn, RefusalIn
from exchange.api.deps import Now, Session
from exchange.identity import proofs
from exchange.portal.forms import Form, Sent, shape
from exchange.portal.visitors import Staff, Visitor

Verdict = Literal["approval", "refusal"]
Verb = Callable[..., Awaitable[object]]  # an endpoint of the API that takes a decision


@dataclass(frozen=True, slots=True)
class Sending:
    """A decision as a page sends it: which, who, what the page showed, and when."""

    verdict: Verdict
    visitor: Staff
    form: Sent
    session: Session
    now: Now

    async def decide(self, approve: Verb, refuse: Verb, **named: UUID) -> None:
        """Have the API approve or refuse what is named, exactly as the page showed it.

        Raises:
            PasswordWrong, TooManyAttempts, InvalidContent: see `approval` and `refusal`.
            Refusal: what the API refuses with.
        """
        told: dict[str, Any] = {**named, "session": self.session, "now": self.now}
        told["caller"] = self.visitor.caller
        if self.verdict == "approval":
            body = await approval(self.session, self.visitor, self.form, now=self.now)
            await approve(body=body, **told)
        else:
            await refuse(body=refusal(self.form), **told)


Decided = Annotated[Sending, Depends()]


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
