"""Masters: the list, the upload, and the examination as it goes."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from exchange import clock
from exchange.api import masters as api
from exchange.api import works as works_api
from exchange.api.deps import Now, Session
from exchange.portal import conformance, render
from exchange.portal.language import mark
from exchange.portal.market import recognition_state
from exchange.portal.visitors import Holder, Visitor
from listings.examinations import queries as examinations
from listings.masters import queries

router = APIRouter(prefix="/masters")
PAGE = 50
MOST_CHOICES = 200
WHOLE = 10_000
STAGES = (
    ("uploading", mark("Upload")),
    ("hashing", mark("Check of the bytes")),
    ("probing", mark("Technical record")),
    ("decoding", mark("Decoding")),
    ("fingerprinting", mark("Fingerprint")),
)
SETTLED = ("ready", "refused")


@router.get("")
async def masters_page(
    request: Request, visitor: Holder, session: Session, after: UUID | None = None
) -> Response:
    """Show the masters of the visitor's organisation."""
    found = await api.list_masters(session, visitor.caller, after, PAGE)
    return render.page(request, "masters.html", masters=found.items, next=found.next)


@router.get("/upload")
async def upload_form(
    request: Request, visitor: Holder, session: Session, now: Now, work: str = ""
) -> Response:
    """Show the form that uploads a master."""
    works = await works_api.list_works(session, visitor.caller, None, MOST_CHOICES)
    spoken = render.speaks(request)
    choices = [(each.id, spoken.pick(each.title_zh, each.title_en)) for each in works.items]
    return render.page(request, "upload.html", works=choices, work=work, master_id=ids.new(now))


@router.get("/{master_id}")
async def master_page(
    request: Request, master_id: UUID, visitor: Holder, session: Session
) -> Response:
    """Show a master and how its examination goes."""
    values = await _values(session, master_id, visitor)
    work_id = values["master"].work_id
    work = None if work_id is None else await works_api.get_work(work_id, session, visitor.caller)
    values["recognised"] = await recognition_state(session, master_id)
    values["uhd_label"] = await conformance.verdict(session, master_id)
    return render.page(request, "master.html", work=work, **values)


@router.get("/{master_id}/examination")
async def examination_part(
    request: Request, master_id: UUID, visitor: Holder, session: Session
) -> Response:
    """Show the examination alone; a page that waits asks for it."""
    return render.page(request, "examination.html", **await _values(session, master_id, visitor))


async def _values(session: AsyncSession, master_id: UUID, visitor: Visitor) -> dict[str, Any]:
    master = await api.get_master(master_id, session, visitor.caller)
    row = await queries.get_master(session, master_id)
    return {
        "master": master,
        "stages": _stages(master),
        "settled": master.state in SETTLED,
        "progress": await examinations.progress(session, row, now=clock.now()),
    }


def _stages(master: api.MasterOut) -> list[dict[str, Any]]:
    """Return every stage with how much of it is done, in ten-thousandths."""
    names = [name for name, _ in STAGES]
    at = names.index(master.stage) if master.stage in names else len(names)
    done = [WHOLE if place < at else 0 for place in range(len(names))]
    if master.state == "uploading":
        done[0] = WHOLE * master.received_bytes // master.bytes
    elif master.stage == "waiting":
        done = [WHOLE, *[0] * (len(names) - 1)]
    elif at < len(names):
        done[at] = master.done_bp
    return [{"label": label, "done": part} for (_, label), part in zip(STAGES, done, strict=True)]
