"""Deals that change: an early end, other rights, another price, another licensee; real database."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import (
    carrying,
    lifecycle,
    notices,
)
from contracts.deals.amending import PriceUnpaid
from contracts.deals.notices import AnswerNotPossible, NoEarlyEnd, Said
from contracts.deals.regranting import RightsInUse
from contracts.deals.restating import NotAmendable, NothingAmended, PriceNotLowered
from contracts.deals.tables import Deal
from contracts.deals.transfers import AssignmentNotPossible
from contracts.parties.gateway import LocalAuthority
from contracts.runs import service as telecasts
from contracts.titles import queries as titles
from contracts.titles import service as register
from contracts.titles.rules import RightsAlreadyGranted
from tests.conftest import NOW
from tests.contracts.changing_factory import (
    AFTER,
    LATER,
    LONGER,
    PASSED_ON,
    SHOWN_AT,
    UNTIL,
    VECTORS,
    amended,
    drafted,
    executed,
    grants,
    paid,
    reserve,
    settled,
    turns,
)
from tests.contracts.deals_factory import RIGHTS
from tests.contracts.lives_factory import (
    Pair,
    authority,
    fire_all,
    in_force,
    logged,
    replayed,
    told,
)

__all__ = ["authority"]  # the fixture


# -- an early end, where a clause allows it


async def test_the_licensee_ends_a_contract_early_as_its_clause_says(
    session: AsyncSession, authority: LocalAuthority, tmp_path: Path
) -> None:
    pair = await in_force(session, authority)
    licensor, licensee = pair.sides
    early = Said("convenience", "频道停播")
    with pytest.raises(NoEarlyEnd):
        await notices.give(
            session, pair.deal.id, ids.new(NOW), party_id=licensor, said=early, now=NOW
        )
    notice, _ = await notices.give(
        session, pair.deal.id, ids.new(NOW), party_id=licensee, said=early, now=NOW
    )
    await logged(session, tmp_path)
    await fire_all(session, NOW)
    assert notice.cure_by == lifecycle.cure_by(NOW, days=90)
    assert notice.cure_by is not None
    for who, said in ((licensee, "withdrawn"), (licensee, "cured"), (licensor, "refused")):
        with pytest.raises(AnswerNotPossible):
            await notices.answer(session, pair.deal.id, notice.id, party_id=who, said=said, now=NOW)
    await fire_all(session, notice.cure_by - timedelta(microseconds=1))
    assert pair.deal.ended is None
    for _ in range(2):
        await fire_all(session, notice.cure_by)
    assert (pair.deal.ended, pair.deal.end_cause) == ("terminated", "convenience")
    assert notice.outcome == "terminated"
    (ended,) = await told(session, pair.deal.id, "deal.ended")
    assert (ended["cause"], ended["by"]) == ("convenience", str(licensee))
    (grant,) = await titles.grants_of_work(session, pair.deal.work_id)
    assert (grant.state, grant.ended_reason) == ("ended", "termination")
    assert await replayed(session, pair.deal) == pair.deal.life
    await reserve(session, pair, RIGHTS)


@pytest.mark.parametrize("name", ["licence-1", "licence-1-fitted", "licence-2"])
def test_a_contract_of_a_text_without_the_clause_cannot_be_ended_early(name: str) -> None:
    older = Deal(terms=(VECTORS / f"{name}.terms.json").read_bytes())
    assert notices.early_end_days(older, role="licensee") is None


async def test_the_days_of_an_early_end_are_amended_like_any_number(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    days = [{"op": "replace", "path": "/parameters/convenience_days", "value": 60}]
    deal = await amended(session, pair, numbers=days)
    assert notices.early_end_days(deal, role="licensee") == 60
    assert notices.early_end_days(deal, role="licensor") is None


# -- other rights


async def test_rights_that_are_narrowed_are_free_for_others_once_all_have_signed(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    with pytest.raises(RightsAlreadyGranted):
        await reserve(session, pair, LATER)
    deal = await amended(session, pair, rights=[UNTIL])
    with pytest.raises(RightsAlreadyGranted):  # nobody has signed yet
        await reserve(session, pair, LATER)
    await executed(session, deal, pair.licensor, pair.licensee)
    assert await grants(session, deal) == [
        ("effective", deal.id, "2027-12-31"), ("ended", pair.deal.id, "2028-12-31"),
    ]  # fmt: skip
    await reserve(session, pair, LATER)
    with pytest.raises(RightsAlreadyGranted):
        await reserve(session, pair, UNTIL)
    for one in (pair.deal, deal):
        assert await replayed(session, one) == one.life


async def test_invariant_36_a_widened_right_is_judged_like_a_sale(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    await reserve(session, pair, AFTER)
    with pytest.raises(RightsAlreadyGranted):
        await amended(session, pair, rights=[LONGER])
    assert await grants(session, pair.deal) == [
        ("effective", pair.deal.id, "2028-12-31"), ("reserved", None, "2029-12-31"),
    ]  # fmt: skip


async def test_invariant_36_what_is_sold_while_an_amendment_is_signed_refuses_its_last_signature(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    deal = await amended(session, pair, rights=[LONGER])
    await reserve(session, pair, AFTER)
    with pytest.raises(RightsAlreadyGranted):
        async with session.begin_nested():
            await executed(session, deal, pair.licensor, pair.licensee)
    await session.refresh(pair.deal)
    await session.refresh(deal)
    assert (pair.deal.ended, deal.signing) == (None, "drafted")
    assert ("effective", pair.deal.id, "2028-12-31") in await grants(session, deal)


async def test_rights_are_widened_where_they_are_free_and_last_as_long_as_they_say(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    deal = await amended(session, pair, rights=[LONGER])
    await executed(session, deal, pair.licensor, pair.licensee)
    with pytest.raises(RightsAlreadyGranted):
        await reserve(session, pair, AFTER)
    await fire_all(session, datetime.fromisoformat("2028-12-31T16:00:00+00:00"))
    assert deal.ended is None
    await fire_all(session, datetime.fromisoformat("2029-12-31T16:00:00+00:00"))
    assert deal.ended == "expired"


async def test_a_right_that_is_licensed_on_or_counted_is_not_replaced(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    counted = await titles.grants_of_work(session, pair.deal.work_id)
    await telecasts.log_telecast(
        session, counted[0].work_id, counted[0].id, ids.new(NOW), by=pair.licensee.party.id,
        now=SHOWN_AT, channel="示范卫视", started_at=SHOWN_AT, zone="Asia/Shanghai",
    )  # fmt: skip
    with pytest.raises(RightsInUse) as refusal:
        await amended(session, pair, rights=[UNTIL])
    assert (refusal.value.data["why"], refusal.value.data["runs"]) == ("runs", 1)
    free = await in_force(session, authority)
    onward = await amended(session, free, rights=[{**PASSED_ON, "runs_max": None}])
    await executed(session, onward, free.licensor, free.licensee)
    await register.reserve(
        session, onward.work_id, grantor_id=free.licensee.party.id,
        boxes=[{**RIGHTS, "runs_max": None}], source=str(ids.new(NOW)), now=NOW,
    )  # fmt: skip
    second = Pair(onward, free.licensor, free.licensee)
    with pytest.raises(RightsInUse) as refusal:
        await amended(session, second, rights=[UNTIL])
    assert refusal.value.data["why"] == "licensed-on"
    await paid(session, free.deal)
    with pytest.raises(AssignmentNotPossible) as told_why:
        await drafted(session, authority, second)
    assert told_why.value.data["why"] == "licensed-on"


@pytest.mark.parametrize(
    "rights",
    [
        [],
        [{**RIGHTS, "exclusivity": "non-exclusive"}],
        [{**RIGHTS, "right": "network-transmission", "media": ["svod"]}],
    ],
)
async def test_rights_of_another_kind_of_contract_are_not_amended(
    session: AsyncSession, authority: LocalAuthority, rights: list[dict[str, Any]]
) -> None:
    pair = await in_force(session, authority)
    with pytest.raises(NotAmendable):
        await amended(session, pair, rights=rights)


async def test_the_same_rights_and_the_same_price_amend_nothing(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await settled(session, authority)
    for change in ({"rights": [RIGHTS]}, {"amount_minor": pair.deal.amount_minor}):
        with pytest.raises(NothingAmended):
            await amended(session, pair, **change)
    with pytest.raises(NotAmendable):
        await amended(session, pair)


# -- another price


async def test_a_price_is_raised_once_it_is_paid_and_never_lowered(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    more = pair.deal.amount_minor + 5_000_000
    with pytest.raises(PriceUnpaid):
        await amended(session, pair, amount_minor=more)
    await paid(session, pair.deal)
    with pytest.raises(PriceNotLowered):
        await amended(session, pair, amount_minor=pair.deal.amount_minor - 1)
    deal = await amended(session, pair, amount_minor=more)
    said = canonical.loads(deal.terms)["consideration"]
    assert (said["amount"], said["in_words"]) == ("1250000.00", "人民币壹佰贰拾伍万元整")
    assert deal.patch is not None
    assert turns(pair.deal.terms, deal.patch, deal.terms)
    await executed(session, deal, pair.licensor, pair.licensee)
    (changed,) = await told(session, deal.id, "price.changed")
    assert (changed["before_minor"], changed["amount_minor"], changed["due_minor"]) == (
        120_000_000, 125_000_000, 5_000_000,
    )  # fmt: skip
    await carrying.pay_with_base(session, deal, now=NOW)
    assert deal.performance == "effective"  # the difference is not paid yet
    await paid(session, deal)
    assert await replayed(session, deal) == deal.life == lifecycle.Life(
        "agreed", "executed", "paid", "in_force"
    )  # fmt: skip


async def test_an_amendment_without_a_price_of_its_own_is_paid_with_its_base(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    early, late = await settled(session, authority), await in_force(session, authority)
    for pair in (early, late):
        deal = await amended(session, pair, rights=[UNTIL])
        await executed(session, deal, pair.licensor, pair.licensee)
        await carrying.pay_with_base(session, deal, now=NOW)
        if pair is late:
            assert deal.performance == "effective"
            await paid(session, pair.deal)
        for _ in range(2):
            await carrying.pay_with_base(session, deal, now=NOW)
        assert deal.performance == "paid"
        assert len(await told(session, deal.id, "payment.carried")) == 1
        assert await replayed(session, deal) == deal.life


# -- another licensee
