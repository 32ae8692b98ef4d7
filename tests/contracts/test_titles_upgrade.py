"""A register from before trees: its rows stay valid, take their place, and are kept apart."""

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import IntegrityError

from tests.conftest import ROOT, migrate

STATES = ("reserved", "held", "effective", "released", "ended")
PARTY, WORK, DEAL = (f"00000000-0000-7000-8000-00000000000{place}" for place in (4, 5, 6))
DOUBLE = "rights_grant_no_double_sale"
GRANT = text(
    "INSERT INTO rights_grant (work_id, id, state, grantor_id, grantee_id, source, deal_id, "
    "right_no, media, territories, languages, during, lane, exclusivity, wire, created_at) "
    "VALUES (:work, gen_random_uuid(), :state, :party, :party, 'x', :deal, '[11,12)', '{[1,2)}', "
    "CAST(:territories AS int4multirange), '{[1,2)}', '[2027-01-01,2028-01-01)', '(,)', "
    "'exclusive', '{}', now())"
)


def insert(connection: Connection, state: str, place: int) -> None:
    connection.execute(
        GRANT,
        {
            "work": WORK, "party": PARTY, "deal": DEAL, "state": state,
            "territories": f"{{[{place},{place + 1})}}",
        },
    )  # fmt: skip


@pytest.fixture
def before(server_url: str) -> Iterator[Connection]:
    """A database of the step before, with a grant in each state."""
    name = "before_trees"
    with create_engine(server_url, isolation_level="AUTOCOMMIT").connect() as admin:
        admin.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        admin.execute(text(f"CREATE DATABASE {name}"))
    url = server_url.replace("/postgres?", f"/{name}?")
    migrate(url, "0012")
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(
            text(
                "INSERT INTO party (id, kind, name_zh, name_en, uscc, state, created_at) VALUES "
                "(:id, 'rights_holder', 'a', 'a', '91110000000000000A', 'verified', now())"
            ),
            {"id": PARTY},
        )
        connection.execute(
            text(
                "INSERT INTO work (id, party_id, title_zh, title_en, kind, year, country, root_id, "
                "created_at) VALUES (:id, :party, 'a', 'a', 'film', 2026, 'CN', :id, now())"
            ),
            {"id": WORK, "party": PARTY},
        )
        for place, state in enumerate(STATES, 1):
            insert(connection, state, place)
        connection.commit()
        yield connection
    engine.dispose()


def move(connection: Connection, revision: str) -> None:
    config = Config(str(ROOT / "alembic.ini"))
    config.attributes["connection"] = connection
    (command.upgrade if revision > "0012" else command.downgrade)(config, revision)
    connection.commit()


def test_old_grants_take_the_place_of_their_work_and_go_back(before: Connection) -> None:
    asked = text(
        "SELECT count(*) FROM rights_grant WHERE root_id = work_id AND units = '[0,1073741824)' "
        "AND under = '00000000-0000-0000-0000-000000000000' AND origin = 'exchange'"
    )
    for _ in range(2):
        move(before, "0013")
        assert before.execute(asked).scalar() == len(STATES)
        with (
            pytest.raises(IntegrityError, match=DOUBLE),
            before.begin_nested(),
        ):
            insert(before, "reserved", 1)
        insert(before, "released", 4)
        before.rollback()
        move(before, "0012")
    with pytest.raises(IntegrityError, match=DOUBLE):
        insert(before, "reserved", 3)
