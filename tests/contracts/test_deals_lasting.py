from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals import lasting, queries, verification
from contracts.deals.tables import Deal
from contracts.parties.gateway import LocalAuthority
from tests.conftest import NOW
from tests.contracts.deals_factory import executed_deal

LATER = NOW + timedelta(minutes=1)


@pytest.fixture(scope="module")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


async def facts_of(session: AsyncSession, deal_id: object) -> list[tuple[str, dict[str, object]]]:
    rows = await session.execute(
        text(
            "SELECT kind, record FROM fact WHERE subject = :id "
            "AND kind IN ('deal.archived', 'deal.lta-refreshed') ORDER BY recorded_at, id"
        ),
        {"id": deal_id},
    )
    return [(row.kind, canonical.loads(bytes(row.record))) for row in rows]


async def test_an_executed_contract_is_archived_once_and_renewed_after_a_year(
    session: AsyncSession, keys_dir: Path
) -> None:
    deal = await executed_deal(session, now=NOW, keys_dir=keys_dir)
    authority = LocalAuthority.open(keys_dir)
    pdfs = [await queries.document(session, deal.id)]
    for at in (LATER, LATER, LATER + timedelta(days=364), LATER + timedelta(days=365)):
        await lasting.archive(session, deal.id, authority=authority, now=at)
        latest = await queries.document(session, deal.id)
        if latest.revision != pdfs[-1].revision:
            pdfs.append(latest)
    assert [one.revision for one in pdfs] == [3, 4, 5]
    for before, after in pairwise(pdfs):
        assert after.pdf.startswith(before.pdf)
    told = await facts_of(session, deal.id)
    assert [kind for kind, _ in told] == ["deal.archived", "deal.lta-refreshed"]
    # invariant 17: the hash in the log is that of the whole file.
    assert [record["pdf_sha256"] for _, record in told] == [
        canonical.sha256_hex(one.pdf) for one in pdfs[1:]
    ]
    assert told[0][1]["signatures"] == ["B-T"] * 3
    found = verification.check_signatures(pdfs[-1].pdf, authority.root_pem)
    assert [(one.good, one.level) for one in found] == [(True, "B-LTA")] * 3
    assert found[-1].sha256 == deal.pdf_sha256 == pdfs[0].sha256


async def test_invariant_19_without_a_time_key_a_contract_is_signed_and_archived_later(
    session: AsyncSession, tmp_path: Path
) -> None:
    LocalAuthority.ensure(tmp_path, NOW)
    kept = {name: (tmp_path / name).read_bytes() for name in LocalAuthority.TIME_FILES}
    whole = LocalAuthority.open(tmp_path)
    for name in kept:
        (tmp_path / name).unlink()
    without = LocalAuthority.open(tmp_path)
    deal = await executed_deal_of(session, without)
    await lasting.archive(session, deal.id, authority=without, now=LATER)
    plain = await queries.document(session, deal.id)
    found = verification.check_signatures(plain.pdf, whole.root_pem)
    assert [(one.good, one.level) for one in found] == [(True, "B-B")] * 3
    await lasting.archive(session, deal.id, authority=whole, now=LATER)
    [(_, record)] = await facts_of(session, deal.id)
    assert record["signatures"] == ["B-B"] * 3  # the downgrade stays on record
    latest = await queries.document(session, deal.id)
    found = verification.check_signatures(latest.pdf, whole.root_pem)
    assert [(one.good, one.level) for one in found] == [(True, "B-LTA")] * 3


async def executed_deal_of(session: AsyncSession, authority: LocalAuthority) -> Deal:
    from tests.contracts.deals_factory import certified_deal, sign, signatory

    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    licensee = await signatory(session, authority, kind="broadcaster", now=NOW)
    deal = await certified_deal(
        session, authority, licensor=licensor.party, licensee=licensee.party, now=NOW
    )
    await sign(session, authority, deal, licensor, now=NOW)
    return await sign(session, authority, deal, licensee, now=NOW)


async def test_the_loop_finds_what_was_never_archived(
    session: AsyncSession, keys_dir: Path
) -> None:
    deal = await executed_deal(session, now=NOW, keys_dir=keys_dir)
    authority = LocalAuthority.open(keys_dir)
    others = await session.execute(
        text("SELECT count(*) FROM deal WHERE signing = 'executed' AND id <> :id"), {"id": deal.id}
    )
    if others.scalar_one() == 0:  # whatever other tests left behind is of other authorities
        assert await lasting.archive_due(session, authority=authority, now=LATER) == 1
        assert await lasting.archive_due(session, authority=authority, now=LATER) == 0
        assert (await queries.document(session, deal.id)).revision == 4
