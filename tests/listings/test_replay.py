"""Invariants 34 and 35: the log alone gives the result, and nothing in it can be changed unseen."""

import json
import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from contracts import canonical
from listings.auctions import export, rules, verify_auction
from listings.auctions.verify_auction import Bad
from tests.contracts import campaign
from tests.listings import replay_campaign, replay_play
from tests.listings import test_auctions_machine as machine
from tests.listings.auctions_world import World
from tests.listings.replay_logs import COMMANDS, LOGS, joined, solved_logs, split
from tests.listings.replay_play import EVERY, Play

CASES, WHOLE = 25, 3_500


@pytest.mark.parametrize("method", EVERY)
def test_invariant_34_a_second_program_gives_the_same_result_byte_for_byte(
    method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def case(drawn: random.Random) -> bool:
        replay_play.check(Play(method, drawn.randrange(2**60)).run(COMMANDS))
        return True

    count = campaign.size(CASES, WHOLE)
    campaign.play(f"replay of {method}, {COMMANDS} commands each", case, count, capsys)


@given(st.sampled_from(EVERY), st.integers(0, 2**60), st.integers(0, 60))
@settings(max_examples=40)
def test_invariant_34_also_for_whatever_hypothesis_thinks_of(
    method: str, seed: int, commands: int
) -> None:
    replay_play.check(Play(method, seed).run(commands))


def test_invariant_34_every_log_of_the_state_machine_too(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = 0

    def seen(world: World, lines: list[bytes]) -> None:
        nonlocal logs
        logs += 1
        result = canonical.dumps(rules.award(world.book, world.play.events))
        replay_campaign.same(world.doc, lines, result)

    monkeypatch.setattr(machine, "SEEN", [seen])
    run_state_machine_as_test(machine.Auctions, settings=machine.limits(15))
    assert logs >= 15


# --- invariant 35 ------------------------------------------------------------------------------


def rewritten(line: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """An event with one thing changed, in canonical form again; its hash stays."""
    event = json.loads(line)
    change(event)
    return verify_auction.dumps(event)


def later(event: dict[str, Any]) -> None:
    event["at"] = verify_auction.instant(verify_auction.micros(event["at"]) + 1)


def other_body(event: dict[str, Any]) -> None:
    event["body"] = {**dict(event["body"]), "more": 1}


def other_kind(event: dict[str, Any]) -> None:
    event["kind"] = "voided" if event["kind"] != "voided" else "closed"


def next_number(event: dict[str, Any]) -> None:
    event["seq"] = int(str(event["seq"])) + 1


def other_hash(event: dict[str, Any]) -> None:
    event["hash"] = "0" * 64


CHANGES = (later, other_body, other_kind, next_number, other_hash)


def tampered(lines: list[bytes]) -> Iterator[tuple[str, int, list[bytes]]]:
    """Every event altered in every part, dropped, doubled, and swapped with the next."""
    for seq in range(len(lines) - 1):
        at = seq + 1  # the first line is the rulebook
        for change in CHANGES:
            changed = rewritten(lines[at], change)
            yield change.__name__, seq, [*lines[:at], changed, *lines[at + 1 :]]
        yield "dropped", seq, [*lines[:at], *lines[at + 1 :]]
        yield "doubled", seq + 1, [*lines[: at + 1], lines[at], *lines[at + 1 :]]
        spaced = lines[at].replace(b",", b", ", 1)
        yield "not canonical", seq, [*lines[:at], spaced, *lines[at + 1 :]]
        if at + 1 < len(lines):
            yield "swapped", seq, [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


@pytest.mark.parametrize("method", EVERY)
def test_invariant_35_whatever_is_changed_is_found_at_the_first_bad_event(method: str) -> None:
    lines = split(LOGS[method].exported())
    verify_auction.verify(joined(lines))
    tried = 0
    for name, seq, changed in tampered(lines):
        with pytest.raises(Bad) as found:
            verify_auction.verify(joined(changed))
        assert found.value.seq == seq, (name, seq, str(found.value))
        tried += 1
    assert tried >= 8 * (len(lines) - 1)


@given(st.sampled_from(EVERY), st.data())
@settings(max_examples=80)
def test_invariant_35_no_byte_of_the_file_can_be_another(method: str, data: st.DataObject) -> None:
    raw = LOGS[method].exported()
    at = data.draw(st.integers(0, len(raw) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[at]))
    with pytest.raises(Bad):
        verify_auction.verify(raw[:at] + bytes([other]) + raw[at + 1 :])


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@given(st.sampled_from(EVERY), JUNK, st.data())
@settings(max_examples=80)
def test_a_rulebook_or_a_body_of_any_other_form_is_named_and_breaks_nothing(
    method: str, junk: Any, data: st.DataObject
) -> None:
    play = LOGS[method]
    name = data.draw(st.sampled_from(sorted(play.rulebook)))
    assume(canonical.dumps(junk) != canonical.dumps(play.rulebook[name]))
    odd = canonical.dumps({**play.rulebook, name: junk})
    head = export.head(odd, canonical.sha256_hex(odd))
    lines = export.lines(play.book_bytes, play.book_sha256, export.chained(play.raw))
    with pytest.raises(Bad):
        verify_auction.verify(head + b"".join(list(lines)[1:]))
    seq = data.draw(st.integers(0, len(play.raw) - 1))
    body = dict(play.events[seq].body)
    part = data.draw(st.sampled_from(sorted(body) or ["reason"]))

    def change(event: dict[str, Any]) -> None:
        event["body"] = {**body, part: junk}

    try:
        verify_auction.verify(forged(play, seq, change))
    except Bad as bad:
        assert bad.seq is not None and bad.seq >= seq


def forged(play: Play, seq: int, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A log with one event changed and every hash from there on made anew."""
    raw = []
    for event in play.raw:
        value = json.loads(event)
        if value["seq"] == seq:
            change(value)
        raw.append(verify_auction.dumps(value))
    return b"".join(export.lines(play.book_bytes, play.book_sha256, export.chained(raw)))


def more_money(event: dict[str, Any]) -> None:
    body = event["body"]
    assert isinstance(body, dict)
    body["content"]["amount_minor"] += 1


@pytest.mark.parametrize("method", ["english", "proxy", "fixed", "dutch", "vickrey", "weighted"])
def test_a_forger_who_makes_every_hash_anew_is_caught_by_the_rules_or_by_the_last_hash(
    method: str,
) -> None:
    play = next(
        play
        for play in (Play(method, seed).run(25) for seed in range(1_000))
        if play.standing.bids and not play.rulebook["opening"] and play.result()
    )
    whole = verify_auction.verify(play.exported())
    bids = [event.seq for event in play.events if event.kind == "bid"]
    for seq in bids:
        raw = forged(play, seq, more_money)
        try:
            found = verify_auction.verify(raw)
        except Bad as bad:
            assert bad.seq is not None and bad.seq >= seq
        else:  # a losing bid that changes nothing: the last hash tells
            assert found["head_sha256"] != whole["head_sha256"]


def dearer(body: dict[str, Any]) -> None:
    won = body["winners"][0]
    won["paid"] = str(Fraction(won["paid"]) + 1)
    won["paid_minor"] += 1


def cheaper(body: dict[str, Any]) -> None:
    won = body["winners"][-1]
    won["paid"] = str(Fraction(won["paid"]) - Fraction(1, 2))
    won["paid_minor"] = -(-Fraction(won["paid"]).numerator // Fraction(won["paid"]).denominator)


def other_vcg(body: dict[str, Any]) -> None:
    body["winners"][0]["vcg_minor"] += 1


def other_value(body: dict[str, Any]) -> None:
    body["value_minor"] += 1
    body["bound_minor"] += 1


def same_paddle_twice(body: dict[str, Any]) -> None:
    body["winners"][1] = body["winners"][0]


def rounded_down(body: dict[str, Any]) -> None:
    body["winners"][0]["paid_minor"] -= 1


def other_weight(body: dict[str, Any]) -> None:
    body["blocks"][0]["weights"][0] = "-1"


def forgotten_payer(body: dict[str, Any]) -> None:
    body["blocks"][0]["payers"] = []


CERTIFICATES = (
    dearer, cheaper, other_vcg, other_value, same_paddle_twice, rounded_down, other_weight,
    forgotten_payer,
)  # fmt: skip


@pytest.mark.parametrize("change", CERTIFICATES)
def test_a_certificate_that_does_not_follow_is_caught_where_it_stands(
    change: Callable[[dict[str, Any]], None],
) -> None:
    logs = solved_logs()
    assert len(logs) >= 3
    for play, seq in logs:
        raw = forged(play, seq, lambda event: change(event["body"]))
        with pytest.raises(Bad) as found:
            verify_auction.verify(raw)
        assert found.value.seq == seq


def test_another_rulebook_is_found_before_any_event() -> None:
    play = LOGS["english"]
    lines = split(play.exported())
    changed = {**play.rulebook, "default": "none", "currency": "USD"}
    raw = canonical.dumps(changed)
    for first in (
        export.head(raw, play.book_sha256)[:-1],  # the hash stays
        export.head(raw, canonical.sha256_hex(raw))[:-1],  # the hash follows
    ):
        with pytest.raises(Bad) as found:
            verify_auction.verify(joined([first, *lines[1:]]))
        assert found.value.seq in (None, 0)


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[]", b"null", b"\xff", b'{"a":1.0}', b'{"a":NaN}', b'{"a":1,"a":1}',
     b"[" * 100_000, b'{"a":' + b"9" * 5_000 + b"}", b'{"seq":0}', b'"\\ud800"'],
)  # fmt: skip
def test_garbage_in_the_place_of_an_event_is_named(line: bytes) -> None:
    lines = split(LOGS["proxy"].exported())
    with pytest.raises(Bad) as found:
        verify_auction.verify(joined([*lines[:2], line, *lines[3:]]))
    assert found.value.seq == 1
