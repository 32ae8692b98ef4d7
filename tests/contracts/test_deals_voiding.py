from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import rules, service
from contracts.deals.rules import DealExecuted, DealVoided
from contracts.deals.tables import Deal
from contracts.parties.gateway import LocalAuthority
from contracts.refusal import Unknown
from contracts.titles import queries as titles
from contracts.titles import service as register
from tests.conftest import NOW
from tests.contracts.deals_factory import (
    PRESS,
    RIGHTS,
    Signatory,
    certified_deal,
    executed_deal,
    opened_deal,
    sign,
    signatory,
)
from tests.contracts.parties_factory import party

BY = ids.new(NOW)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    return LocalAuthority.ensure(tmp_path_factory.mktemp("keys"), NOW)


async def drafted(session: AsyncSession) -> Deal:
    licensor = await party(session, kind="rights_holder", now=NOW)
    licensee = await party(session, kind="broadcaster", now=NOW)
    return await opened_deal(session, licensor=licensor, licensee=licensee, now=NOW)


async def void(session: AsyncSession, deal: Deal, *, reason: str = "片名无法印出") -> Deal:
    return await service.void(session, deal.id, reason=reason, by=BY, now=NOW)


async def told(session: AsyncSession, deal: Deal) -> list[tuple[object, dict[str, object]]]:
    rows = await session.execute(
        text("SELECT parties, record FROM fact WHERE subject = :id AND kind = 'deal.voided'"),
        {"id": deal.id},
    )
    return [(row.parties, canonical.loads(bytes(row.record))) for row in rows]


async def both(session: AsyncSession, authority: LocalAuthority) -> tuple[Signatory, Signatory]:
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    return licensor, await signatory(session, authority, kind="broadcaster", now=NOW)


async def test_a_voided_deal_gives_its_rights_back_and_both_sides_are_told_why(
    session: AsyncSession,
) -> None:
    deal = await drafted(session)
    assert [grant.state for grant in await titles.grants_of_work(session, deal.work_id)] == ["held"]
    assert (await void(session, deal)).signing == "voided"
    grants = await titles.grants_of_work(session, deal.work_id)
    assert [grant.state for grant in grants] == ["released"]
    record = {"deal": str(deal.id), "reason": "片名无法印出", "by": str(BY)}
    assert await told(session, deal) == [([deal.licensor_id, deal.licensee_id], record)]


async def test_the_rights_of_a_voided_deal_can_be_offered_again(session: AsyncSession) -> None:
    deal = await drafted(session)
    await void(session, deal)
    (again,) = await register.reserve(
        session, deal.work_id,
        grantor_id=deal.licensor_id, boxes=[RIGHTS], source=str(ids.new(NOW)), now=NOW,
    )  # fmt: skip
    assert again.state == "reserved"


async def test_voiding_again_changes_nothing_even_when_the_rights_are_offered_anew(
    session: AsyncSession,
) -> None:
    deal = await drafted(session)
    await void(session, deal)
    (again,) = await register.reserve(
        session, deal.work_id,
        grantor_id=deal.licensor_id, boxes=[RIGHTS], source=str(ids.new(NOW)), now=NOW,
    )  # fmt: skip
    assert (await void(session, deal, reason="another")).signing == "voided"
    assert len(await told(session, deal)) == 1
    assert again.state == "reserved"


async def test_a_deal_that_both_signed_is_not_voided(session: AsyncSession, tmp_path: Path) -> None:
    deal = await executed_deal(session, now=NOW, keys_dir=tmp_path)
    with pytest.raises(DealExecuted):
        await void(session, deal)
    assert deal.signing == "executed"
    grants = await titles.grants_of_work(session, deal.work_id)
    assert [grant.state for grant in grants] == ["effective"]


async def test_nobody_signs_a_voided_deal(session: AsyncSession, authority: LocalAuthority) -> None:
    licensor, licensee = await both(session, authority)
    deal = await certified_deal(
        session, authority, licensor=licensor.party, licensee=licensee.party, now=NOW
    )
    await sign(session, authority, deal, licensor, now=NOW)
    begun, _ = await service.open_session(
        session, deal.id, ids.new(NOW),
        party_id=licensee.party.id, key_id=licensee.key.id, press=PRESS, now=NOW,
    )  # fmt: skip
    await void(session, deal)
    with pytest.raises(DealVoided):
        await service.complete_session(
            session, deal.id, begun.id,
            party_id=licensee.party.id, signature=b"\x01" * 64,
            certifier=authority.certifier, now=NOW,
        )  # fmt: skip
    with pytest.raises(DealVoided):
        await sign(session, authority, deal, licensee, now=NOW)


async def test_a_voided_deal_is_not_certified_any_more(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    deal = await drafted(session)
    await void(session, deal)
    after = await service.certify(
        session, deal.id, press=PRESS, certifier=authority.certifier, now=NOW
    )
    assert (after.signing, after.pdf_sha256) == ("voided", None)


async def test_a_deal_that_is_not_there_is_not_voided(session: AsyncSession) -> None:
    with pytest.raises(Unknown):
        await service.void(session, ids.new(NOW), reason="none", by=BY, now=NOW)


@given(st.sampled_from(["drafted", "certified", "licensor_signed", "voided", "executed"]))
def test_only_what_took_effect_stays(signing: str) -> None:
    try:
        rules.check_voidable(signing)
    except DealExecuted:
        assert signing == "executed"
    else:
        assert signing != "executed"
