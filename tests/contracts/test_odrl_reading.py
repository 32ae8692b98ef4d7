"""Reading policies: three forms, compact and full, and everything that is refused."""

import json
import socket
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.odrl import context, reading
from contracts.odrl.policy import (
    MOST_RULES,
    Atom,
    BadPolicy,
    Group,
    Joint,
    Modality,
    Policy,
    Unread,
    atoms_of,
)
from contracts.odrl.reading import MOST_BYTES, Format
from contracts.odrl.vocabulary import ODRL

HEAD = """@prefix odrl: <http://www.w3.org/ns/odrl/2/> . @prefix ex: <https://example.org/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
"""
ONE = "ex:p odrl:permission [ {said} ] ."
SET = "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:t ; odrl:action odrl:play {more} ] ."


def turtle(text: str) -> Policy:
    return reading.read(HEAD + text, form="turtle")


def limited(constraint: str) -> Any:
    """The constraint of the one rule, when it has only this one."""
    (rule,) = turtle(SET.format(more=f"; odrl:constraint {constraint}")).rules
    assert isinstance(rule.constraint, Group)
    (only,) = rule.constraint.parts
    return only


def test_the_three_forms_say_the_same() -> None:
    context = "http://www.w3.org/ns/odrl.jsonld"
    rule = {"target": "https://example.org/t", "action": "play"}
    document = {"@context": context, "@type": "Set", "uid": "https://example.org/p",
                "permission": [rule]}  # fmt: skip
    rdf, policy = "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "<https://example.org/p>"
    lines = f"""{policy} <{ODRL}permission> _:r .
    {policy} <{rdf}type> <{ODRL}Set> .
    _:r <{ODRL}target> <https://example.org/t> .
    _:r <{ODRL}action> <{ODRL}play> .
    """
    wanted = turtle(SET.format(more=""))
    assert reading.read(json.dumps(document), form="json-ld") == wanted
    assert reading.read(lines, form="n-triples") == wanted
    assert wanted.rules[0].action == ODRL + "play"


def test_a_compact_policy_is_expanded_to_atomic_rules() -> None:
    found = turtle(
        """ex:p a odrl:Agreement ; odrl:assigner ex:a ; odrl:assignee ex:b ;
        odrl:target ex:t , ex:u ; odrl:permission [ odrl:action odrl:play , odrl:print ] ;
        odrl:prohibition [ odrl:action odrl:sell ; odrl:assignee ex:c ] ."""
    )
    assert len(found.rules) == 6
    kept_out = [rule for rule in found.rules if rule.modality is Modality.PROHIBITION]
    assert {rule.assignee for rule in kept_out} == {frozenset({"https://example.org/c"})}
    assert {rule.assigner for rule in found.rules} == {frozenset({"https://example.org/a"})}


def test_a_refined_action_carries_its_refinement_as_a_condition() -> None:
    found = turtle(
        """ex:p a odrl:Set ; odrl:permission [ odrl:target ex:t ; odrl:action [
        rdf:value odrl:play ; odrl:refinement [ odrl:leftOperand odrl:count ;
        odrl:operator odrl:lteq ; odrl:rightOperand 3 ] ] ] ."""
    )
    (rule,) = found.rules
    assert rule.action == ODRL + "play"
    assert [atom.left for atom in atoms_of(rule.constraint)] == [ODRL + "count"]


def test_the_target_may_be_said_from_its_side() -> None:
    found = turtle("ex:t odrl:hasPolicy ex:p . ex:p odrl:permission [ odrl:action odrl:play ] .")
    assert found.rules[0].target == frozenset({"https://example.org/t"})


def test_a_narrowed_collection_is_a_condition_nobody_can_look_at() -> None:
    found = turtle(
        """ex:p odrl:permission [ odrl:action odrl:play ; odrl:target [ a odrl:AssetCollection ;
        odrl:source ex:t ; odrl:refinement [ odrl:leftOperand odrl:resolution ;
        odrl:operator odrl:lteq ; odrl:rightOperand 2160 ] ] ] ."""
    )
    assert found.rules[0].target == frozenset({"https://example.org/t"})
    assert isinstance(found.rules[0].constraint, Group)
    assert Unread(ODRL + "refinement") in found.rules[0].constraint.parts


def test_a_date_keeps_the_zone_it_was_written_with() -> None:
    found = limited(
        '[ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ; '
        'odrl:rightOperand "2028-01-01+08:00"^^xsd:date ]'
    )  # fmt: skip
    assert isinstance(found, Atom)
    assert found.values[0].text == "2028-01-01+08:00"


def test_a_datatype_beside_the_operand_is_read() -> None:
    found = limited(
        '[ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ; '
        'odrl:rightOperand "2028-01-01" ; odrl:dataType xsd:date ]'
    )  # fmt: skip
    assert found.values[0].datatype == "http://www.w3.org/2001/XMLSchema#date"


@pytest.mark.parametrize("joint", Joint)
def test_logical_constraints_are_read_from_lists_and_from_several_objects(joint: Joint) -> None:
    two = [
        f"[ odrl:leftOperand odrl:count ; odrl:operator odrl:eq ; odrl:rightOperand {n} ]"
        for n in (1, 2)
    ]
    for written in (f"( {two[0]} {two[1]} )", f"{two[0]} , {two[1]}"):
        found = limited(f"[ odrl:{joint.value} {written} ]")
        assert isinstance(found, Group)
        assert (found.joint, len(found.parts)) == (joint, 2)


