from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids
from contracts.facts.tables import Fact
from contracts.money import Money
from contracts.refusal import IdReused, Unknown
from settlement.approvals.rules import AlreadyDecided, ContentChanged, Decision, SamePerson
from settlement.invoices import service as invoices
from settlement.invoices.rules import SUCCEEDED, Seen
from settlement.ledger import queries as books
from settlement.outbound.tables import Outbound
from settlement.payouts import making, queries, service
from settlement.payouts.making import Told
from settlement.payouts.rules import (
    PayoutAccountMissing,
    PayoutAlreadyPrepared,
    SettlementNotFunded,
)
from settlement.payouts.tables import Payout
from settlement.plans import queries as plans
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import person
from tests.settlement.approvals_factory import decided
from tests.settlement.settlement_factory import Trade, invoiced, paid, with_accounts

PRICE = Money(120_000_001, "CNY")


async def staff(session: AsyncSession) -> UUID:
    home = await party(session, now=NOW)
    return (await person(session, party_id=home.id, role="approver", now=NOW)).id


async def prepared(session: AsyncSession) -> tuple[Trade, Payout]:
    trade = await invoiced(session, price=PRICE, now=NOW)
    await paid(session, trade, now=NOW)
    await with_accounts(session, trade, now=NOW)
    payout, _ = await service.prepare(
        session, ids.new(NOW), deal_id=trade.deal_id, person_id=await staff(session), now=NOW
    )
    return trade, payout


async def decision(session: AsyncSession, payout: Payout) -> Decision:
    return await decided(session, await staff(session), payout.content_sha256, now=NOW)


async def approved(session: AsyncSession) -> tuple[Trade, Payout]:
    trade, payout = await prepared(session)
    await service.approve(session, payout.id, decision=await decision(session, payout), now=NOW)
    return trade, payout


async def intents(session: AsyncSession, payout: Payout) -> list[Outbound]:
    wanted = select(Outbound).where(col(Outbound.object_id) == payout.id)
    return list((await session.scalars(wanted)).all())


async def test_a_payout_says_everything_it_will_do_and_its_hash(session: AsyncSession) -> None:
    trade, payout = await prepared(session)
    content = canonical.loads(payout.content)
    assert canonical.sha256_hex(payout.content) == payout.content_sha256
    assert content["deal"] == str(trade.deal_id)
    amounts = {one["party"]: one["amount_minor"] for one in content["transfers"]}
    assert amounts == dict(zip(map(str, trade.owner_ids), (79_800_001, 34_200_000), strict=True))


async def test_who_prepared_a_payout_may_not_approve_it(session: AsyncSession) -> None:
    _, payout = await prepared(session)
    own = Decision(payout.prepared_by, payout.content_sha256)
    with pytest.raises(SamePerson):
        await service.approve(session, payout.id, decision=own, now=NOW)
    with pytest.raises(SamePerson):
        await service.refuse(session, payout.id, decision=own, reason="no", now=NOW)


async def test_the_database_refuses_one_person_for_both_too(session: AsyncSession) -> None:
    _, payout = await prepared(session)
    with pytest.raises(DBAPIError, match="is not approved by person"):
        await session.execute(
            text(
                "UPDATE payout SET state = 'approved', decided_by = prepared_by, "
                "decided_at = now() WHERE id = :id"
            ),
            {"id": payout.id},
        )


async def test_money_that_is_held_in_suspense_pays_nobody(session: AsyncSession) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    await with_accounts(session, trade, now=NOW)
    payment, _ = await invoices.request_payment(
        session, trade.invoice.id, ids.new(NOW), payer_id=trade.buyer.id, method="card", now=NOW
    )
    short = Money(PRICE.amount_minor - 1, "CNY")
    seen = Seen(f"pi_{payment.id}", SUCCEEDED, short, f"ch_{payment.id}", payment.id)
    await invoices.apply_seen(session, seen, now=NOW)
    with pytest.raises(SettlementNotFunded):
        await service.prepare(
            session, ids.new(NOW), deal_id=trade.deal_id, person_id=await staff(session), now=NOW
        )


