"""Arrays in PostgreSQL's binary form, as the server itself reads them."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.log import arrays, batches
from contracts.log.arrays import Bigints, Hashes, Texts, Uuids
from exchange.db import Database

COLUMNS = st.integers(0, 40).flatmap(
    lambda count: st.tuples(
        *(
            st.lists(one, min_size=count, max_size=count)
            for one in (
                st.integers(-(2**63), 2**63 - 1), st.uuids(), st.binary(min_size=32, max_size=32),
                st.binary(max_size=300),
            )
        )
    )
)  # fmt: skip


@given(columns=COLUMNS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_the_server_reads_the_columns_that_were_packed(
    db: Database, columns: tuple[list[Any], ...]
) -> None:
    numbers, ids, hashes, texts = columns
    async with db.transaction() as session:
        connection = await batches._driver(session)
        arrays.register(connection)
        found = await connection.execute(
            "SELECT * FROM unnest(%(a)s, %(b)s, %(c)s, %(d)s)",
            {
                "a": Bigints.of(numbers), "b": Uuids.of(ids), "c": Hashes.of(hashes),
                "d": Texts.of(texts),
            },
        )  # fmt: skip
        assert await found.fetchall() == list(zip(*columns, strict=True))
