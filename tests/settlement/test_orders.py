"""Orders to the ledger: two people, exactly this content, and the ledger's own last word."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unicodedata import normalize
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from contracts.refusal import IdReused, Refusal, Unknown
from settlement.approvals.rules import AlreadyDecided, Decision, SamePerson
from settlement.clearing import queries as clearing
from settlement.ledger import closing, exchanging, statements
from settlement.ledger import queries as books
from settlement.ledger import rules as accounts
from settlement.ledger import service as ledger
from settlement.ledger.closing import Decided
from settlement.ledger.rules import CloseNotLater, LimitReached, PeriodClosed
from settlement.orders import queries, rules, service
from settlement.orders.rules import (
    AccountNotByHand,
    JournalInTwoCurrencies,
    JournalItemNotNamed,
    JournalStays,
    JournalUnbalanced,
)
from settlement.orders.tables import LedgerOrder
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.batches_factory import approver
from tests.settlement.orders_factory import OWED, journal, ordered, owed, quote

MINOR = st.integers(-(10**9), 10**9).filter(bool)
LONG_AGO = datetime(2010, 1, 1, tzinfo=UTC)  # after what other tests closed, before their journals


@given(amounts=st.lists(MINOR, min_size=1, max_size=8))
def test_a_journal_that_adds_up_is_taken_and_one_fen_more_is_not(amounts: list[int]) -> None:
    lines = [{"account": "commission:CNY", "amount_minor": minor} for minor in amounts]
    total = sum(amounts)
    if total:
        lines.append({"account": "suspense:psp:CNY", "amount_minor": -total})
    if len(lines) > 1:
        taken = rules.journal_lines({"lines": lines})
        assert sum(amount.amount_minor for _, amount in taken) == 0
    with pytest.raises(JournalUnbalanced):
        rules.journal_lines({"lines": [*lines, {"account": "commission:CNY", "amount_minor": 1}]})


@given(
    order=st.uuids(version=4),
    minor=MINOR,
    reason=st.text(min_size=1, max_size=30).map(lambda said: normalize("NFC", said)),
    changed=st.sampled_from(["order", "minor", "reason"]),
)
def test_whatever_changes_in_an_order_changes_its_bytes(
    order: UUID, minor: int, reason: str, changed: str
) -> None:
    what = journal("commission:CNY", minor)
    other = {
        "order": (UUID(int=order.int ^ 1), what, reason),
        "minor": (order, journal("commission:CNY", minor + 1), reason),
        "reason": (order, what, reason + "."),
    }[changed]
    said = rules.content(order, rules.JOURNAL, what, reason)
    assert said != rules.content(other[0], rules.JOURNAL, other[1], other[2])


@pytest.mark.parametrize(
    ("lines", "refusal"),
    [
        ([("commission:CNY", 5), ("commission:USD", -5)], JournalInTwoCurrencies),
        ([("commission:CNY", 5), ("suspense:psp:CNY", -4)], JournalUnbalanced),
        ([("commission:CNY", 0), ("suspense:psp:CNY", 0)], JournalUnbalanced),
        ([("deposit:a:b:CNY", 5), ("commission:CNY", -5)], AccountNotByHand),
        ([("bank:a:CNY", 5), ("commission:CNY", -5)], AccountNotByHand),
        ([("fx:position:CNY", 5), ("commission:CNY", -5)], AccountNotByHand),
        ([("suspense:bank:CNY", 5), ("commission:CNY", -5)], AccountNotByHand),
        ([("commission", 5), ("commission:CNY", -5)], AccountNotByHand),
        ([("commission:XXX", 5), ("commission:CNY", -5)], AccountNotByHand),
    ],
    ids=[
        "currencies",
        "unbalanced",
        "nothing",
        "deposit",
        "bank",
        "fx",
        "suspense",
        "bare",
        "unknown",
    ],
)
def test_a_journal_that_may_not_be_made_by_hand_says_why(
    lines: list[tuple[str, int]], refusal: type[Refusal]
) -> None:
    what = [{"account": code, "amount_minor": minor} for code, minor in lines]
    with pytest.raises(refusal):
        rules.journal_lines({"lines": what})


async def approved(session: AsyncSession, order: LedgerOrder) -> LedgerOrder:
    seen = await decided(session, await approver(session, now=NOW), order.content_sha256, now=NOW)
    return await service.approve(session, order.id, decision=seen, now=NOW)


async def balance(session: AsyncSession, code: str) -> int:
    account = await statements.find_account(session, code)
    period = statements.Period(LONG_AGO, NOW + timedelta(days=1))
    return (await statements.summary(session, account, period)).closing_minor


async def committed(session: AsyncSession) -> None:
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    await session.execute(text("SET CONSTRAINTS ALL DEFERRED"))


async def test_a_journal_by_hand_is_booked_once_a_second_person_approves_it(
    session: AsyncSession,
) -> None:
    account = await owed(session, now=NOW)
    order = await ordered(session, rules.JOURNAL, journal(account, 1_500), now=NOW)
    assert await balance(session, account) == -OWED
    own = await decided(session, order.prepared_by, order.content_sha256, now=NOW)
    with pytest.raises(SamePerson):
        await service.approve(session, order.id, decision=own, now=NOW)
    done = await approved(session, order)
    assert (done.state, await balance(session, account)) == ("approved", -OWED + 1_500)
    assert done.approval_id is not None and done.journal_id is not None
    await committed(session)
    assert await books.check(session) == []
    with pytest.raises(AlreadyDecided):
        await approved(session, order)


async def test_the_same_order_again_is_the_same_and_another_under_its_id_is_refused(
    session: AsyncSession,
) -> None:
    account = await owed(session, now=NOW)
    order = await ordered(session, rules.JOURNAL, journal(account, 1), now=NOW)
    same: dict[str, Any] = {"kind": rules.JOURNAL, "reason": order.reason, "now": NOW}
    again = await service.prepare(
        session, order.id, what=journal(account, 1), person_id=order.prepared_by, **same
    )
    assert again == (order, False)
    with pytest.raises(IdReused):
        await service.prepare(
            session, order.id, what=journal(account, 2), person_id=order.prepared_by, **same
        )


async def test_no_journal_by_hand_takes_more_than_a_party_is_owed(session: AsyncSession) -> None:
    account = await owed(session, now=NOW)
    with pytest.raises(JournalItemNotNamed):
        await ordered(session, rules.JOURNAL, journal(account, OWED + 1), now=NOW)
    order = await ordered(session, rules.JOURNAL, journal(account, OWED), now=NOW)
    payee = accounts.owner_of(account)
    assert payee is not None
    moved = [(accounts.payee_due(payee), Money(1, "CNY")), (accounts.COMMISSION, Money(-1, "CNY"))]
    await ledger.post(
        session, idem_key=f"less:{payee}", kind="invoice.issued", actor="test", deal_id=None,
        lines=moved, now=NOW,
    )  # fmt: skip
    with pytest.raises(LimitReached):
        async with session.begin_nested():
            await approved(session, order)
    stranger = f"payee:{ids.new(NOW)}:due:CNY"
    with pytest.raises(AccountNotByHand):
        await ordered(session, rules.JOURNAL, journal(stranger, 1), now=NOW)


async def in_suspense(session: AsyncSession) -> str:
    """The key of money from the provider that nobody ordered, 100.00 of it."""
    key, amount = f"re_{ids.new(NOW)}:foreign", Money(OWED, "CNY")
    lines = [(accounts.PSP_CLEARING, amount), (accounts.SUSPENSE_PSP, Money(-OWED, "CNY"))]
    await ledger.post(
        session, idem_key=key, kind="invoice.issued", actor="test", deal_id=None, lines=lines,
        now=NOW,
    )  # fmt: skip
    return key


def explaining(key: str, minor: int) -> dict[str, Any]:
    what = journal("suspense:psp:CNY", minor)
    what["lines"][0]["explains"] = key
    return what


async def test_an_item_is_explained_up_to_what_is_left_of_it_and_again_once_that_is_reversed(
    session: AsyncSession,
) -> None:
    key = await in_suspense(session)
    first = await ordered(session, rules.JOURNAL, explaining(key, OWED - 100), now=NOW)
    rival = await ordered(session, rules.JOURNAL, explaining(key, 101), now=NOW)
    await approved(session, first)
    assert await left(session, key) == -100
    with pytest.raises(JournalItemNotNamed) as caught:
        async with session.begin_nested():
            await approved(session, rival)  # both had room when they were prepared
    assert caught.value.data["left_minor"] == -100
    undo = await ordered(session, rules.REVERSAL, {"journal": service.key(first.id)}, now=NOW)
    await approved(session, undo)
    assert await left(session, key) == -OWED
    await session.refresh(rival)
    await approved(session, rival)
    assert await left(session, key) == 101 - OWED


async def left(session: AsyncSession, key: str) -> int:
    return await queries.left_minor(session, "suspense:psp:CNY", key, besides=None)


async def test_what_explains_an_item_of_the_provider_is_of_its_reference(
    session: AsyncSession,
) -> None:
    key = await in_suspense(session)
    what = journal("psp:stripe:clearing:CNY", -300)
    what["lines"][0]["explains"] = key
    order = await ordered(session, rules.JOURNAL, what, now=NOW)
    await approved(session, order)
    assert dict(await clearing.booked(session, "CNY"))[key] == OWED - 300
    undo = await ordered(session, rules.REVERSAL, {"journal": service.key(order.id)}, now=NOW)
    await approved(session, undo)
    assert dict(await clearing.booked(session, "CNY"))[key] == OWED


@pytest.mark.parametrize("named", [None, "nothing"])
async def test_a_line_on_an_account_of_items_names_one_that_is_there(
    session: AsyncSession, named: str | None
) -> None:
    what = journal(await owed(session, now=NOW), 1)
    what["lines"][0]["explains"] = named
    with pytest.raises(JournalItemNotNamed):
        await ordered(session, rules.JOURNAL, what, now=NOW)


@given(moved=MINOR, item=st.integers(-(10**9), 10**9))
def test_a_line_only_ever_brings_its_item_nearer_to_nothing(moved: int, item: int) -> None:
    try:
        rules.check_item("suspense:psp:CNY", moved, left_minor=item)
    except JournalItemNotNamed:
        assert abs(item + moved) > abs(item) or (item + moved) * item < 0
    else:
        assert abs(item + moved) < abs(item) and (item + moved) * item >= 0


async def test_nothing_is_ordered_into_a_closed_period(session: AsyncSession) -> None:
    account = await owed(session, now=NOW)
    order = await ordered(session, rules.CLOSE, {"until": LONG_AGO.isoformat()}, now=NOW)
    await approved(session, order)
    assert await closing.open_since(session) == LONG_AGO
    early = journal(account, 1) | {"effective_at": (LONG_AGO - timedelta(days=1)).isoformat()}
    late = journal(account, 1) | {"effective_at": (NOW + timedelta(days=1)).isoformat()}
    for what in (early, late):
        with pytest.raises(PeriodClosed):
            await ordered(session, rules.JOURNAL, what, now=NOW)
    ahead = (NOW + timedelta(days=1)).isoformat()
    with pytest.raises(CloseNotLater):
        await ordered(session, rules.CLOSE, {"until": ahead}, now=NOW)


async def test_a_period_closed_after_the_order_was_made_refuses_its_journal(
    session: AsyncSession,
) -> None:
    account = await owed(session, now=NOW)
    what = journal(account, 1) | {"effective_at": (LONG_AGO - timedelta(days=1)).isoformat()}
    order = await ordered(session, rules.JOURNAL, what, now=NOW)
    decision = Decided("test", "year end")
    await closing.close(session, ids.new(NOW), until=LONG_AGO, decided=decision, now=NOW)
    with pytest.raises(PeriodClosed):
        async with session.begin_nested():
            await approved(session, order)


async def test_a_journal_by_hand_is_reversed_by_two_people_and_others_are_not(
    session: AsyncSession,
) -> None:
    account = await owed(session, now=NOW)
    order = await ordered(session, rules.JOURNAL, journal(account, 700), now=NOW)
    await approved(session, order)
    undo = await ordered(session, rules.REVERSAL, {"journal": service.key(order.id)}, now=NOW)
    await approved(session, undo)
    assert await balance(session, account) == -OWED
    payee = accounts.owner_of(account)
    with pytest.raises(JournalStays):  # an invoice would not follow
        await ordered(session, rules.REVERSAL, {"journal": f"test:{payee}"}, now=NOW)
    with pytest.raises(Unknown):
        await ordered(session, rules.REVERSAL, {"journal": "nothing"}, now=NOW)


async def test_an_account_is_frozen_and_opened_again_by_two_people(session: AsyncSession) -> None:
    account = await owed(session, now=NOW)
    for status in ("frozen", "open"):
        order = await ordered(session, rules.MARK, {"account": account, "status": status}, now=NOW)
        assert (await approved(session, order)).journal_id is None
        state = "SELECT status FROM ledger_account WHERE code = :code"
        assert await session.scalar(text(state), {"code": account}) == status


async def test_money_is_exchanged_at_the_quote_that_was_read(session: AsyncSession) -> None:
    dollars = await owed(session, currency="USD", now=NOW)
    yuan = await owed(session, now=NOW)
    quoted = await quote(session, now=NOW)
    row = await exchanging.get_quote(session, quoted)
    sold = Money(1_000, "USD")
    bought = accounts.exchanged(exchanging.plain(row), sold, into="CNY", at=NOW).amount_minor
    what = {
        "quote": str(quoted),
        "give": {"account": dollars, "amount_minor": 1_000},
        "take": {"account": yuan, "amount_minor": bought},
    }
    await approved(session, await ordered(session, rules.EXCHANGE, what, now=NOW))
    assert await balance(session, dollars) == -OWED + 1_000
    assert await balance(session, yuan) == -OWED - bought
    await committed(session)


async def test_a_refused_order_does_nothing(session: AsyncSession) -> None:
    account = await owed(session, now=NOW)
    order = await ordered(session, rules.JOURNAL, journal(account, 5), now=NOW)
    seen = Decision(await approver(session, now=NOW), order.content_sha256)
    for _ in range(2):
        await service.refuse(session, order.id, decision=seen, reason="科目有误", now=NOW)
    assert (order.state, await balance(session, account)) == ("refused", -OWED)
    with pytest.raises(AlreadyDecided):
        await approved(session, order)


ATTACKS = {
    "the maker decides": (
        "UPDATE ledger_order SET state = 'approved', decided_by = prepared_by, "
        "decided_at = now() WHERE id = :id",
        "is not decided by",
    ),
    "another without an approval": (
        "UPDATE ledger_order SET state = 'approved', decided_by = :second, decided_at = now() "
        "WHERE id = :id",
        "is not decided by",
    ),
    "another content": (
        "UPDATE ledger_order SET content = 'x' WHERE id = :id",
        "never changes what it says",
    ),
    "another maker": (
        "UPDATE ledger_order SET prepared_by = :second WHERE id = :id",
        "never changes what it says",
    ),
    "gone": ("DELETE FROM ledger_order WHERE id = :id", "stays"),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_the_application_role_finds_no_way_past_the_approval(
    session: AsyncSession, attack: str
) -> None:
    order = await ordered(session, rules.JOURNAL, journal(await owed(session, now=NOW), 1), now=NOW)
    values = {"id": order.id, "second": await approver(session, now=NOW)}
    await session.execute(text("SET LOCAL ROLE exchange_app"))
    said, why = ATTACKS[attack]
    with pytest.raises(DBAPIError, match=why):
        await session.execute(
            text(said), {name: one for name, one in values.items() if f":{name}" in said}
        )


async def test_a_journal_by_hand_without_its_order_is_lost_with_its_transaction(
    session: AsyncSession,
) -> None:
    account = await owed(session, now=NOW)
    lines = rules.journal_lines(journal(account, 5))
    await session.execute(text("SET LOCAL ROLE exchange_app"))
    await ledger.post(
        session, idem_key=f"forged:{account}", kind=rules.MANUAL, actor="me", deal_id=None,
        lines=lines, now=NOW,
    )  # fmt: skip
    with pytest.raises(DBAPIError, match="was approved by nobody"):
        await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
