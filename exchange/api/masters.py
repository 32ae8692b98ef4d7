"""Masters: resumable upload (tus 1.0) and examination."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, JsonValue

from contracts.refusal import InvalidContent, Unknown
from exchange.api import problems, progress, uploads
from exchange.api.deps import Session, Shape, Signed, page_after
from exchange.identity.rules import ScopeMissing, SignInNeeded
from listings.masters import queries
from listings.masters.tables import Master

router = APIRouter(tags=["masters"])
router.include_router(uploads.router)
router.include_router(progress.router)

MOST_PAGE = 200
EXAMPLE: dict[str, JsonValue] = {
    "id": "019a99c0-0000-7000-8000-000000000001",
    "work_id": "019a99c0-0000-7000-8000-000000000002",
    "filename": "master.mxf",
    "bytes": 48230112,
    "received_bytes": 48230112,
    "state": "examining",
    "stage": "decoding",
    "done_bp": 4200,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "chunk_root": "51d2c8c6b1f4b3a6f1f0a3e2c44b1b7c6a0f7fbb1d1f0c5a5f6f1f2f3f4f5f6f",
    "purpose": "master",
    "probe": None,
    "fingerprint": None,
    "refusal": None,
}


class MasterOut(Shape):
    """A master (母版): its upload, its examination, and what was found.

    `done_bp` is the share of the `stage` that is done, in basis points. `state` is one of
    uploading, received, examining, ready, refused; `refusal` says why a master was refused.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: UUID
    work_id: UUID | None
    filename: str
    bytes: int
    received_bytes: int
    state: str
    stage: str
    done_bp: int
    sha256: str | None
    chunk_root: Annotated[
        str | None, Field(description="RFC 6962 root over chunks of 1 MiB (分块根), hex.")
    ]
    purpose: Literal["master", "asset"]
    probe: dict[str, Any] | None
    fingerprint: dict[str, Any] | None
    refusal: dict[str, Any] | None


class MasterPage(Shape):
    """A page of masters; `next` is the `after` of the following page."""

    items: list[MasterOut]
    next: UUID | None


@router.get(
    "/masters",
    responses=problems.responses(SignInNeeded, ScopeMissing, InvalidContent),
)
async def list_masters(
    session: Session,
    caller: Signed,
    after: Annotated[UUID | None, Query(examples=[EXAMPLE["id"]])] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_PAGE, examples=[50])] = 50,
) -> MasterPage:
    """List the party's masters, oldest id first."""
    caller.need("read")
    found = await queries.masters_of(
        session, caller.party_id, after=page_after(after), limit=limit + 1
    )
    items = [shown(master) for master in found[:limit]]
    return MasterPage(items=items, next=items[-1].id if len(found) > limit else None)


@router.get(
    "/masters/{master_id}",
    responses=problems.responses(SignInNeeded, ScopeMissing, Unknown, InvalidContent),
)
async def get_master(master_id: UUID, session: Session, caller: Signed) -> MasterOut:
    """Show a master; staff see every party's."""
    caller.need("read")
    if caller.is_staff:
        return shown(await queries.get_master(session, master_id))
    return shown(await queries.get_master_of(session, master_id, caller.party_id))


def shown(master: Master) -> MasterOut:
    """Return the wire shape of a master."""
    return MasterOut(
        id=master.id,
        work_id=master.work_id,
        filename=master.filename,
        bytes=master.declared_bytes,
        received_bytes=master.received_bytes,
        state=master.state,
        stage=master.stage,
        done_bp=master.done_bp,
        sha256=master.sha256,
        chunk_root=master.chunk_root,
        purpose=master.purpose,
        probe=master.probe,
        fingerprint=master.fingerprint,
        refusal=master.refusal,
    )
