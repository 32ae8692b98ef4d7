"""Fee schedules that two people announce: their days, their decisions, and attacks on them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import canonical, ids
from contracts.facts.tables import Fact
from contracts.refusal import IdReused, Unknown
from exchange.db import Database
from settlement.approvals.rules import AlreadyDecided, ContentChanged, Decision, SamePerson
from settlement.fees import comparing, gateway, queries, reading, rules, service
from settlement.fees.reading import BadFeeSchedule
from settlement.fees.service import FeesNotAhead
from tests.conftest import NOW, migrate
from tests.settlement.approvals_factory import decided, proof
from tests.settlement.bank_factory import staff
from tests.settlement.fees_factory import announced, gemas, own, prepared, usual

DAY = rules.day_of(NOW) + timedelta(days=30)


async def told(session: AsyncSession, subject: UUID) -> list[str]:
    wanted = select(Fact.kind).where(col(Fact.subject) == subject).order_by(col(Fact.recorded_at))
    return list(await session.scalars(wanted))


async def known(session: AsyncSession) -> set[UUID]:
    return {row.id for row in await queries.announcements(session)}


async def test_a_schedule_is_in_force_from_its_day_once_another_person_approved_it(
    session: AsyncSession,
) -> None:
    made = await prepared(session, own("sek", 700), valid_from=DAY)
    at = datetime(DAY.year, DAY.month, DAY.day, tzinfo=rules.SEAT)
    before = await queries.in_force(session, currency="SEK", at=at)
    assert before[1].id == "uhdx-2026"
    with pytest.raises(Unknown):
        await queries.named(session, made.sha256)
    assert made.id in {row.id for row in await queries.waiting(session, limit=10_000)}
    checker = await staff(session)
    decision = await decided(session, checker, made.content_sha256, now=NOW)
    done = await service.approve(session, made.id, decision=decision, now=NOW)
    assert (done.state, done.decided_by) == ("approved", checker)
    eve = at - timedelta(seconds=1)
    found = [(await queries.in_force(session, currency="SEK", at=when))[1] for when in (eve, at)]
    assert [schedule.id for schedule in found] == ["uhdx-2026", "sek"]
    assert await queries.named(session, made.sha256) == found[1]
    assert sorted(await told(session, made.id)) == ["fees.announced", "fees.prepared"]
    again = await service.approve(session, made.id, decision=decision, now=NOW)
    assert again == done
    assert sorted(await told(session, made.id)) == ["fees.announced", "fees.prepared"]


async def test_the_same_id_is_the_same_announcement(session: AsyncSession) -> None:
    said: dict[str, Any] = {"valid_from": DAY, "person_id": await staff(session), "now": NOW}
    one = ids.new(NOW)
    row, is_new = await service.prepare(session, one, wire=own("sek", 700), **said)
    assert is_new
    again = await service.prepare(session, one, wire=own("sek", 700), **said)
    assert again == (row, False)
    for other in (
        {**said, "wire": own("sek", 701)},
        {**said, "wire": own("sek", 700), "valid_from": DAY + timedelta(days=1)},
    ):
        with pytest.raises(IdReused):
            await service.prepare(session, one, **other)


async def test_nothing_is_prepared_for_a_day_that_has_begun(session: AsyncSession) -> None:
    with pytest.raises(FeesNotAhead):
        await prepared(session, own("late", 1), valid_from=rules.day_of(NOW))


async def test_a_text_with_signs_that_nobody_sees_is_not_prepared(session: AsyncSession) -> None:
    with pytest.raises(BadFeeSchedule):
        await prepared(session, {**own("x", 1), "name_en": "Fees\x00"}, valid_from=DAY)


async def test_what_waited_until_its_day_is_refused_and_never_in_force(
    session: AsyncSession,
) -> None:
    made = await prepared(session, own("slow", 1), valid_from=DAY)
    late = datetime(DAY.year, DAY.month, DAY.day, tzinfo=rules.SEAT)
    checker = await staff(session)
    decision = await decided(session, checker, made.content_sha256, now=late)
    with pytest.raises(FeesNotAhead):
        await service.approve(session, made.id, decision=decision, now=late)
    assert made.id not in await known(session)
    done = await service.refuse(session, made.id, decision=decision, reason="too late", now=late)
    assert (done.state, done.reason) == ("refused", "too late")
    assert sorted(await told(session, made.id)) == ["fees.prepared", "fees.refused"]
    with pytest.raises(AlreadyDecided):
        await service.approve(session, made.id, decision=decision, now=NOW)


async def test_the_person_who_prepared_a_schedule_decides_nothing(session: AsyncSession) -> None:
    maker = await staff(session)
    made = await prepared(session, own("mine", 1), valid_from=DAY, maker=maker)
    decision = await decided(session, maker, made.content_sha256, now=NOW)
    with pytest.raises(SamePerson):
        await service.approve(session, made.id, decision=decision, now=NOW)
    with pytest.raises(SamePerson):
        await service.refuse(session, made.id, decision=decision, reason="no", now=NOW)
    assert made.id not in await known(session)


async def test_an_approval_is_of_exactly_what_was_read(session: AsyncSession) -> None:
    made = await prepared(session, own("read", 1), valid_from=DAY)
    other = await prepared(session, own("read", 1), valid_from=DAY + timedelta(days=1))
    checker = await staff(session)
    shown = await proof(session, checker, now=NOW)
    for seen in (made.sha256, other.content_sha256, "0" * 64):
        with pytest.raises(ContentChanged):
            await service.approve(
                session, made.id, decision=Decision(checker, seen, shown), now=NOW
            )
    assert made.id not in await known(session)


APPROVE = (
    "INSERT INTO approval (id, object_type, object_id, object_hash, maker_id, checker_id, outcome, "
    "proof_id, decided_at, expires_at) VALUES (gen_random_uuid(), 'fee-announcement', :id, "
    ":content_sha256, :maker, :checker, 'approved', :proof, :now, :now + interval '1 hour')"
)
USE = "UPDATE approval SET used_at = :now WHERE object_id = :id"
DECIDE = (
    "UPDATE fee_proposal SET state = 'approved', decided_by = :checker, decided_at = :now "
    "WHERE id = :id"
)
ANNOUNCE = (
    "INSERT INTO fee_announcement (id, valid_from, schedule, sha256, content, announced_by, "
    "announced_at) VALUES (:id, :day, :schedule, :sha256, :content, :checker, :now)"
)
RIGHTLY = (APPROVE, USE, DECIDE, ANNOUNCE)


class Attack:
    """What somebody with the application's role could say to the database about one schedule."""

    def __init__(self, session: AsyncSession, values: dict[str, Any]) -> None:
        self.session, self.values = session, values

    @classmethod
    async def on(cls, session: AsyncSession) -> "Attack":
        maker, checker = await staff(session), await staff(session)
        made = await prepared(session, own("attacked", 100), valid_from=DAY, maker=maker)
        values = {
            "id": made.id, "maker": maker, "checker": checker, "now": NOW, "day": DAY,
            "content_sha256": made.content_sha256, "schedule": made.schedule,
            "sha256": made.sha256, "content": made.read().content,
            "proof": await proof(session, checker, now=NOW), "free": ids.new(NOW),
            "own": await proof(session, maker, now=NOW),
        }  # fmt: skip
        return cls(session, values)

    async def say(self, *statements: str, **more: object) -> None:
        values = {**self.values, **more}
        for statement in statements:
            named = {name: one for name, one in values.items() if f":{name}" in statement}
            await self.session.execute(text(statement), named)
        await self.session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))

    async def refused(self, *statements: str, says: str, **more: object) -> None:
        savepoint = await self.session.begin_nested()
        with pytest.raises(DBAPIError, match=says):
            await self.say(*statements, **more)
        await savepoint.rollback()


