"""Encumbrances against a real database: who declares, consents, lifts; what the engine is told."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids
from contracts.encumbrances import moments, queries, rules, service
from contracts.encumbrances.tables import Encumbrance
from contracts.facts.tables import Fact
from contracts.parties.rules import BadName
from contracts.parties.tables import Party
from contracts.refusal import IdReused, Refusal, Unknown
from contracts.rights import logic
from contracts.rights import rules as rights
from contracts.rights.logic import Span, Verdict
from contracts.titles import service as titles
from contracts.works.tables import Work
from tests.conftest import NOW
from tests.contracts.encumbrances_factory import SHA256, declared, terms, undated
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.titles_factory import granted, offered, owned
from tests.contracts.works_factory import child

ZERO = UUID(int=0)


async def recorded(session: AsyncSession, kind: str, subject: UUID) -> list[Fact]:
    wanted = select(Fact).where(col(Fact.kind) == kind, col(Fact.subject) == subject)
    return list((await session.execute(wanted.order_by(col(Fact.id)))).scalars())


async def test_what_was_declared_is_what_the_engine_is_told(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    bank = await party(session, now=NOW)
    said = terms(territories=["WRD"], excluded=["JP", "US-CA"], languages=["zh:dubbed", "en"],
                 rights=["*"], right=None, media=["*"])  # fmt: skip
    row = await declared(
        session, subject, owner,
        kind="pledge", wire=said, beneficiary_id=bank.id, reference="著质登字-2026-0001",
    )  # fmt: skip
    (burden,) = await queries.burdens(session, subject.root_id)
    told = rules.resolve(said)
    assert burden == rules.Burden(
        row.id, "pledge", (subject.unit_first, subject.unit_after), told.uses,
        told.territories, told.languages, told.when.span({}), None, bank.id,
    )  # fmt: skip


async def test_the_same_again_changes_nothing_and_other_content_is_refused(
    session: AsyncSession,
) -> None:
    owner, subject = await owned(session)
    first = await declared(session, subject, owner)
    again = await declared(session, subject, owner, id=first.id)
    assert again is first
    assert len(await recorded(session, "encumbrance.declared", first.id)) == 1
    changes: list[dict[str, Any]] = [
        {"wire": terms(media=["cable"])}, {"kind": "clearance"}, {"document_sha256": SHA256}
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(IdReused):
            await declared(session, subject, owner, id=first.id, **change)
    with pytest.raises(IdReused):
        await declared(session, subject, None, id=first.id)


async def test_only_an_owner_or_the_exchange_declares(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    co_owner, stranger = await party(session, now=NOW), await party(session, now=NOW)
    await titles.declare_shares(
        session, subject.id,
        party_id=owner.id, shares={owner.id: 5000, co_owner.id: 5000}, now=NOW,
    )  # fmt: skip
    await declared(session, subject, co_owner)
    await declared(session, subject, None)
    with pytest.raises(Unknown):
        await declared(session, subject, stranger)
    with pytest.raises(Unknown):
        await service.declare(
            session, ids.new(NOW), ids.new(NOW), by=None, now=NOW, kind="blackout", wire=terms()
        )


async def test_a_pledge_needs_every_co_owner(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    co_owner, bank = await party(session, now=NOW), await party(session, now=NOW)
    await titles.declare_shares(
        session, subject.id,
        party_id=owner.id, shares={owner.id: 5000, co_owner.id: 5000}, now=NOW,
    )  # fmt: skip
    said: dict[str, Any] = {"kind": "pledge", "beneficiary_id": bank.id, "reference": "1"}
    with pytest.raises(rules.OwnersDisagree) as refused:
        await declared(session, subject, owner, **said)
    assert refused.value.data == {"missing": [str(co_owner.id)]}
    await titles.consent(session, subject.id, party_id=co_owner.id, now=NOW)
    await declared(session, subject, owner, **said)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"kind": "holdback"}, "beneficiary-needed"),
        ({"kind": "option"}, "beneficiary-needed"),
        ({"kind": "pledge", "beneficiary_name": "示范银行"}, "reference-needed"),
        ({"kind": "mandate", "beneficiary_name": "\u202e"}, "bad-name"),
        ({"kind": "mandate", "beneficiary_name": "x" * 201}, "bad-name"),
        ({"reference": "x" * 101}, "bad-name"),
        ({"beneficiary_id": ZERO}, "unknown"),
        ({"grant_id": ZERO}, "unknown"),
        ({"wire": terms(media=["cinema"])}, "medium-needs-another-right"),
    ],
)
async def test_what_cannot_be_declared_is_refused(
    session: AsyncSession, said: dict[str, Any], code: str
) -> None:
    owner, subject = await owned(session)
    with pytest.raises(Refusal) as refused:
        await declared(session, subject, owner, **said)
    assert refused.value.code == code
    assert await queries.burdens(session, subject.root_id) == []


async def test_a_promise_that_a_grant_to_another_breaks_is_refused(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    licensee, other = await party(session, now=NOW), await party(session, now=NOW)
    (grant,) = await granted(session, subject, wire(), grantor=owner, licensee=licensee)
    episode = await child(session, subject, kind="episode", now=NOW)
    for promise in (
        {"kind": "holdback", "beneficiary_id": other.id},
        {"kind": "option", "beneficiary_name": "示范频道"},
        {"kind": "blackout", "beneficiary_id": licensee.id},
    ):
        for place in (subject, episode):
            with pytest.raises(rules.EncumbranceViolated) as refused:
                await declared(session, place, owner, **promise)
            assert refused.value.data == {"grants": [str(grant.id)]}


async def test_a_grant_does_not_break_a_promise_to_its_own_licensee(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    licensee = await party(session, now=NOW)
    (grant,) = await granted(session, subject, wire(), grantor=owner, licensee=licensee)
    row = await declared(session, subject, owner, kind="holdback", grant_id=grant.id)
    assert row.beneficiary_id == licensee.id
    await declared(session, subject, owner, kind="option", beneficiary_id=licensee.id)


async def test_a_charge_stands_beside_the_licences_that_came_before_it(
    session: AsyncSession,
) -> None:
    owner, subject = await owned(session)
    licensee, bank = await party(session, now=NOW), await party(session, now=NOW)
    await granted(session, subject, wire(), grantor=owner, licensee=licensee)
    for kind in ("pledge", "mandate", "first-refusal", "clearance"):
        await declared(session, subject, owner, kind=kind, beneficiary_id=bank.id, reference="1")


async def test_an_offer_breaks_a_promise_too_until_it_is_released(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    (grant,) = await offered(session, subject, wire(), grantor=owner)
    with pytest.raises(rules.EncumbranceViolated):
        await declared(session, subject, owner)
    await titles.release(session, subject.id, source=grant.source, now=NOW)
    await declared(session, subject, owner)


async def test_what_is_promised_is_not_offered(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    row = await declared(session, subject, owner)
    with pytest.raises(Refusal) as refused:
        await offered(session, subject, wire(), grantor=owner)
    assert refused.value.code == "rights-not-available"
    await service.lift(
        session, subject.id, row.id, by=owner.id, reason="已改期 (rescheduled)", now=NOW
    )
    await offered(session, subject, wire(), grantor=owner)


async def test_an_event_sets_the_window_that_waited_for_it(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    await declared(session, subject, owner, wire=undated())
    (before,) = await queries.burdens(session, subject.root_id)
    assert before.waits_for == "theatrical-release"
    during = rights.resolve(wire()).window
    fixed = Span.fixed(during.start, during.end)
    assert logic.meets(before.span, fixed) is Verdict.UNKNOWN
    await service.record_event(
        session, subject.id, "theatrical-release",
        by=owner.id, happened_on=date(2026, 10, 1), reason=None, now=NOW,
    )  # fmt: skip
    (after,) = await queries.burdens(session, subject.root_id)
    assert after.waits_for is None
    assert after.span == Span.fixed(
        moments.midnight(date(2026, 10, 1), "Asia/Shanghai"),
        moments.midnight(date(2027, 4, 1), "Asia/Shanghai"),
    )
    assert logic.meets(after.span, fixed) is Verdict.CONFLICT


async def test_an_event_of_another_work_says_nothing(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    episode = await child(session, subject, kind="episode", now=NOW)
    await declared(session, subject, owner, wire=undated())
    await service.record_event(
        session, episode.id, "theatrical-release",
        by=owner.id, happened_on=date(2026, 10, 1), reason=None, now=NOW,
    )  # fmt: skip
    (burden,) = await queries.burdens(session, subject.root_id)
    assert burden.waits_for == "theatrical-release"


async def test_an_event_has_one_day_which_the_exchange_alone_corrects(
    session: AsyncSession,
) -> None:
    owner, subject = await owned(session)

    async def happened(day: date, by: UUID | None, reason: str | None = None) -> date:
        event = await service.record_event(
            session, subject.id, "delivery", by=by, happened_on=day, reason=reason, now=NOW
        )
        return event.happened_on

    first, second = date(2026, 10, 1), date(2026, 10, 8)
    assert await happened(first, owner.id) == first
    assert await happened(first, owner.id) == first
    for by, reason in ((owner.id, None), (owner.id, "笔误"), (None, None), (None, "")):
        with pytest.raises(rules.EventSettled):
            await happened(second, by, reason)
    assert await happened(second, None, "交接单日期有误") == second
    facts = await recorded(session, "event.recorded", subject.id)
    assert len(facts) == 2
    assert [event.happened_on for event in await queries.events(session, subject.id)] == [second]


async def test_an_event_is_recorded_once_it_has_happened(session: AsyncSession) -> None:
    owner, subject = await owned(session)

    async def happened(code: str, day: date, by: Party) -> None:
        await service.record_event(
            session, subject.id, code, by=by.id, happened_on=day, reason=None, now=NOW
        )

    with pytest.raises(rules.EventAhead):
        await happened("delivery", NOW.date() + timedelta(days=1), owner)
    with pytest.raises(moments.UnknownEvent):
        await happened("apocalypse", NOW.date(), owner)
    with pytest.raises(Unknown):
        await happened("delivery", NOW.date(), await party(session, now=NOW))
    with pytest.raises(Refusal) as refused:
        await happened("delivery", date(1066, 10, 14), owner)
    assert refused.value.code == "bad-window"
    await happened("delivery", NOW.date(), owner)


async def consented(session: AsyncSession, row: Encumbrance, by: Party | None, **said: Any) -> None:
    wanted = {"wire": terms(), **said}
    await service.give_consent(
        session, row.work_id, row.id, wanted.pop("id", ids.new(NOW)),
        by=by and by.id, now=NOW, **wanted,
    )  # fmt: skip


async def test_a_consent_frees_its_box_and_nothing_else(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    bank = await party(session, now=NOW)
    row = await declared(
        session, subject, owner,
        kind="pledge", beneficiary_id=bank.id, reference="1", wire=terms(last_day="2030-12-31"),
    )  # fmt: skip
    with pytest.raises(Refusal):
        await offered(session, subject, wire(), grantor=owner)
    consent = ids.new(NOW)
    for _ in range(2):
        await consented(session, row, bank, id=consent, wire=terms(last_day="2028-12-31"))
    assert len(await recorded(session, "consent.given", row.id)) == 1
    (left,) = await queries.burdens(session, subject.root_id)
    assert (left.record_id, left.span.start_latest) == (
        row.id, moments.midnight(date(2029, 1, 1), "Asia/Shanghai")
    )  # fmt: skip
    await offered(session, subject, wire(), grantor=owner)
    later = wire(first_day="2029-01-01", last_day="2029-06-30")
    with pytest.raises(Refusal) as refused:
        await offered(session, subject, later, grantor=owner)
    assert refused.value.code == "rights-not-available"


async def test_a_consent_is_given_by_whom_it_protects_or_upon_a_document(
    session: AsyncSession,
) -> None:
    owner, subject = await owned(session)
    bank = await party(session, now=NOW)
    row = await declared(
        session, subject, owner, kind="pledge", beneficiary_id=bank.id, reference="1"
    )
    for by in (owner, await party(session, now=NOW)):
        with pytest.raises(Unknown):
            await consented(session, row, by)
    with pytest.raises(rules.EvidenceNeeded):
        await consented(session, row, None)
    consent = ids.new(NOW)
    await consented(session, row, None, id=consent, document_sha256=SHA256)
    with pytest.raises(IdReused):
        await consented(session, row, bank, id=consent)
    with pytest.raises(Refusal) as refused:
        await consented(session, row, bank, wire=undated())
    assert refused.value.code == "bad-window"
    page = await queries.consents_page(session, row, after=ZERO, limit=10)
    assert [one.id for one in page] == [consent]
    await service.lift(session, subject.id, row.id, by=bank.id, reason="已清偿", now=NOW)
    with pytest.raises(rules.EncumbranceLifted):
        await consented(session, row, bank)


async def test_nobody_consents_where_nobody_is_served(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    row = await declared(session, subject, owner)
    with pytest.raises(rules.NoConsentNeeded):
        await consented(session, row, None, document_sha256=SHA256)


async def test_what_serves_somebody_is_lifted_by_them_once(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    bank = await party(session, now=NOW)
    row = await declared(
        session, subject, owner, kind="pledge", beneficiary_id=bank.id, reference="1"
    )

    async def lift(by: UUID | None, reason: str = "已清偿") -> Encumbrance:
        return await service.lift(session, subject.id, row.id, by=by, reason=reason, now=NOW)

    with pytest.raises(rules.NotYoursToLift):
        await lift(owner.id)
    with pytest.raises(Unknown):
        await lift((await party(session, now=NOW)).id)
    with pytest.raises(BadName):
        await lift(bank.id, " ")
    assert (await lift(bank.id)).state == "lifted"
    assert (await lift(bank.id)).state == "lifted"
    with pytest.raises(rules.EncumbranceLifted):
        await lift(bank.id, "另有原因")
    assert await queries.burdens(session, subject.root_id) == []
    assert len(await recorded(session, "encumbrance.lifted", row.id)) == 1


async def test_the_exchange_lifts_for_one_who_is_not_on_it(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    row = await declared(session, subject, owner, kind="option", beneficiary_name="示范频道")
    with pytest.raises(rules.NotYoursToLift):
        await service.lift(session, subject.id, row.id, by=owner.id, reason="到期", now=NOW)
    await service.lift(session, subject.id, row.id, by=None, reason="到期", now=NOW)


async def test_owners_see_all_and_whom_it_serves_its_own(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    bank, stranger = await party(session, now=NOW), await party(session, now=NOW)
    first = await declared(session, subject, owner)
    episode = await child(session, subject, kind="episode", now=NOW)
    other = await child(session, subject, kind="episode", now=NOW)
    second = await declared(
        session, episode, owner, kind="mandate", beneficiary_id=bank.id, wire=undated()
    )

    async def seen(work: Work, viewer: Party | None) -> list[UUID]:
        rows = await queries.page(
            session, work.id, viewer=viewer and viewer.id, after=ZERO, limit=10
        )
        return [row.id for row in rows]

    both = sorted([first.id, second.id])
    assert await seen(subject, owner) == await seen(episode, None) == both
    assert await seen(other, owner) == [first.id]
    assert await seen(subject, bank) == [second.id]
    for work, viewer in ((subject, stranger), (other, bank)):
        with pytest.raises(Unknown):
            await seen(work, viewer)


async def test_a_burden_on_a_series_is_on_its_episodes_and_not_the_other_way(
    session: AsyncSession,
) -> None:
    owner, subject = await owned(session)
    episode = await child(session, subject, kind="episode", now=NOW)
    other = await child(session, subject, kind="episode", now=NOW)
    row = await declared(session, episode, owner)
    await offered(session, other, wire(), grantor=owner)
    with pytest.raises(Refusal):
        await offered(session, subject, wire(media=["cable", "satellite"]), grantor=owner)
    await service.lift(session, episode.id, row.id, by=owner.id, reason="改期", now=NOW)
    await declared(session, subject, owner, wire=terms(media=["cable"]))
    with pytest.raises(Refusal):
        await offered(session, episode, wire(media=["cable"]), grantor=owner)
