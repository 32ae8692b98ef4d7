"""Answers as data: boxes in codes and days, reasons in words, records as far as one may see (pure).

What stands on the wire about others' deals is that something stands there, of which kind and when,
never whose it is: that is for the owners, the two sides of a grant, and staff.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.refusal import Kind, Refusal
from contracts.rights import axes, merging
from contracts.rights.instants import instant
from contracts.rights.region import Box, Region
from contracts.titles.judging import Answer, Outcome, Reason, Record, Severity
from contracts.titles.register import Tree

MOST_BOXES, MOST_REASONS = 50, 100
ZONE = "Asia/Shanghai"
# What each reason says, in Chinese and English.
WORDS: Mapping[str, tuple[str, str]] = {
    "no-rights-in": ("授权方未持有该等权利", "the grantor holds no such rights"),
    "no-exclusive-rights-in": ("授权方的权利并非专有", "the grantor's rights are not exclusive"),
    "exclusive-out": ("已作独占或排他许可", "licensed exclusively or solely already"),
    "non-exclusive-out": ("已有普通许可", "licensed non-exclusively already"),
    "hold": ("挂牌或签约期间保留", "reserved for an offer or a deal being signed"),
    "holdback": ("授权方保留期承诺", "held back by a promise of the grantor"),
    "blackout": ("禁播", "blacked out"),
    "option": ("他方选择权", "under option to somebody else"),
    "first-refusal": ("他方优先购买权，须先征询", "somebody else has to be asked first"),
    "mandate": ("集体管理授权期内不得自行许可", "mandated to a collective management organisation"),
    "clearance": ("所含权利尚未清权", "underlying rights are not cleared"),
    "pledge": ("质权人未同意", "pledged, and the pledgee has not consented"),
    "child-not-covered": ("权利来源不含该季、集或版本", "rights in do not cover this part"),
    "run-budget-spent": ("播出次数不足", "too few runs are left"),
    "co-owner-missing": ("共有人未同意", "a co-owner has not agreed"),
    "beyond-protection": ("超出保护期", "beyond the term of protection"),
    "event-undated": ("取决于尚无日期的事件", "hangs on an event that has no date yet"),
    "sublicence-too-deep": ("不得再行转授权", "may not be licensed on that far"),
}  # fmt: skip
OUTCOMES: Mapping[Outcome, tuple[str, str]] = {
    Outcome.FREE: ("可授权", "free"),
    Outcome.PARTLY: ("部分可授权", "partly free"),
    Outcome.NO: ("不可授权", "not free"),
    Outcome.UNKNOWN: ("尚不能确定", "not known yet"),
}
_RANK = {Severity.BLOCKER: 0, Severity.UNKNOWN: 1, Severity.NOTICE: 2}


class RightsNotAvailable(Refusal):
    """The rights, or a part of them, are not free."""

    kind, code = Kind.CONFLICT, "rights-not-available"
    hint = "See `reasons`: each names what stands in the way and where; `free` is what is left."


def not_available(answer: Answer, tree: Tree, *, viewer: UUID | None) -> RightsNotAvailable:
    """Return the refusal that carries an answer's reasons and what is free instead."""
    told = answer_out(answer, tree, viewer=viewer)
    return RightsNotAvailable("These rights are not free, in part or in whole.", **told)


def answer_out(
    answer: Answer, tree: Tree, *, viewer: UUID | None, zone: str = ZONE
) -> dict[str, Any]:
    """Return an answer as JSON values; days are those of `zone`, both included.

    Args:
        answer: what was found.
        tree: the tree it was found in.
        viewer: who asks, None for staff.
        zone: the IANA time zone of the days.
    """
    reasons = sorted(answer.reasons, key=lambda one: _RANK[one.severity])
    return {
        "outcome": answer.outcome.value,
        "reasons": [_reason(one, tree, viewer=viewer, zone=zone) for one in reasons[:MOST_REASONS]],
        "more_reasons": max(0, len(reasons) - MOST_REASONS),
        **_region("free", answer.free, tree, zone),
        **_region("unknown", answer.unknown, tree, zone),
    }


def box_out(box: Box, tree: Tree, *, zone: str = ZONE) -> dict[str, Any]:
    """Return a box as works, rights with their media, territories, languages, instants and days."""
    start, end, tz = instant(box.start), instant(box.end), ZoneInfo(zone)
    included, left_out = axes.TERRITORIES.said(box.territories)
    return {
        "works": _works(box.units, tree),
        "rights": [
            {"right": right, "media": list(axes.MEDIA.codes(media))}
            for right, media in axes.media_of_uses(box.uses)
        ],
        "territories": list(included),
        "excluded": list(left_out),
        "languages": list(axes.LANGUAGES.codes(box.languages)),
        "start": start.isoformat(),
        "end": end.isoformat(),
        "first_day": start.astimezone(tz).date().isoformat(),
        "last_day": (end - timedelta(microseconds=1)).astimezone(tz).date().isoformat(),
        "tz": zone,
    }


def _region(name: str, region: Region, tree: Tree, zone: str) -> dict[str, Any]:
    boxes = merging.largest(region)
    told = [box_out(box, tree, zone=zone) for box in boxes[:MOST_BOXES]]
    return {name: told, f"more_{name}": max(0, len(boxes) - MOST_BOXES)}


def _works(units: int, tree: Tree) -> list[dict[str, Any]]:
    named: Iterable[Any] = tree.named(units)
    return [
        {
            "work_id": str(node.work_id),
            "title_zh": node.title_zh,
            "title_en": node.title_en,
            "with_parts": whole,
        }
        for node, whole in named
    ]


def _reason(reason: Reason, tree: Tree, *, viewer: UUID | None, zone: str) -> dict[str, Any]:
    zh, en = WORDS[reason.code]
    return {
        "code": reason.code,
        "severity": reason.severity.value,
        "said_zh": zh,
        "said_en": en,
        "record": _record(reason.record, viewer),
        "about": dict(reason.about),
        "box": box_out(reason.box, tree, zone=zone),
    }


def _record(record: Record | None, viewer: UUID | None) -> dict[str, Any] | None:
    """Return which record it is to those who may know, of what kind to everybody."""
    if record is None:
        return None
    seen = viewer is None or not record.parties or viewer in record.parties
    return {
        "kind": record.kind,
        "id": str(record.id) if seen else None,
        "deal_id": str(record.deal_id) if seen and record.deal_id else None,
    }
