"""Availability of a work: the heat map, what is free in words, and "is exactly this free?".

Every choice stands in the address, so that a map or an answer can be sent on, and nothing needs
a script. Who may ask is the API's rule: owners, sides of grants, staff, and once a listing of the
work is public everybody who is signed in.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.refusal import Refusal, Unknown
from contracts.rights import vocabulary
from contracts.titles import heat
from contracts.titles import queries as titles
from contracts.works import queries as works
from exchange.api import availability as api
from exchange.api import problems
from exchange.api.deps import Now, Session
from exchange.portal import reasons, render, said
from exchange.portal.forms import Asked, Form, shape
from exchange.portal.language import ZONE, Language, mark
from exchange.portal.visitors import SignedIn, Visitor

router = APIRouter(prefix="/works/{work_id}/rights")
SPANS = (6, 12, 18, 24, 36)
OTHERS = heat.OTHERS
OUTCOME_OF = {"free": "free", "partly": "partly", "taken": "no", "unknown": "unknown"}
# Countries whose parts are licensed by themselves often enough to stand in the chooser.
DIVIDED = ("CN", "US", "CA", "GB", "DE", "FR", "JP", "KR", "AU", "IN", "BR")
SPOKEN = ("zh", "yue", "en", "zxx")
KINDS = {
    "exclusive": mark("Exclusive"),
    "sole": mark("Sole"),
    "non-exclusive": mark("Non-exclusive"),
}


@router.get("")
async def rights_page(
    request: Request, work_id: UUID, visitor: SignedIn, asked: Asked, *, session: Session, now: Now
) -> Response:
    """Show when and where a work is free: territory by month, and in words."""
    spoken = render.speaks(request)
    chosen = _chosen(asked, now)
    values: dict[str, Any] = {"map": None, "answer": None, "cell": None, "refusal": None}
    about = await _about(session, work_id, visitor, spoken)
    try:
        values |= await _found(chosen, about["found"], visitor, session=session, now=now)
    except Unknown:
        raise
    except Refusal as refusal:
        values["refusal"] = refusal
    return render.page(
        request,
        "rights.html",
        status=_status(values["refusal"]),
        chosen=chosen,
        **about,
        **_told(values, work_id, chosen, spoken),
        **choosers(spoken),
        here_with=lambda **more: _address(request, **more),
    )


@router.get("/check")
async def check_page(
    request: Request, work_id: UUID, visitor: SignedIn, asked: Asked, *, session: Session, now: Now
) -> Response:
    """Ask whether exactly this is free, and show the answer with its reasons."""
    spoken = render.speaks(request)
    about = await _about(session, work_id, visitor, spoken)
    answer, refused = None, None
    if asked.text("right"):
        try:
            found = await api.check_availability(
                _question(work_id, asked, visitor), session, visitor.caller, now
            )
            answer = reasons.answer(found, spoken, work_id=work_id)
        except Unknown:
            raise
        except Refusal as refusal:
            refused = refusal
    return render.page(
        request,
        "rights_check.html",
        status=_status(refused),
        answer=answer,
        refusal=refused,
        typed=_typed(asked, now),
        **about,
        **choosers(spoken),
    )


def choosers(spoken: Language) -> dict[str, Any]:
    """Return the choices that forms about rights offer."""
    rights = {code: right for code, right in vocabulary.RIGHTS.items() if right.licensable}
    media = said.choices(vocabulary.MEDIA, spoken)
    named = said.choices(rights, spoken)
    bundles = [("telecast", said.both("播映权", "telecast rights", spoken))]
    return {
        "rights": [("", spoken.say(mark("all rights"))), *named],
        "one_right": [*named, *bundles],
        "media": [("", spoken.say(mark("all media"))), *media],
        "every_medium": media,
        "tongues": [
            *((code, said.tongues([code], spoken)) for code in (*SPOKEN, vocabulary.ANY_LANGUAGE)),
        ],
        "kinds": [(code, spoken.say(text)) for code, text in KINDS.items()],
        "spans": [(count, str(count)) for count in SPANS],
        "rows": [
            ("", spoken.say(mark("countries in which something stands in the way"))),
            *((code, _parts_of(code, spoken)) for code in DIVIDED),
        ],
        "shades": [
            (code, spoken.say(words), glyph) for code, (words, glyph) in reasons.SHADES.items()
        ],
    }


async def _about(
    session: AsyncSession, work_id: UUID, visitor: Visitor, spoken: Language
) -> dict[str, Any]:
    """Return the work to those who may ask about it.

    Raises:
        Unknown: there is no such work, or the visitor may not know of it.
    """
    await api.get_visible(session, work_id, visitor.caller)
    work, caller = await works.get_work(session, work_id), visitor.caller
    sees = caller.is_staff or await titles.has_to_do_with(session, work.root_id, caller.party_id)
    return {
        "found": work_id,
        "has_register": sees,
        "work_id": work_id,
        "title": spoken.pick(work.title_zh, work.title_en),
        "is_holder": visitor.role == "holder",
    }


async def _found(
    chosen: dict[str, Any],
    work_id: UUID,
    visitor: Visitor,
    *,
    session: AsyncSession,
    now: datetime,
) -> dict[str, Any]:
    """Return the heat map, what is free in its months, and the reasons of a chosen cell."""
    caller = visitor.caller
    uses = {
        "right": chosen["right"] or None,
        "medium": [chosen["medium"]] if chosen["medium"] else [],
        "language": [chosen["language"]],
        "territory": chosen["rows"] or vocabulary.WORLD,
        "exclusivity": chosen["exclusivity"],
    }
    within, first = chosen["rows"] or None, chosen["first_day"]
    months = shape(api.Months, **uses, **{"from": first}, months=chosen["months"], within=within)
    found = await api.get_availability_calendar(work_id, session, caller, now, months)
    days = _days(found.months, uses)
    told: dict[str, Any] = {"map": found}
    told["answer"] = await api.get_availability(work_id, session, caller, now, days)
    if chosen["at"]:
        there = _days(found.months, {**uses, "territory": _there(chosen, found)})
        told["cell"] = await api.get_availability(work_id, session, caller, now, there)
    return told


def _there(chosen: dict[str, Any], found: api.CalendarOut) -> str:
    """Return the territory of a chosen row in notation; that of the last row is what is left."""
    if chosen["at"] != OTHERS:
        return str(chosen["at"])
    named = [f"-{row.territory}" for row in found.rows if row.territory != OTHERS]
    return " ".join([chosen["rows"] or vocabulary.WORLD, *named])


def _days(months: Sequence[date], uses: dict[str, Any]) -> api.Days:
    """Return the question about the days of consecutive months, the last one included."""
    last = heat.months_from(months[-1], 2)[1] - timedelta(days=1)
    return shape(api.Days, **uses, **{"from": months[0], "until": last})


def _chosen(asked: Form, now: datetime) -> dict[str, Any]:
    """Return what was chosen, or what a first look shows: two years from this month on."""
    here = now.astimezone(ZONE).date()
    month = asked.text("month")
    months = asked.whole("months") if asked.text("months") else 24
    return {
        "right": asked.text("right"),
        "medium": asked.text("medium"),
        "language": asked.text("language") or SPOKEN[0],
        "exclusivity": asked.text("exclusivity") or "exclusive",
        "first_day": asked.month("from") if asked.text("from") else here.replace(day=1),
        "months": months,
        "rows": asked.text("rows"),
        "at": asked.text("at"),
        "month": asked.month("month") if month else None,
    }


def _told(
    values: dict[str, Any], work_id: UUID, chosen: dict[str, Any], spoken: Language
) -> dict[str, Any]:
    """Return what was found in words."""
    told = dict(values)
    for name in ("answer", "cell"):
        if values[name] is not None:
            told[name] = reasons.answer(values[name], spoken, work_id=work_id)
    if values["map"] is not None:
        told["map"] = _map(values["map"], chosen, spoken)
    rows = told["map"]["rows"] if told["map"] else []
    row = next((row for row in rows if row["code"] == chosen["at"]), None)
    told["place"] = row["name"] if row else chosen["at"]
    if row and told["cell"] and chosen["month"]:
        told["cell"] |= _in_month(told["cell"], row, chosen["month"], spoken)
    return told


def _in_month(
    found: dict[str, Any], row: dict[str, Any], month: date, spoken: Language
) -> dict[str, Any]:
    """Return what of an answer touches a month, from when until when it does."""
    last = heat.months_from(month, 2)[1] - timedelta(days=1)
    shade = next((cell["shade"] for cell in row["cells"] if cell["month"] == month), None)

    def touches(box: dict[str, Any]) -> bool:
        return bool(box["first_day"] <= last and box["last_day"] >= month)

    return {
        **(reasons.outcome(OUTCOME_OF[shade], spoken) if shade else {}),
        "reasons": [one for one in found["reasons"] if touches(one["box"])],
        "free": [box for box in found["free"] if touches(box)],
        "unknown": [box for box in found["unknown"] if touches(box)],
    }


def _map(found: api.CalendarOut, chosen: dict[str, Any], spoken: Language) -> dict[str, Any]:
    years = groupby(found.months, key=lambda month: month.year)
    alone = len(found.rows) == 1
    rows = [
        {
            "code": row.territory,
            "name": _row_name(row.territory, chosen["rows"], spoken, alone=alone),
            "cells": [
                _cell(month, shade, spoken)
                for month, shade in zip(found.months, row.shades, strict=True)
            ],
        }
        for row in found.rows
    ]
    return {
        "years": [(year, len(list(months))) for year, months in years],
        "months": found.months,
        "rows": rows,
    }


def _cell(month: date, shade: str, spoken: Language) -> dict[str, Any]:
    words, glyph = reasons.SHADES[shade]
    return {"month": month, "shade": shade, "words": spoken.say(words), "glyph": glyph}


def _row_name(code: str, within: str, spoken: Language, *, alone: bool) -> str:
    if code != OTHERS:
        return _place(code, spoken)
    if alone:
        return _place(within or vocabulary.WORLD, spoken)
    return spoken.say(mark("all others"))


def _place(text: str, spoken: Language) -> str:
    return said.places([text], spoken)


def _question(work_id: UUID, asked: Form, visitor: Visitor) -> api.AskIn:
    right = asked.text("right")
    named = {"bundle": right} if right in _bundles() else {"right": right}
    own = asked.text("grantor") == "me"
    return shape(
        api.AskIn,
        work_id=work_id,
        **named,
        media=[] if "bundle" in named else asked.many("media"),
        territories=asked.text("territories"),
        languages=asked.words("languages"),
        first_day=asked.day("first_day"),
        last_day=asked.day("last_day"),
        tz=asked.text("tz"),
        exclusivity=asked.text("exclusivity"),
        runs_max=asked.whole("runs_max") if asked.text("runs_max") else None,
        sublicence_depth=asked.whole("depth") if asked.text("depth") else 0,
        grantor_id=visitor.caller.party_id if own else None,
        minimum_days=asked.whole("minimum_days") if asked.text("minimum_days") else 0,
    )


def _typed(asked: Form, now: datetime) -> dict[str, Any]:
    """Return what was typed, or an example of two calendar years of satellite in China."""
    year = now.astimezone(ZONE).year
    first = {
        "right": "broadcasting",
        "territories": "CN",
        "languages": "zh",
        "first_day": f"{year + 1}-01-01",
        "last_day": f"{year + 2}-12-31",
        "tz": "Asia/Shanghai",
        "exclusivity": "exclusive",
    }
    kept = {name: asked.text(name) or value for name, value in first.items()}
    kept |= {name: asked.text(name) for name in ("runs_max", "depth", "minimum_days", "grantor")}
    return {**kept, "media": asked.many("media") or ([] if asked.text("right") else ["satellite"])}


def _bundles() -> dict[str, vocabulary.Part]:
    return {part.bundle: part for part in vocabulary.BUNDLES}


def _parts_of(code: str, spoken: Language) -> str:
    return spoken.say(mark("parts of %(place)s")) % {"place": _place(code, spoken)}


def _address(request: Request, **more: str) -> str:
    """Return this address with other choices; empty ones are left out."""
    query = {**request.query_params, **more}
    query.pop("lang", None)
    return f"{request.url.path}?{urlencode({name: one for name, one in query.items() if one})}"


def _status(refusal: Refusal | None) -> int:
    return 200 if refusal is None else problems.STATUS[refusal.kind]