async def test_another_person_approves_and_the_money_is_in_transit(
    session: AsyncSession,
) -> None:
    trade, payout = await approved(session)
    assert payout.state == "approved"
    journal = (await books.journals_of_deal(session, trade.deal_id))[-1]
    told = {line["account"]: line["amount_minor"] for line in journal["lines"]}
    one, other = trade.owner_ids
    assert told == {
        f"payee:{one}:due:CNY": 79_800_001,
        f"payee:{one}:in-transit:CNY": -79_800_001,
        f"payee:{other}:due:CNY": 34_200_000,
        f"payee:{other}:in-transit:CNY": -34_200_000,
    }
    assert (await plans.get_settlement(session, trade.deal_id)).state == "paying"


async def test_an_approval_writes_one_instruction_for_each_transfer(
    session: AsyncSession,
) -> None:
    trade, payout = await approved(session)
    told = [canonical.loads(row.payload) for row in await intents(session, payout)]
    charge = canonical.loads(payout.content)["charge"]
    assert charge.startswith("ch_")
    assert {one["source_transaction"] for one in told} == {charge}
    assert {one["transfer_group"] for one in told} == {str(trade.deal_id)}
    assert sorted(one["amount"] for one in told) == [34_200_000, 79_800_001]


async def test_the_same_approval_again_gets_the_same_answer(session: AsyncSession) -> None:
    _, payout = await prepared(session)
    made = await decision(session, payout)
    await service.approve(session, payout.id, decision=made, now=NOW)
    assert (await service.approve(session, payout.id, decision=made, now=NOW)).id == payout.id
    assert len(await intents(session, payout)) == 2


async def test_a_decision_on_other_content_is_refused(session: AsyncSession) -> None:
    _, payout = await prepared(session)
    other = Decision(await staff(session), "0" * 64)
    with pytest.raises(ContentChanged):
        await service.approve(session, payout.id, decision=other, now=NOW)


async def test_an_account_changed_after_preparation_voids_the_payout(
    session: AsyncSession,
) -> None:
    trade, payout = await prepared(session)
    account = await queries.get_account(session, trade.owner_ids[1])
    account.provider_id = f"acct_thief_{payout.id}"
    await session.flush()
    with pytest.raises(ContentChanged):
        await service.approve(session, payout.id, decision=await decision(session, payout), now=NOW)


async def test_a_decided_payout_is_not_decided_again(session: AsyncSession) -> None:
    _, payout = await approved(session)
    with pytest.raises(AlreadyDecided):
        await service.approve(session, payout.id, decision=await decision(session, payout), now=NOW)
    with pytest.raises(AlreadyDecided):
        await service.refuse(
            session, payout.id, decision=await decision(session, payout), reason="no", now=NOW
        )


async def test_a_refusal_keeps_its_reason_moves_nothing_and_makes_room(
    session: AsyncSession,
) -> None:
    trade, payout = await prepared(session)
    await service.refuse(
        session,
        payout.id,
        decision=await decision(session, payout),
        reason="收款账户待核实",
        now=NOW,
    )
    assert (payout.state, payout.reason) == ("refused", "收款账户待核实")
    assert await intents(session, payout) == []
    assert (await plans.get_settlement(session, trade.deal_id)).state == "funded"
    _, new = await service.prepare(
        session, ids.new(NOW), deal_id=trade.deal_id, person_id=await staff(session), now=NOW
    )
    assert new


async def test_a_deal_has_one_live_payout(session: AsyncSession) -> None:
    trade, payout = await prepared(session)
    with pytest.raises(PayoutAlreadyPrepared) as refused:
        await service.prepare(
            session, ids.new(NOW), deal_id=trade.deal_id, person_id=await staff(session), now=NOW
        )
    assert refused.value.data == {"payout": str(payout.id)}


