"""Where a wire goes: references with check digits, and the account that two people choose."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from stdnum import iso11649

from contracts import ids
from contracts.money import Money
from contracts.refusal import IdReused
from settlement.approvals.rules import SamePerson
from settlement.bank import service as files
from settlement.bank.rules import Entry
from settlement.bank.service import Following
from settlement.collecting import queries, rules, service
from settlement.collecting.rules import AccountCannotCollect, CollectingWaits
from settlement.invoices import queries as invoices
from settlement.payees.rules import Details
from settlement.reconciliation import rules as matching
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import Bank, closed, collecting, followed, iban, staff
from tests.settlement.settlement_factory import invoiced

numbers = st.builds(
    "UHDX-{:04d}-{:06d}".format, st.integers(2020, 2999), st.integers(1, 999_999)
)  # fmt: skip
breaks = st.lists(st.sampled_from(["", " ", "\n", "-"]), min_size=17, max_size=17)


@given(numbers, breaks)
def test_a_reference_is_read_however_it_is_broken(number: str, broken: list[str]) -> None:
    reference = rules.of_invoice(number)
    assert iso11649.is_valid(reference) and len(reference) == 18
    written = "".join(letter + gap for letter, gap in zip(reference, [*broken, ""], strict=True))
    assert rules.invoices_named(f"/INV {written} 1200000 thanks") == [number]
    assert matching.numbers(Entry(1, text=written.lower())) == [number]


@given(numbers, st.integers(0, 17), st.sampled_from("0123456789"))
def test_no_mistyped_reference_names_an_invoice(number: str, at: int, typed: str) -> None:
    reference = rules.of_invoice(number)
    wrong = reference[:at] + typed + reference[at + 1 :]
    assert (rules.invoices_named(wrong) == [number]) == (wrong == reference)


@given(st.uuids(), st.uuids())
def test_a_deposits_reference_names_one_bidder_in_one_auction(one: UUID, other: UUID) -> None:
    reference = rules.of_deposit(one, other)
    assert iso11649.is_valid(reference)
    assert rules.deposits_named(f"保证金 {rules.spaced(reference)}") == [reference]
    assert (reference == rules.of_deposit(other, one)) == (one == other)
    assert rules.invoices_named(reference) == []


async def test_an_invoice_says_where_it_was_wired_when_it_was_issued(session: AsyncSession) -> None:
    bank = Bank(await followed(session, "SGD"))
    before = await invoiced(session, price=Money(400_000, "SGD"), now=NOW - timedelta(days=1))
    await collecting(session, bank.account, now=NOW)
    trade = await invoiced(session, price=Money(500_000, "SGD"), now=NOW + timedelta(days=1))
    said = await invoices.issued(session, trade.invoice.id, party_id=trade.invoice.payer_id)
    assert said.wire is not None
    assert (said.wire.number, said.wire.bank_name) == (bank.account.number, "Treuhandbank AG")
    assert said.wire.reference == rules.of_invoice(trade.invoice.number)
    await collecting(session, await followed(session, "SGD"), now=NOW + timedelta(days=2))
    again = await invoices.issued(session, trade.invoice.id, party_id=trade.invoice.payer_id)
    assert again.wire == said.wire  # paper says the same at any time
    told = await queries.find(session, "SGD", at=NOW + timedelta(days=3))
    assert told is not None and told.id != bank.account.id
    early = await invoices.issued(session, before.invoice.id, party_id=None)
    assert early.wire is None


async def test_a_wire_with_the_reference_pays_its_invoice(session: AsyncSession) -> None:
    bank = Bank(await followed(session, "SGD"))
    trade = await invoiced(session, price=Money(700_000, "SGD"), now=NOW)
    bank.line(700_000, text=rules.spaced(rules.of_invoice(trade.invoice.number)))
    assert (await closed(session, bank, since=0)).matched == 1
    await session.refresh(trade.invoice)
    assert trade.invoice.state == "paid"


async def test_one_person_turns_no_payments_to_another_account(session: AsyncSession) -> None:
    account, other = await followed(session, "SEK"), await followed(session, "SEK")
    one = await staff(session)
    proposal, new = await service.propose(
        session, ids.new(NOW), account_id=account.id, person_id=one, now=NOW
    )
    again, fresh = await service.propose(
        session, proposal.id, account_id=account.id, person_id=one, now=NOW
    )
    assert (new, fresh, again.id) == (True, False, proposal.id)
    with pytest.raises(IdReused):
        await service.propose(
            session, proposal.id, account_id=other.id, person_id=one, now=NOW
        )  # fmt: skip
    with pytest.raises(CollectingWaits):
        await service.propose(
            session, ids.new(NOW), account_id=other.id, person_id=one, now=NOW
        )  # fmt: skip
    decision = await decided(session, one, proposal.sha256, now=NOW)
    with pytest.raises(SamePerson):
        await service.approve(session, proposal.id, decision=decision, now=NOW)
    with pytest.raises(DBAPIError, match="is not decided by"):
        async with session.begin_nested():
            await session.execute(
                text(
                    "UPDATE collecting_account SET state = 'approved', decided_by = :by, "
                    "decided_at = now() WHERE id = :id"
                ),
                {"by": await staff(session), "id": proposal.id},
            )
    refusal = await decided(session, await staff(session), proposal.sha256, now=NOW)
    done = await service.refuse(
        session, proposal.id, decision=refusal, reason="Not this bank.", now=NOW
    )
    assert (done.state, await queries.find(session, "SEK", at=NOW)) == ("refused", None)


async def test_an_account_that_nobody_can_wire_into_does_not_collect(session: AsyncSession) -> None:
    details = Details("other", iban()[2:], "UHD Exchange", "SEK", "Bank")
    account, _ = await files.open_account(
        session, ids.new(NOW), account=Following("Old", details, None, instruct_only=True),
        person_id=await staff(session), now=NOW,
    )  # fmt: skip
    with pytest.raises(AccountCannotCollect):
        await service.propose(
            session, ids.new(NOW), account_id=account.id, person_id=await staff(session), now=NOW
        )
