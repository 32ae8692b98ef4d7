"""Deals declined, run out, noticed, ended and amended, against a real database."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids
from contracts.deals import (
    ending,
    lifecycle,
    notices,
    queries,
    rules,
    service,
)
from contracts.deals.lifecycle import AlreadySigned, DealDeclined, DealExpired, DealNotInForce
from contracts.deals.notices import AnswerNotPossible, NoticeRunning, NoticeSettled, Said
from contracts.deals.tables import DealTimer
from contracts.facts import queries as facts
from contracts.parties.gateway import LocalAuthority
from contracts.refusal import IdReused, Unknown
from contracts.titles import queries as titles
from contracts.titles import rules as title_rules
from contracts.titles import service as register
from exchange.demo import signer
from tests.conftest import NOW
from tests.contracts.deals_factory import (
    PRESS,
    RIGHTS,
    opened_deal,
    sign,
    signatory,
)
from tests.contracts.lives_factory import (
    MONTH,
    authority,
    breach,
    certified,
    drafted,
    fire_all,
    in_force,
    logged,
    replayed,
    signed_by_all,
    states,
    told,
)
from tests.contracts.works_factory import work

__all__ = ["authority"]  # the fixture


# -- given up before they are signed


async def test_a_side_declines_both_are_told_why_and_the_rights_are_free(
    session: AsyncSession,
) -> None:
    deal = await drafted(session)
    for reason in (" 预算被削减 ", "another"):
        declined = await ending.decline(
            session, deal.id, party_id=deal.licensee_id, reason=reason, now=NOW
        )
        assert (declined.signing, declined.declined_by) == ("declined", deal.licensee_id)
    (record,) = await told(session, deal.id, "deal.declined")
    assert (record["reason"], record["role"]) == ("预算被削减", "licensee")
    fact = await facts.find_first_of(session, deal.id, "deal.declined")
    assert fact is not None
    assert set(fact.parties) == {deal.licensor_id, deal.licensee_id}
    assert await states(session, deal) == ["released"]
    await register.reserve(
        session, deal.work_id,
        grantor_id=deal.licensor_id, boxes=[RIGHTS], source=str(ids.new(NOW)), now=NOW,
    )  # fmt: skip
    assert await replayed(session, deal) == deal.life


async def test_nobody_signs_voids_or_declines_what_was_declined(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await certified(session, authority)
    begun, _ = await service.open_session(
        session, pair.deal.id, ids.new(NOW),
        party_id=pair.licensor.party.id, key_id=pair.licensor.key.id, press=PRESS, now=NOW,
    )  # fmt: skip
    await ending.decline(
        session, pair.deal.id, party_id=pair.licensee.party.id, reason="no", now=NOW
    )
    with pytest.raises(DealDeclined):
        await service.complete_session(
            session, pair.deal.id, begun.id,
            party_id=pair.licensor.party.id,
            signature=signer.sign_tbs(pair.licensor.key_pem, begun.tbs),
            certifier=authority.certifier, now=NOW,
        )  # fmt: skip
    with pytest.raises(DealDeclined):
        await sign(session, authority, pair.deal, pair.licensor, now=NOW)
    with pytest.raises(DealDeclined):
        await service.void(session, pair.deal.id, reason="x", by=ids.new(NOW), now=NOW)
    with pytest.raises(DealDeclined):
        await ending.decline(
            session, pair.deal.id, party_id=pair.licensor.party.id, reason="no", now=NOW
        )
    assert (await service.certify(
        session, pair.deal.id, press=PRESS, certifier=authority.certifier, now=NOW
    )).signing == "declined"  # fmt: skip


async def test_who_has_signed_and_who_has_no_part_cannot_decline(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await certified(session, authority)
    await sign(session, authority, pair.deal, pair.licensor, now=NOW)
    with pytest.raises(AlreadySigned):
        await ending.decline(
            session, pair.deal.id, party_id=pair.licensor.party.id, reason="no", now=NOW
        )
    with pytest.raises(Unknown):
        await ending.decline(session, pair.deal.id, party_id=ids.new(NOW), reason="no", now=NOW)
    await sign(session, authority, pair.deal, pair.licensee, now=NOW)
    with pytest.raises(rules.DealExecuted):
        await ending.decline(
            session, pair.deal.id, party_id=pair.licensee.party.id, reason="no", now=NOW
        )
    assert pair.deal.life == lifecycle.Life("agreed", "executed", "effective", "in_force")


async def test_a_deal_is_reminded_of_a_week_before_it_runs_out_and_then_it_runs_out(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await certified(session, authority)
    await fire_all(session, NOW + MONTH - timedelta(days=7, seconds=1))
    assert await told(session, pair.deal.id, "deal.reminded") == []
    await fire_all(session, NOW + MONTH - timedelta(days=7))
    (record,) = await told(session, pair.deal.id, "deal.reminded")
    assert (record["awaited"], record["expires_at"]) == ("licensor", "2026-12-22T09:00:00Z")
    await fire_all(session, NOW + MONTH - timedelta(seconds=1))
    assert pair.deal.signing == "certified"
    await fire_all(session, NOW + MONTH)
    assert pair.deal.signing == "expired"
    assert await states(session, pair.deal) == ["released"]
    with pytest.raises(DealExpired):
        await sign(session, authority, pair.deal, pair.licensor, now=NOW)
    assert await replayed(session, pair.deal) == pair.deal.life


async def test_the_timers_of_a_signed_deal_do_nothing(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await signed_by_all(session, authority)
    await fire_all(session, NOW + MONTH)
    assert pair.deal.signing == "executed"
    assert await told(session, pair.deal.id, "timer.fired") == []
    left = await queries.timers_of(session, pair.deal.id)
    assert [timer.kind for timer in left] == ["window-end"]


async def test_a_deal_ends_with_its_rights(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    last = datetime.fromisoformat("2028-12-31T16:00:00+00:00")  # midnight after it in Shanghai
    await fire_all(session, last - timedelta(microseconds=1))
    assert pair.deal.ended is None
    await fire_all(session, last)
    assert (pair.deal.ended, pair.deal.end_cause) == ("expired", None)
    assert await replayed(session, pair.deal) == pair.deal.life


# -- timers


async def test_invariant_37_a_timer_that_fires_twice_fires_once(session: AsyncSession) -> None:
    deal = await drafted(session)
    for _ in range(3):
        await fire_all(session, NOW + MONTH)
    assert len(await told(session, deal.id, "deal.expired")) == 1
    fired = [one["timer"] for one in await told(session, deal.id, "timer.fired")]
    assert sorted(fired) == ["signing-expiry"]  # the reminder had nothing left to remind of
    await session.execute(text("UPDATE deal_timer SET outcome = NULL, settled_at = NULL "
                               "WHERE deal_id = :id"), {"id": deal.id})  # fmt: skip
    session.expire_all()
    await fire_all(session, NOW + MONTH)
    assert len(await told(session, deal.id, "deal.expired")) == 1


# -- notices


async def test_a_notice_counts_from_when_it_is_logged_and_ends_the_deal_unless_cured(
    session: AsyncSession, authority: LocalAuthority, tmp_path: Path
) -> None:
    pair = await in_force(session, authority)
    notice = await breach(session, pair)
    await fire_all(session, NOW)
    assert notice.received_at is None  # it is not in the log yet
    await logged(session, tmp_path)
    await fire_all(session, NOW)
    assert (notice.received_at, notice.cure_by) == (NOW, lifecycle.cure_by(NOW, days=30))
    assert notice.cure_by is not None
    await fire_all(session, notice.cure_by - timedelta(microseconds=1))
    assert pair.deal.ended is None
    await fire_all(session, notice.cure_by)
    assert (pair.deal.ended, pair.deal.end_cause) == ("terminated", "cause")
    assert notice.outcome == "terminated"
    (grant,) = await titles.grants_of_work(session, pair.deal.work_id)
    assert (grant.state, grant.ended_reason) == ("ended", "default")
    (ended,) = await told(session, pair.deal.id, "deal.ended")
    assert (ended["notice"], ended["cause"]) == (str(notice.id), "cause")
    assert await replayed(session, pair.deal) == pair.deal.life
    await register.reserve(
        session, pair.deal.work_id,
        grantor_id=pair.licensor.party.id, boxes=[RIGHTS], source=str(ids.new(NOW)), now=NOW,
    )  # fmt: skip


@pytest.mark.parametrize("said", ["cured", "withdrawn"])
async def test_a_breach_that_is_cured_ends_nothing(
    session: AsyncSession, authority: LocalAuthority, tmp_path: Path, said: str
) -> None:
    pair = await in_force(session, authority)
    notice = await breach(session, pair)
    await logged(session, tmp_path)
    await fire_all(session, NOW)
    licensor, licensee = pair.sides
    with pytest.raises(AnswerNotPossible):
        await notices.answer(
            session, pair.deal.id, notice.id, party_id=licensee, said=said, now=NOW
        )
    for _ in range(2):
        await notices.answer(
            session, pair.deal.id, notice.id, party_id=licensor, said=said, now=NOW
        )
    await fire_all(session, NOW + 2 * MONTH)
    assert (pair.deal.ended, notice.outcome) == (None, said)
    assert len(await told(session, pair.deal.id, "notice.settled")) == 1
    other = "cured" if said == "withdrawn" else "withdrawn"
    with pytest.raises(NoticeSettled):
        await notices.answer(
            session, pair.deal.id, notice.id, party_id=licensor, said=other, now=NOW
        )


async def test_both_end_a_deal_by_agreement(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    licensor, licensee = pair.sides
    offered, new = await notices.give(
        session, pair.deal.id, ids.new(NOW),
        party_id=licensee, said=Said("mutual", "频道停播"), now=NOW,
    )  # fmt: skip
    waiting = await breach(session, pair)
    assert new
    with pytest.raises(AnswerNotPossible):
        await notices.answer(
            session, pair.deal.id, offered.id, party_id=licensee, said="agreed", now=NOW
        )
    await notices.answer(
        session, pair.deal.id, offered.id, party_id=licensor, said="agreed", now=NOW
    )
    assert (pair.deal.ended, pair.deal.end_cause) == ("terminated", "mutual")
    assert waiting.outcome == "overtaken"
    (grant,) = await titles.grants_of_work(session, pair.deal.work_id)
    assert (grant.state, grant.ended_reason) == ("ended", "agreement")
    assert await replayed(session, pair.deal) == pair.deal.life
    with pytest.raises(DealNotInForce):
        await breach(session, pair)


async def test_an_offer_to_end_that_is_refused_ends_nothing(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    licensor, licensee = pair.sides
    offered, _ = await notices.give(
        session, pair.deal.id, ids.new(NOW), party_id=licensee, said=Said("mutual", "x"), now=NOW
    )
    with pytest.raises(NoticeRunning):
        await notices.give(
            session, pair.deal.id, ids.new(NOW),
            party_id=licensee, said=Said("mutual", "y"), now=NOW,
        )  # fmt: skip
    await notices.answer(
        session, pair.deal.id, offered.id, party_id=licensor, said="refused", now=NOW
    )
    assert (pair.deal.ended, offered.outcome) == (None, "refused")
    again, new = await notices.give(
        session, pair.deal.id, offered.id, party_id=licensee, said=Said("mutual", "x"), now=NOW
    )
    assert (again is offered, new) == (True, False)
    with pytest.raises(IdReused):
        await notices.give(
            session, pair.deal.id, offered.id, party_id=licensee, said=Said("mutual", "z"), now=NOW
        )


async def test_a_notice_may_be_signed_and_a_wrong_signature_is_refused(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    licensor, notice_id = pair.licensor, ids.new(NOW)
    written = notices.content(
        pair.deal, notice_id, party_id=licensor.party.id, kind="breach", text="未付款"
    )
    der = rules.signature_der(signer.sign_tbs(licensor.key_pem, written))
    for text_, key in (("未付", licensor), ("未付款", pair.licensee)):
        with pytest.raises((rules.BadSignature, rules.Refusal)):
            await notices.give(
                session, pair.deal.id, notice_id,
                party_id=licensor.party.id, said=Said("breach", text_, key.key.id, der), now=NOW,
            )  # fmt: skip
    notice, _ = await notices.give(
        session, pair.deal.id, notice_id,
        party_id=licensor.party.id, said=Said("breach", "未付款", licensor.key.id, der), now=NOW,
    )  # fmt: skip
    assert (notice.content, notice.signature) == (written, der)


async def test_the_staff_rescinds_what_a_tribunal_undid_once(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    for reason in ("CIETAC 2027-0001", "another"):
        await ending.rescind(session, pair.deal.id, reason=reason, by=ids.new(NOW), now=NOW)
    (ended,) = await told(session, pair.deal.id, "deal.ended")
    assert (ended["ended"], ended["reason"]) == ("rescinded", "CIETAC 2027-0001")
    assert await states(session, pair.deal) == ["ended"]
    assert await replayed(session, pair.deal) == pair.deal.life


# -- amendments


# -- what the database keeps, whoever asks


@pytest.mark.parametrize("signing", ["drafted", "voided", "expired"])
async def test_invariant_35_the_database_lets_nothing_out_of_a_terminal_state(
    session: AsyncSession, signing: str
) -> None:
    deal = await drafted(session)
    await ending.decline(session, deal.id, party_id=deal.licensor_id, reason="no", now=NOW)
    with pytest.raises(IntegrityError, match="has ended"):
        async with session.begin_nested():
            await session.execute(
                text("UPDATE deal SET signing = :signing, declined_by = NULL WHERE id = :id"),
                {"signing": signing, "id": deal.id},
            )


async def test_invariant_35_a_deal_that_ended_stays_ended(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    await ending.rescind(session, pair.deal.id, reason="award", by=ids.new(NOW), now=NOW)
    for change in ("ended = NULL, ended_at = NULL", "ended = 'expired'", "ended_at = now()"):
        with pytest.raises(IntegrityError, match="has ended"):
            async with session.begin_nested():
                await session.execute(
                    text(f"UPDATE deal SET {change} WHERE id = :id"),
                    {"id": pair.deal.id},
                )


async def test_invariant_36_of_two_exclusive_deals_that_overlap_one_is_executed(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    buyer = await signatory(session, authority, kind="broadcaster", now=NOW)
    subject = await work(session, party_id=licensor.party.id, now=NOW)
    deal = await opened_deal(
        session, licensor=licensor.party, licensee=buyer.party, subject=subject, now=NOW
    )
    with pytest.raises(title_rules.RightsAlreadyGranted):
        await opened_deal(
            session, licensor=licensor.party, licensee=buyer.party, subject=subject, now=NOW
        )
    await service.certify(session, deal.id, press=PRESS, certifier=authority.certifier, now=NOW)
    await sign(session, authority, deal, licensor, now=NOW)
    await sign(session, authority, deal, buyer, now=NOW)
    with pytest.raises(title_rules.RightsAlreadyGranted):
        await opened_deal(
            session, licensor=licensor.party, licensee=buyer.party, subject=subject, now=NOW
        )
    left = await session.scalars(select(DealTimer).where(col(DealTimer.deal_id) == deal.id))
    assert {one.kind for one in left} == {"signing-reminder", "signing-expiry", "window-end"}
