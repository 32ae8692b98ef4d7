"""Who looks at a page: the signed-in person, or nobody; and the check of forms they send."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request

from contracts.parties import queries as parties
from contracts.refusal import Kind, NotAllowed, Refusal
from exchange.api.deps import COOKIE, CSRF_HEADER, Now, Session
from exchange.identity import queries as identity_queries
from exchange.identity import service as identity
from exchange.identity.rules import STAFF, Caller, Role

FIELD = "csrf_token"
SAFE = ("GET", "HEAD", "OPTIONS")


class ForeignForm(Refusal):
    """The form was sent from a page of another site."""

    kind, code = Kind.FORBIDDEN, "foreign-form"
    hint = "Open the page here and send its form again."


class SignInFirst(Exception):
    """The page is for people who are signed in; the browser is sent to sign in and back."""

    def __init__(self, back: str) -> None:
        """Remember where to come back to."""
        super().__init__(back)
        self.address = f"/sign-in?next={quote(back)}"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in person as pages show them."""

    caller: Caller
    csrf_token: str
    person: str
    party_zh: str
    party_en: str

    @property
    def role(self) -> str:
        """The role's code."""
        return self.caller.role.value

    @property
    def is_staff(self) -> bool:
        """Whether the console is theirs."""
        return self.caller.is_staff


async def find_visitor(request: Request, session: Session, now: Now) -> Visitor | None:
    """Recognise the visitor by the session cookie; a form must carry the session's token.

    Raises:
        ForeignForm: the browser says that another site sent the form.
        CsrfToken: the form's token is not the session's.
    """
    request.state.visitor = None
    if request.method not in SAFE:
        _from_here(request)
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return None
    visitor = await _recognise(request, session, cookie, now)
    request.state.visitor = visitor
    return visitor


async def _recognise(
    request: Request, session: Session, cookie: str, now: datetime
) -> Visitor | None:
    token = None
    if request.method not in SAFE:
        token = request.headers.get(CSRF_HEADER) or str((await request.form()).get(FIELD, ""))
    found = await identity_queries.find_sign_in(session, cookie, now=now)
    if found is None:
        return None
    row, person = found
    caller = identity.caller_of(row, person, csrf_token=token)
    party = await parties.get_party(session, caller.party_id)
    return Visitor(caller, row.csrf_token, person.name, party.name_zh, party.name_en)


def _from_here(request: Request) -> None:
    """Refuse a form that another site sent; every browser since 2023 says so itself."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForeignForm("This form was sent from another site.")


MaybeVisitor = Annotated[Visitor | None, Depends(find_visitor)]


async def get_visitor(request: Request, visitor: MaybeVisitor) -> Visitor:
    """Require somebody we know; others are sent to sign in."""
    if visitor is None:
        back = request.url.path if request.method in SAFE else "/"
        query = f"?{request.url.query}" if request.url.query and request.method in SAFE else ""
        raise SignInFirst(back + query)
    return visitor


SignedIn = Annotated[Visitor, Depends(get_visitor)]


async def get_holder(visitor: SignedIn) -> Visitor:
    """Require somebody who works for a rights holder."""
    return _with_role(visitor, frozenset({Role.HOLDER}))


async def get_staff(visitor: SignedIn) -> Visitor:
    """Require somebody who works for the exchange."""
    return _with_role(visitor, STAFF)


def _with_role(visitor: Visitor, roles: frozenset[Role]) -> Visitor:
    if visitor.caller.role not in roles:
        raise NotAllowed(
            "This page is for other roles.", needed=sorted(role.value for role in roles)
        )
    return visitor


Holder = Annotated[Visitor, Depends(get_holder)]
Staff = Annotated[Visitor, Depends(get_staff)]
