"""A whole trade through the services, sealed, for tests of its evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import lasting, opening
from contracts.deals import service as deals
from contracts.deals.tables import Deal
from contracts.facts import queries as fact_queries
from contracts.facts import service as facts
from contracts.money import Money
from contracts.parties.gateway import LocalAuthority
from contracts.parties.tables import Party
from contracts.titles import service as titles
from contracts.works.tables import Work
from exchange import keys
from exchange.db import Database
from exchange.settings import Settings
from listings.auctions import ending, placing
from listings.auctions import queries as auction_queries
from listings.auctions import service as auctions
from listings.masters.tables import Master
from settlement.invoices import service as invoices
from settlement.invoices.rules import Seen
from settlement.payouts import making
from settlement.payouts import queries as payout_queries
from settlement.payouts import service as payouts
from settlement.payouts.making import Told
from settlement.plans import service as plans
from settlement.plans.rules import Terms
from tests.conftest import NOW
from tests.contracts.deals_factory import PRESS, RIGHTS, Signatory, sign, signatory
from tests.contracts.log_factory import seal_all
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import person
from tests.listings.auctions_factory import arrival, enrol, sale_of
from tests.listings.masters_factory import ready_master
from tests.settlement.approvals_factory import decided

AMOUNT = 120_000_001
BIDS = 4


@dataclass(frozen=True)
class Trade:
    """Who traded what."""

    deal: Deal
    licensor: Party
    licensee: Party
    co_owner: Party


async def settled_trade(db: Database, settings: Settings) -> Trade:
    """A trade from the listing to the last transfer, committed and sealed."""
    async with db.transaction() as session:
        trade = await executed_trade(session, settings.keys)
        await settle(session, trade)
    await seal_all(db, keys.log_signer(settings))
    return trade


async def archive(db: Database, settings: Settings, trade: Trade) -> None:
    """Archive the contract of a trade, as the worker does when everybody has signed."""
    authority = LocalAuthority.ensure(settings.keys, NOW)
    async with db.transaction() as session:
        await lasting.archive(session, trade.deal.id, authority=authority, now=NOW)
    await seal_all(db, keys.log_signer(settings))


async def executed_trade(session: AsyncSession, keys_dir: Path, **sale: Any) -> Trade:
    """A trade up to the last signature; `sale` is what its auction's terms say besides."""
    authority = LocalAuthority.ensure(keys_dir, NOW)
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    licensee = await signatory(session, authority, kind="broadcaster", now=NOW)
    co_owner = await party(session, now=NOW)
    made = await work(session, party_id=licensor.party.id, now=NOW)
    shares = {licensor.party.id: 7000, co_owner.id: 3000}
    await titles.declare_shares(
        session, made.id, party_id=licensor.party.id, shares=shares, now=NOW
    )
    await titles.consent(session, made.id, party_id=co_owner.id, now=NOW)
    deal = await _sold(session, authority, made, licensor, licensee, sale)
    return Trade(deal, licensor.party, licensee.party, co_owner)


async def _sold(
    session: AsyncSession,
    authority: LocalAuthority,
    made: Work,
    licensor: Signatory,
    licensee: Signatory,
    sale: Mapping[str, Any],
) -> Deal:
    master = await ready_master(
        session, party_id=licensor.party.id, work_id=made.id, now=NOW, seed=NOW.microsecond
    )
    listing = await _published(session, made, licensor.party, master)
    award = await _auctioned(session, listing[1], licensor.party, licensee.party, sale)
    deal = await opening.open_deal(
        session,
        ids.new(NOW),
        work_id=made.id,
        listing=listing[1],
        award=award,
        licensor=licensor.party,
        licensee=licensee.party,
        anchor={"fact": str(listing[0]), "log": "log.uhdx.local/2026"},
        now=NOW,
    )
    deal = await deals.certify(
        session, deal.id, press=PRESS, certifier=authority.certifier, now=NOW
    )
    await sign(session, authority, deal, licensor, now=NOW)
    return await sign(session, authority, deal, licensee, now=NOW)


