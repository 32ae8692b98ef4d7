"""Grants and deals as ODRL 2.2 in JSON-LD: an Agreement, or an Offer to anybody (pure).

Source: W3C ODRL Information Model 2.2 (2018-02-15); ODRL Vocabulary 2.2 §4.2 (JSON-LD); our profile
`data/profile.ttl`. The register is not kept in ODRL: this is what it says to others.
Differs from the source: the conflict strategy is always `prohibit` (the default would void the
whole policy); the days of a licence are written as the instants that they were resolved to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts import rfc3339
from contracts.money import Money
from contracts.odrl import context, vocabulary
from contracts.odrl.vocabulary import PROFILE, TERRITORY, uuid_iri
from contracts.rights import axes
from contracts.rights import rules as rights
from contracts.rights.algebra import Exclusivity, RightsBox
from contracts.rights.vocabulary import WORLD

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """A work as a target: its id, its identifiers, and the works that it is a part of."""

    id: UUID
    eidr: str | None = None
    isan: str | None = None
    inside: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class Holdback:
    """What the licensor promised not to do, nor to let others do (保留期), masks of axes.

    No `end` is no end; an end of the window that `waits_for` an event is None as well.
    """

    right: str
    media: int
    territories: int
    languages: int
    start: datetime | None
    end: datetime | None
    waits_for: str | None = None


@dataclass(frozen=True, slots=True)
class Granting:
    """What is to be written: who grants whom which rights in what, for which price.

    `grants` are rights as on the wire; `number` is the contract's, for people. Without a licensee,
    or while it is not `agreed`, it is an offer.
    """

    id: UUID
    licensor: UUID
    licensee: UUID | None
    work: Work
    grants: Sequence[Mapping[str, Any]]
    holdbacks: Sequence[Holdback] = ()
    price: Money | None = None
    number: str | None = None
    agreed: bool = True


def policy(granting: Granting) -> Node:
    """Return the Agreement, or the Offer where there is no licensee, as JSON-LD.

    Raises:
        The refusals of `contracts.rights.rules.resolve`, for rights that cannot be read.
    """
    permissions = [one for wire in granting.grants for one in _permissions(granting, wire)]
    permissions[0]["target"] = _target(granting.work)
    node: Node = {
        "@context": [context.URL, dict(context.OWN)],
        "@type": "Agreement" if granting.licensee and granting.agreed else "Offer",
        "uid": uuid_iri(granting.id),
        "profile": PROFILE,
        "conflict": "prohibit",
        "permission": permissions,
    }
    if granting.number is not None:
        node["dct:identifier"] = granting.number
    if granting.licensee and granting.holdbacks:
        licensee = granting.licensee
        node["prohibition"] = [_kept(granting, licensee, held) for held in granting.holdbacks]
    if granting.licensee and granting.price:
        node["obligation"] = [_payment(granting, granting.price)]
    return node


def _permissions(granting: Granting, wire: Mapping[str, Any]) -> list[Node]:
    """Return what the licensee may do, and whether it may let others do so."""
    box = rights.resolve(wire)
    limits = _limits(wire, box)
    permission: Node = {
        **_rule(granting, action=_action(box.right)),
        "constraint": [*limits, _test("uhdx:exclusivity", "eq", _term(box.exclusivity.value))],
    }
    if wire.get("round_no"):
        permission["uhdx:round"] = wire["round_no"]
    if granting.licensee and box.exclusivity is not Exclusivity.NON_EXCLUSIVE:
        permission["duty"] = [_swapped(granting, granting.licensee, action="ensureExclusivity")]
    depth = wire.get("sublicence_depth") or 0
    if not depth:
        return [permission]
    onward = [
        _test("uhdx:right", "eq", _term(box.right)),
        _test("uhdx:sublicenceDepth", "lteq", depth),
    ]
    return [permission, {**_rule(granting, action="grantUse"), "constraint": [*limits, *onward]}]


def _kept(granting: Granting, licensee: UUID, held: Holdback) -> Node:
    """Return the prohibition that binds the licensor."""
    included, left_out = axes.TERRITORIES.said(held.territories)
    limits = [
        *_window(held.start, held.end),
        *_where([] if WORLD in included else included, left_out),
        *_how(held.media, held.languages),
    ]
    if held.waits_for:
        limits.append(_test("event", "eq", {"@id": vocabulary.EVENT + held.waits_for}))
    rule = _swapped(granting, licensee, action=_action(held.right))
    return {**rule, "target": uuid_iri(granting.work.id), "constraint": limits}


def _payment(granting: Granting, price: Money) -> Node:
    amount = {"@value": price.decimal(), "@type": "xsd:decimal"}
    unit = {"@id": vocabulary.CURRENCY + price.currency}
    action = {
        "rdf:value": {"@id": vocabulary.ODRL + "compensate"},
        "includedIn": vocabulary.ODRL + "use",
        "refinement": [{**_test("payAmount", "eq", amount), "unit": unit}],
    }
    return {**_rule(granting, action=action), "compensatedParty": uuid_iri(granting.licensor)}


def _action(right: str) -> Node:
    """Return the action of a right, with the wider one for those who do not know our profile."""
    wider = vocabulary.INCLUDED_IN[vocabulary.UHDX + right]
    return {"@id": vocabulary.UHDX + right, "includedIn": wider}


def _rule(granting: Granting, *, action: Any) -> Node:
    rule: Node = {"assigner": uuid_iri(granting.licensor)}
    if granting.licensee:
        rule["assignee"] = uuid_iri(granting.licensee)
    return {**rule, "target": uuid_iri(granting.work.id), "action": action}


def _swapped(granting: Granting, licensee: UUID, *, action: Any) -> Node:
    """Return a rule that binds the licensor towards the licensee."""
    return {
        "assigner": uuid_iri(licensee),
        "assignee": uuid_iri(granting.licensor),
        "action": action,
    }


def _target(work: Work) -> Node:
    node: Node = {"@type": "Asset", "uid": uuid_iri(work.id)}
    same = [
        *([vocabulary.eidr_iri(work.eidr)] if work.eidr else []),
        *([vocabulary.isan_iri(work.isan)] if work.isan else []),
    ]
    if same:
        node["owl:sameAs"] = [{"@id": iri} for iri in same]
    if work.inside:
        node["partOf"] = [uuid_iri(one) for one in work.inside]
    return node


def _limits(wire: Mapping[str, Any], box: RightsBox) -> list[Node]:
    """Return when, where, by which media, in which languages and how often; all is left unsaid."""
    included, left_out = wire["territories"], wire.get("excluded") or ()
    return [
        *_window(box.window.start, box.window.end),
        *_where(_places(included), _places(left_out)),
        *_how(box.media, box.languages),
        *_runs(box.runs_max),
    ]


def _window(start: datetime | None, end: datetime | None) -> list[Node]:
    return [
        *([_test("dateTime", "gteq", _instant(start))] if start else []),
        *([_test("dateTime", "lt", _instant(end))] if end else []),
    ]


def _where(included: Sequence[str], left_out: Sequence[str]) -> list[Node]:
    return [
        *_among("spatial", [{"@id": TERRITORY + code} for code in included]),
        *_none_of("spatial", [{"@id": TERRITORY + code} for code in left_out]),
    ]


def _how(media: int, languages: int) -> list[Node]:
    return [
        *_among("deliveryChannel", [{"@id": code} for code in _media(media)]),
        *_among("language", [vocabulary.language_tag(code) for code in _tongues(languages)]),
    ]


def _places(codes: Sequence[str]) -> tuple[str, ...]:
    """Return codes of ISO 3166 for what was written, groups taken apart; none for the world."""
    mask = axes.TERRITORIES.mask(codes)
    return () if mask == axes.TERRITORIES.all else axes.TERRITORIES.codes(mask)


def _media(mask: int) -> list[str]:
    if mask == axes.MEDIA.all:
        return []
    return [vocabulary.MEDIUM + code for code in axes.MEDIA.codes(mask)]


def _tongues(mask: int) -> tuple[str, ...]:
    return () if mask == axes.LANGUAGES.all else axes.LANGUAGES.codes(mask)


def _runs(most: int | None) -> list[Node]:
    return (
        [] if most is None else [{**_test("count", "lteq", most), "unit": {"@id": vocabulary.RUN}}]
    )


def _among(left: str, values: list[Any]) -> list[Node]:
    return [_test(left, "isAnyOf", values)] if values else []


def _none_of(left: str, values: list[Any]) -> list[Node]:
    return [_test(left, "isNoneOf", values)] if values else []


def _test(left: str, operator: str, right: Any) -> Node:
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def _instant(at: datetime) -> Node:
    return {"@value": rfc3339.exact(at), "@type": "xsd:dateTime"}


def _term(name: str) -> Node:
    return {"@id": vocabulary.UHDX + name}
