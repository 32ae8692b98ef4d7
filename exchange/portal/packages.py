"""Further files of a work: the form that uploads one and says what it is."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from exchange.api import packages as api
from exchange.api import works as works_api
from exchange.api.deps import Now, Session
from exchange.portal import render
from exchange.portal.forms import Sent, shape
from exchange.portal.visitors import Holder, Visitor
from listings.packages.rules import KINDS

router = APIRouter(prefix="/works/{work_id}/assets")


@router.get("/new")
async def asset_form(
    request: Request, work_id: UUID, visitor: Holder, session: Session, now: Now
) -> Response:
    """Show the form that adds a file to a work."""
    work = await works_api.get_work(work_id, session, visitor.caller)
    spoken = render.speaks(request)
    kinds = [(kind, spoken.say(render.word(f"asset_{kind}"))) for kind in KINDS]
    return render.page(
        request, "asset_new.html", work=work, kinds=kinds, file_id=ids.new(now),
        asset_id=ids.new(now),
    )  # fmt: skip


@router.post("")
async def send_asset(
    request: Request, work_id: UUID, visitor: Holder, form: Sent, session: Session, now: Now
) -> Response:
    """Say what the uploaded file is, and show the work again."""
    body = shape(
        api.AssetIn,
        file_id=form.text("file_id"),
        kind=form.text("kind"),
        language=form.maybe("language"),
        label=form.text("label"),
    )
    await api.declare_asset(
        work_id, form.id("asset_id"), body, Response(), session, visitor.caller, now
    )
    return render.see(request, f"/works/{work_id}#assets")


@router.get("")
async def assets_part(
    request: Request, work_id: UUID, visitor: Holder, session: Session
) -> Response:
    """Show the files alone; a page whose files are being checked asks for them."""
    work = await works_api.get_work(work_id, session, visitor.caller)
    files = await files_of(session, work, visitor)
    return render.page(request, "assets.html", work=work, **files)


async def files_of(
    session: AsyncSession, work: works_api.WorkOut, visitor: Visitor
) -> dict[str, Any]:
    """Return the further files and packages of one's own work; of another's, none."""
    if work.party_id != visitor.caller.party_id:
        return {"assets": [], "packages": []}
    caller, most = visitor.caller, api.MOST_PAGE
    assets = await api.list_assets(work.id, session, caller, None, most)
    packages = await api.list_packages(work.id, session, caller, None, most)
    return {"assets": assets.items, "packages": packages.items}
