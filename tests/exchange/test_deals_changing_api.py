"""Other rights, another price, another licensee, over HTTP, up to the printed contract."""

import base64
from typing import Any
from uuid import UUID

from contracts import canonical, ids
from contracts.deals import handing, queries, service, verification
from contracts.deals.tables import Deal
from contracts.facts.rules import SealedFact
from exchange import clock, deal_verbs, settlement_verbs
from exchange.authority import open_authority
from exchange.context import Context
from exchange.demo import signer
from settlement.invoices import queries as invoices
from settlement.plans import queries as plans
from tests.contracts.deals_factory import RIGHTS, Signatory, signatory
from tests.exchange.identity_factory import signed_client
from tests.exchange.test_deals_endpoints import Desk, code, desk, wire

__all__ = ["desk"]  # the fixture


async def fact(context: Context, kind: str, deal_id: UUID, verb: Any) -> None:
    """What a reaction does when a fact about a deal is sealed."""
    now = clock.now()
    told = SealedFact(1, ids.new(now), kind, deal_id, [], {"deal": str(deal_id)}, now)
    async with context.db.transaction() as session:
        await verb(context, session, told, now)


async def signed_by_both(desk: Desk) -> None:
    for role in ("licensor", "licensee"):
        assert (await desk.sign(role)).status_code == 200


async def paid(context: Context, deal_id: UUID) -> None:
    async with context.db.transaction() as session:
        await service.mark_paid(session, deal_id, now=clock.now())


async def in_place_of(desk: Desk, context: Context, deal_id: UUID, **others: Any) -> Desk:
    """The desk of the deal that takes another's place, certified."""
    await fact(context, "deal.opened", deal_id, deal_verbs.certify_deal)
    async with context.db.transaction() as session:
        deal: Deal = await queries.get_deal(session, deal_id)
    sides = {**desk.signatories, **others.pop("signatories", {})}
    licensee = others.pop("licensee", desk.licensee)
    return Desk(deal, desk.licensor, licensee, desk.stranger, desk.auditor, sides)


def right(**changes: Any) -> dict[str, Any]:
    return {**RIGHTS, **changes}


async def test_rights_and_price_are_amended_and_the_difference_alone_is_invoiced(
    desk: Desk, context: Context
) -> None:
    await signed_by_both(desk)
    await fact(context, "deal.executed", desk.deal.id, settlement_verbs.plan_settlement)
    amendment_id = ids.new(clock.now())
    path = f"{desk.path}/amendments/{amendment_id}"
    more = desk.deal.amount_minor + 30_000_000
    asked = {"rights": [right(last_day="2029-06-30")], "amount_minor": more}
    for body, answer in (
        ({}, "not-amendable"), ({"amount_minor": "1"}, "invalid-content"),
        ({"rights": [right(exclusivity="sole", right="cinema")]}, "unknown-right"),
    ):  # fmt: skip
        assert code(await desk.licensee.put(path, json=body), 422) == answer
    assert code(await desk.licensee.put(path, json=asked), 409) == "price-unpaid"
    await paid(context, desk.deal.id)
    lower = await desk.licensee.put(path, json={"amount_minor": desk.deal.amount_minor - 1})
    assert code(lower, 409) == "price-not-lowered"
    assert [(await desk.licensee.put(path, json=asked)).status_code for _ in range(2)] == [201, 200]
    other = {**asked, "amount_minor": more + 1}
    assert code(await desk.licensee.put(path, json=other), 409) == "id-reused"
    amended = await in_place_of(desk, context, amendment_id)
    await signed_by_both(amended)
    await fact(context, "deal.executed", amendment_id, settlement_verbs.plan_settlement)
    async with context.db.transaction() as session:
        invoice = await invoices.find_invoice_of_deal(session, amendment_id)
        planned = await plans.get_settlement(session, amendment_id)
        first = await plans.get_settlement(session, desk.deal.id)
    assert invoice is not None
    assert (invoice.amount_minor, planned.gross_minor) == (30_000_000, 30_000_000)
    assert first.gross_minor == desk.deal.amount_minor
    told = (await desk.licensor.get(f"{amended.path}/life")).json()
    assert (told["performance"], told["end"], told["amends"]) == (
        "effective", "in_force", str(desk.deal.id),
    )  # fmt: skip
    assert {one["path"].split("/")[1] for one in told["changes"]} == {
        "consideration", "grants", "wording",
    }  # fmt: skip


