"""Masters by reference: the exchange fetches the file from an object store that it knows."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

from contracts.refusal import (
    CommitUnknown,
    IdReused,
    InvalidContent,
    Malformed,
    NotAllowed,
    Unknown,
)
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Ctx, Now, Session, Shape, Signed
from exchange.api.masters import MasterOut, shown
from exchange.identity.rules import Role, ScopeMissing, SignInNeeded
from listings.masters import references, rules, service
from listings.masters.refusals import BadUploadMetadata, ReferenceNotAllowed, UploadTooLarge
from listings.masters.rules import Ask

router = APIRouter(route_class=JsonRoute, tags=["masters"])


class ReferenceIn(Shape):
    """A master that lies in an object store; its URL is below a store that the operator allows."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "url": "s3://studio-masters/2026/flower.mxf",
                    "bytes": 482301120000,
                    "work_id": "019a99c0-0000-7000-8000-000000000002",
                }
            ]
        }
    )

    url: Annotated[str, Field(min_length=1, max_length=references.MOST_URL)]
    bytes: Annotated[int, Field(strict=True, ge=1, lt=2**63)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    work_id: UUID | None = None
    filename: Annotated[
        str | None, Field(max_length=1000, description="The last part of the URL, if not given.")
    ] = None


@router.put(
    "/masters/{master_id}",
    status_code=201,
    responses={
        200: {"model": MasterOut, "description": "It was referred to before, with this content."},
        **problems.responses(
            SignInNeeded, ScopeMissing, NotAllowed, Malformed, InvalidContent, Unknown, IdReused,
            BadUploadMetadata, ReferenceNotAllowed, UploadTooLarge, CommitUnknown,
        ),
    },
)  # fmt: skip
async def refer_to_master(
    master_id: UUID,
    body: ReferenceIn,
    response: Response,
    context: Ctx,
    session: Session,
    caller: Signed,
    now: Now,
) -> MasterOut:
    """Have a master (母版) fetched from an object store; the hashes are taken as it streams in."""
    caller.need("list", Role.HOLDER)
    where = references.locate(body.url, allowed=context.settings.references)
    limit = context.settings.upload_limit_bytes
    if body.bytes > limit:
        raise UploadTooLarge("The file is too large.", most_bytes=limit)
    wanted = Ask(
        master_id=master_id,
        work_id=body.work_id,
        filename=rules.filename(body.filename or where.key),
        length=body.bytes,
        reference={"url": body.url, "sha256": body.sha256},
    )
    master, created = await service.create_upload(
        session, wanted, party_id=caller.party_id, now=now
    )
    if not created:
        response.status_code = 200
    return shown(master)
