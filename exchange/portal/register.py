"""The register of a work: grants out and in, holds, promises and charges, events, documents.

Owners see all of it, other parties what is theirs; who may see what, and do what, the API decides.
"""

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.refusal import Unknown
from contracts.rights import vocabulary
from contracts.titles import queries as titles
from contracts.titles.rules import REVERSIONS
from contracts.works import queries as works
from exchange.api import documents, encumbrances, events, grants
from exchange.api.deps import Session
from exchange.portal import encumbered, names, reasons, render
from exchange.portal.language import Language, mark
from exchange.portal.visitors import SignedIn, Visitor

router = APIRouter(prefix="/works/{work_id}/register")
MOST_SHOWN = 200
_SELLERS = ("holder", "broadcaster")  # both may hold and record what they license on
Found = TypeVar("Found")
REASONS: Mapping[str, str] = {
    "default": mark("Default of payment"),
    "expiry-of-option": mark("The option ran out"),
    "agreement": mark("By agreement"),
    "termination": mark("Termination"),
    "expired": mark("Ran out"),
    "lifted": mark("Given up"),
    "parent-ended": mark("What it was licensed from ended"),
}
DOCUMENTS: Mapping[str, str] = {
    "registration-certificate": mark("Registration certificate"),
    "contract": mark("Contract"),
    "assignment": mark("Assignment"),
    "licence-in": mark("Licence in"),
    "co-owner-consent": mark("Consent of a co-owner"),
    "pledge-contract": mark("Pledge contract"),
    "permit": mark("Permit"),
    "manuscript": mark("Manuscript or footage"),
    "other": mark("Other"),
}


@router.get("")
async def register_page(
    request: Request, work_id: UUID, visitor: SignedIn, session: Session
) -> Response:
    """Show what the register holds about a work, as far as the visitor may see it."""
    spoken, caller = render.speaks(request), visitor.caller
    granted = await _seen(grants.list_grants(work_id, session, caller, limit=MOST_SHOWN))
    burdens = await _seen(
        encumbrances.list_encumbrances(work_id, session, caller, limit=MOST_SHOWN)
    )
    if granted is None and burdens is None:
        raise Unknown("There is no such work.", work=str(work_id))
    happened = await _seen(events.list_work_events(work_id, session, caller))
    filed = await _seen(documents.list_documents(work_id, session, caller, limit=MOST_SHOWN))
    return render.page(
        request,
        "register.html",
        **await about(session, work_id, visitor, spoken),
        grants=[
            await _grant(session, one, visitor, spoken)
            for one in (granted.items if granted else ())
        ],
        burdens=[
            await encumbered.shown(session, one, visitor, spoken)
            for one in (burdens.items if burdens else ())
        ],
        happened=None if happened is None else [_event(one, spoken) for one in happened.items],
        events=[(code, spoken.pick(one.zh, one.en)) for code, one in vocabulary.EVENTS.items()],
        documents=[_document(one, spoken) for one in (filed.items if filed else ())],
        kinds=[(code, spoken.say(words)) for code, words in DOCUMENTS.items()],
        reversions=[(code, spoken.say(REASONS[code])) for code in REVERSIONS],
    )


async def about(
    session: AsyncSession, work_id: UUID, visitor: Visitor, spoken: Language
) -> dict[str, Any]:
    """Return what every page of the register says of its work, and what the visitor may do."""
    work = await works.get_work(session, work_id)
    me = visitor.caller.party_id
    owners = {work.party_id, *(share.party_id for share in await titles.shares(session, work_id))}
    offers = me in owners or bool(await titles.holdings(session, work, me))
    return {
        "work_id": work_id,
        "title": spoken.pick(work.title_zh, work.title_en),
        "is_holder": visitor.role == "holder",
        "is_owner": me in owners,
        "may_burden": me in owners or visitor.role == "operator",
        "may_record": visitor.role in _SELLERS and offers,
        "may_revert": visitor.role == "operator",
    }


async def _seen(asked: Awaitable[Found]) -> Found | None:
    """Return what was asked for; None to those who may not know of it."""
    try:
        return await asked
    except Unknown:
        return None


async def _grant(
    session: AsyncSession, grant: grants.GrantOut, visitor: Visitor, spoken: Language
) -> dict[str, Any]:
    me = visitor.caller.party_id
    named, source = grant.licensee_name, grant.source.partition(":")
    if grant.grantee_id is not None:
        named = await names.party(session, grant.grantee_id, spoken=spoken)
    is_hold = source[0] == "hold" and grant.state == "held"
    return {
        **grant.model_dump(),
        "state_words": spoken.say(reasons.STATES[grant.state]),
        "tone": {"effective": "good", "held": "warn", "reserved": "live"}.get(grant.state, ""),
        "grantor": await names.party(session, grant.grantor_id, spoken=spoken),
        "grantee": named or "–",
        "is_in": grant.grantee_id == me,
        "is_out": grant.grantor_id == me,
        "why": spoken.say(REASONS[grant.ended_reason]) if grant.ended_reason else "",
        "round": _round(grant.round_no, spoken),
        "hold_id": source[2] if is_hold and me in (grant.grantor_id, grant.grantee_id) else None,
        "has_runs": grant.state in ("effective", "ended"),
    }


def _round(number: int | None, spoken: Language) -> str:
    for one in vocabulary.ROUNDS.values():
        if one.number == number:
            return spoken.pick(one.zh, one.en)
    return "" if number is None else str(number)


def _event(event: events.EventOut, spoken: Language) -> dict[str, Any]:
    word = vocabulary.EVENTS[event.code]
    return {"name": spoken.pick(word.zh, word.en), "day": event.happened_on, "why": event.reason}


def _document(document: documents.DocumentOut, spoken: Language) -> dict[str, Any]:
    words = spoken.say(DOCUMENTS[document.kind])
    return {**document.model_dump(exclude={"covers"}), "kind_words": words}
