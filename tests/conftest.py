"""A real PostgreSQL for every test that needs one, built by the migrations."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import hypothesis
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.parties.gateway import LocalAuthority
from exchange import embedded
from exchange.app import create_app
from exchange.context import Context
from exchange.db import Database
from exchange.settings import Settings
from tests import stripe_walk

# No test measures time: on a busy machine an example may take long and be right.
hypothesis.settings.register_profile(
    "exchange", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("exchange")

ROOT = Path(__file__).parent.parent
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def migrate(url: str, revision: str = "head") -> None:
    config = Config(str(ROOT / "alembic.ini"))
    with create_engine(url).connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()


@pytest.fixture(scope="session", autouse=True)
def every_request_to_stripe_fits_its_types() -> Iterator[None]:
    """Whatever any test sends through the SDK is held against the types of its API version."""
    with stripe_walk.watching():
        yield


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of an empty database on a server of this test run's own.

    Not below pytest's own temporary folder: a second pytest closes that folder to other users, and
    a server started by root runs as another user.
    """
    with tempfile.TemporaryDirectory(prefix="exchange-pg-") as folder:
        yield embedded.start(Path(folder))
        embedded.stop(Path(folder))


@pytest.fixture(scope="session")
def database_url(server_url: str) -> str:
    migrate(server_url)
    return server_url


@pytest.fixture(scope="session")
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
async def session(db: Database) -> AsyncIterator[AsyncSession]:
    """A session whose work is rolled back when the test ends."""
    async with db.sessions() as opened:
        yield opened
        await opened.rollback()


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings whose certificate authority is older than NOW and than the clock of any run."""
    made = Settings(home=tmp_path_factory.mktemp("home"))
    LocalAuthority.ensure(made.keys, datetime(2026, 1, 1, tzinfo=UTC))
    return made


@pytest.fixture(scope="session")
def context(settings: Settings, db: Database) -> Context:
    return Context(settings, db)


@pytest.fixture
async def client(context: Context) -> AsyncIterator[httpx.AsyncClient]:
    """The public API, over the same ASGI application that is served."""
    transport = httpx.ASGITransport(app=create_app(context), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange.test") as opened:
        yield opened
