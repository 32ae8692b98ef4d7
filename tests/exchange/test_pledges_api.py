"""Deposits on a card and by letter over the API, with the provider's stand-in as a process."""

import base64
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from contracts import calendar
from exchange import clock, deposit_verbs, worker
from settlement.clearing import queries as clearing_queries
from settlement.clearing import rules as clearing
from settlement.deposits import queries as deposits
from settlement.ledger import queries as books
from settlement.stripe import service
from settlement.stripe.gateway import StripeGateway, open_gateway
from tests.exchange.stripe_standin_factory import control, order
from tests.exchange.test_admissions_api import DEPOSIT, Hall, applied_sale
from tests.exchange.test_admissions_api import hall as hall
from tests.exchange.test_deposit_verbs import fact
from tests.settlement.approvals_factory import proved
from tests.settlement.pledges_factory import SCAN
from tests.settlement.standin import API_KEY, PUBLISHABLE_KEY, running_standin

MODES = ["wire", "charge", "card_hold", "guarantee"]
ROUNDS = 30


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_standin(tmp_path_factory.mktemp("pledges")) as url:
        yield url


@pytest.fixture
async def stripe(base: str) -> AsyncIterator[StripeGateway]:
    opened = open_gateway(api_key=API_KEY, api_base=base, timeout_s=5)
    yield opened
    await opened.close()


def sale(**admission: Any) -> dict[str, Any]:
    return applied_sale(deposit_modes=MODES, **admission)


async def asked(hall: Hall, **admission: Any) -> str:
    """An auction to which the first bidder has applied, and whose papers are accepted."""
    auction = await hall.auction(**sale(**admission))
    assert (await hall.applied(auction)).json()["missing"] == ["deposit", "papers"]
    assert (await hall.decided(auction)).json()["missing"] == ["deposit"]
    return auction


async def give(
    hall: Hall, auction: str, mode: str = "card_hold", method: str | None = "pm_card_visa"
) -> str:
    where = f"/v1/auctions/{auction}/deposit/cards/{uuid4()}"
    for _ in range(2):
        given = await hall.bidders[0].put(where, json={"mode": mode, "payment_method": method})
        assert (given.status_code, given.json()["state"]) == (200, "requested"), given.text
    return where


async def until(hall: Hall, stripe: StripeGateway, where: str, state: str) -> dict[str, Any]:
    """Let the worker work until the card is in that state; its clock runs ahead of the real one."""
    said: dict[str, Any] = {}
    for minute in range(ROUNDS):
        now = clock.now() + timedelta(minutes=minute)
        await service.send_due(hall.context.db, stripe, now=now)
        await service.apply_due(hall.context.db, stripe, now=now)
        said = (await hall.bidders[0].get(where)).json()
        if said["state"] == state:
            return said
    raise AssertionError(f"never {state}: {said}")


async def held(hall: Hall, stripe: StripeGateway) -> tuple[str, str]:
    auction = await asked(hall)
    where = await give(hall, auction)
    await until(hall, stripe, where, "held")
    await worker.watch_pledges(hall.context)
    return auction, where


async def own(hall: Hall, auction: str) -> dict[str, Any]:
    said: dict[str, Any] = (await hall.bidders[0].get(f"/v1/auctions/{auction}/deposit")).json()
    return said


async def decided(hall: Hall, auction: str, **move: Any) -> dict[str, Any]:
    """A movement that the operator prepares and the approver approves."""
    where = f"/v1/auctions/{auction}/deposits/{hall.parties[0].id}/movements/{uuid4()}"
    made = await hall.operator.put(where, json=move)
    assert made.status_code == 200, made.text
    body = await proved(hall.approver, content_sha256=made.json()["content_sha256"])
    done = await hall.approver.post(
        f"/v1/deposit-movements/{made.json()['id']}/approval", json=body
    )
    assert done.status_code == 200, done.text
    said: dict[str, Any] = done.json()
    return said


