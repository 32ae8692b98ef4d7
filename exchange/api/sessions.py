"""Signing in and out, and who one is."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ConfigDict, Field

from contracts.parties import queries as parties
from contracts.refusal import InvalidContent, Malformed, NotAllowed
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import COOKIE, Ctx, Now, Session, Shape, Signed
from exchange.api.parties import PartyOut, party_out
from exchange.identity import queries, rules
from exchange.identity import service as identity
from exchange.identity.rules import (
    CsrfToken,
    ScopeMissing,
    SignInFailed,
    SignInNeeded,
    TooManyAttempts,
)
from exchange.identity.tables import Person
from exchange.settings import Settings

router = APIRouter(route_class=JsonRoute, tags=["sessions"])


class SessionIn(Shape):
    """An e-mail address and a password."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"email": "rights@example.com", "password": "a sentence does well"}]
        }
    )

    email: Annotated[str, Field(max_length=254)]
    password: Annotated[str, Field(max_length=1024)]


class PersonOut(Shape):
    """A person."""

    id: UUID
    email: str
    name: str
    role: Literal["holder", "broadcaster", "operator", "approver", "auditor"]


class SessionOut(Shape):
    """A session: send `csrf_token` as X-CSRF-Token with everything but GET."""

    csrf_token: str
    person: PersonOut
    party: PartyOut


class MeOut(Shape):
    """Who the caller is and what this session or key covers."""

    person: PersonOut
    party: PartyOut
    scopes: list[str]


def person_out(person: Person) -> PersonOut:
    """Return a person as the wire carries one."""
    return PersonOut.model_validate(person.model_dump(include=set(PersonOut.model_fields)))


def keep_cookie(response: Response, token: str, *, settings: Settings) -> None:
    """Give the browser its session token: out of reach of scripts and of other sites' forms."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(rules.SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=settings.base_url.startswith("https://"),
    )


@router.post(
    "/sessions",
    status_code=201,
    response_model=SessionOut,
    responses=problems.responses(Malformed, SignInFailed, TooManyAttempts, InvalidContent),
)
async def create_session(
    body: SessionIn, response: Response, *, context: Ctx, session: Session, now: Now
) -> SessionOut | JSONResponse:
    """Sign in: answers with a cookie (12 hours) and the CSRF token that belongs to it."""
    try:
        token, csrf_token, person = await identity.sign_in(
            session, email=body.email, password=body.password, now=now
        )
    except SignInFailed as refusal:
        # Answered, not raised: the count of failures must be committed.
        return problems.response(refusal)
    keep_cookie(response, token, settings=context.settings)
    response.headers["Cache-Control"] = "no-store"
    party = await parties.get_party(session, person.party_id)
    return SessionOut(csrf_token=csrf_token, person=person_out(person), party=party_out(party))


@router.delete(
    "/sessions/current",
    status_code=204,
    responses=problems.responses(SignInNeeded, CsrfToken, NotAllowed),
)
async def end_session(
    request: Request, response: Response, session: Session, caller: Signed
) -> None:
    """Sign out: the session ends at once, whoever else holds its cookie."""
    caller.need_session()
    await identity.sign_out(session, request.cookies[COOKIE])
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")


@router.get("/me", responses=problems.responses(SignInNeeded, ScopeMissing))
async def get_me(session: Session, caller: Signed) -> MeOut:
    """Return who the caller is."""
    caller.need("read")
    person = await queries.get_person(session, caller.person_id)
    party = await parties.get_party(session, caller.party_id)
    scopes = [scope for scope in rules.SCOPES if scope in caller.scopes]
    return MeOut(person=person_out(person), party=party_out(party), scopes=scopes)
