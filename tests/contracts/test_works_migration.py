"""Works that were registered before there were trees."""

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from contracts import ids
from tests.conftest import NOW, ROOT, migrate
from tests.contracts.parties_factory import code


def test_a_work_from_before_becomes_the_root_of_a_tree_of_its_own(server_url: str) -> None:
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS before_trees WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE before_trees"))
    server.dispose()
    url = server_url.replace("/postgres?", "/before_trees?")
    migrate(url, "0011")
    party_id, work_id = ids.new(NOW), ids.new(NOW)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO party (id, kind, name_zh, name_en, uscc, state, created_at) "
                "VALUES (:id, 'rights_holder', '甲', 'A', :uscc, 'verified', :now)"
            ),
            {"id": party_id, "uscc": code(1), "now": NOW},
        )
        connection.execute(
            text(
                "INSERT INTO work (id, party_id, title_zh, title_en, kind, year, country, "
                "created_at) VALUES (:id, :party, '花', 'F', 'film', 2026, 'CN', :now)"
            ),
            {"id": work_id, "party": party_id, "now": NOW},
        )
    migrate(url)
    with engine.connect() as connection:
        row = connection.execute(
            text("SELECT parent_id, root_id, unit_first, unit_after, published_on FROM work")
        ).one()
        assert tuple(row) == (None, work_id, 0, 2**30, None)
        config = Config(str(ROOT / "alembic.ini"))
        config.attributes["connection"] = connection
        command.downgrade(config, "0011")
        connection.commit()
        assert connection.execute(text("SELECT id FROM work")).scalar_one() == work_id
    engine.dispose()