async def test_a_card_that_holds_admits_and_the_bids_end_with_it(
    hall: Hall, stripe: StripeGateway, base: str
) -> None:
    auction, where = await held(hall, stripe)
    said = (await hall.bidders[0].get(where)).json()
    assert (said["fault"], said["client_secret"], said["captured_minor"]) == (None, None, 0)
    assert said["capture_before"] > said["needed_until"]
    mine = await own(hall, auction)
    assert (mine["state"], mine["pledged_minor"], mine["held_minor"]) == ("frozen", DEPOSIT, 0)
    assert (await hall.bid(auction)).status_code == 201
    assert (await hall.bidders[1].get(where)).status_code == 404
    again = await hall.bidders[0].put(
        f"/v1/auctions/{auction}/deposit/cards/{uuid4()}", json={"mode": "charge"}
    )
    assert (again.status_code, again.json()["code"]) == (409, "deposit-secured")
    control(base, "/_clock", {"advance_s": 8 * 86_400})
    async with hall.context.db.transaction() as session:
        await service.apply_history(
            session, await seen(stripe, said["provider_id"]), now=clock.now()
        )
    assert (await hall.bidders[0].get(where)).json()["state"] == "expired"
    no = await hall.bid(auction, 110_000)
    assert (no.status_code, no.json()["code"]) == (403, "deposit-lapsed")
    admission = (await hall.bidders[0].get(f"/v1/auctions/{auction}/admission")).json()
    assert (admission["state"], admission["missing"]) == ("admitted", ["deposit"])
    await hall.paid(auction)  # what is wired then lets it bid again
    assert (await hall.bid(auction, 110_000)).status_code == 201


async def seen(stripe: StripeGateway, provider_id: str) -> Any:
    history = await stripe.see_payment(provider_id)
    assert history is not None
    return history


async def test_a_payer_confirms_at_the_provider_with_the_secret_and_the_public_key(
    hall: Hall, stripe: StripeGateway, base: str
) -> None:
    auction = await asked(hall)
    where = await give(hall, auction, method=None)
    ready = await until(hall, stripe, where, "ready")
    assert ready["publishable_key"] == PUBLISHABLE_KEY
    async with httpx.AsyncClient(base_url=base, trust_env=False) as browser:
        answer = await browser.post(
            f"/v1/payment_intents/{ready['provider_id']}/confirm",
            data={"payment_method": "pm_card_visa", "client_secret": ready["client_secret"]},
            headers={"Authorization": f"Bearer {ready['publishable_key']}"},
        )
    assert answer.json()["status"] == "requires_capture", answer.text
    await until(hall, stripe, where, "held")


async def test_a_declined_card_makes_room_for_another(hall: Hall, stripe: StripeGateway) -> None:
    auction = await asked(hall)
    where = await give(hall, auction, method="pm_card_chargeDeclined")
    assert (await until(hall, stripe, where, "failed"))["fault"] == "card-declined"
    await until(hall, stripe, await give(hall, auction), "held")


async def test_the_winners_card_is_captured_although_the_answer_is_lost(
    hall: Hall, stripe: StripeGateway, base: str
) -> None:
    auction, where = await held(hall, stripe)
    party = hall.parties[0].id
    order(base, "drop_after", operation="payment_intents.capture")
    async with hall.context.db.transaction() as session:
        told = fact("award.made", auction=auction, licensee=party)
        await deposit_verbs.keep_deposit(hall.context, session, told, clock.now())
    said = await until(hall, stripe, where, "drawn")
    assert said["captured_minor"] == DEPOSIT
    mine = await own(hall, auction)
    assert (mine["state"], mine["held_minor"], mine["pledged_minor"]) == ("frozen", DEPOSIT, 0)
    async with hall.context.db.transaction() as session:
        rows = {row["code"]: row["balance_minor"] for row in await books.trial_balance(session)}
        assert rows[f"deposit:{auction}:{party}:CNY"] == -DEPOSIT
        assert await books.check(session) == []