async def _published(
    session: AsyncSession, made: Work, seller: Party, master: Master
) -> tuple[UUID, dict[str, Any]]:
    listing = ids.new(NOW)
    record = {
        "listing": str(listing),
        "work": str(made.id),
        "title": {"zh": made.title_zh, "en": made.title_en},
        "master": str(master.id),
        "master_sha256": master.sha256,
        "master_chunk_root": master.chunk_root,
        "probe_sha256": master.probe_sha256,
        "fingerprint_sha256": master.fingerprint_sha256,
        "rights": [RIGHTS],
        "sale": {"method": "english"},
        "party": str(seller.id),
        "auction": str(ids.new(NOW)),
    }
    fact = await facts.record(
        session, "listing.published", listing, record, parties=[seller.id], now=NOW
    )
    await titles.reserve(
        session, made.id, grantor_id=seller.id, boxes=[RIGHTS], source=str(listing), now=NOW
    )
    return fact, record


async def _auctioned(
    session: AsyncSession,
    listing: dict[str, Any],
    seller: Party,
    buyer: Party,
    sale: Mapping[str, Any],
) -> dict[str, Any]:
    """Hold a real auction of BIDS bids, the last of them the buyer's, and close it."""
    auction_id, rival = UUID(listing["auction"]), await enrol(session, now=NOW)
    await auctions.open_auction(
        session,
        auction_id,
        listing_id=UUID(listing["listing"]),
        work_id=UUID(listing["work"]),
        seller_id=seller.id,
        sale=sale_of(auction_id, NOW, **sale),
        now=NOW,
    )
    for number in range(1, BIDS + 1):
        bidder = buyer if number % 2 == BIDS % 2 else rival
        amount = AMOUNT - (BIDS - number) * 1_000_000
        sent = arrival(bidder.id, amount, at=NOW + timedelta(seconds=number))
        await placing.place_bid(session, auction_id, sent, now=sent.received_at)
    row = await auction_queries.get_auction(session, auction_id)
    await ending.close(session, row, now=row.closes_at)
    award = await fact_queries.find_first_of(session, auction_id, "award.made")
    assert award is not None
    return dict(canonical.loads(award.record))


async def settle(session: AsyncSession, trade: Trade) -> None:
    """Invoice, payment, payout and transfers of an executed trade."""
    deal = trade.deal
    terms = Terms(
        deal.id, deal.work_id, deal.licensor_id, deal.licensee_id, deal.price, deal.terms_sha256
    )
    invoice = await invoices.issue(session, await plans.plan(session, terms, now=NOW), now=NOW)
    payment, intent = ids.new(NOW), f"pi_{ids.new(NOW).hex}"
    await invoices.request_payment(
        session, invoice.id, payment, payer_id=trade.licensee.id, method="card", now=NOW
    )
    await invoices.payment_ready(session, payment, provider_id=intent, client_secret="x", now=NOW)
    seen = Seen(intent, "succeeded", Money(AMOUNT, "CNY"), f"ch_{payment.hex}", payment)
    await invoices.apply_seen(session, seen, now=NOW)
    await _pay_out(session, trade)


async def _pay_out(session: AsyncSession, trade: Trade) -> None:
    for payee in (trade.licensor, trade.co_owner):
        await payouts.open_account(session, payee.id, country="CN", now=NOW)
        await payouts.account_ready(session, payee.id, provider_id=f"acct_{payee.id.hex}")
    staff = [
        await person(session, party_id=trade.licensor.id, role=role, now=NOW)
        for role in ("operator", "approver")
    ]
    payout, _ = await payouts.prepare(
        session, ids.new(NOW), deal_id=trade.deal.id, person_id=staff[0].id, now=NOW
    )
    decision = await decided(session, staff[1].id, payout.content_sha256, now=NOW)
    await payouts.approve(session, payout.id, decision=decision, now=NOW)
    for transfer in await payout_queries.transfers(session, payout.id):
        assert transfer.intent_id is not None
        made = Told(payout.id, transfer.intent_id, f"tr_{transfer.intent_id.hex}")
        await making.transfers_made(session, [made], now=NOW)
