"""A promise and an offer that break each other, at the same instant: one of them is refused."""

import asyncio

import pytest

from contracts.encumbrances import rules
from contracts.refusal import Refusal
from contracts.works.tables import Work
from exchange.db import Database
from tests.conftest import NOW
from tests.contracts.encumbrances_factory import declared, terms
from tests.contracts.rights_factory import wire
from tests.contracts.titles_factory import offered, owned
from tests.contracts.works_factory import child


@pytest.mark.parametrize("place", ["series", "episode"])
@pytest.mark.parametrize("turn", range(10))
async def test_of_a_promise_and_an_offer_at_once_one_is_refused(
    db: Database, turn: int, place: str
) -> None:
    async with db.transaction() as session:
        owner, series = await owned(session)
        episode = await child(session, series, kind="episode", now=NOW)

    async def promise(subject: Work) -> str:
        async with db.transaction() as session:
            await declared(session, subject, owner, wire=terms())
        return "promised"

    async def offer() -> str:
        async with db.transaction() as session:
            await offered(session, series, wire(), grantor=owner)
        return "offered"

    async def told(asked: asyncio.Task[str]) -> str:
        try:
            return await asked
        except Refusal as refused:
            return refused.code

    subject = series if place == "series" else episode
    asked = [promise(subject), offer()][:: 1 if turn % 2 else -1]
    answers = {await told(one) for one in [asyncio.create_task(one) for one in asked]}
    assert answers in (
        {"promised", "rights-not-available"},
        {"offered", rules.EncumbranceViolated.code},
    )
