"""The database's constraint and a model of plain sets refuse the same pairs of grants.

The model knows works by what lies in them and rights by every single use; the database knows
numbers. Both are told the same words.
"""

import random
import time
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from tests.conftest import NOW
from tests.contracts import campaign
from tests.contracts.parties_factory import party
from tests.contracts.test_rights_cells import random_pair
from tests.contracts.test_titles_service import insert
from tests.contracts.works_factory import child, work

PAIRS = campaign.size(100, 2_000)

Capture = pytest.CaptureFixture[str]


async def planted(session: AsyncSession) -> tuple[Any, list[tuple[Any, set[UUID]]]]:
    """Return an owner and works of its own, each with what lies in it."""
    owner = await party(session, now=NOW)
    series = await work(session, party_id=owner.id, kind="series", now=NOW)
    one, two = [await child(session, series, kind="episode", now=NOW) for _ in range(2)]
    cut = await child(session, one, kind="edit", now=NOW)
    film = await work(session, party_id=owner.id, now=NOW)
    for row in (owner, series, one, two, cut, film):
        session.expunge(row)  # they are read without the database from here on
    return owner, [
        (series, {series.id, one.id, two.id, cut.id}),
        (one, {one.id, cut.id}),
        (two, {two.id}),
        (cut, {cut.id}),
        (film, {film.id}),
    ]


async def is_refused(session: AsyncSession, owner: Any, grants: list[tuple[Any, Any]]) -> bool:
    """Put two grants straight into the table, and take them out again."""
    attempt = await session.begin_nested()
    try:
        for place, wire in grants:
            await insert(session, owner, place, wire)
    except IntegrityError as error:
        assert "rights_grant_no_double_sale" in str(error)
        return True
    finally:
        await attempt.rollback()
    return False


async def test_the_constraint_refuses_what_plain_sets_call_a_double_sale(
    session: AsyncSession, capsys: Capture
) -> None:
    begun, wrong, refusals = time.monotonic(), [], 0
    first = campaign.ROUND * campaign.STRIDE
    owner, works = await planted(session)
    for seed in range(first, first + PAIRS):
        dice = random.Random(f"constraint:{seed}")
        (one, _, in_one), (two, _, in_two) = random_pair(dice)
        (here, inside), (there, also_inside) = dice.choice(works), dice.choice(works)
        kept_out = {one["exclusivity"], two["exclusivity"]} != {"non-exclusive"}
        expected = kept_out and bool(in_one & in_two) and bool(inside & also_inside)
        refused = await is_refused(session, owner, [(here, one), (there, two)])
        refusals += refused
        wrong += [seed] if refused is not expected else []
    campaign.tell(
        capsys,
        f"constraint: {PAIRS} pairs, {refusals} refused, {len(wrong)} differences, "
        f"{time.monotonic() - begun:.0f} s",
    )
    assert not wrong
    assert 0 < refusals < PAIRS
