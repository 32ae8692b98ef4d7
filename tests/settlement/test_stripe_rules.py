import json
from datetime import timedelta
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from contracts.money import Money
from settlement.invoices.rules import FAILED, READY, SUCCEEDED
from settlement.stripe import rules
from settlement.stripe.rules import BadEvent, BadWebhookSignature
from tests.conftest import NOW

SECRET = "whsec_test"
STAMP = int(NOW.timestamp())


def signed(raw: str, *, secret: str = SECRET, stamp: int = STAMP) -> str:
    """The header as the provider's own library makes it."""
    return stripe.WebhookSignature.generate_signature_header(raw, secret, stamp)


@given(st.text(max_size=200).filter(lambda raw: raw.isprintable()))
def test_what_stripe_signs_is_accepted(raw: str) -> None:
    rules.check_signature(raw.encode(), signed(raw), secret=SECRET, now=NOW)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_one_flipped_byte_is_refused(raw: bytes, data: st.DataObject) -> None:
    text = raw.hex()
    place = data.draw(st.integers(0, len(text) - 1))
    other = bytearray(text.encode())
    other[place] ^= 1
    with pytest.raises(BadWebhookSignature):
        rules.check_signature(bytes(other), signed(text), secret=SECRET, now=NOW)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("", "absent"),
        ("t=1", "no signature"),
        (f"t={STAMP},v1=00", "wrong signature"),
        (f"t={STAMP},v0={'0' * 64}", "other scheme"),
        (f"v1={'0' * 64}", "no time"),
        (f"t=x,v1={'0' * 64}", "time is no number"),
        (f"t={STAMP},t={STAMP},v1={'0' * 64}", "two times"),
        (f"t={'9' * 40},v1={'0' * 64}", "time without end"),
        (f"t=²,v1={'0' * 64}", "a digit that is no number"),
    ],
)
def test_a_header_that_proves_nothing_is_refused(header: str, why: str) -> None:
    with pytest.raises(BadWebhookSignature):
        rules.check_signature(b"{}", header, secret=SECRET, now=NOW)
    assert why


def test_another_secret_is_refused() -> None:
    with pytest.raises(BadWebhookSignature):
        rules.check_signature(b"{}", signed("{}", secret="other"), secret=SECRET, now=NOW)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_event_too_old_or_from_the_future_is_refused(minutes: int) -> None:
    header = signed("{}")
    with pytest.raises(BadWebhookSignature):
        rules.check_signature(b"{}", header, secret=SECRET, now=NOW + timedelta(minutes=minutes))


def test_one_good_signature_among_several_is_enough() -> None:
    header = signed("{}") + ",v1=" + "0" * 64
    rules.check_signature(b"{}", header, secret=SECRET, now=NOW)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"null", b"{}", b'{"id": "evt_1"}', b"\xff",
        b'{"id": 1, "type": "x", "data": {"object": {"object": "charge"}}}',
        b'{"id": "", "type": "x", "data": {"object": {"object": "charge"}}}',
        b'{"id": "e\\u0000", "type": "x", "data": {"object": {"object": "charge"}}}',
        b'{"id": "e", "type": "x", "data": {"object": []}}',
        b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_body_that_is_no_event_is_refused(raw: bytes) -> None:
    with pytest.raises(BadEvent):
        rules.read_event(raw)


@pytest.mark.parametrize(
    ("thing", "about"),
    [
        ({"object": "payment_intent", "id": "pi_1"}, "pi_1"),
        ({"object": "charge", "id": "ch_1", "payment_intent": "pi_2"}, "pi_2"),
        ({"object": "account", "id": "acct_1"}, None),
    ],
)
def test_an_event_says_which_payment_to_look_at(thing: dict[str, Any], about: str | None) -> None:
    raw = json.dumps({"id": "evt_1", "type": "x", "data": {"object": thing}}).encode()
    assert rules.read_event(raw).payment_intent == about


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("requires_payment_method", READY),
        ("requires_action", READY),
        ("processing", READY),
        ("canceled", FAILED),
        ("succeeded", SUCCEEDED),
    ],
)
def test_the_amount_is_the_providers(status: str, state: str) -> None:
    intent = {
        "id": "pi_1",
        "status": status,
        "amount": 999,
        "amount_received": 100,
        "currency": "cny",
        "latest_charge": "ch_1",
        "metadata": {"payment": "no uuid"},
    }
    seen = rules.seen(intent)
    assert (seen.state, seen.charge_id, seen.payment_id) == (state, "ch_1", None)
    assert seen.received == (Money(100, "CNY") if state == SUCCEEDED else None)


def test_an_event_that_cannot_be_applied_is_tried_again_within_the_hour() -> None:
    waits = [rules.retry_s(tries) for tries in range(20)]
    assert waits[:2] == [2, 8]
    assert waits[-1] == 3600
