"""Negotiations as a state machine: whose word binds, for how long, and who may answer it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from contracts import canonical, ids
from contracts.deals.pricing import BadPrice, PriceNotSettledYet
from contracts.refusal import Refusal
from contracts.titles.parting import RightsNotOffered
from contracts.titles.rules import RightsOfferedTwice
from listings.offers import rules
from listings.offers.rules import (
    BadOffer,
    OfferableClosed,
    OfferEnded,
    OfferExpired,
    OfferSuperseded,
    OwnOffer,
    PriceModelNotCommon,
    Said,
    Thread,
    TooManyVersions,
)
from tests.conftest import NOW
from tests.contracts.rights_factory import wire

SIDES = st.sampled_from(("licensor", "licensee"))
LATER = NOW + timedelta(days=7)


def said(by: str, n: int, *, until: datetime = LATER) -> Said:
    return Said(by, UUID(int=n), f"{n:064x}", until)


class Negotiation(RuleBasedStateMachine):
    """Two sides speak in any order while time passes; a plain model says what must come out."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.made: list[Said] = []
        self.outcome = "open"

    @initialize(by=SIDES, days=st.integers(1, 90))
    def begins(self, by: str, days: int) -> None:
        self.made = [said(by, 1, until=self.now + timedelta(days=days))]
        self.thread = rules.begin(self.made[0], now=self.now)

    @property
    def latest(self) -> Said:
        return self.made[-1]

    @property
    def alive(self) -> bool:
        return self.outcome == "open" and self.now < self.latest.expires_at

    def attempt(self, what: Any, *, allowed: bool, outcome: str = "open") -> bool:
        before = self.thread
        try:
            self.thread = what()
        except Refusal:
            assert not allowed
            assert self.thread == before
            return False
        assert allowed
        self.outcome = outcome
        return True

    @rule(by=SIDES, days=st.integers(-1, 100))
    def counters(self, by: str, days: int) -> None:
        one = said(by, len(self.made) + 1, until=self.now + timedelta(days=days))
        fits = 0 < days <= 90 and len(self.made) < rules.MOST_VERSIONS
        if self.attempt(
            lambda: rules.counter(self.thread, one, now=self.now), allowed=self.alive and fits
        ):
            self.made.append(one)

    @rule(by=SIDES, back=st.integers(0, 2), honest=st.booleans())
    def accepts(self, by: str, back: int, honest: bool) -> None:
        one = self.made[max(0, len(self.made) - 1 - back)]
        digest = one.sha256 if honest else "f" * 64
        allowed = self.alive and one == self.latest and honest and by != one.by
        self.attempt(
            lambda: rules.accept(
                self.thread, by=by, version=one.version, sha256=digest, now=self.now
            ),
            allowed=allowed, outcome="accepted",
        )  # fmt: skip

    @rule(by=SIDES)
    def declines(self, by: str) -> None:
        self.attempt(
            lambda: rules.decline(self.thread, by=by, now=self.now),
            allowed=self.alive and by != self.latest.by, outcome="declined",
        )  # fmt: skip

    @rule(by=SIDES, back=st.integers(0, 2))
    def withdraws(self, by: str, back: int) -> None:
        one = self.made[max(0, len(self.made) - 1 - back)]
        allowed = self.alive and one == self.latest and by == one.by
        self.attempt(
            lambda: rules.withdraw(self.thread, by=by, version=one.version, now=self.now),
            allowed=allowed, outcome="withdrawn",
        )  # fmt: skip

    @precondition(lambda self: not self.alive)
    @rule(by=SIDES, days=st.integers(1, 90))
    def another_begins(self, by: str, days: int) -> None:
        self.outcome = "open"
        self.begins(by, days)

    @rule(hours=st.integers(1, 24 * 30))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def the_clock_strikes(self) -> None:
        self.thread = rules.expire(self.thread, now=self.now)
        if self.outcome == "open" and self.now >= self.latest.expires_at:
            self.outcome = "expired"

    @invariant()
    def the_thread_is_what_was_said(self) -> None:
        if not self.made:
            return
        last = self.latest
        assert self.thread == Thread(
            self.outcome, len(self.made), last.by, last.version, last.sha256, last.expires_at
        )


Negotiation.TestCase.settings = settings(max_examples=120, stateful_step_count=40)
TestNegotiation = Negotiation.TestCase


OPEN = rules.begin(said("licensor", 1), now=NOW)


def test_an_offer_binds_up_to_its_last_instant_and_no_longer() -> None:
    tick = timedelta(microseconds=1)
    accepted = rules.accept(
        OPEN, by="licensee", version=OPEN.version, sha256=OPEN.sha256, now=LATER - tick
    )
    assert accepted.state == "accepted"
    with pytest.raises(OfferExpired):
        rules.accept(OPEN, by="licensee", version=OPEN.version, sha256=OPEN.sha256, now=LATER)
    assert rules.expire(OPEN, now=LATER - tick).state == "open"
    assert rules.expire(OPEN, now=LATER).state == "expired"


def test_nobody_accepts_its_own_word_or_withdraws_the_others() -> None:
    with pytest.raises(OwnOffer):
        rules.accept(OPEN, by="licensor", version=OPEN.version, sha256=OPEN.sha256, now=NOW)
    with pytest.raises(OwnOffer):
        rules.withdraw(OPEN, by="licensee", version=OPEN.version, now=NOW)


def test_a_word_that_was_replaced_cannot_be_withdrawn() -> None:
    after = rules.counter(OPEN, said("licensor", 2), now=NOW)
    with pytest.raises(OfferSuperseded):
        rules.withdraw(after, by="licensor", version=OPEN.version, now=NOW)
    assert rules.withdraw(after, by="licensor", version=after.version, now=NOW).state == "withdrawn"


