"""Reading people, sessions and API keys."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.refusal import Unknown
from exchange.identity import secret
from exchange.identity.tables import ApiKey, Person, SignIn


async def get_person(session: AsyncSession, person_id: UUID) -> Person:
    """Return the person.

    Raises:
        Unknown: there is none of that id.
    """
    person = await session.get(Person, person_id)
    if person is None:
        raise Unknown("There is no such person.", person=str(person_id))
    return person


async def find_person_by_email(session: AsyncSession, email: str) -> Person | None:
    """Return the person with that address (lower case), or None."""
    if "\0" in email:  # PostgreSQL has no text with it
        return None
    chosen = select(Person).where(col(Person.email) == email)
    return (await session.execute(chosen)).scalar_one_or_none()


async def has_people(session: AsyncSession, party_id: UUID) -> bool:
    """Tell whether anybody acts for the party."""
    chosen = select(Person.id).where(col(Person.party_id) == party_id).limit(1)
    return (await session.execute(chosen)).scalar_one_or_none() is not None


async def find_sign_in(
    session: AsyncSession, token: str, *, now: datetime
) -> tuple[SignIn, Person] | None:
    """Return the live session of a browser's token with its person; None when it is not good."""
    chosen = (
        select(SignIn, Person)
        .join(Person, col(Person.id) == col(SignIn.person_id))
        .where(
            col(SignIn.id_hash) == secret.digest(token),
            col(SignIn.expires_at) > now,
            col(Person.state) == "active",
        )
    )
    row = (await session.execute(chosen)).one_or_none()
    return None if row is None else (row[0], row[1])


async def find_key_by_secret(session: AsyncSession, key: str) -> tuple[ApiKey, Person] | None:
    """Return the row of an API key, good or not, with its person."""
    chosen = (
        select(ApiKey, Person)
        .join(Person, col(Person.id) == col(ApiKey.person_id))
        .where(col(ApiKey.secret_sha256) == secret.digest(key))
    )
    row = (await session.execute(chosen)).one_or_none()
    return None if row is None else (row[0], row[1])


async def find_key_of(session: AsyncSession, key_id: UUID, person_id: UUID) -> ApiKey | None:
    """Return the person's key of that id, or None."""
    key = await session.get(ApiKey, key_id)
    return key if key is not None and key.person_id == person_id else None


async def keys_of(
    session: AsyncSession, person_id: UUID, *, after: UUID, limit: int
) -> Sequence[ApiKey]:
    """Return the person's keys in the order of their ids, those after `after`."""
    chosen = (
        select(ApiKey)
        .where(col(ApiKey.person_id) == person_id, col(ApiKey.id) > after)
        .order_by(col(ApiKey.id))
        .limit(limit)
    )
    return (await session.execute(chosen)).scalars().all()
