"""What follows for deposits and exposure when auctions, awards and deals end."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.facts.rules import SealedFact
from contracts.money import Money
from exchange import deposit_verbs, settlement_verbs
from exchange.context import Context
from listings.admissions import applying, queries
from listings.admissions import service as admissions
from listings.auctions.tables import Auction
from settlement.deposits import letters, service
from settlement.deposits import queries as deposits
from settlement.deposits.rules import Terms
from settlement.deposits.tables import Deposit, DepositReceipt
from settlement.invoices import queries as invoices
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work
from tests.listings.admissions_factory import auction, bidder, staff
from tests.settlement import pledges_factory
from tests.settlement.approvals_factory import decided
from tests.settlement.settlement_factory import executed_deal, said

RETURN_BY = date(2026, 11, 25)  # Wednesday: three working days after Sunday 22 November 2026


def fact(kind: str, *parties: UUID, **record: Any) -> SealedFact:
    said = {name: str(value) for name, value in record.items()}
    return SealedFact(1, ids.new(NOW), kind, ids.new(NOW), parties, said, NOW)


async def held(session: AsyncSession, lot: Auction, party_id: UUID) -> Deposit:
    """A frozen deposit of a bidder with a number, bound for 100,000."""
    await admissions.loaded(session, lot, [party_id], now=NOW)
    terms = Terms(lot.id, party_id, lot.seller_id, Money(20_000, "CNY"), None, ("non-payment",))
    deposit = await service.require(session, terms, now=NOW)
    id = ids.new(NOW)
    receipt = DepositReceipt(
        id=id, auction_id=lot.id, party_id=party_id, amount_minor=20_000, reference=str(id),
        credited_at=NOW, recorded_by=await staff(session, now=NOW), recorded_at=NOW,
    )  # fmt: skip
    await service.receive(session, receipt, currency="CNY")
    return deposit


async def closed(session: AsyncSession, outcome: str, *won: int) -> tuple[Auction, list[Deposit]]:
    """An auction of three bidders, closed; `won` are the numbers that won."""
    lot = await auction(session, now=NOW)
    found = [await held(session, lot, (await bidder(session, now=NOW)).id) for _ in range(3)]
    lot.result = canonical.dumps(
        {
            "outcome": outcome,
            "awards": [{"paddle": number} for number in won if outcome == "sold"],
            "ranking": [{"paddle": number} for number in won],
        }
    )
    lot.state, lot.closed_at = "closed", lot.closes_at
    await session.flush()
    return lot, found


async def test_at_the_close_losers_get_theirs_back_within_three_working_days(
    context: Context, session: AsyncSession
) -> None:
    assert applying.return_by(NOW) == RETURN_BY
    lot, found = await closed(session, "sold", 2)
    await deposit_verbs.free_deposits(context, session, fact("auction.closed", auction=lot.id), NOW)
    assert [one.return_by for one in found] == [RETURN_BY, None, RETURN_BY]


async def test_unsold_or_void_all_go_back_and_of_a_shortlist_those_who_are_not_on_it(
    context: Context, session: AsyncSession
) -> None:
    for outcome, numbers, kept in (("unsold", (), 0), ("shortlist", (1, 3), 2)):
        lot, found = await closed(session, outcome, *numbers)
        told = fact("auction.closed", auction=lot.id)
        await deposit_verbs.free_deposits(context, session, told, NOW)
        assert sum(one.free_at is None for one in found) == kept
    lot, found = await closed(session, "sold", 2)
    lot.state = "void"
    await admissions.expose(session, lot.id, {found[1].party_id: 7}, currency="CNY")
    await deposit_verbs.free_deposits(context, session, fact("auction.voided", auction=lot.id), NOW)
    assert all(one.free_at is not None for one in found)
    assert await queries.exposures(session, found[1].party_id) == []


async def test_a_deal_turns_the_winners_deposit_into_price_and_frees_its_credit(
    context: Context, session: AsyncSession
) -> None:
    lot, found = await closed(session, "sold", 1)
    winner = found[0].party_id
    await admissions.expose(session, lot.id, {winner: 100_000}, currency="CNY")
    owner = await party(session, now=NOW)
    film = await work(session, party_id=owner.id, now=NOW)
    deal = await executed_deal(
        session, work_id=film.id, licensor_id=owner.id, licensee_id=winner,
        price=Money(100_000, "CNY"), now=NOW, auction_id=lot.id, terms=said(Money(100_000, "CNY")),
    )  # fmt: skip
    for _ in range(2):
        await settlement_verbs.plan_settlement(
            context, session, fact("deal.executed", deal=deal.id), NOW
        )
    invoice = await invoices.find_invoice_of_deal(session, deal.id)
    assert invoice is not None
    assert (invoice.deposit_minor, invoice.due) == (20_000, Money(80_000, "CNY"))
    assert found[0].state == "applied"
    assert await queries.exposures(session, winner) == []


async def test_an_award_that_lapses_frees_the_winner_and_the_next_ones_deposit_is_kept(
    context: Context, session: AsyncSession
) -> None:
    lot, found = await closed(session, "sold", 1)
    first, second = found[0].party_id, found[1].party_id
    await admissions.expose(session, lot.id, {first: 5}, currency="CNY")
    await deposit_verbs.free_deposits(context, session, fact("auction.closed", auction=lot.id), NOW)
    lapsed = fact("award.lapsed", lot.seller_id, first, auction=lot.id)
    await deposit_verbs.free_after_lapse(context, session, lapsed, NOW)
    assert found[0].return_by == RETURN_BY
    assert await queries.exposures(session, first) == []
    again = fact("award.made", auction=lot.id, licensee=second)
    await deposit_verbs.keep_deposit(context, session, again, NOW)
    assert (found[1].free_at, found[1].return_by) == (None, None)


async def test_whoever_forfeits_a_deposit_is_barred_when_the_work_is_sold_again(
    context: Context, session: AsyncSession
) -> None:
    lot, found = await closed(session, "sold", 1)
    lost = fact("deposit.forfeited", auction=lot.id, party=found[0].party_id, reason="non-payment")
    for _ in range(2):
        await deposit_verbs.bar_defaulter(context, session, lost, NOW)
    re_auction = await auction(session, now=NOW, work_id=lot.work_id)
    elsewhere = await auction(session, now=NOW)
    states = [
        (await admissions.loaded(session, one, [found[0].party_id], now=NOW))[found[0].party_id]
        for one in (re_auction, elsewhere)
    ]
    assert [one.state for one in states] == ["blocked", "admitted"]
    assert await deposits.pool_minor(session, lot.id, found[0].party_id) == 0


async def lettered(session: AsyncSession, lot: Auction, party_id: UUID) -> tuple[Deposit, Any]:
    """The deposit of a bidder for which a letter of guarantee was accepted."""
    await admissions.loaded(session, lot, [party_id], now=NOW)
    deposit = await pledges_factory.asked(
        session, now=NOW, of=party_id, auction_id=lot.id, seller_id=lot.seller_id
    )
    row = await pledges_factory.offered(session, deposit, now=NOW)
    by = await pledges_factory.staff(session, now=NOW)
    decision = await decided(session, by, row.content_sha256, now=NOW)
    return deposit, await letters.accept(session, row.id, decision=decision, now=NOW)


async def test_the_winners_letter_is_kept_until_the_price_is_paid(
    context: Context, session: AsyncSession
) -> None:
    lot = await auction(session, now=NOW)
    winner = (await bidder(session, now=NOW)).id
    deposit, letter = await lettered(session, lot, winner)
    owner = await party(session, now=NOW)
    film = await work(session, party_id=owner.id, now=NOW)
    deal = await executed_deal(
        session, work_id=film.id, licensor_id=owner.id, licensee_id=winner,
        price=Money(100_000, "CNY"), now=NOW, auction_id=lot.id, terms=said(Money(100_000, "CNY")),
    )  # fmt: skip
    await settlement_verbs.plan_settlement(
        context, session, fact("deal.executed", deal=deal.id), NOW
    )
    invoice = await invoices.find_invoice_of_deal(session, deal.id)
    assert invoice is not None
    assert (invoice.deposit_minor, invoice.due) == (0, Money(100_000, "CNY"))
    assert (deposit.free_at, letter.state, deposit.state) == (None, "accepted", "frozen")
    for _ in range(2):
        await deposit_verbs.free_after_payment(
            context, session, fact("settlement.booked", deal=deal.id), NOW
        )
    assert (deposit.return_by, letter.state) == (RETURN_BY, "accepted")
