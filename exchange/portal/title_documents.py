"""Documents of the chain of title: the form that files one, and the file to save."""

import hashlib
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from contracts import ids
from contracts.chains import service
from contracts.chains.gateway import DocumentFiles
from contracts.chains.rules import MOST_BYTES
from contracts.refusal import InvalidContent
from exchange.api import documents as api
from exchange.api.deps import Ctx, Now, Session
from exchange.portal import render
from exchange.portal.forms import Sent, shape
from exchange.portal.visitors import SignedIn

router = APIRouter(prefix="/works/{work_id}/register/documents")
LONGEST_FILE_BYTES = MOST_BYTES + 64 * 1024  # the file, and the fields of the form around it


@router.post("")
async def send_document(
    request: Request,
    work_id: UUID,
    visitor: SignedIn,
    form: Sent,
    *,
    context: Ctx,
    session: Session,
    now: Now,
) -> Response:
    """File a document: what it is, and its bytes in one step; the same file again is one more."""
    sent = (await request.form()).get("file")
    if not isinstance(sent, UploadFile) or not sent.filename:
        raise InvalidContent(
            "A field breaks its rule.", errors=[{"field": "file", "rule": "no file was sent"}]
        )
    content, document_id = await sent.read(), ids.new(now)
    body = shape(
        api.DocumentIn,
        kind=form.text("kind"),
        filename=sent.filename,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        issued_on=form.maybe("issued_on"),
        from_party=form.maybe("from_party"),
        to_party=form.maybe("to_party"),
    )
    caller = visitor.caller
    await api.declare_document(work_id, document_id, body, Response(), session, caller, now)
    await service.file_content(
        session, work_id, document_id,
        party_id=caller.party_id, content=content,
        files=DocumentFiles(context.settings.objects), now=now,
    )  # fmt: skip
    return render.see(request, f"/works/{work_id}/register#documents")


@router.get("/{document_id}")
async def saved_document(
    work_id: UUID, document_id: UUID, visitor: SignedIn, context: Ctx, session: Session
) -> Response:
    """Give a filed document as a file to save."""
    return await api.download_document(work_id, document_id, context, session, visitor.caller)