async def test_the_database_takes_what_two_people_decided_and_nothing_less(
    session: AsyncSession,
) -> None:
    attack = await Attack.on(session)
    cheap = rules.announcement(
        attack.values["id"], reading.read_wire(own("attacked", 1)), valid_from=DAY
    )
    less = reading.read_wire(own("attacked", 1))
    await attack.refused(ANNOUNCE, says="was not approved")
    await attack.refused(ANNOUNCE.replace(":id,", ":free,"), says="was not approved")
    await attack.refused(DECIDE, says="is not decided by")
    alone = {"checker": attack.values["maker"], "proof": attack.values["own"]}
    await attack.refused(APPROVE, says="approval_needs_two_people", **alone)
    await attack.refused(APPROVE, USE, DECIDE, says="approved and not announced")
    change = "UPDATE fee_proposal SET content = :content WHERE id = :id"
    await attack.refused(change, says="never changes", content=cheap)
    for column in ("valid_from = :now", "schedule = 'other'", "sha256 = :content_sha256"):
        statement = f"UPDATE fee_proposal SET {column} WHERE id = :id"
        await attack.refused(statement, says="never changes what it says")
    await attack.refused("DELETE FROM fee_proposal WHERE id = :id", says="stays")
    wrong = {"content": less.content, "sha256": less.sha256}
    await attack.refused(*RIGHTLY, says="was not approved", **wrong)
    await attack.refused(*RIGHTLY, says="was not approved", content=less.content)
    await attack.refused(*RIGHTLY, says="was not approved", day=DAY + timedelta(days=1))
    late = datetime(DAY.year, DAY.month, DAY.day, tzinfo=rules.SEAT)
    dated = ANNOUNCE.replace(":now)", ":late)")
    await attack.refused(APPROVE, USE, DECIDE, dated, says="was not approved", late=late)
    await attack.say(*RIGHTLY)
    assert attack.values["id"] in await known(session)
    for after in (
        "UPDATE fee_proposal SET state = 'refused', reason = 'x' WHERE id = :id",
        "UPDATE fee_proposal SET decided_at = decided_at + interval '1 day' WHERE id = :id",
        "UPDATE fee_announcement SET valid_from = '2020-01-01'",
        "DELETE FROM fee_announcement",
    ):
        await attack.refused(after, says="never change|append-only|only ever|refuse|stays")


