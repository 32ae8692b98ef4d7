"""Declaring documents of the chain of title (权属链), and filing their bytes."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import anyio.to_thread
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import locking
from contracts.chains import queries, rules
from contracts.chains.gateway import DocumentFiles
from contracts.chains.rules import Description
from contracts.chains.tables import TitleDocument
from contracts.facts import service as facts
from contracts.refusal import IdReused, Unknown
from contracts.titles import queries as titles
from contracts.works.tables import Work


async def declare(
    session: AsyncSession,
    work_id: UUID,
    document_id: UUID,
    *,
    party_id: UUID,
    said: Mapping[str, Any],
    now: datetime,
) -> TitleDocument:
    """Say what a document of a work is, before its bytes come; the same again changes nothing.

    Args:
        session: the open transaction.
        work_id: the work.
        document_id: of the document.
        party_id: an owner of the work, or a licensee that may license on.
        said: the fields of `rules.Description`.
        now: the instant.

    Raises:
        Unknown: there is no such work or grant, or the party has nothing to offer in the work.
        IdReused: the document is there with other content.
        Refusal: any of `rules.describe`.
    """
    work = await queries.get_work_told(session, work_id, party_id)
    wanted = rules.describe(said, now=now)
    known = await queries.find_document(session, work_id, document_id)
    if known is not None:
        return _same(known, wanted, party_id=party_id)
    await _need_grant(session, work, wanted.grant_id, party_id=party_id)
    row = TitleDocument(
        work_id=work_id, id=document_id, party_id=party_id, created_at=now, **asdict(wanted)
    )
    made = await session.execute(
        insert(TitleDocument)
        .values(**row.model_dump())
        .on_conflict_do_nothing(index_elements=["work_id", "id"])
        .returning(TitleDocument)
    )
    added = made.scalar_one_or_none()
    if added is not None:
        return added
    rival = await queries.get_document(session, work_id, document_id)
    return _same(rival, wanted, party_id=party_id)


async def file_content(
    session: AsyncSession,
    work_id: UUID,
    document_id: UUID,
    *,
    party_id: UUID,
    content: bytes,
    files: DocumentFiles,
    now: datetime,
) -> TitleDocument:
    """Keep the bytes of a declared document, and put their hash into the log; once.

    Raises:
        Unknown: the party declared no such document.
        DocumentDiffers: they are not the bytes that were declared.
        DocumentTypeUnsupported: they are neither PDF nor PNG nor JPEG.
    """
    document = await locking.find_locked(
        session,
        TitleDocument,
        col(TitleDocument.work_id) == work_id,
        col(TitleDocument.id) == document_id,
    )
    if document is None or document.party_id != party_id:
        raise Unknown("There is no such document.", document=str(document_id))
    media_type = rules.check_content(content, sha256=document.sha256, size=document.bytes)
    if document.state == "filed":
        return document
    await anyio.to_thread.run_sync(partial(files.write, work_id, document_id, content))
    document.state, document.media_type, document.filed_at = "filed", media_type, now
    await session.flush()
    payload = {
        "work": str(work_id),
        "document": str(document_id),
        "kind": document.kind,
        "sha256": document.sha256,
        "bytes": document.bytes,
    }
    await facts.record(session, "document.filed", document_id, payload, parties=[party_id], now=now)
    return document


async def _need_grant(
    session: AsyncSession, work: Work, grant_id: UUID | None, *, party_id: UUID
) -> None:
    """Let owners file for any grant of the tree, others for those they hold or hold under."""
    if grant_id is None:
        return
    if party_id in await queries.owners(session, work):
        found = await titles.find_grant(session, work.root_id, grant_id) is not None
    else:
        found = grant_id in await titles.chain_of_party(session, work.root_id, party_id)
    if not found:
        raise Unknown("There is no such grant.", grant=str(grant_id))


def _same(known: TitleDocument, wanted: Description, *, party_id: UUID) -> TitleDocument:
    said = Description(**known.model_dump(include=set(Description.__dataclass_fields__)))
    if (known.party_id, said) != (party_id, wanted):
        raise IdReused("This id belongs to a document with other content.")
    return known
