"""Deals declined, run out, noticed, ended and amended, against a real database."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids
from contracts.deals import (
    amending,
    ending,
    lifecycle,
    notices,
    queries,
    restating,
    rows,
    rules,
    service,
    timers,
)
from contracts.deals.amending import AmendmentWaits
from contracts.deals.lifecycle import AlreadySigned, DealDeclined, DealExpired, DealNotInForce
from contracts.deals.notices import AnswerNotPossible, NoticeRunning, NoticeSettled, Said
from contracts.deals.restating import Change, NotAmendable, NothingAmended
from contracts.deals.tables import Deal, DealNotice, DealTimer
from contracts.facts import queries as facts
from contracts.facts.tables import Fact, FactPending
from contracts.log import service as log
from contracts.log.tables import LogEntry
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
    Signatory,
    certified_deal,
    opened_deal,
    sign,
    signatory,
)
from tests.contracts.log_factory import a_signer
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work

MONTH = timedelta(days=30)
DAYS = [{"op": "replace", "path": "/parameters/cure_days", "value": 10}]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    return LocalAuthority.ensure(tmp_path_factory.mktemp("keys"), NOW)


class Pair:
    """Both sides of a deal, and the deal."""

    def __init__(self, deal: Deal, licensor: Signatory, licensee: Signatory) -> None:
        self.deal, self.licensor, self.licensee = deal, licensor, licensee

    @property
    def sides(self) -> tuple[UUID, UUID]:
        return self.licensor.party.id, self.licensee.party.id


async def certified(session: AsyncSession, authority: LocalAuthority) -> Pair:
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    licensee = await signatory(session, authority, kind="broadcaster", now=NOW)
    deal = await certified_deal(
        session, authority, licensor=licensor.party, licensee=licensee.party, now=NOW
    )
    return Pair(deal, licensor, licensee)


async def in_force(session: AsyncSession, authority: LocalAuthority) -> Pair:
    """A deal in force whose paper nobody looks at: what signing it writes, without the printing."""
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    licensee = await signatory(session, authority, kind="broadcaster", now=NOW)
    deal = await opened_deal(session, licensor=licensor.party, licensee=licensee.party, now=NOW)
    pair = Pair(deal, licensor, licensee)
    deal.base_sha256 = deal.pdf_sha256 = "ab" * 32
    deal.signing, deal.performance, deal.executed_at = "executed", "effective", NOW
    hashes = {"base_sha256": "ab" * 32, "pdf_sha256": "ab" * 32}
    steps: list[tuple[str, dict[str, Any]]] = [
        ("deal.certified", {"terms_sha256": deal.terms_sha256, **hashes}),
        *(
            ("deal.signed", {"party": str(who.party.id), "role": role, "pdf_sha256": "ab" * 32,
                             "spki_sha256": who.key.spki_sha256})
            for role, who in (("licensor", licensor), ("licensee", licensee))
        ),
    ]  # fmt: skip
    for kind, record in steps:
        await rows.tell(session, kind, deal, {"deal": str(deal.id), **record}, now=NOW)
    await service._execute(session, deal, policy=None, now=NOW)
    return pair


async def signed_by_all(session: AsyncSession, authority: LocalAuthority) -> Pair:
    pair = await certified(session, authority)
    await sign(session, authority, pair.deal, pair.licensor, now=NOW)
    await sign(session, authority, pair.deal, pair.licensee, now=NOW)
    return pair


async def drafted(session: AsyncSession) -> Deal:
    licensor = await party(session, kind="rights_holder", now=NOW)
    licensee = await party(session, kind="broadcaster", now=NOW)
    return await opened_deal(session, licensor=licensor, licensee=licensee, now=NOW)


async def fire_all(session: AsyncSession, now: datetime) -> None:
    while await timers.fire_due(session, now=now):
        pass


async def logged(session: AsyncSession, folder: Path) -> None:
    """Put what waits into the log, inside this transaction."""
    while await log.seal(session, signer=a_signer(folder), limit=256, now=NOW):
        pass


async def told(session: AsyncSession, deal_id: UUID, kind: str) -> list[dict[str, Any]]:
    return [canonical.loads(one.record) for one in await facts.all_of(session, deal_id, kind)]


async def states(session: AsyncSession, deal: Deal) -> list[str]:
    return sorted(grant.state for grant in await titles.grants_of_work(session, deal.work_id))


async def replayed(session: AsyncSession, deal: Deal) -> lifecycle.Life | None:
    """What the facts of a deal tell, in the order in which they were recorded."""
    rows = await session.execute(
        select(Fact)
        .outerjoin(LogEntry, col(LogEntry.fact_id) == col(Fact.id))
        .outerjoin(FactPending, col(FactPending.fact_id) == col(Fact.id))
        .where(col(Fact.subject) == deal.id)
        .order_by(col(LogEntry.seq).nulls_last(), col(FactPending.turn))
    )
    return lifecycle.replay([(one.kind, canonical.loads(one.record)) for one in rows.scalars()])


async def breach(session: AsyncSession, pair: Pair, *, at: datetime = NOW) -> DealNotice:
    notice, _ = await notices.give(
        session, pair.deal.id, ids.new(at),
        party_id=pair.licensor.party.id, said=Said("breach", "许可费未付 / The fee is unpaid."),
        now=at,
    )  # fmt: skip
    return notice


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


async def proposed(
    session: AsyncSession, pair: Pair, changes: Sequence[dict[str, Any]] = DAYS
) -> Deal:
    deal, new = await amending.propose(
        session, pair.deal.id, ids.new(NOW),
        party_id=pair.licensee.party.id, change=Change(changes), now=NOW,
    )  # fmt: skip
    assert new
    return deal


async def test_invariant_38_an_amendment_is_its_base_with_the_patch_applied(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    amendment = await proposed(session, pair)
    assert amendment.patch is not None
    assert amending.check_law(pair.deal.terms, amendment.patch, amendment.terms)
    assert not amending.check_law(amendment.terms, amendment.patch, pair.deal.terms)
    assert amending.changes_of(amendment) == DAYS
    before, after = canonical.loads(pair.deal.terms), canonical.loads(amendment.terms)
    assert after["supersedes"] == {
        "contract": pair.deal.contract_no, "terms_sha256": pair.deal.terms_sha256
    }  # fmt: skip
    assert after["contract"] == amendment.contract_no != pair.deal.contract_no
    for kept in ("parties", "work", "asset", "grants", "consideration", "clauses", "template"):
        assert after[kept] == before[kept]
    (opened,) = await told(session, amendment.id, "deal.opened")
    assert opened["supersedes"] == str(pair.deal.id)


async def test_an_amendment_takes_the_place_of_its_base_when_all_have_signed(
    session: AsyncSession, authority: LocalAuthority, tmp_path: Path
) -> None:
    pair = await signed_by_all(session, authority)
    base, amendment = pair.deal, await proposed(session, pair)
    kept = (base.pdf_sha256, base.terms_sha256)
    await service.certify(
        session, amendment.id, press=PRESS, certifier=authority.certifier, now=NOW
    )
    await sign(session, authority, amendment, pair.licensor, now=NOW)
    assert base.ended is None
    await sign(session, authority, amendment, pair.licensee, now=NOW)
    assert (base.ended, amendment.signing, amendment.ended) == ("superseded", "executed", None)
    assert (base.signing, base.pdf_sha256, base.terms_sha256) == ("executed", *kept)
    (grant,) = await titles.grants_of_work(session, base.work_id)
    assert (grant.state, grant.deal_id) == ("effective", amendment.id)
    (ended,) = await told(session, base.id, "deal.ended")
    assert ended["successor"] == str(amendment.id)
    (carried,) = await told(session, amendment.id, "grant.carried")
    assert carried["grants"] == [str(grant.id)]
    for deal in (base, amendment):
        assert await replayed(session, deal) == deal.life
    # From now on the period to cure is the amended one.
    amended = Pair(amendment, pair.licensor, pair.licensee)
    notice = await breach(session, amended)
    await logged(session, tmp_path)
    await fire_all(session, NOW)
    assert notice.cure_by == lifecycle.cure_by(NOW, days=10)
    await fire_all(session, NOW + timedelta(days=12))
    assert (amendment.end_cause, await states(session, amendment)) == ("cause", ["ended"])


async def test_an_amendment_that_is_declined_leaves_its_base_as_it_was(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    amendment = await proposed(session, pair)
    with pytest.raises(AmendmentWaits):
        await proposed(session, pair)
    await ending.decline(
        session, amendment.id, party_id=pair.licensor.party.id, reason="不同意", now=NOW
    )
    assert (pair.deal.ended, await states(session, pair.deal)) == (None, ["effective"])
    again = await proposed(session, pair)
    assert again.id != amendment.id


async def test_an_amendment_falls_with_its_base(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    amendment = await proposed(session, pair)
    await ending.rescind(session, pair.deal.id, reason="award", by=ids.new(NOW), now=NOW)
    assert amendment.signing == "voided"
    (voided,) = await told(session, amendment.id, "deal.voided")
    assert voided["reason"] == "base-ended"


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [{"op": "replace", "path": "/consideration/amount", "value": 1}],
        [{"op": "replace", "path": "/grants/0/exclusivity", "value": "exclusive"}],
        [{"op": "remove", "path": "/parameters/cure_days"}],
        [{"op": "replace", "path": "/parameters/cure_days", "value": 0}],
        [{"op": "replace", "path": "/parameters/cure_days", "value": True}],
        [{"op": "replace", "path": "/parameters/cure_days", "value": "10"}],
        [{"op": "replace", "path": "/parameters/cure_days", "value": 10, "note": "x"}],
        [{"op": "add", "path": "/parameters/cure_days", "value": 10}],
    ],
)
def test_rights_price_and_nonsense_are_not_amended(changes: list[dict[str, Any]]) -> None:
    with pytest.raises(NotAmendable):
        restating.check_numbers(changes)


async def test_an_amendment_changes_something_of_a_deal_in_force_by_one_of_its_sides(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await certified(session, authority)
    with pytest.raises(DealNotInForce):
        await proposed(session, pair)
    await sign(session, authority, pair.deal, pair.licensor, now=NOW)
    await sign(session, authority, pair.deal, pair.licensee, now=NOW)
    with pytest.raises(NothingAmended):
        await proposed(session, pair, [{**DAYS[0], "value": 30}])
    with pytest.raises(Unknown):
        await amending.propose(
            session, pair.deal.id, ids.new(NOW), party_id=ids.new(NOW), change=Change(DAYS), now=NOW
        )
    made = await proposed(session, pair)
    same, new = await amending.propose(
        session,
        pair.deal.id,
        made.id,
        party_id=pair.licensor.party.id,
        change=Change(DAYS),
        now=NOW,
    )
    assert (same is made, new) == (True, False)
    with pytest.raises(IdReused):
        await amending.propose(
            session, pair.deal.id, made.id,
            party_id=pair.licensor.party.id, change=Change([{**DAYS[0], "value": 11}]), now=NOW,
        )  # fmt: skip


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
                    text(f"UPDATE deal SET {change} WHERE id = :id"),  # noqa: S608 - from above
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
