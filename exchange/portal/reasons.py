"""Answers about availability in words: what is free, what stands in the way, where and until when.

The words of each reason are the register's own (`contracts.titles.explaining.WORDS`); here stand
the words around them: weights, kinds of record, shades of the heat map.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from contracts.rights import axes, vocabulary
from contracts.titles import explaining
from contracts.titles.judging import Outcome
from exchange.api.availability import AnswerOut, BoxOut, ReasonOut, RecordOut
from exchange.portal import said
from exchange.portal.language import Language, mark

# More rights than these in one box are told by the first ones and their number.
RIGHTS_NAMED = 3
SEVERITIES: Mapping[str, tuple[str, str]] = {
    "blocker": (mark("stands in the way"), "bad"),
    "unknown": (mark("not known yet"), "warn"),
    "notice": (mark("for your notice"), ""),
}
SHADES: Mapping[str, tuple[str, str]] = {
    "free": (mark("free"), "✓"),
    "partly": (mark("partly free"), "◐"),
    "taken": (mark("taken"), "✕"),
    "unknown": (mark("not known yet"), "?"),
}
RECORDS: Mapping[str, str] = {
    "grant": mark("a grant"),
    "encumbrance": mark("a promise or charge"),
    "share": mark("a share in the work"),
    "work": mark("the work itself"),
}
STATES: Mapping[str, str] = {
    "reserved": mark("Offered"),
    "held": mark("Held"),
    "effective": mark("Granted"),
    "released": mark("Given back"),
    "ended": mark("Ended"),
}


def answer(told: AnswerOut, spoken: Language, *, work_id: UUID) -> dict[str, Any]:
    """Return an answer for a page: the outcome, reasons and boxes in words."""
    return {
        **outcome(told.outcome, spoken),
        "reasons": [reason(one, spoken, work_id=work_id) for one in told.reasons],
        "more_reasons": told.more_reasons,
        "free": [box(one, spoken) for one in told.free],
        "more_free": told.more_free,
        "unknown": [box(one, spoken) for one in told.unknown],
    }


def outcome(code: str, spoken: Language) -> dict[str, str]:
    """Return an outcome in both languages."""
    zh, en = explaining.OUTCOMES[Outcome(code)]
    return {"code": code, "outcome": spoken.pick(zh, en), "other": spoken.pick(en, zh)}


def reason(told: ReasonOut, spoken: Language, *, work_id: UUID) -> dict[str, Any]:
    """Return a reason in both languages, with what it is about and the record that causes it."""
    weight, tone = SEVERITIES[told.severity]
    return {
        "code": told.code,
        "said": spoken.pick(told.said_zh, told.said_en),
        "other": spoken.pick(told.said_en, told.said_zh),
        "weight": spoken.say(weight),
        "tone": tone,
        "record": None if told.record is None else spoken.say(RECORDS[told.record.kind]),
        "address": _address(told.record, work_id),
        "about": list(_about(told.about, spoken)),
        "box": box(told.box, spoken),
    }


def box(told: BoxOut, spoken: Language) -> dict[str, Any]:
    """Return a box of uses in words; of most languages, those that are left out."""
    tongues, silent = axes.LANGUAGES.said(axes.LANGUAGES.mask(told.languages))
    return {
        "works": [_work(part, spoken) for part in told.works],
        "uses": _uses(told, spoken),
        "territories": said.places(told.territories, spoken),
        "excluded": said.places(told.excluded, spoken),
        "languages": said.tongues(tongues, spoken),
        "silent": said.tongues(silent, spoken),
        "first_day": told.first_day,
        "last_day": told.last_day,
    }


def _work(part: Any, spoken: Language) -> dict[str, Any]:
    return {
        "id": part.work_id,
        "title": spoken.pick(part.title_zh, part.title_en),
        "with_parts": part.with_parts,
    }


def _uses(told: BoxOut, spoken: Language) -> list[tuple[str, str]]:
    """Return (right, its media) in words; all of them in one line where nothing is left out."""
    mask = 0
    for use in told.rights:
        mask |= axes.uses(use.right, axes.MEDIA.mask(use.media))
    if mask == axes.ALL_USES:
        return [(spoken.say(mark("all rights and media")), "")]
    found = [_use(use.right, use.media, spoken) for use in told.rights]
    if len(found) > RIGHTS_NAMED:
        rest = spoken.say(mark("and %(count)s further rights")) % {
            "count": len(found) - RIGHTS_NAMED
        }
        return [*found[:RIGHTS_NAMED], (rest, "")]
    return found


def _use(code: str, media: Sequence[str], spoken: Language) -> tuple[str, str]:
    right = vocabulary.RIGHTS[code]
    whole = axes.uses(code, axes.MEDIA.mask(media)) == axes.uses(code, axes.MEDIA.all)
    names = spoken.say(mark("all its media")) if whole else said.media(media, spoken)
    return spoken.pick(right.zh, right.en), names


def _about(about: Mapping[str, Any], spoken: Language) -> Any:
    """Yield what more is known of a reason: until when, in which state, waiting for what."""
    if about.get("expires_at"):
        yield spoken.say(mark("until")) + " " + spoken.moment(about["expires_at"])
    if about.get("state"):
        yield spoken.say(STATES[about["state"]])
    if about.get("event"):
        event = vocabulary.EVENTS[about["event"]]
        yield spoken.say(mark("waits for")) + " " + spoken.pick(event.zh, event.en)
    if "runs_left" in about:
        yield spoken.say(mark("runs left")) + f": {about['runs_left']}"


def _address(record: RecordOut | None, work_id: UUID) -> str | None:
    """Return where the record is shown to those who may see it."""
    if record is None or record.id is None:
        return None
    if record.deal_id is not None:
        return f"/deals/{record.deal_id}"
    if record.kind in ("grant", "encumbrance"):
        return f"/works/{work_id}/register#{record.kind}-{record.id}"
    return f"/works/{work_id}" if record.kind == "share" else None