async def test_a_losers_hold_is_let_go_although_the_answer_is_lost(
    hall: Hall, stripe: StripeGateway, base: str
) -> None:
    auction, where = await held(hall, stripe)
    order(base, "drop_after", operation="payment_intents.cancel")
    async with hall.context.db.transaction() as session:
        lapsed = fact("award.lapsed", hall.parties[0].id, auction=auction)
        await deposit_verbs.free_after_lapse(hall.context, session, lapsed, clock.now())
    said = await until(hall, stripe, where, "released")
    history = await seen(stripe, said["provider_id"])
    assert history.hold is not None and history.hold.status == "canceled"
    assert (await own(hall, auction))["state"] == "released"


async def test_staff_draw_on_a_card_and_give_back_what_a_card_paid(
    hall: Hall, stripe: StripeGateway
) -> None:
    auction, where = await held(hall, stripe)
    draw = {"kind": "draw", "amount_minor": DEPOSIT, "reason": "non-payment"}
    assert (await decided(hall, auction, **draw))["state"] == "approved"
    await until(hall, stripe, where, "drawn")
    forfeit = {"kind": "forfeit", "amount_minor": DEPOSIT, "reason": "non-payment"}
    assert (await decided(hall, auction, **forfeit))["state"] == "done"
    other = await asked(hall)
    where = await give(hall, other, mode="charge")
    await until(hall, stripe, where, "drawn")
    async with hall.context.db.transaction() as session:
        lapsed = fact("award.lapsed", hall.parties[0].id, auction=other)
        await deposit_verbs.free_after_lapse(hall.context, session, lapsed, clock.now())
    back = {"kind": "return", "amount_minor": DEPOSIT, "reason": "未成交"}
    movement = await decided(hall, other, **back)
    assert movement["state"] == "approved"
    for minute in range(ROUNDS):
        await service.send_due(hall.context.db, stripe, now=clock.now() + timedelta(minutes=minute))
    async with hall.context.db.transaction() as session:
        row = await deposits.get_movement(session, UUID(movement["id"]))
        assert (row.state, str(row.reference)[:3]) == ("done", "re_")
    file = await hall.operator.get(f"/v1/auctions/{other}/deposits/{hall.parties[0].id}")
    [card] = file.json()["cards"]
    assert card["returned_minor"] == DEPOSIT
    # The provider's own list of movements says the same of both, fee included.
    entries = await stripe.movements(None)
    async with hall.context.db.transaction() as session:
        booked = await clearing_queries.booked(session, "CNY")
    listed = [(one.reference, one.net_minor) for one in entries]
    sums = clearing.summed(booked, listed)
    for reference, provider_minor in (
        (card["provider_id"], DEPOSIT - DEPOSIT * 290 // 10_000 - 30),
        (str(row.reference), -DEPOSIT),
    ):
        assert sums[reference].provider_minor == provider_minor
        assert sums[reference].difference_minor == 0


LETTER = {
    "form": "standby-letter-of-credit", "issuer": "Bank of China", "issuer_bic": "BKCHCNBJ",
    "number": "SBLC-1", "amount_minor": DEPOSIT, "currency": "CNY", "demand_terms": "on demand",
    "scan_base64": base64.b64encode(SCAN).decode(),
}  # fmt: skip


async def handed_in(hall: Hall, auction: str, days: int = 60, **said: Any) -> httpx.Response:
    last = calendar.day_of(clock.now()) + timedelta(days=days)
    where = f"/v1/auctions/{auction}/deposit/guarantees/{uuid4()}"
    body = {**LETTER, "valid_until": last.isoformat(), **said}
    return await hall.bidders[0].put(where, json=body)


async def test_a_letter_is_accepted_by_another_person_and_admits(hall: Hall) -> None:
    auction = await asked(hall)
    short = await handed_in(hall, auction, days=20)
    assert (short.status_code, short.json()["code"]) == (409, "guarantee-too-short")
    text = await handed_in(hall, auction, scan_base64=base64.b64encode(b"hello world").decode())
    assert (text.status_code, text.json()["code"]) == (422, "guarantee-no-pdf")
    told = await handed_in(hall, auction)
    assert (told.status_code, told.json()["state"]) == (200, "offered"), told.text
    where = f"/v1/guarantees/{told.json()['id']}"
    assert (await hall.bidders[1].get(where)).status_code == 404
    assert (await hall.bidders[0].get(f"{where}/scan")).content == SCAN
    assert (await hall.approver.get(f"{where}/scan")).content == SCAN
    sha256 = told.json()["content_sha256"]
    for who, status in ((hall.bidders[0], 403), (hall.operator, 403), (hall.approver, 200)):
        body = await proved(who, content_sha256=sha256)
        accepted = await who.post(f"{where}/approval", json=body)
        assert accepted.status_code == status, accepted.text
    assert accepted.json()["state"] == "accepted"
    assert (await own(hall, auction))["state"] == "frozen"
    assert (await hall.bid(auction)).status_code == 201
    early = await hall.operator.post(f"{where}/release")
    assert (early.status_code, early.json()["code"]) == (409, "deposit-not-free")
    async with hall.context.db.transaction() as session:
        lapsed = fact("award.lapsed", hall.parties[0].id, auction=auction)
        await deposit_verbs.free_after_lapse(hall.context, session, lapsed, clock.now())
    assert (await own(hall, auction))["return_by"] is not None
    assert (await hall.operator.post(f"{where}/release")).json()["state"] == "released"


async def test_a_demand_takes_two_people_and_its_money_comes_by_the_banks_statement(
    hall: Hall,
) -> None:
    auction = await asked(hall)
    where = f"/v1/guarantees/{(await handed_in(hall, auction)).json()['id']}"
    sha256 = (await hall.operator.get(where)).json()["content_sha256"]
    await hall.approver.post(
        f"{where}/approval", json=await proved(hall.approver, content_sha256=sha256)
    )
    draw = {"kind": "draw", "amount_minor": DEPOSIT, "reason": "winner-refuses"}
    await decided(hall, auction, **draw)
    assert (await hall.operator.get(where)).json()["state"] == "demanded"
    no = await hall.operator.post(f"{where}/payment", json={"reference": "X"})
    assert (no.status_code, no.json()["code"]) == (409, "guarantee-decided")
    await hall.paid(auction)
    assert (await hall.operator.get(where)).json()["state"] == "paid"
    mine = await own(hall, auction)
    assert (mine["held_minor"], mine["pledged_minor"]) == (DEPOSIT, 0)
    forfeit = {"kind": "forfeit", "amount_minor": DEPOSIT, "reason": "winner-refuses"}
    assert (await decided(hall, auction, **forfeit))["state"] == "done"


async def test_an_auction_takes_what_its_rulebook_lists_and_a_wire_where_it_lists_nothing(
    hall: Hall,
) -> None:
    auction = await hall.auction(**applied_sale())
    await hall.applied(auction)
    no = await hall.bidders[0].put(
        f"/v1/auctions/{auction}/deposit/cards/{uuid4()}", json={"mode": "charge"}
    )
    assert (no.status_code, no.json()["code"]) == (409, "deposit-mode-not-accepted")
    assert no.json()["accepted"] == ["wire"]
    letter = await handed_in(hall, auction)
    assert letter.json()["code"] == "deposit-mode-not-accepted"
    listed = await hall.auction(**sale(card_margin_h=48))
    shown = (await hall.bidders[0].get(f"/v1/auctions/{listed}")).json()
    admission = shown["rulebook"]["admission"]
    assert (admission["deposit_modes"], admission["card_margin_h"]) == (MODES, 48)
    assert admission["guarantee_days"] == 30
