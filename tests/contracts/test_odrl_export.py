"""What grants and deals say as ODRL: valid to the model, and read back as they were meant."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from pyshacl import validate

from contracts.money import Money
from contracts.odrl import compare, context, vocabulary
from contracts.odrl.policy import Modality
from contracts.odrl.vocabulary import ODRL, UHDX
from contracts.rights import algebra, axes, rules
from contracts.rights import vocabulary as rights
from contracts.rights.algebra import Exclusivity
from contracts.rights.logic import Verdict
from tests.contracts.odrl_factory import document, holdback, policy, read
from tests.contracts.rights_factory import wire

ROOT = Path(__file__).parent.parent.parent
SHAPES = rdflib.Graph().parse(ROOT / "tests/vectors/odrl/shapes.ttl")
PROFILE = rdflib.Graph().parse(ROOT / "contracts/odrl/data/profile.ttl")
FULL = {
    "licensee": 2,
    "holdbacks": [holdback(right="network-transmission", media=["ott"])],
    "price": Money(120_000_000, "CNY"),
}
Node = dict[str, Any]
PLACES = ("CN", "CN-GD", "HK", "JP", "150", "EU", "WRD", "US-CA")
TONGUES = ("zh", "zh:dubbed", "zh-Hant", "en", "en:subtitled", "*")
MEDIA = {
    "broadcasting": ("satellite", "satellite.pay", "cable", "iptv", "iptv.free"),
    "network-transmission": ("iptv", "ott", "ott.subscription", "web"),
    "projection": ("theatrical", "public-screen"),
}


def graph(document: Node) -> rdflib.Graph:
    """What a program reads that has the published context (here: ours, which is the same)."""
    own = document["@context"][1]
    whole = {**document, "@context": [dict(context.PUBLISHED), own]}
    return rdflib.Graph().parse(data=json.dumps(whole), format="json-ld")


def faults(document: Node) -> str:
    """What SHACL says against it; empty if it conforms."""
    conforms, _, text = validate(graph(document) + PROFILE, shacl_graph=SHAPES)
    return "" if conforms else text


@st.composite
def wires(draw: st.DrawFn) -> Node:
    right = draw(st.sampled_from(sorted(MEDIA)))
    some = st.lists(st.sampled_from(PLACES), min_size=1, max_size=2, unique=True)
    first = draw(st.integers(2027, 2029))
    offered = wire(
        right=right,
        media=draw(st.lists(st.sampled_from(MEDIA[right]), min_size=1, max_size=2, unique=True)),
        territories=draw(some),
        excluded=draw(st.just([]) | some),
        languages=draw(st.lists(st.sampled_from(TONGUES), min_size=1, max_size=2, unique=True)),
        first_day=f"{first}-01-01",
        last_day=f"{draw(st.integers(first, 2030))}-12-31",
        tz=draw(st.sampled_from(("Asia/Shanghai", "UTC"))),
        exclusivity=draw(st.sampled_from(Exclusivity)).value,
        runs_max=draw(st.none() | st.integers(1, 9)),
    )
    if draw(st.booleans()):
        offered["sublicence_depth"] = draw(st.integers(0, 3))
    if draw(st.booleans()):
        offered["round_no"] = draw(st.integers(1, 3))
    return offered


def resolved(wire: Node) -> algebra.RightsBox | None:
    try:
        return rules.resolve(wire)
    except rules.NothingOffered:
        return None


@settings(max_examples=220, deadline=None)
@given(wires(), wires())
def test_two_grants_read_back_collide_exactly_as_the_algebra_says(one: Node, two: Node) -> None:
    a, b = resolved(one), resolved(two)
    if a is None or b is None:
        return
    found = compare.compare(policy(one, licensee=2), policy(two, licensee=3)).verdict
    wanted = Verdict.CONFLICT if algebra.clashes(a, b) else Verdict.COMPATIBLE
    assert found is wanted


@settings(max_examples=25, deadline=None)
@given(wires(), st.sampled_from((2, None)))
def test_what_is_exported_conforms_to_the_shapes(offered: Node, licensee: int | None) -> None:
    if resolved(offered) is not None:
        assert faults(document(offered, licensee=licensee)) == ""


def test_a_deal_with_all_that_it_may_hold_conforms_to_the_shapes() -> None:
    rights = [wire(sublicence_depth=2, round_no=2), wire(right="projection", media=["theatrical"])]
    assert faults(document(*rights, **FULL)) == ""


def without(key: str, *path: str | int) -> Callable[[Node], None]:
    def change(document: Node) -> None:
        at(document, *path).pop(key)

    return change


def with_(key: str, value: Any, *path: str | int) -> Callable[[Node], None]:
    def change(document: Node) -> None:
        at(document, *path)[key] = value

    return change


def at(document: Any, *path: str | int) -> Any:
    for step in path:
        document = document[step]
    return document


RULE, TEST = ("permission", 0), ("permission", 0, "constraint", 0)
BROKEN = {
    "no assignee in an agreement": without("assignee", *RULE),
    "no assigner": without("assigner", *RULE),
    "no target": without("target", *RULE),
    "no action": without("action", *RULE),
    "two assignees": with_("assignee", ["urn:x:a", "urn:x:b"], *RULE),
    "no assignee of a prohibition": without("assignee", "prohibition", 0),
    "no target of a prohibition": without("target", "prohibition", 0),
    "no assignee of a duty": without("assignee", "obligation", 0),
    "no right operand": without("rightOperand", *TEST),
    "no left operand": without("leftOperand", *TEST),
    "no operator": without("operator", *TEST),
    "an operator that is none": with_("operator", "uhdx:roughly", *TEST),
    "two right operands of two sorts": with_("rightOperandReference", "urn:x:r", *TEST),
    "a comparison that is logical too": with_("and", [{"@id": "urn:x:c"}], *TEST),
    "a strategy that is none": with_("conflict", "uhdx:whatever"),
    "two strategies": with_("conflict", ["perm", "prohibit"]),
    "no rule at all": lambda made: [
        made.pop(kind) for kind in ("permission", "prohibition", "obligation")
    ],
    "an action without a wider one": with_("action", {"@id": "urn:x:a", "@type": "Action"}, *RULE),
    "a refined action without its value": without("rdf:value", "obligation", 0, "action"),
    "no identifier": without("uid"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_the_shapes_find_the_fault(fault: str) -> None:
    made = document(wire(), **FULL)
    BROKEN[fault](made)
    assert faults(made)


def test_the_profile_declares_every_action_with_its_wider_one() -> None:
    within = {
        str(a): str(b) for a, b in PROFILE.subject_objects(rdflib.URIRef(ODRL + "includedIn"))
    }
    wanted = {iri: vocabulary.INCLUDED_IN[iri] for iri in vocabulary.ACTIONS}
    assert within == wanted
    assert {iri.removeprefix(UHDX) for iri in within} == {
        code for code, right in rights.RIGHTS.items() if right.licensable
    }


def test_every_term_of_ours_that_an_export_uses_is_in_the_profile() -> None:
    declared = set(PROFILE.subjects())
    made = graph(document(wire(sublicence_depth=1, round_no=2), **FULL))
    used = {term for triple in made for term in triple if str(term).startswith(UHDX)}
    assert used
    assert used <= declared


def test_a_window_is_half_open_in_instants() -> None:
    tests = document(wire())["permission"][0]["constraint"]
    window = {
        one["operator"]: one["rightOperand"] for one in tests if one["leftOperand"] == "dateTime"
    }
    assert window == {
        "gteq": {"@value": "2026-12-31T16:00:00Z", "@type": "xsd:dateTime"},
        "lt": {"@value": "2028-12-31T16:00:00Z", "@type": "xsd:dateTime"},
    }


def test_what_is_unlimited_is_left_unsaid() -> None:
    everything = wire(territories=["WRD"], excluded=[], languages=["*"], runs_max=None)
    said = {one["leftOperand"] for one in document(everything)["permission"][0]["constraint"]}
    assert said == {"dateTime", "deliveryChannel", "uhdx:exclusivity"}


def test_a_group_of_countries_is_written_as_its_countries() -> None:
    made = document(wire(territories=["BENELUX"], excluded=["LU"]))["permission"][0]["constraint"]
    places = {
        one["operator"]: one["rightOperand"] for one in made if one["leftOperand"] == "spatial"
    }
    assert [place["@id"][-2:] for place in places["isNoneOf"]] == ["LU"]
    assert sorted(place["@id"][-2:] for place in places["isAnyOf"]) == ["BE", "LU", "NL"]


def test_every_language_version_survives_the_tag_it_is_written_as() -> None:
    for leaf in axes.LANGUAGES.leaves:
        for code in axes.LANGUAGES.codes(axes.LANGUAGES.mask([leaf.code])):
            tag = vocabulary.language_tag(code)
            assert vocabulary.language_mask(tag, is_iri=False) == axes.LANGUAGES.mask([code])
            assert all(len(subtag) <= 8 for subtag in tag.split("-"))


def test_an_exclusive_grant_binds_the_licensor_to_exclusivity_and_a_plain_one_does_not() -> None:
    exclusive, plain = document(wire()), document(wire(exclusivity="non-exclusive"))
    duty = exclusive["permission"][0]["duty"][0]
    assert (duty["action"], duty["assignee"][-1]) == ("ensureExclusivity", "1")
    assert "duty" not in plain["permission"][0]


def test_a_holdback_is_a_prohibition_on_the_licensor() -> None:
    held = policy(wire(), **FULL)
    kept = [rule for rule in held.rules if rule.modality is Modality.PROHIBITION]
    assert [rule.assignee for rule in kept] == [held.rules[-1].assignee]
    online = wire(right="network-transmission", media=["ott.free"], exclusivity="non-exclusive")
    assert compare.compare(held, policy(online, licensee=3)).verdict is Verdict.CONFLICT
    later = {**online, "first_day": "2030-01-01", "last_day": "2030-12-31"}
    assert compare.compare(held, policy(later, licensee=3)).verdict is Verdict.COMPATIBLE


def test_an_offer_to_nobody_in_particular_is_no_agreement() -> None:
    made = document(wire(), licensee=None)
    assert made["@type"] == "Offer"
    assert "assignee" not in made["permission"][0]


def test_reading_our_own_export_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("somebody opened a connection")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert read(document(wire(), **FULL)).rules