async def test_the_same_payout_id_is_the_same_payout_of_one_deal_only(
    session: AsyncSession,
) -> None:
    trade, payout = await prepared(session)
    again, new = await service.prepare(
        session, payout.id, deal_id=trade.deal_id, person_id=await staff(session), now=NOW
    )
    assert (again, new) == (payout, False)
    other = await invoiced(session, price=PRICE, now=NOW)
    with pytest.raises(IdReused):
        await service.prepare(
            session, payout.id, deal_id=other.deal_id, person_id=await staff(session), now=NOW
        )


async def test_nothing_is_paid_out_before_the_money_is_in(session: AsyncSession) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    await with_accounts(session, trade, now=NOW)
    with pytest.raises(SettlementNotFunded):
        await service.prepare(
            session, ids.new(NOW), deal_id=trade.deal_id, person_id=await staff(session), now=NOW
        )


async def test_payees_without_an_account_are_named(session: AsyncSession) -> None:
    trade = await invoiced(session, price=PRICE, now=NOW)
    await paid(session, trade, now=NOW)
    await service.open_account(session, trade.owner_ids[0], country="HK", now=NOW)
    with pytest.raises(PayoutAccountMissing) as refused:
        await service.prepare(
            session, ids.new(NOW), deal_id=trade.deal_id, person_id=await staff(session), now=NOW
        )
    assert refused.value.data == {"parties": sorted(map(str, trade.owner_ids))}


async def test_an_unknown_deal_or_payout_is_unknown(session: AsyncSession) -> None:
    someone = await staff(session)
    with pytest.raises(Unknown):
        await service.prepare(
            session, ids.new(NOW), deal_id=ids.new(NOW), person_id=someone, now=NOW
        )
    with pytest.raises(Unknown):
        await service.approve(session, ids.new(NOW), decision=Decision(someone, "0" * 64), now=NOW)


async def test_an_account_is_asked_for_once_and_in_one_country(session: AsyncSession) -> None:
    owner = await party(session, now=NOW)
    _, new = await service.open_account(session, owner.id, country="HK", now=NOW)
    _, again = await service.open_account(session, owner.id, country="HK", now=NOW)
    assert (new, again) == (True, False)
    with pytest.raises(IdReused):
        await service.open_account(session, owner.id, country="CN", now=NOW)


async def test_an_account_that_the_provider_refuses_has_failed(session: AsyncSession) -> None:
    owner = await party(session, now=NOW)
    account, _ = await service.open_account(session, owner.id, country="HK", now=NOW)
    await service.account_failed(session, owner.id)
    assert account.state == "failed"


async def test_the_last_transfer_pays_the_payout_and_books_the_settlement(
    session: AsyncSession,
) -> None:
    trade, payout = await approved(session)
    for turn, row in enumerate(await intents(session, payout)):
        assert payout.state == "approved"
        for _ in range(2):  # told twice, booked once
            made = Told(payout.id, row.id, f"tr_{row.id}")
            await making.transfers_made(session, [made], now=NOW)
        told = (await plans.get_settlement(session, trade.deal_id)).state
        assert told == ("paying", "paid_out")[turn]
    assert payout.state == "paid"
    sums: dict[str, int] = {}
    journals = await books.journals_of_deal(session, trade.deal_id)
    for journal in journals:
        for line in journal["lines"]:
            sums[line["account"]] = sums.get(line["account"], 0) + line["amount_minor"]
    left = {code: total for code, total in sums.items() if total}
    assert left == {
        "psp:stripe:clearing:CNY": 6_000_000,
        "commission:CNY": -5_660_377,
        "tax:vat:output:CNY": -339_623,
    }
    fact = (
        await session.scalars(
            select(Fact).where(
                col(Fact.subject) == trade.deal_id, col(Fact.kind) == "settlement.booked"
            )
        )
    ).one()
    record = canonical.loads(fact.record)
    assert record["postings_sha256"] == canonical.sha256_hex(canonical.dumps(journals))
    assert set(fact.parties) == {trade.buyer.id, *trade.owner_ids}
