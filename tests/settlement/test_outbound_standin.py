"""The outbound protocol against the stand-in: PostgreSQL, HTTP, its books as the judge.

The whole campaign is `python -m tests.settlement.outbound_campaign`, in `make soak`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.settlement import outbound_campaign, outbound_standin
from tests.settlement.standin import running_standin


@pytest.fixture(scope="module")
def database(server_url: str) -> str:
    return outbound_standin.make_table(server_url, "outbound_schedules")


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    with running_standin(tmp_path, extra=("--state", ":memory:")) as url:
        yield url


@pytest.mark.parametrize("first", (0, 50))
async def test_invariant_27_each_instruction_moves_its_money_once_by_the_providers_books(
    database: str, base: str, first: int
) -> None:
    found = await outbound_standin.block(database, base, range(first, first + 50))
    assert found["once"] == found["finished"] == 50, found
    assert found["workers killed"] > 50  # the schedules do kill workers


@pytest.mark.parametrize("variant", (outbound_campaign.NAIVE, outbound_campaign.STABLE))
async def test_the_same_schedules_show_what_poorer_executors_pay_twice(
    database: str, base: str, variant: str
) -> None:
    with outbound_campaign.VARIANTS[variant]():
        found = await outbound_standin.block(database, base, range(20))
    assert found["twice or more"] >= 3, found
