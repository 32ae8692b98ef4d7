"""Checks of a contract's life: what it amends, step by step, and where the log says it stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contracts import canonical
from contracts.deals import lifecycle, patching
from contracts.deals.lifecycle import StepNotPossible
from contracts.deals.patching import PatchFails
from contracts.evidence import handing_checks
from contracts.evidence.opened import (
    EVENTS,
    TERMS,
    Bundle,
    Failed,
    all_same,
    patch_name,
    terms_name,
)

# An outcome of a notice after which it ends nothing.
WITHOUT_END = ("cured", "withdrawn", "refused")


@dataclass(frozen=True, slots=True)
class Link:
    """One amendment: the terms before, the patch, the terms after, with their files."""

    number: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    after_file: str


def amendments(bundle: Bundle) -> str:
    """Each amendment is its base with the patch applied, and takes the place of that base."""
    links = list(_links(bundle))
    for link in links:
        _check_patch(bundle, link)
        _check_succession(bundle, link)
        handing_checks.check(bundle, link.number, link.before, link.after)
    first = bundle.json(bundle.first_terms)
    if first.get("supersedes") is not None:
        raise Failed(bundle.first_terms, "amends a contract whose terms are not in the bundle")
    if not links:
        return "amends nothing"
    numbers = ", ".join(link.before["contract"] for link in links)
    return f"{len(links)} in a row: {numbers}; each patch gives the next terms to the byte"


def standing(bundle: Bundle) -> str:
    """The facts of the contract are steps that can follow one another; say where they lead."""
    own = str(bundle.manifest.deal)
    told = [(one.kind, one.record) for one in bundle.events if one.subject == own]
    try:
        life = lifecycle.replay(told)
    except StepNotPossible as fault:
        raise Failed(EVENTS, f"tell of steps that cannot follow one another: {fault}") from fault
    if life is None or life.signing != "executed":
        raise Failed(EVENTS, "do not tell of a contract that everybody signed")
    ends = bundle.all_of("deal.ended")
    if not ends:
        return f"in force; {life.performance}"
    return _ended(bundle, ends[-1].record, ends[-1].recorded_at)


def _ended(bundle: Bundle, record: Mapping[str, Any], at: str) -> str:
    how, notice = record["ended"], record["notice"]
    if notice is not None:
        _check_notice(bundle, notice, at)
    if how == "superseded":
        successor = record["successor"]
        return f"superseded on {at} by deal {successor}: see the evidence of that one"
    why = record["cause"] or record["reason"]
    return f"{how} on {at}" + (f" ({why})" if why else "")


def _check_notice(bundle: Bundle, notice: str, ended_at: str) -> None:
    """The notice that ended the contract was given, and nothing had settled it otherwise."""
    given = [one for one in bundle.all_of("notice.given") if one.record["notice"] == notice]
    if not given:
        raise Failed(EVENTS, "the contract ended by a notice that nobody gave")
    settled = [one for one in bundle.all_of("notice.settled") if one.record["notice"] == notice]
    if any(one.record["outcome"] in WITHOUT_END for one in settled):
        raise Failed(EVENTS, "the contract ended by a notice that was settled before")
    if given[-1].record["kind"] == "mutual":
        return
    received = [one for one in bundle.all_of("notice.received") if one.record["notice"] == notice]
    if not received or received[-1].record["cure_by"] is None:
        raise Failed(EVENTS, "the contract ended by a notice that was not received")
    if received[-1].record["cure_by"][: len("2026-11-22T09:00:00")] > ended_at:
        raise Failed(EVENTS, "the contract ended before the time to cure was over")


def _links(bundle: Bundle) -> Iterator[Link]:
    """Yield the amendments, the first one first; every file of theirs has its place."""
    count = sum(name.startswith("amendments/") for name in bundle.files) // 2
    wanted = {terms_name(number) for number in range(count)}
    wanted |= {patch_name(number) for number in range(1, count + 1)}
    given = {name for name in bundle.files if name.startswith("amendments/")}
    for name in sorted(wanted ^ given):
        raise Failed(name, "a step between the first contract and this one is missing")
    files = [*(terms_name(number) for number in range(count)), TERMS]
    for number in range(1, count + 1):
        before, after = bundle.json(files[number - 1]), bundle.json(files[number])
        yield Link(number, before, after, files[number])


def _check_patch(bundle: Bundle, link: Link) -> None:
    """`apply(patch, before) == after`, byte for byte (RFC 6902)."""
    name = patch_name(link.number)
    try:
        made = canonical.dumps(patching.apply(bundle.json(name), link.before))
    except PatchFails as fault:
        raise Failed(name, f"cannot be applied: {fault.detail}") from fault
    if made != bundle.files[link.after_file]:
        raise Failed(name, f"does not make {link.after_file} of the terms before")


def _check_succession(bundle: Bundle, link: Link) -> None:
    """The log says of both contracts what their terms say: which one took whose place."""
    before, after = link.before["deal"], link.after["deal"]
    hashed = canonical.sha256_hex(canonical.dumps(dict(link.before)))
    opened, executed = bundle.of(before, "deal.opened"), bundle.of(before, "deal.executed")
    ended = bundle.of(before, "deal.ended")
    named = link.after.get("supersedes") or {}
    all_same(
        [
            (named.get("contract"), link.before["contract"]),
            (named.get("terms_sha256"), hashed),
            (opened.record["terms_sha256"], hashed),
            (executed.record["terms_sha256"], hashed),
            (bundle.of(after, "deal.opened").record["supersedes"], before),
            (ended.record["ended"], "superseded"),
            (ended.record["successor"], after),
        ],
        link.after_file,
        "is not what took the place of the contract before it",
    )
