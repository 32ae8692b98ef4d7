"""Masters that resemble listed works, as staff see them: side by side, to be cleared or refused."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from exchange import recognition_verbs
from exchange.api import declarations
from exchange.api import recognition as api
from exchange.api.deps import Ctx, Now, Session
from exchange.portal import names, render
from exchange.portal.forms import Sent, shape
from exchange.portal.recognition import CLAIMS, likeness
from exchange.portal.visitors import Staff
from listings.masters import queries as masters
from listings.recognition import queries

router = APIRouter(prefix="/console/recognition")
PAGE = 50


@router.get("")
async def cases_page(
    request: Request, visitor: Staff, session: Session, after: UUID | None = None
) -> Response:
    """Show what waits to be compared by a person."""
    found = await api.list_cases(session=session, caller=visitor.caller, after=after, limit=PAGE)
    return render.page(request, "cases.html", cases=found.items, next=found.next)


@router.get("/{master_id}")
async def case_page(
    request: Request, master_id: UUID, _visitor: Staff, session: Session, context: Ctx
) -> Response:
    """Show a master beside the listed works it resembles."""
    row = await queries.get_recognition(session, master_id)
    master = await masters.get_master(session, master_id)
    found = await api.out(session, master)
    sight = recognition_verbs.sight(context)
    own = await sight.instants(master_id)
    likenesses = [
        likeness(one, here=own, there=await sight.instants(one.master_id))
        for one in found.resemblances
    ]
    spoken = render.speaks(request)
    return render.page(
        request,
        "case.html",
        master=master,
        recognition=found,
        likenesses=likenesses,
        claimed=CLAIMS,
        owner=await names.party(session, master.party_id, spoken=spoken),
        decided_by=await names.person(session, row.decided_by),
    )


@router.post("/{master_id}/decision")
async def send_decision(
    request: Request, master_id: UUID, visitor: Staff, form: Sent, session: Session, *, now: Now
) -> Response:
    """Clear or refuse a master, with a reason."""
    await api.decide_case(
        master_id=master_id,
        body=shape(api.DecisionIn, outcome=form.text("outcome"), reason=form.text("reason")),
        session=session,
        caller=visitor.caller,
        now=now,
    )
    return render.see(request, f"/console/recognition/{master_id}")


@router.post("/{master_id}/declarations/{declaration_id}/decision")
async def send_verdict(
    request: Request,
    master_id: UUID,
    declaration_id: UUID,
    visitor: Staff,
    form: Sent,
    session: Session,
    *,
    now: Now,
) -> Response:
    """Accept or reject a declaration, with a reason."""
    await declarations.decide_declaration(
        master_id=master_id,
        declaration_id=declaration_id,
        body=shape(
            declarations.VerdictIn, outcome=form.text("outcome"), reason=form.text("reason")
        ),
        session=session,
        caller=visitor.caller,
        now=now,
    )
    return render.see(request, f"/console/recognition/{master_id}")
