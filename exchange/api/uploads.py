"""Resumable upload over HTTP.

Source: tus resumable upload protocol 1.0.0: core, creation, expiration, termination.
Differs from the source: refusals are problem documents, and the client names the upload
(`master_id` in Upload-Metadata), so that creating it twice is harmless.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated, Any
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from contracts.refusal import IdReused, InvalidContent, NotAllowed, Refusal, Unknown
from exchange.api import deps, problems
from exchange.api.deps import Ctx, Now, Session, Signed
from exchange.context import Context
from exchange.identity.rules import Caller, Role, ScopeMissing, SignInNeeded
from listings.masters import queries, rules, service
from listings.masters.objects import ObjectsAway
from listings.masters.refusals import (
    BadUploadHeader,
    BadUploadMetadata,
    TusVersionUnsupported,
    UploadByReference,
    UploadExpired,
    UploadFinished,
    UploadOverrun,
    UploadTooLarge,
    WrongOffset,
    WrongUploadType,
)
from listings.masters.tables import Master

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,termination"
PART = "application/offset+octet-stream"
BLOCK = 2 * 1024**2  # bytes per transaction: what a cut connection or a crash can cost
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class TusRoute(APIRoute):
    """A route whose answers, refusals too, carry `Tus-Resumable`; other versions get a 412."""

    def get_route_handler(self) -> Handler:
        """Wrap the operation."""
        handle = super().get_route_handler()

        async def speak_tus(request: Request) -> Response:
            try:
                answer = await handle(request)
            except TusVersionUnsupported as refusal:
                answer = problems.response(refusal)
                answer.headers["Tus-Version"] = VERSION
            except Refusal as refusal:
                answer = problems.response(refusal)
            answer.headers["Tus-Resumable"] = VERSION
            return answer

        return speak_tus


router = APIRouter(route_class=TusRoute)  # tagged by the router that includes it


def need_version(
    tus_resumable: Annotated[str | None, Header(examples=[VERSION], description="`1.0.0`")] = None,
) -> None:
    """Refuse to speak another version of tus (1.0.0, Requests and Responses)."""
    if tus_resumable != VERSION:
        raise TusVersionUnsupported("This exchange speaks tus 1.0.0.", version=VERSION)


SPOKEN = (Depends(need_version),)
COMMON = (TusVersionUnsupported, SignInNeeded, ScopeMissing, NotAllowed, InvalidContent)
BODY = {
    "requestBody": {
        "required": True,
        "content": {PART: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.options("/uploads", status_code=204, response_class=Response)
async def describe_uploads(context: Ctx) -> Response:
    """Say which tus version and extensions are spoken, and how large a file may be."""
    return Response(
        status_code=204,
        headers={
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(context.settings.upload_limit_bytes),
        },
    )


@router.post(
    "/uploads",
    dependencies=SPOKEN,
    status_code=201,
    response_class=Response,
    responses=problems.responses(
        *COMMON, BadUploadHeader, BadUploadMetadata, UploadTooLarge, IdReused, Unknown
    ),
)
async def create_upload(
    context: Ctx,
    session: Session,
    caller: Signed,
    now: Now,
    upload_length: Annotated[str | None, Header(examples=["48230112"])] = None,
    upload_metadata: Annotated[
        str | None,
        Header(
            examples=[
                "filename bWFzdGVyLm14Zg==,"
                "master_id MDE5YTk5YzAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAx"
            ],
            description="`filename`, `master_id` (UUID chosen by the client), optional `work_id`, "
            "`filetype`, `purpose` (`master`, or `asset` for a further file of the work); values "
            "in Base64.",
        ),
    ] = None,
) -> Response:
    """Create an upload of a master (母版); the same request again answers 200 with its offset."""
    caller.need("list", Role.HOLDER)
    wanted = rules.ask(
        upload_length, upload_metadata, most_bytes=context.settings.upload_limit_bytes
    )
    master, created = await service.create_upload(
        session, wanted, party_id=caller.party_id, now=now
    )
    headers = {**_state(master), "Location": f"/v1/uploads/{master.id}"}
    return Response(status_code=201 if created else 200, headers=headers)


@router.head(
    "/uploads/{master_id}",
    dependencies=SPOKEN,
    response_class=Response,
    responses=problems.responses(*COMMON, Unknown, UploadExpired),
)
async def get_upload_offset(
    master_id: UUID,
    session: Session,
    caller: Signed,
    now: Now,
) -> Response:
    """Say how many bytes are stored: where to go on."""
    caller.need("list", Role.HOLDER)
    master = await queries.get_master_of(session, master_id, caller.party_id)
    rules.check_alive(state=master.state, expires_at=master.expires_at, now=now)
    headers = {**_state(master), "Cache-Control": "no-store"}
    return Response(status_code=200, headers=headers)


@router.patch(
    "/uploads/{master_id}",
    dependencies=SPOKEN,
    status_code=204,
    response_class=Response,
    openapi_extra=BODY,
    responses=problems.responses(
        *COMMON, Unknown, BadUploadHeader, WrongOffset, UploadFinished, UploadExpired,
        UploadOverrun, WrongUploadType, UploadByReference, ObjectsAway,
    ),
)  # fmt: skip
async def append_to_upload(
    master_id: UUID,
    request: Request,
    context: Ctx,
    now: Now,
    upload_offset: Annotated[str | None, Header(examples=["0"])] = None,
) -> Response:
    """Append a part; what arrived before a cut connection stays, and the hash runs along."""
    caller = await _caller(request, context, now)
    offset = rules.whole_number(upload_offset, header="Upload-Offset")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != PART:
        raise WrongUploadType("The content is no part of an upload.")
    upload = Upload(context, master_id, caller.party_id, now)
    master = await upload.begin(offset, announced=request.headers.get("content-length"))
    async for block in _blocks(request):
        master = await upload.append(offset, block)
        offset += len(block)
    return Response(status_code=204, headers=_state(master))


@router.delete(
    "/uploads/{master_id}",
    dependencies=SPOKEN,
    status_code=204,
    response_class=Response,
    responses=problems.responses(*COMMON, Unknown, UploadFinished),
)
async def cancel_upload(
    master_id: UUID,
    request: Request,
    context: Ctx,
    now: Now,
) -> Response:
    """End an unfinished upload and remove what was stored."""
    caller = await _caller(request, context, now)
    async with context.db.transaction() as session:
        await service.cancel_upload(session, master_id, party_id=caller.party_id)
    await anyio.to_thread.run_sync(context.masters.remove, master_id)
    return Response(status_code=204)


@dataclass(frozen=True, slots=True)
class Upload:
    """One PATCH on its way: a short transaction for each block, none while waiting for bytes."""

    context: Context
    master_id: UUID
    party_id: UUID
    now: datetime

    async def begin(self, offset: int, *, announced: str | None) -> Master:
        """Refuse before reading what could not be stored anyway."""
        async with self.context.db.transaction() as session:
            master = await queries.get_master_of(session, self.master_id, self.party_id)
        if master.reference is not None:
            raise UploadByReference("The exchange fetches this master itself.")
        rules.judge_append(
            stored=master.received_bytes,
            declared=master.declared_bytes,
            offset=offset,
            size=rules.whole_number(announced or "0", header="Content-Length"),
            state=master.state,
            expires_at=master.expires_at,
            now=self.now,
        )
        return master

    async def append(self, offset: int, block: bytes) -> Master:
        """Store a block; it is committed on return, and the sums have taken it in."""
        async with self.context.db.transaction() as session:
            return await service.append(
                session,
                self.master_id,
                party_id=self.party_id,
                offset=offset,
                block=block,
                files=self.context.masters,
                now=self.now,
            )


async def _caller(request: Request, context: Context, now: datetime) -> Caller:
    """Recognise the caller in a transaction of its own, closed before the content is read."""
    async with context.db.transaction() as session:
        caller = await deps.get_caller(await deps.find_caller(request, session, now))
    caller.need("list", Role.HOLDER)
    return caller


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    """Yield the content in blocks; a connection that is cut ends it, and what arrived counts."""
    held = bytearray()
    with contextlib.suppress(ClientDisconnect):
        async for piece in request.stream():
            held += piece
            while len(held) >= BLOCK:
                with memoryview(held) as whole:
                    block = bytes(whole[:BLOCK])
                del held[:BLOCK]
                yield block
    if held:
        yield bytes(held)


def _state(master: Master) -> dict[str, str]:
    headers = {
        "Upload-Offset": str(master.received_bytes),
        "Upload-Length": str(master.declared_bytes),
    }
    if master.state == "uploading":
        headers["Upload-Expires"] = format_datetime(master.expires_at.astimezone(UTC), usegmt=True)
    return headers