def test_after_a_counter_offer_the_first_word_binds_no_more() -> None:
    after = rules.counter(OPEN, said("licensee", 2), now=NOW)
    with pytest.raises(OfferSuperseded) as refused:
        rules.accept(after, by="licensee", version=OPEN.version, sha256=OPEN.sha256, now=NOW)
    assert refused.value.data["latest"] == str(after.version)


def test_after_fifty_versions_there_is_no_more_to_say() -> None:
    full = replace(OPEN, versions=rules.MOST_VERSIONS)
    with pytest.raises(TooManyVersions):
        rules.counter(full, said("licensee", 51), now=NOW)
    with pytest.raises(OfferEnded):
        rules.counter(replace(OPEN, state="declined"), said("licensee", 2), now=NOW)


LICENSOR, OTHER_LICENSOR, WORK, OTHER_WORK = (ids.new(NOW) for _ in range(4))


def offerable(**changes: Any) -> rules.Offerable:
    one = rules.Offerable(
        id=ids.new(NOW), party_id=LICENSOR, work_id=WORK, title={"zh": "片", "en": "Film"},
        listing_id=None, master={"id": str(ids.new(NOW)), "sha256": "ab" * 32},
        right=wire(), models=["flat", "per-run"], is_open=True,
    )  # fmt: skip
    return replace(one, **changes)


def asked(*works: list[rules.Offerable], **said: Any) -> dict[str, Any]:
    return {
        "currency": "CNY", "model": "flat", "message": "", "expires_at": LATER,
        "works": [
            {"rights": [{"offerable": each.id, "right": None} for each in work],
             "price": {"amount_minor": 100}}
            for work in works
        ],
        **said,
    }  # fmt: skip


def agreed(ask: dict[str, Any], *known: rules.Offerable, **more: Any) -> dict[str, Any]:
    named = more.get("named", frozenset())
    return rules.agreed(ask, {each.id: each for each in known}, known=named)


def test_an_offer_holds_several_rights_of_several_works_of_one_licensor() -> None:
    first = offerable()
    second = offerable(right=wire(media=["iptv"]), master=first.master)
    third = offerable(work_id=OTHER_WORK)
    made = agreed(asked([first, second], [third]), first, second, third)
    assert [len(work["rights"]) for work in made["works"]] == [2, 1]
    assert canonical.loads(canonical.dumps(made)) == made


def test_a_model_that_one_right_does_not_name_is_refused_and_the_right_is_named() -> None:
    first, third = offerable(), offerable(work_id=OTHER_WORK, models=["flat", "guarantee-share"])
    price = {"per_run_minor": 5, "runs_paid": 2}
    ask = asked([first], [third], model="per-run")
    for work in ask["works"]:
        work["price"] = price
    with pytest.raises(PriceModelNotCommon) as refused:
        agreed(ask, first, third)
    assert refused.value.data == {
        "common": ["flat"],
        "rights": [{"offerable": str(third.id), "models": ["flat", "guarantee-share"]}],
    }


def test_an_offer_may_ask_for_less_of_a_right_and_never_for_more() -> None:
    one = offerable()
    ask = asked([one])
    ask["works"][0]["rights"][0]["right"] = wire(last_day="2027-12-31", runs_max=1)
    assert agreed(ask, one)["works"][0]["rights"][0]["last_day"] == "2027-12-31"
    for beyond in ({"last_day": "2035-12-31"}, {"territories": ["WRD"]}, {"sublicence_depth": 1}):
        ask["works"][0]["rights"][0]["right"] = wire(**beyond)
        with pytest.raises(RightsNotOffered):
            agreed(ask, one)


def test_offers_that_do_not_hold_together_are_refused() -> None:
    one, foreign = offerable(), offerable(party_id=OTHER_LICENSOR, work_id=OTHER_WORK)
    same = offerable(master=one.master)
    closed = replace(one, is_open=False)
    cases: list[tuple[type[Refusal], dict[str, Any], list[rules.Offerable]]] = [
        (BadOffer, asked(), [one]),
        (BadOffer, asked([]), [one]),
        (BadOffer, asked([one], [one]), [one]),
        (BadOffer, asked([one], [foreign]), [one, foreign]),
        (BadOffer, asked([one, foreign]), [one, foreign]),
        (RightsOfferedTwice, asked([one, same]), [one, same]),
        (OfferableClosed, asked([closed]), [closed]),
        (PriceNotSettledYet, asked([one], model="share"), [replace(one, models=["share"])]),
        (BadPrice, asked([one], model="per-run"), [one]),
        (BadOffer, asked([one], message="a\u202eb"), [one]),
        (BadOffer, asked([one], message="x" * 2001), [one]),
        (BadOffer, asked([one], expires_at=datetime.fromisoformat("2035-01-01T00:00Z")), [one]),
    ]
    cases[7][1]["works"][0]["price"] = {"share_bp": 100}
    for refusal, ask, known in cases:
        with pytest.raises(refusal):
            agreed(ask, *known)


def test_a_right_that_closed_may_still_be_spoken_of_where_it_was_named_before() -> None:
    closed = offerable(is_open=False)
    assert agreed(asked([closed]), closed, named=frozenset({closed.id}))["works"]


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_another_price_is_another_version(one: int, other: int) -> None:
    right, digests = offerable(), set()
    for amount in (one, other):
        ask = asked([right])
        ask["works"][0]["price"] = {"amount_minor": amount}
        sealed = rules.sealed(
            agreed(ask, right), offer=WORK, version=OTHER_WORK, number=1, by="licensor",
            sides={"licensor": LICENSOR, "licensee": OTHER_LICENSOR},
        )  # fmt: skip
        digests.add(canonical.sha256_hex(sealed))
    assert len(digests) == len({one, other})
