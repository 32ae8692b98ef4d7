"""The chain of title (权属链): documents that show whose a work is, and their bytes."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.chains import queries, rules, service
from contracts.chains.gateway import DocumentFiles
from contracts.chains.rules import (
    BadDocument,
    DocumentDiffers,
    DocumentNotFiled,
    DocumentTooLarge,
    DocumentTypeUnsupported,
)
from contracts.chains.tables import TitleDocument
from contracts.parties.rules import BadName
from contracts.refusal import CommitUnknown, IdReused, InvalidContent, Malformed, Unknown
from contracts.refusal import NotAllowed as RoleMissing
from contracts.works.tables import Work
from exchange.api import deps, problems
from exchange.api.bodies import BodyTooSlow, JsonRoute, read_file
from exchange.api.deps import Ctx, Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.listings import RIGHT, RIGHTS, RightIn
from exchange.api.works import Day
from exchange.identity.rules import Caller, CsrfToken, Role, ScopeMissing, SignInNeeded

router = APIRouter(route_class=JsonRoute, tags=["documents"])

ARRIVES_WITHIN_S = 120.0  # 20 MiB at 175 kB/s
_SIGNED = (SignInNeeded, CsrfToken, ScopeMissing, RoleMissing, InvalidContent)
_TYPES = [media_type for _, media_type in rules.MAGIC]
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file itself; what it is is told by its first bytes.",
        "content": dict.fromkeys(_TYPES, _BYTES),
    }
}
DocumentKind = Literal[
    "registration-certificate", "contract", "assignment", "licence-in", "co-owner-consent",
    "pledge-contract", "permit", "manuscript", "other",
]  # fmt: skip
Name = Annotated[str, Field(max_length=400)]


class DocumentIn(Shape):
    """What a document is: 登记证书, 合同, 转让, 授权书, 共有人同意书, 质权合同, 许可证, 底稿."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "licence-in",
                    "filename": "授权书.pdf",
                    "sha256": "ab" * 32,
                    "bytes": 184_320,
                    "issued_on": "2026-06-01",
                    "from_party": "示范影业有限公司",
                    "to_party": "Example Distribution Ltd",
                    "covers": RIGHT,
                }
            ]
        }
    )

    kind: DocumentKind
    filename: Name
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
    issued_on: Day | None = None
    from_party: Name | None = None
    to_party: Name | None = None
    covers: Annotated[RightIn | None, Field(description="What it gives, as an offer says it.")] = (
        None
    )
    grant_id: Annotated[UUID | None, Field(description="The grant that it shows.")] = None


class DocumentOut(Shape):
    """A document of a work; `filed_at` is null until its bytes are here and are what was said."""

    id: UUID
    work_id: UUID
    party_id: Annotated[UUID, Field(description="Who declared it.")]
    kind: DocumentKind
    state: Literal["declared", "filed"]
    filename: str
    sha256: str
    bytes: int
    media_type: str | None
    issued_on: Day | None
    from_party: str | None
    to_party: str | None
    covers: dict[str, Any] | None
    grant_id: UUID | None
    created_at: AwareDatetime
    filed_at: AwareDatetime | None


class DocumentsOut(Shape):
    """A page of documents."""

    items: Sequence[DocumentOut]
    next: UUID | None


@router.put(
    "/works/{work_id}/documents/{document_id}",
    status_code=201,
    responses={
        200: {"model": DocumentOut, "description": "It was declared before, with this content."},
        **problems.responses(
            *_SIGNED, Malformed, Unknown, IdReused, BadDocument, DocumentTooLarge, BadName,
            *RIGHTS, CommitUnknown,
        ),
    },
)  # fmt: skip
async def declare_document(
    work_id: UUID,
    document_id: UUID,
    body: DocumentIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> DocumentOut:
    """Say what a document of a work is; its bytes follow with `file_document`."""
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    said = {**dict(body), "covers": body.covers and body.covers.model_dump(mode="json")}
    document = await service.declare(
        session, work_id, document_id, party_id=caller.party_id, said=said, now=now
    )
    if document.created_at != now:
        response.status_code = 200
    return _out(document)


@router.put(
    "/works/{work_id}/documents/{document_id}/content",
    openapi_extra=_FILE,
    responses=problems.responses(
        *_SIGNED, Unknown, DocumentDiffers, DocumentTypeUnsupported, DocumentTooLarge,
        BodyTooSlow, CommitUnknown,
    ),
)  # fmt: skip
async def file_document(
    work_id: UUID,
    document_id: UUID,
    request: Request,
    context: Ctx,
    now: Now,
) -> DocumentOut:
    """Send the bytes of a declared document; their hash goes into the log. Again is the same."""
    # No transaction is open while the file arrives, however long that takes.
    async with context.db.transaction() as session:
        caller = await deps.get_caller(await deps.find_caller(request, session, now))
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    content = await _content(request)
    async with context.db.transaction() as session:
        document = await service.file_content(
            session, work_id, document_id, party_id=caller.party_id, content=content,
            files=DocumentFiles(context.settings.objects), now=now,
        )  # fmt: skip
    return _out(document)


@router.get("/works/{work_id}/documents", responses=problems.responses(*_SIGNED, Unknown))
async def list_documents(
    work_id: UUID, session: Session, caller: Signed, after: UUID | None = None, limit: Limit = 50
) -> DocumentsOut:
    """List a work's documents, for its owners, staff, and parties with a deal or rights in it.

    What shows a grant is for the owners, its two sides, and those who hold under it.
    """
    work, viewer = await _seen(session, work_id, caller)
    rows = await queries.documents_page(
        session, work, viewer=viewer, after=page_after(after), limit=limit
    )
    return DocumentsOut(items=[_out(row) for row in rows], next=next_after(rows, limit))


@router.get(
    "/works/{work_id}/documents/{document_id}", responses=problems.responses(*_SIGNED, Unknown)
)
async def get_document(
    work_id: UUID, document_id: UUID, session: Session, caller: Signed
) -> DocumentOut:
    """Return what is said of a document."""
    work, viewer = await _seen(session, work_id, caller)
    return _out(await queries.get_document_seen(session, work, document_id, viewer=viewer))


@router.get(
    "/works/{work_id}/documents/{document_id}/content",
    response_class=FileResponse,
    responses={
        200: {"content": dict.fromkeys(_TYPES, _BYTES)},
        **problems.responses(*_SIGNED, Unknown, DocumentNotFiled),
    },
)
async def download_document(
    work_id: UUID, document_id: UUID, context: Ctx, session: Session, caller: Signed
) -> FileResponse:
    """Return the bytes of a filed document, as a file to save: never shown in the browser."""
    work, viewer = await _seen(session, work_id, caller)
    document = await queries.get_document_seen(session, work, document_id, viewer=viewer)
    if document.state != "filed":
        raise DocumentNotFiled("The file of this document has not come.")
    path = DocumentFiles(context.settings.objects).path(work_id, document_id)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(document.filename, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, no-store",
    }
    return FileResponse(path, media_type=document.media_type, headers=headers)


async def _seen(session: Session, work_id: UUID, caller: Caller) -> tuple[Work, UUID | None]:
    caller.need("read")
    viewer = caller.for_party
    return await queries.get_work_seen(session, work_id, viewer), viewer


async def _content(request: Request) -> bytes:
    most = rules.MOST_BYTES
    too_long = DocumentTooLarge("The file is too long.", most_bytes=most)
    return await read_file(request, most_bytes=most, within_s=ARRIVES_WITHIN_S, too_long=too_long)


def _out(document: TitleDocument) -> DocumentOut:
    return DocumentOut.model_validate(document.model_dump())
