from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.deals import queries
from contracts.titles import queries as titles
from tests.conftest import NOW
from tests.contracts.deals_factory import executed_deal


@pytest.fixture(scope="module")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


async def kinds_about(session: AsyncSession, subject: object) -> list[str]:
    found = await session.execute(
        text("SELECT kind FROM fact WHERE subject = :id ORDER BY id"), {"id": subject}
    )
    return list(found.scalars())


async def test_a_deal_signed_by_both_is_executed_and_its_rights_granted(
    session: AsyncSession, keys_dir: Path
) -> None:
    deal = await executed_deal(session, now=NOW, keys_dir=keys_dir)
    assert (deal.signing, deal.performance, deal.executed_at) == ("executed", "effective", NOW)
    assert sorted(await kinds_about(session, deal.id)) == sorted(
        ["deal.opened", "deal.certified", "deal.signed", "deal.signed", "grant.made",
         "deal.executed"]
    )  # fmt: skip
    latest = await queries.document(session, deal.id)
    assert (latest.revision, latest.sha256) == (3, deal.pdf_sha256)
    grants = await titles.grants_of_work(session, deal.work_id)
    assert [(grant.state, grant.grantee_id) for grant in grants] == [
        ("effective", deal.licensee_id)
    ]
