"""Avails: a page that checks a file of offers, shows what it would change, and applies it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

import anyio
from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import UploadFile

from contracts import ids
from contracts.avails import files, rules, service
from contracts.avails.refusals import MOST_BYTES
from contracts.avails.service import Plan
from contracts.refusal import InvalidContent
from exchange.api.deps import Now, Session
from exchange.identity.rules import Role
from exchange.portal import render
from exchange.portal.forms import Sent
from exchange.portal.visitors import Holder

router = APIRouter()
LONGEST_FILE_BYTES = MOST_BYTES + 64 * 1024  # the file, and the fields of the form around it
MOST_SHOWN = 500
TONES = {"error": "bad", "warning": "warn", "info": ""}


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a file, as the page shows it."""

    plan: Plan
    counts: dict[str, int]
    applied: bool
    filename: str


@router.get("/avails")
async def avails_page(request: Request, _visitor: Holder) -> Response:
    """Show the form that takes a file of avails."""
    return render.page(request, "avails.html", told=None)


@router.post("/avails")
async def send_avails(
    request: Request, visitor: Holder, form: Sent, session: Session, now: Now
) -> Response:
    """Check a file of avails, or apply it; the form stays as it is, so that both are one choice."""
    visitor.caller.need("list", Role.HOLDER)
    sent = (await request.form()).get("file")
    if not isinstance(sent, UploadFile) or not sent.filename:
        raise InvalidContent(
            "A field breaks its rule.", errors=[{"field": "file", "rule": "no file was sent"}]
        )
    content = await sent.read()
    told = await _told(
        session,
        content,
        filename=sent.filename[:200],
        party_id=visitor.caller.party_id,
        apply=form.text("act") == "apply",
        now=now,
    )
    return render.page(request, "avails.html", told=_shown(request, told))


async def _told(
    session: AsyncSession,
    content: bytes,
    *,
    filename: str,
    party_id: UUID,
    apply: bool,
    now: datetime,
) -> Told:
    """Return what a file would change; apply it if that is asked and it has no errors."""
    read = await anyio.to_thread.run_sync(files.read, content)
    plan = await service.plan(session, read, party_id=party_id)
    wanted = apply and not plan.report.errors
    if wanted:
        sha256 = hashlib.sha256(content).hexdigest()
        await service.import_(
            session, ids.new(now), party_id=party_id, read=read, sha256=sha256, now=now
        )
    return Told(plan, rules.counts(plan.changes), wanted, filename)


def _shown(request: Request, told: Told) -> dict[str, Any]:
    """Return plain values for the template, in the language of the page."""
    language = "zh" if render.speaks(request).code.startswith("zh") else "en"
    findings = told.plan.report.findings
    return {
        "filename": told.filename,
        "applied": told.applied,
        "errors": told.plan.report.errors,
        "warnings": told.plan.report.warnings,
        "counts": told.counts,
        "more": max(0, len(findings) - MOST_SHOWN),
        "findings": [
            {
                "where": str(one.place),
                "column": one.column or "",
                "severity": one.severity.value,
                "tone": TONES[one.severity.value],
                "message": one.message(language),
                "fix": one.fix(language),
            }
            for one in findings[:MOST_SHOWN]
        ],
        "changes": list(islice(_changes(told.plan), MOST_SHOWN)),
    }


def _changes(plan: Plan) -> Iterator[dict[str, Any]]:
    for change in plan.told():
        for name, (before, after) in change["fields"].items() or [("", (None, None))]:
            yield {
                "alid": change["alid"],
                "title": change["title"],
                "key": change["key"],
                "what": change["what"],
                "field": name,
                "before": before,
                "after": after,
            }
