"""Licences made elsewhere are recorded; grants that fail come back with all that hung on them."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids
from contracts.facts.tables import Fact
from contracts.parties.rules import BadName
from contracts.parties.tables import Party
from contracts.refusal import IdReused, InvalidContent, Unknown
from contracts.titles import holds, queries, recording, rules
from contracts.titles.recording import Licensee
from contracts.titles.tables import RightsGrant
from contracts.works.tables import Work
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.test_titles_holds import LATER, WEEK
from tests.contracts.titles_factory import granted, offered, owned, raw

BY = ids.new(NOW)


async def recorded(
    session: AsyncSession, subject: Work, owner: Party, **changes: Any
) -> list[RightsGrant]:
    asked: dict[str, Any] = {
        "record_id": ids.new(NOW), "licensee": Licensee(name="Emisora de Ejemplo"),
        "boxes": [wire()], "documents": [], "now": NOW, **changes,
    }  # fmt: skip
    record_id = asked.pop("record_id")
    return await recording.record_grant(
        session, subject.id, record_id, grantor_id=owner.id, **asked
    )


async def reverted(session: AsyncSession, grant: RightsGrant, **changes: Any) -> RightsGrant:
    asked = {"reason": "default", "note": "未付第二期款", "by": BY, "now": LATER, **changes}
    return await recording.revert(session, grant.work_id, grant.id, **asked)


async def test_a_recorded_licence_is_effective_at_once_and_keeps_others_out(
    session: AsyncSession,
) -> None:
    owner, subject = await owned(session)
    (grant,) = await recorded(session, subject, owner)
    assert (grant.state, grant.origin, grant.effective_at) == ("effective", "recorded", NOW)
    assert (grant.grantee_id, grant.licensee_name) == (None, "Emisora de Ejemplo")
    with pytest.raises(rules.RightsAlreadyGranted):
        await offered(session, subject, wire(), grantor=owner)
    with pytest.raises(rules.RightsAlreadyGranted):
        await recorded(session, subject, owner, boxes=[wire(exclusivity="sole")])


async def test_a_record_sent_again_is_the_same_and_with_other_content_refused(
    session: AsyncSession,
) -> None:
    owner, subject = await owned(session)
    record_id = ids.new(NOW)
    first = await recorded(session, subject, owner, record_id=record_id)
    again = await recorded(session, subject, owner, record_id=record_id)
    assert [grant.id for grant in again] == [grant.id for grant in first]
    for changes in (
        {"licensee": Licensee(name="Otra")},
        {"boxes": [wire(runs_max=None)]},
        {"documents": [ids.new(NOW)]},
    ):
        with pytest.raises(IdReused):
            await recorded(session, subject, owner, record_id=record_id, **changes)


@pytest.mark.parametrize(
    ("licensee", "refusal"),
    [
        (Licensee(), rules.BadLicensee),
        (Licensee(ids.new(NOW), "both"), rules.BadLicensee),
        (Licensee(name=" "), BadName),
        (Licensee(ids.new(NOW)), Unknown),
    ],
)
async def test_a_record_names_one_licensee(
    session: AsyncSession, licensee: Licensee, refusal: type[Exception]
) -> None:
    owner, subject = await owned(session)
    with pytest.raises(refusal):
        await recorded(session, subject, owner, licensee=licensee)


async def test_a_record_rests_on_documents_that_are_filed(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    with pytest.raises(Unknown):
        await recorded(session, subject, owner, documents=[ids.new(NOW)])


async def test_a_stranger_records_nothing(session: AsyncSession) -> None:
    _, subject = await owned(session)
    with pytest.raises(rules.RightsNotHeld):
        await recorded(session, subject, await party(session, now=NOW))


@pytest.mark.parametrize(
    "changes", [{"origin": "exchange"}, {"licensee_name": None}, {"licensee_name": ""}]
)
async def test_the_database_takes_no_effective_grant_without_deal_or_record(
    session: AsyncSession, changes: dict[str, Any]
) -> None:
    owner, subject = await owned(session)
    row = {"state": "effective", "origin": "recorded", "licensee_name": "x", **changes}
    with pytest.raises(IntegrityError, match=r"held_names_its_deal|licensee_name_is_short"):
        await raw(session, subject, wire(), grantor=owner, **row)


async def test_a_grant_that_came_back_can_be_granted_again(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    (grant,) = await recorded(session, subject, owner)
    for _ in range(2):  # again changes nothing
        back = await reverted(session, grant)
        assert (back.state, back.ended_reason, back.ended_at) == ("ended", "default", LATER)
    await recorded(session, subject, owner)
    found = await session.scalars(
        select(col(Fact.record)).where(
            col(Fact.kind) == "grant.reverted", col(Fact.subject) == grant.id
        )
    )
    (record,) = [canonical.loads(one) for one in found]
    assert (record["note"], record["by"], record["ended"]) == ("未付第二期款", str(BY), [])


async def test_whatever_was_licensed_on_ends_with_its_ground(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    one, two, three = [await party(session, now=NOW) for _ in range(3)]
    (top,) = await granted(session, subject, wire(sublicence_depth=2, runs_max=None),
                           grantor=owner, licensee=one)  # fmt: skip
    (middle,) = await granted(
        session, subject, wire(media=["satellite.pay"], sublicence_depth=1), grantor=one,
        licensee=two,
    )  # fmt: skip
    (lowest,) = await granted(
        session, subject, wire(media=["satellite.pay"], territories=["CN-GD"], excluded=[]),
        grantor=two, licensee=three,
    )  # fmt: skip
    (kept,) = await holds.place_hold(
        session, subject.id, ids.new(NOW), grantor_id=one.id, grantee_id=three.id,
        boxes=[wire(media=["satellite.free"])], expires_at=WEEK, now=NOW,
    )  # fmt: skip
    (beside,) = await granted(session, subject, wire(media=["cable"]), grantor=owner, licensee=two)
    assert (middle.under, lowest.under, kept.under) == (top.id, middle.id, top.id)
    await reverted(session, top, now=NOW)
    states = {g.id: g.state for g in await queries.grants_of_work(session, subject.id)}
    assert states == {
        top.id: "ended", middle.id: "ended", lowest.id: "ended", kept.id: "released",
        beside.id: "effective",
    }  # fmt: skip
    assert {middle.ended_reason, lowest.ended_reason, kept.ended_reason} == {"parent-ended"}
    with pytest.raises(rules.RightsNotHeld):
        await offered(session, subject, wire(), grantor=one)
    await offered(session, subject, wire(), grantor=owner)


async def test_only_what_is_effective_comes_back(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    (grant,) = await offered(session, subject, wire(), grantor=owner)
    with pytest.raises(rules.GrantNotEffective) as refused:
        await reverted(session, grant)
    assert refused.value.data == {"state": "reserved"}


async def test_a_grant_comes_back_once_for_one_reason(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    (grant,) = await recorded(session, subject, owner)
    with pytest.raises(InvalidContent):
        await reverted(session, grant, reason="whim")
    with pytest.raises(BadName):
        await reverted(session, grant, note="")
    with pytest.raises(Unknown):
        await recording.revert(
            session, subject.id, ids.new(NOW), reason="default", note="x", by=BY, now=NOW
        )
    await reverted(session, grant)
    with pytest.raises(rules.GrantNotEffective):
        await reverted(session, grant, reason="agreement")


async def test_nobody_records_a_licence_for_itself(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    with pytest.raises(InvalidContent):
        await recorded(session, subject, owner, licensee=Licensee(owner.id))