def test_a_referred_operand_is_not_fetched_and_so_unknown() -> None:
    found = limited(
        "[ odrl:leftOperand odrl:spatial ; odrl:operator odrl:eq ; "
        "odrl:rightOperandReference <http://places.example/de> ]"
    )
    assert found == Unread(ODRL + "spatial")


REFUSED: dict[str, tuple[Format, str]] = {
    "no turtle": ("turtle", "ex:p a"),
    "no JSON": ("json-ld", "{"),
    "a number too long to be read": ("json-ld", "1" * 5_000),
    "no triples": ("n-triples", "<a> <b>"),
    "nothing": ("turtle", ""),
    "no policy": ("turtle", HEAD + "ex:a odrl:partOf ex:b ."),
    "two policies": ("turtle", f"{HEAD}{SET}{SET.replace('ex:p', 'ex:q')}".replace("{more}", "")),
    "a rule without a target": ("turtle", HEAD + ONE.format(said="odrl:action odrl:play")),
    "a rule without an action": ("turtle", HEAD + ONE.format(said="odrl:target ex:t")),
    "an agreement without an assignee": (
        "turtle", HEAD + SET.format(more="; odrl:assigner ex:a").replace("Set", "Agreement"),
    ),
    "an offer without an assigner": ("turtle", HEAD + SET.format(more="").replace("Set", "Offer")),
    "a constraint without a right operand": (
        "turtle",
        HEAD + SET.format(more="; odrl:constraint [ odrl:leftOperand odrl:count ; "
                               "odrl:operator odrl:eq ]"),
    ),
    "a constraint without an operator": (
        "turtle",
        HEAD + SET.format(more="; odrl:constraint [ odrl:leftOperand odrl:count ; "
                               "odrl:rightOperand 1 ]"),
    ),
    "a constraint without a left operand": (
        "turtle",
        HEAD + SET.format(more="; odrl:constraint [ odrl:operator odrl:eq ; odrl:rightOperand 1 ]"),
    ),
    "a constraint that holds itself": (
        "turtle", HEAD + SET.format(more="; odrl:constraint ex:c") + " ex:c odrl:and ex:c .",
    ),
    "a list that does not end": (
        "turtle",
        HEAD + SET.format(more="; odrl:constraint [ odrl:and ex:l ]")
        + " ex:l rdf:first ex:x ; rdf:rest ex:l .",
    ),
    "too many rules": (
        "turtle",
        HEAD + SET.format(more="").replace(
            "ex:t", " , ".join(f"ex:t{n}" for n in range(MOST_RULES + 1))
        ),
    ),
    "too long a text": ("turtle", HEAD + SET.format(more="") + "#" * MOST_BYTES),
    "a context from elsewhere": ("json-ld", '{"@context": "https://example.org/context"}'),
    "a context inside another": (
        "json-ld", '{"@context": {"t": {"@id": "urn:t", "@context": "https://example.org/c"}}}',
    ),
    "an imported context": ("json-ld", '{"@context": {"@import": "https://example.org/c"}}'),
    "half a character": (
        "turtle", HEAD + SET.format(more="; odrl:assigner <urn:x:A>").replace("A", "\\uD83D"),
    ),
    "a terminal's escape": (
        "json-ld", '{"@id": "urn:x:\\u001b[2J", "http://www.w3.org/ns/odrl/2/uid": "x"}',
    ),
    "too deep a text": ("json-ld", "[" * 100_000 + "]" * 100_000),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_it_is_refused_without_a_network(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: Any, **__: Any) -> None:
        raise AssertionError("somebody opened a connection")

    monkeypatch.setattr(socket, "socket", opened)
    monkeypatch.setattr(socket, "create_connection", opened)
    form, text = REFUSED[fault]
    with pytest.raises(BadPolicy) as refused:
        reading.read(text, form=form)
    assert refused.value.code == "bad-policy"
    assert "opened a connection" not in str(refused.value.data)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    | st.sampled_from(("@id", "permission", "odrl:use", "urn:x:a", context.URL)),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(
        st.sampled_from((
            "@context", "@id", "@type", "@list", "@set", "@value", "@graph", "@reverse", "uid",
            "permission", "constraint", "action", "target", "rightOperand", "and", "operator",
        )),
        parts, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(JUNK)
def test_whatever_the_json_it_is_read_or_refused(junk: Any) -> None:
    document = {"@context": context.URL, "uid": "urn:x:p", "permission": junk}
    for text in (json.dumps(junk), json.dumps(document)):
        with suppress(BadPolicy):
            assert reading.read(text, form="json-ld").rules


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_is_cut_out_of_a_text_it_is_read_or_refused(data: st.DataObject) -> None:
    whole = HEAD + SET.format(
        more="; odrl:constraint [ odrl:and ( [ odrl:leftOperand odrl:count ; odrl:operator odrl:eq"
        " ; odrl:rightOperand 1 ] [ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ;"
        ' odrl:rightOperand "2028-01-01"^^xsd:date ] ) ]'
    )
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 30)))
    with suppress(BadPolicy):
        assert reading.read(whole[:start] + whole[end:], form="turtle").rules