async def drafted(desk: Desk, context: Context, assignee: Signatory) -> str:
    """A draft that the assignor has signed, after all that is refused; returns its id."""
    mine = desk.signatories["licensee"]
    body = {"assignee_id": str(assignee.party.id), "key_id": str(mine.key.id)}
    path = f"{desk.path}/assignments/{ids.new(clock.now())}"
    assert code(await desk.licensee.put(path, json=body), 409) == "assignment-not-possible"
    await paid(context, desk.deal.id)
    assert code(await desk.stranger.put(path, json=body), 404) == "unknown"
    assert code(await desk.licensor.put(path, json=body), 409) == "assignment-not-possible"
    first, again = [await desk.licensee.put(path, json=body) for _ in range(2)]
    assert (first.status_code, again.status_code, first.json()) == (201, 200, again.json())
    raw = base64.b64decode(first.json()["terms_b64"])
    assert first.json()["terms_sha256"] == canonical.sha256_hex(raw)
    for by, content in ((assignee, raw), (mine, raw[:-1])):
        wrong = wire(signer.sign_tbs(by.key_pem, content))
        answer = await desk.licensee.put(f"{path}/signature", json=wrong)
        assert code(answer, 422) == "bad-signature"
    signature = wire(signer.sign_tbs(mine.key_pem, raw))
    signed = await desk.licensee.put(f"{path}/signature", json=signature)
    assert (signed.status_code, signed.json()["id"]) == (200, first.json()["id"])
    return str(signed.json()["id"])


async def test_a_contract_is_handed_on_by_three_keys_and_the_new_licensee_holds_it(
    desk: Desk, context: Context
) -> None:
    now, mine = clock.now(), desk.signatories["licensee"]
    authority = open_authority(context.settings, now=now)
    async with context.db.transaction() as session:
        assignee = await signatory(session, authority, kind="broadcaster", now=now)
    await signed_by_both(desk)
    deal_id = await drafted(desk, context, assignee)
    async with signed_client(context, role="broadcaster", of=assignee.party) as (third, _):
        handed = await in_place_of(
            desk, context, UUID(deal_id), licensee=third, signatories={"licensee": assignee}
        )
        assert code(await desk.stranger.get(handed.path), 404) == "unknown"
        assert (await desk.licensee.get(handed.path)).status_code == 200  # who hands it on
        await signed_by_both(handed)
        await fact(context, "deal.executed", handed.deal.id, settlement_verbs.plan_settlement)
        told = (await third.get(f"{handed.path}/life")).json()
        assert (told["end"], told["performance"], told["assignor_id"]) == (
            "in_force", "paid", str(mine.party.id),
        )  # fmt: skip
        assert "assign" in told["may"]
        pdf = (await third.get(f"{handed.path}/contract.pdf")).content
        assert (await desk.licensee.get(f"{handed.path}/contract.pdf")).content == pdf
        notice = f"{handed.path}/notices/{ids.new(now)}"
        between_both = {"kind": "breach", "text": "逾期"}
        assert (await third.put(notice, json=between_both)).status_code == 201
        left = (await desk.licensee.get(f"{handed.path}/life")).json()
        assert (left["notices"], left["timers"], left["may"]) == ([], [], [])
        assert code(await desk.licensee.get(f"{handed.path}/evidence"), 404) == "unknown"
    over = (await desk.licensee.get(f"{desk.path}/life")).json()
    assert (over["end"], over["amended_by"], over["may"]) == ("superseded", deal_id, [])
    keys = {
        "exchange": authority.certifier.spki_sha256,
        "licensor": desk.signatories["licensor"].key.spki_sha256,
        "licensee": assignee.key.spki_sha256,
    }
    terms = handed.deal.terms
    verification.require_sound(pdf, authority.root_pem, keys=keys, terms=terms)
    assert handing.check_signed(terms, public_key_pem=mine.key.public_key_pem.encode())


async def test_the_licensee_alone_ends_a_contract_early(desk: Desk) -> None:
    await signed_by_both(desk)
    path = f"{desk.path}/notices/{ids.new(clock.now())}"
    early = {"kind": "convenience", "text": "频道停播"}
    assert code(await desk.licensor.put(path, json=early), 409) == "no-early-end"
    told = (await desk.licensee.get(f"{desk.path}/life")).json()
    assert (told["early_end_days"], "end-early" in told["may"]) == (90, True)
    assert "end-early" not in (await desk.licensor.get(f"{desk.path}/life")).json()["may"]
    assert (await desk.licensee.put(path, json=early)).status_code == 201
    taken_back = await desk.licensee.post(f"{path}/answer", json={"answer": "withdrawn"})
    assert code(taken_back, 409) == "answer-not-possible"