async def test_a_proposal_is_what_its_content_says(session: AsyncSession) -> None:
    attack = await Attack.on(session)
    raw = rules.announcement(ids.new(NOW), gemas(), valid_from=DAY)
    statement = (
        "INSERT INTO fee_proposal (id, valid_from, schedule, sha256, state, content, "
        "content_sha256, prepared_by, prepared_at) VALUES (:free, :day, :schedule, :sha256, "
        "'prepared', :content, :hash, :maker, :now)"
    )
    said = {"content": raw, "hash": canonical.sha256_hex(raw), "schedule": gemas().id}
    await attack.refused(statement, says="not what its content says", **said)


PARTY = (
    "INSERT INTO party (id, kind, name_zh, name_en, uscc, state, created_at) VALUES "
    "(:id, 'rights_holder', 'a', 'a', '91110000000000000A', 'verified', :now)"
)
PERSON = (
    "INSERT INTO person (id, party_id, email, name, password_hash, role, state, created_at) VALUES "
    "(:id, :id, 'a@example.org', 'a', 'x', 'approver', 'active', :now)"
)


async def test_what_one_person_announced_before_stays_in_force(server_url: str) -> None:
    with create_engine(server_url, isolation_level="AUTOCOMMIT").connect() as admin:
        admin.execute(text("DROP DATABASE IF EXISTS before_approvals WITH (FORCE)"))
        admin.execute(text("CREATE DATABASE before_approvals"))
    url = server_url.replace("/postgres?", "/before_approvals?")
    migrate(url, "0077")
    schedule, by = reading.read_wire(own("of-old", 300)), ids.new(NOW)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(PARTY), {"id": by, "now": NOW})
        connection.execute(text(PERSON), {"id": by, "now": NOW})
        said = {"id": by, "day": DAY, "checker": by, "now": NOW, "schedule": schedule.id}
        content = {"sha256": schedule.sha256, "content": schedule.content}
        connection.execute(text(ANNOUNCE), {**said, **content})
    engine.dispose()
    migrate(url)
    database = Database(url)
    try:
        async with database.transaction() as session:
            at = datetime(DAY.year, DAY.month, DAY.day, tzinfo=rules.SEAT)
            assert (await queries.in_force(session, currency="SEK", at=at))[1] == schedule
            with pytest.raises(IdReused):
                await service.prepare(
                    session, by, wire=own("of-old", 300), valid_from=DAY, person_id=by, now=NOW
                )
    finally:
        await database.close()


async def test_a_difference_names_each_tier_that_changes_and_no_other(
    session: AsyncSession,
) -> None:
    assert comparing.changes(gemas(), gemas()) == ()
    (one,) = comparing.changes(usual(), reading.read_wire(own("x", 300)))
    assert one.before is not None and one.after is not None
    assert (one.before.rate_bp, one.after.rate_bp) == (500, 300)
    found = comparing.changes(usual(), gemas())
    assert [row.before for row in found if row.after is None] == list(usual().rows)
    assert {row.after for row in found if row.before is None} == set(gemas().rows)
    back = comparing.changes(gemas(), usual())
    assert [(one.after, one.before) for one in back] == [(one.before, one.after) for one in found]
    await announced(session, own("sek", 700), valid_from=DAY)
    dated = await queries.dated(session)
    everywhere = comparing.replaced(dated, usual(), on=DAY)
    by_name = {one.schedule.id: one.currencies for one in everywhere}
    assert by_name["sek"] == ("SEK",)
    assert "CNY" in by_name["uhdx-2026"] and "SEK" not in by_name["uhdx-2026"]
    (only,) = comparing.replaced(gateway.days(), gemas(), on=DAY)
    assert (only.schedule, only.currencies) == (usual(), ("CNY",))
