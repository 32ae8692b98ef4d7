"""Fees that a sale names, a contract states and a settlement takes, whatever is in force since."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import library, rules, terms
from contracts.deals.tables import Deal
from contracts.facts.rules import SealedFact
from contracts.money import Money
from contracts.parties.rules import EXCHANGE_PARTY_ID
from contracts.parties.tables import Party
from exchange import deal_verbs, settlement_verbs
from exchange.context import Context
from listings.auctions import queries as auctions
from listings.auctions.verify_auction import Book
from listings.offers import queries as offers
from settlement.deposits import service as deposits
from settlement.deposits.rules import Terms as DepositTerms
from settlement.deposits.tables import DepositReceipt
from settlement.fees import queries as fees
from settlement.fees import rules as fee_rules
from settlement.fees.rules import Schedule
from settlement.invoices import queries as invoices
from settlement.invoices import service as invoicing
from settlement.invoices.printing import page
from settlement.invoices.rules import SUCCEEDED, Seen
from settlement.ledger import queries as books
from settlement.plans import claims
from settlement.plans import queries as plans
from settlement.plans.rules import PAID_OUT, ROYALTIES, SERVICE_FEE
from settlement.recoveries import service as recoveries
from settlement.recoveries.rules import REFUND, Cause
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import person
from tests.listings.catalogue_factory import published_listing
from tests.listings.offers_factory import negotiated
from tests.settlement import fees_factory
from tests.settlement.fees_factory import gemas, usual
from tests.settlement.settlement_factory import executed_deal

YUAN = 100
LISTED, PRICE = 3_000_000 * YUAN, 3_600_000 * YUAN
SELLER_FEE, BUYER_FEE = 70_000 * YUAN, 164_000 * YUAN
DAY = timedelta(days=1)


async def announced(session: AsyncSession, schedule: Schedule, *, days: int) -> None:
    """Put a schedule in force so many days after NOW; rolled back with the test."""
    day = fee_rules.day_of(NOW) + days * DAY
    await fees_factory.announced(session, schedule.wire(), valid_from=day)


async def awarded_deal(context: Context, session: AsyncSession) -> tuple[Deal, Party, Party]:
    """A deal opened by an award at PRICE of a listing with LISTED as its floor, under the tiers."""
    await announced(session, gemas(), days=1)
    at = NOW + 2 * DAY
    seller = await party(session, now=NOW)
    buyer = await party(session, kind="broadcaster", now=NOW)
    listing = await published_listing(session, seller=seller, now=at, floor_minor=LISTED)
    await announced(session, usual(), days=3)
    award = {
        "auction": str(listing.auction_id), "listing": str(listing.id),
        "work": str(listing.work_id), "licensor": str(seller.id), "licensee": str(buyer.id),
        "bid": str(ids.new(at)), "amount_minor": PRICE, "currency": "CNY", "rights": None,
        "price": None,
    }  # fmt: skip
    fact = SealedFact(1, ids.new(at), "award.made", listing.auction_id, [], award, at)
    await deal_verbs.open_deal(context, session, fact, NOW + 9 * DAY)
    deal = await session.get_one(Deal, rules.deal_id_of(fact.id))
    return deal, seller, buyer


async def settled(
    context: Context, session: AsyncSession, *, deposit_minor: int = 0
) -> tuple[Deal, Party, Party]:
    """Such a deal, executed and asked for; its buyer had paid a deposit in."""
    opened, seller, buyer = await awarded_deal(context, session)
    deal = await executed_deal(
        session, work_id=opened.work_id, licensor_id=seller.id, licensee_id=buyer.id,
        price=Money(PRICE, "CNY"), now=NOW, terms=opened.terms, auction_id=opened.auction_id,
    )  # fmt: skip
    if deposit_minor:
        await paid_in(session, deal, deposit_minor)
    record = {"deal": str(deal.id)}
    fact = SealedFact(2, ids.new(NOW), "deal.executed", deal.id, [], record, NOW)
    await settlement_verbs.plan_settlement(context, session, fact, NOW + 9 * DAY)
    return deal, seller, buyer


async def paid_in(session: AsyncSession, deal: Deal, minor: int) -> None:
    assert deal.auction_id is not None
    whose: dict[str, Any] = {"auction_id": deal.auction_id, "party_id": deal.licensee_id}
    asked = DepositTerms(
        **whose, seller_id=deal.licensor_id, required=Money(minor, "CNY"), until=None,
        forfeits=("non-payment",),
    )  # fmt: skip
    await deposits.require(session, asked, now=NOW)
    by = await person(session, party_id=deal.licensor_id, now=NOW)
    receipt = DepositReceipt(
        id=ids.new(NOW), **whose, amount_minor=minor, reference=f"IN-{deal.id}", credited_at=NOW,
        recorded_by=by.id, recorded_at=NOW,
    )  # fmt: skip
    await deposits.receive(session, receipt, currency="CNY")


async def booked(session: AsyncSession, *settlements: UUID) -> dict[str, int]:
    """What the journals of settlements moved, by account without its owner."""
    sums: dict[str, int] = {}
    (journals,) = await books.journals_of_deals(session, [list(settlements)])
    for journal in journals:
        for line in journal["lines"]:
            kind = line["account"].split(":")[0]
            sums[kind] = sums.get(kind, 0) + line["amount_minor"]
    return {kind: minor for kind, minor in sums.items() if minor}


async def test_the_rules_of_an_auction_name_the_schedule_of_the_day_it_was_published(
    context: Context, session: AsyncSession
) -> None:
    deal, _, _ = await awarded_deal(context, session)
    assert deal.auction_id is not None
    auction = await auctions.get_auction(session, deal.auction_id)
    rulebook = canonical.loads(auction.rulebook)
    assert rulebook["fees"] == {"schedule": "gemas-2024", "sha256": gemas().sha256}
    assert Book(rulebook)  # the second program reads it


async def test_a_contract_states_what_both_sides_pay_by_the_schedule_that_its_sale_named(
    context: Context, session: AsyncSession
) -> None:
    deal, _, _ = await awarded_deal(context, session)
    said = canonical.loads(deal.terms)
    assert said["fees"] == {
        "schedule": "gemas-2024", "sha256": gemas().sha256, "sale": "bid",
        "listed": "3000000.00", "price": "3600000.00", "seller": "70000.00", "buyer": "164000.00",
    }  # fmt: skip
    refs = [one["ref"] for one in said["clauses"]]
    assert refs.index("service-fees") == refs.index("fee-and-payment") + 1
    shown = terms.view(said)["clauses"][refs.index("service-fees")]
    for text in (shown["zh"], shown["en"]):
        assert (
            "CNY 70,000.00" in text
            and "CNY 164,000.00" in text
            and gemas().sha256 in text.replace(" ", "")
        )
    assert library.named(terms.SERVICE_FEES).title["zh"] in shown["title"]["zh"]


async def test_a_settlement_takes_the_fees_that_were_agreed_though_others_are_in_force(
    context: Context, session: AsyncSession
) -> None:
    deal, seller, buyer = await settled(context, session)
    _, today = await fees.in_force(session, currency="CNY", at=NOW + 9 * DAY)
    assert today == usual()
    commission, share = await plans.lines(session, deal.id)
    assert (commission.amount_minor, share.amount_minor) == (SELLER_FEE, PRICE - SELLER_FEE)
    assert "600000.00 uplift × 10.00 %" in commission.reason
    invoice = await invoices.find_invoice_of_deal(session, deal.id)
    fee = await invoices.find_fee_invoice(session, deal.id)
    assert invoice is not None and fee is not None
    assert (invoice.amount_minor, fee.amount_minor) == (PRICE, BUYER_FEE)
    assert (fee.payer_id, fee.tax_minor, fee.fee_tax_minor) == (buyer.id, 928_302, 928_302)
    told = page(await invoices.issued(session, fee.id, party_id=buyer.id))
    assert told["seller"]["party"] == str(EXCHANGE_PARTY_ID)
    assert (told["subject"]["zh"], told["tax"]) == ("交易服务费", "9,283.02")
    assert await booked(session, fee.deal_id) == {
        "receivable": BUYER_FEE, "commission": 928_302 - BUYER_FEE, "tax": -928_302,
    }  # fmt: skip
    assert (await plans.get_settlement(session, fee.deal_id)).kind == SERVICE_FEE
    assert seller.id == share.payee_id


async def test_a_buyers_fee_is_paid_like_any_invoice_and_pays_nobody_out(
    context: Context, session: AsyncSession
) -> None:
    deal, _, buyer = await settled(context, session)
    fee = await invoices.find_fee_invoice(session, deal.id)
    assert fee is not None
    payment = ids.new(NOW)
    await invoicing.request_payment(
        session, fee.id, payment, payer_id=buyer.id, method="card", now=NOW
    )
    seen = Seen(f"pi_{payment}", SUCCEEDED, fee.due, f"ch_{payment}", payment)
    for _ in range(2):
        await invoicing.apply_seen(session, seen, now=NOW)
    assert (fee.state, fee.paid_by) == ("paid", payment)
    assert (await plans.get_settlement(session, fee.deal_id)).state == PAID_OUT
    assert (await plans.get_settlement(session, deal.id)).state == "awaiting_payment"
    assert await booked(session, fee.deal_id) == {
        "psp": BUYER_FEE, "commission": 928_302 - BUYER_FEE, "tax": -928_302,
    }  # fmt: skip


async def test_the_winners_deposit_pays_its_fee_first_and_becomes_price_with_the_rest(
    context: Context, session: AsyncSession
) -> None:
    deal, _, _ = await settled(context, session, deposit_minor=300_000 * YUAN)
    invoice = await invoices.find_invoice_of_deal(session, deal.id)
    fee = await invoices.find_fee_invoice(session, deal.id)
    assert invoice is not None and fee is not None
    assert (fee.state, fee.deposit_minor, fee.due.amount_minor) == ("paid", BUYER_FEE, 0)
    rest = 300_000 * YUAN - BUYER_FEE
    assert (invoice.state, invoice.deposit_minor) == ("issued", rest)
    assert invoice.due.amount_minor == PRICE - rest
    assert (await plans.get_settlement(session, fee.deal_id)).state == PAID_OUT
    assert await booked(session, fee.deal_id) == {
        "deposit": BUYER_FEE, "commission": 928_302 - BUYER_FEE, "tax": -928_302,
    }  # fmt: skip


async def test_invariant_21_a_buyers_fee_goes_back_with_its_tax_and_never_more(
    context: Context, session: AsyncSession
) -> None:
    deal, _, _ = await settled(context, session, deposit_minor=300_000 * YUAN)
    fee = await invoices.find_fee_invoice(session, deal.id)
    assert fee is not None
    back, tax = 0, 0
    for part in (BUYER_FEE // 3, BUYER_FEE // 2, BUYER_FEE - BUYER_FEE // 3 - BUYER_FEE // 2):
        taken = await recoveries.pieces(session, fee.deal_id, Money(part, "CNY"))
        assert [(one.kind, one.payee_id) for one in taken] == [("commission", EXCHANGE_PARTY_ID)]
        cause = Cause(REFUND, ids.new(NOW))
        await recoveries.take_back(session, cause, taken, deal_id=fee.deal_id, now=NOW)
        back, tax = back + taken[0].amount.amount_minor, tax + taken[0].tax.amount_minor
        assert back <= fee.amount_minor and tax <= fee.tax_minor
    assert (back, tax) == (fee.amount_minor, fee.tax_minor)
    with pytest.raises(ValueError, match="more is taken back"):
        await recoveries.pieces(session, fee.deal_id, Money(1, "CNY"))


async def test_royalties_climb_the_tiers_of_the_price_and_bear_no_buyers_fee(
    context: Context, session: AsyncSession
) -> None:
    deal, _, _ = await settled(context, session)
    more = Money(8_000_000 * YUAN, "CNY")
    claim = await claims.claim(
        session, ids.new(NOW), of=deal.id, kind=ROYALTIES, amount=more, now=NOW
    )
    commission = (await plans.lines(session, claim.deal_id))[0]
    # Listed 3 million and 8 million of royalties: 7 million at 2.5 ‰, 1 million at 1.5 ‰.
    assert commission.amount_minor == (17_500 + 1_500) * YUAN
    assert len([one for one in await plans.claims(session, deal.id)
                if one.kind == SERVICE_FEE]) == 1  # fmt: skip


async def test_every_version_of_an_offer_names_the_schedule_of_its_day(
    session: AsyncSession,
) -> None:
    seller = await party(session, now=NOW)
    buyer = await party(session, kind="broadcaster", now=NOW)
    listing = await published_listing(session, seller=seller, now=NOW)
    named = await negotiated(session, listing, licensor=seller, licensee=buyer, now=NOW)
    version = await offers.find_version(session, UUID(named["version_id"]))
    assert version is not None
    assert canonical.loads(version.content)["fees"]["sha256"] == usual().sha256
