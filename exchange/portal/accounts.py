"""Signing in, signing up, signing out."""

from fastapi import APIRouter, Request, Response

from contracts import ids
from contracts.deals import glyphs
from contracts.parties import rules as organisations
from exchange.api.deps import COOKIE, Ctx, Now, Session
from exchange.api.sessions import keep_cookie
from exchange.identity import service as identity
from exchange.identity.rules import PersonFields, SignInFailed
from exchange.portal import render
from exchange.portal.errors import refused
from exchange.portal.forms import Sent
from exchange.portal.visitors import MaybeVisitor

router = APIRouter()


@router.get("/sign-in")
async def sign_in_page(request: Request, visitor: MaybeVisitor, next: str = "") -> Response:
    """Show the sign-in form; who is signed in already goes on."""
    if visitor is not None:
        return render.see(request, _home(visitor.is_staff, visitor.role, next))
    return render.page(request, "sign_in.html", next=_local(next))


@router.post("/sign-in")
async def send_sign_in(
    request: Request, _visitor: MaybeVisitor, form: Sent, context: Ctx, session: Session, now: Now
) -> Response:
    """Open a browser session; a failed attempt is counted, so its transaction commits."""
    try:
        token, _csrf, person = await identity.sign_in(
            session, email=form.text("email"), password=form.text("password"), now=now
        )
    except SignInFailed as refusal:
        return refused(request, refusal)
    staff = person.role in ("operator", "approver", "auditor")
    answer = render.see(request, _home(staff, person.role, form.text("next")))
    keep_cookie(answer, token, settings=context.settings)
    return answer


@router.get("/sign-up")
async def sign_up_page(request: Request, _visitor: MaybeVisitor, now: Now) -> Response:
    """Show the form that registers an organisation with its first person."""
    return render.page(request, "sign_up.html", party_id=ids.new(now), person_id=ids.new(now))


@router.post("/sign-up")
async def send_sign_up(
    request: Request, _visitor: MaybeVisitor, form: Sent, session: Session, now: Now
) -> Response:
    """Register an organisation with its first person, who then signs in."""
    organisation = organisations.organisation(
        kind=form.text("kind"),
        name_zh=form.text("name_zh"),
        name_en=form.text("name_en"),
        uscc=form.text("uscc"),
    )
    await glyphs.need_printable(name_zh=organisation.name_zh, name_en=organisation.name_en)
    person = PersonFields(
        email=form.text("email"), name=form.text("name"), password=form.text("password")
    )
    await identity.sign_up(
        session,
        form.id("party_id"),
        form.id("person_id"),
        organisation=organisation,
        person=person,
        now=now,
    )
    return render.see(request, "/sign-in")


@router.post("/sign-out")
async def send_sign_out(request: Request, _visitor: MaybeVisitor, session: Session) -> Response:
    """End the browser session."""
    cookie = request.cookies.get(COOKIE)
    if cookie:
        await identity.sign_out(session, cookie)
    answer = render.see(request, "/")
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return answer


def _home(staff: bool, role: str, wished: str) -> str:
    if _local(wished):
        return _local(wished)
    return "/console" if staff else {"holder": "/works"}.get(role, "/")


def _local(address: str) -> str:
    """Return the address when it is a path of this site, else nothing."""
    fine = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if fine and "\n" not in address and "\r" not in address else ""
