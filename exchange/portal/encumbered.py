"""Promises and charges in words: what kind, whom they serve, what they cover, when."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.encumbrances.moments import Lag
from contracts.encumbrances.rules import KINDS
from contracts.rights import axes, vocabulary
from exchange.api import encumbrances as api
from exchange.api.encumbrances import EncumbranceOut
from exchange.portal import names, said
from exchange.portal.language import Language, mark
from exchange.portal.visitors import Visitor

MOST_CONSENTS = 50
ENGLISH: Mapping[str, str] = {
    "holdback": "Holdback",
    "blackout": "Blackout",
    "option": "Option",
    "first-refusal": "First refusal",
    "pledge": "Pledge",
    "mandate": "Collective mandate",
    "clearance": "Missing clearance",
}


async def shown(
    session: AsyncSession, told: EncumbranceOut, visitor: Visitor, spoken: Language
) -> dict[str, Any]:
    """Return an encumbrance for a page, with what the visitor may do about it."""
    served, caller = told.beneficiary_id, visitor.caller
    name = told.beneficiary_name
    if served is not None:
        name = await names.party(session, served, spoken=spoken)
    is_active, operates = told.state == "active", visitor.role == "operator"
    is_owners = not name and told.declared_by is not None
    return {
        **told.model_dump(exclude={"terms"}),
        "words": kind(told.kind, spoken),
        "beneficiary": name,
        "terms": terms(told.terms, spoken),
        "waits": _event(told.waits_for, spoken) if told.waits_for else "",
        "may_lift": is_active and (operates or served == caller.party_id or is_owners),
        "consents": await _consents(session, told, visitor, spoken) if name else [],
        "may_consent": is_active and bool(name) and (operates or served == caller.party_id),
    }


async def _consents(
    session: AsyncSession, told: EncumbranceOut, visitor: Visitor, spoken: Language
) -> list[dict[str, Any]]:
    """Return to what the beneficiary consented, newest last."""
    found = await api.list_encumbrance_consents(
        work_id=told.work_id,
        encumbrance_id=told.id,
        session=session,
        caller=visitor.caller,
        limit=MOST_CONSENTS,
    )
    return [terms(one.terms, spoken) for one in found.items]


def kind(code: str, spoken: Language) -> str:
    """Return the name of a kind of encumbrance."""
    return spoken.pick(KINDS[code], ENGLISH[code])


def terms(wire: Mapping[str, Any], spoken: Language) -> dict[str, Any]:
    """Return what an encumbrance or a consent says, in words."""
    rights = [vocabulary.RIGHTS[code] for code in wire["rights"]]
    licensable = [right for right in vocabulary.RIGHTS.values() if right.licensable]
    named = [spoken.pick(right.zh, right.en) for right in rights[: said.NAMED_AT_MOST]]
    media = axes.MEDIA.mask(wire["media"]) == axes.MEDIA.all if "*" not in wire["media"] else True
    every = len(rights) == len(licensable)
    return {
        "rights": spoken.say(mark("all rights")) if every else "、".join(named)
        if spoken.code == "zh-CN" else ", ".join(named),
        "media": spoken.say(mark("all media")) if media else said.media(wire["media"], spoken),
        "territories": said.places(wire["territories"], spoken),
        "excluded": said.places(wire.get("excluded") or (), spoken),
        "languages": said.tongues(wire["languages"], spoken),
        "start": _moment(wire.get("first_day") or wire.get("start"), spoken),
        "end": _moment(wire.get("last_day") or wire.get("end"), spoken),
    }  # fmt: skip


def _moment(told: str | Mapping[str, Any] | None, spoken: Language) -> str:
    """Return a day, or an event with the time counted from it; nothing where there is no end."""
    if told is None:
        return spoken.say(mark("without end"))
    if isinstance(told, str):
        return told
    return " ".join([_event(told["event"], spoken), _lag(told.get("lag"), spoken)]).strip()


def _lag(text: str | None, spoken: Language) -> str:
    lag = Lag.parse(text) if text else Lag()
    parts = [
        spoken.say(words) % {"count": abs(count)}
        for words, count in (
            (mark("%(count)s months"), lag.months),
            (mark("%(count)s days"), lag.days),
        )
        if count
    ]
    sign = "−" if min(lag.months, lag.days) < 0 else "+"
    return f"{sign} {' '.join(parts)}" if parts else ""


def _event(code: str, spoken: Language) -> str:
    word = vocabulary.EVENTS[code]
    return spoken.pick(word.zh, word.en)
