"""People, API keys and signed-in clients for tests."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from uuid import UUID

import httpx
from pwdlib import PasswordHash
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.parties.tables import Party
from exchange import clock
from exchange.app import create_app
from exchange.context import Context
from exchange.identity import secret
from exchange.identity.rules import SCOPES
from exchange.identity.tables import ApiKey, Person
from tests.contracts.parties_factory import party

PASSWORD = "correct horse battery"
_HASH = PasswordHash.recommended().hash(PASSWORD)
_KIND = {"holder": "rights_holder", "broadcaster": "broadcaster"}


async def person(
    session: AsyncSession, *, party_id: UUID, role: str = "holder", now: datetime
) -> Person:
    """A person of its own, whose password is PASSWORD."""
    id = ids.new(now)
    made = Person(
        id=id,
        party_id=party_id,
        email=f"{id.hex}@example.test",
        name="示范人员",
        password_hash=_HASH,
        role=role,
        created_at=now,
    )
    session.add(made)
    await session.flush()
    return made


async def api_key(
    session: AsyncSession,
    *,
    person: Person,
    scopes: Sequence[str] = SCOPES,
    expires_at: datetime | None = None,
    now: datetime,
) -> str:
    """The text of a new API key; a role still narrows its scopes when it is used."""
    key = secret.write(secrets.token_bytes(32), prefix=secret.TEST)
    row = ApiKey(
        id=ids.new(now),
        person_id=person.id,
        party_id=person.party_id,
        name="test",
        prefix=secret.TEST,
        secret_sha256=secret.digest(key),
        last4=key[-4:],
        scopes=list(scopes),
        expires_at=expires_at,
        created_at=now,
    )
    session.add(row)
    await session.flush()
    return key


def headers(key: str) -> dict[str, str]:
    """The header that sends an API key."""
    return {"Authorization": f"Bearer {key}"}


@asynccontextmanager
async def signed_client(
    context: Context,
    *,
    role: str = "holder",
    scopes: Sequence[str] = SCOPES,
    of: Party | None = None,
    verified: bool = True,
) -> AsyncIterator[tuple[httpx.AsyncClient, Person]]:
    """A client with the API key of a new person: of `of`, or of a new party that fits the role.

    Its rows are committed, because the API uses connections of its own. Staff get a party of kind
    `rights_holder`, which no rule for staff looks at.
    """
    now = clock.now()
    async with context.db.transaction() as session:
        kind = _KIND.get(role, "rights_holder")
        home = of or await party(session, kind=kind, verified=verified, now=now)
        who = await person(session, party_id=home.id, role=role, now=now)
        key = await api_key(session, person=who, scopes=scopes, now=now)
    transport = httpx.ASGITransport(app=create_app(context), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://exchange.test", headers=headers(key)
    ) as client:
        yield client, who


class Doors:
    """Clients of people, opened when they are first needed."""

    def __init__(self, context: Context, stack: AsyncExitStack) -> None:
        self.context, self.stack = context, stack

    async def of(self, role: str, organisation: Party | None = None) -> httpx.AsyncClient:
        opened = signed_client(self.context, role=role, of=organisation)
        return (await self.stack.enter_async_context(opened))[0]
