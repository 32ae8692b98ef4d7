"""Registering people, signing in and out, API keys, and recognising callers.

Every failed authentication is logged with its reason, never with a secret or an address.
"""

import hmac
import logging
import secrets
from datetime import datetime
from typing import Unpack
from uuid import UUID

from sqlalchemy import Select, case, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids
from contracts.parties import service as parties
from contracts.parties.queries import find_party
from contracts.parties.rules import Organisation
from contracts.parties.tables import Party
from contracts.refusal import IdReused, Unknown
from exchange.identity import password as passwords
from exchange.identity import queries, rules, secret
from exchange.identity.rules import (
    Caller,
    CsrfToken,
    EmailTaken,
    KeyFields,
    PersonFields,
    Role,
    SignInFailed,
    SignInNeeded,
    TooManyAttempts,
)
from exchange.identity.tables import ApiKey, Person, SignIn, SignInFailures

_log = logging.getLogger("exchange.identity")
# Rows that no longer matter are swept by those who come after, a few at a time.
_SWEPT_AT_ONCE = 100


async def sign_up(
    session: AsyncSession,
    party_id: UUID,
    person_id: UUID,
    *,
    organisation: Organisation,
    person: PersonFields,
    now: datetime,
) -> tuple[Party, Person]:
    """Register a party together with its first person; the same again changes nothing.

    A party that is there already is never joined this way: its person must be there too.

    Raises:
        IdReused: an id is taken by other content, or the party has another first person.
        UsccTaken: another party has the unified social credit code.
        EmailTaken: another person has the address.
        BadName: a name breaks its rule.
        BadUscc: the code does not check.
        BadEmail: the address does not have the form of one.
        WeakPassword: the password is easy to guess.
    """
    existed = await find_party(session, party_id) is not None
    party = await parties.register(
        session,
        party_id,
        kind=organisation.kind,
        name_zh=organisation.name_zh,
        name_en=organisation.name_en,
        uscc=organisation.uscc,
        now=now,
    )
    # Looked up after the insert, which waits for a twin of this request to commit its person.
    if await session.get(Person, person_id) is None and (
        existed or await queries.has_people(session, party.id)
    ):
        raise IdReused("This id belongs to another party.", party=str(party_id))
    role = rules.ROLE_OF_KIND[party.kind]
    first = await register_person(
        session, person_id, party_id=party.id, role=role, now=now, **person
    )
    return party, first


async def register_person(
    session: AsyncSession,
    person_id: UUID,
    *,
    party_id: UUID,
    role: Role,
    now: datetime,
    **fields: Unpack[PersonFields],
) -> Person:
    """Register a person of a party; the same again, password included, changes nothing.

    Raises:
        IdReused: the id belongs to a person with other content.
        EmailTaken: another person has the address.
        BadName: the name breaks its rule.
        BadEmail: the address does not have the form of one.
        WeakPassword: the password is easy to guess.
    """
    wanted = rules.clean_person(fields)
    known = await session.get(Person, person_id)
    if known is not None:
        return await _same_person(known, party_id=party_id, role=role, wanted=wanted)
    person = Person(
        id=person_id,
        party_id=party_id,
        email=wanted["email"],
        name=wanted["name"],
        password_hash=await passwords.hash_of(wanted["password"]),
        role=role.value,
        created_at=now,
    )
    made = await session.execute(
        insert(Person).values(**person.model_dump()).on_conflict_do_nothing().returning(Person)
    )
    row = made.scalar_one_or_none()
    if row is not None:
        return row
    rival = await session.get(Person, person_id)
    if rival is None:
        raise EmailTaken("This e-mail address is registered already.")
    return await _same_person(rival, party_id=party_id, role=role, wanted=wanted)


async def add_staff(
    session: AsyncSession, *, role: Role, now: datetime, **fields: Unpack[PersonFields]
) -> Person:
    """Add a person of the exchange's own staff; one who is there with this role is left alone.

    Raises:
        EmailTaken: the address belongs to someone else, or to staff of another role.
        BadName: the name breaks its rule.
        BadEmail: the address does not have the form of one.
        WeakPassword: the password is easy to guess.
    """
    exchange = await parties.ensure_exchange(session, now=now)
    email = rules.clean_person(fields)["email"]
    known = await queries.find_person_by_email(session, email)
    if known is not None:
        if (known.party_id, known.role) != (exchange.id, role.value):
            raise EmailTaken("This e-mail address is registered already.")
        return known
    return await register_person(
        session, ids.new(now), party_id=exchange.id, role=role, now=now, **fields
    )


async def sign_in(
    session: AsyncSession, *, email: str, password: str, now: datetime
) -> tuple[str, str, Person]:
    """Open a browser session; return its token (for the cookie), its CSRF token and the person.

    The attempt is counted in this transaction: whoever catches `SignInFailed` must let it commit.
    An unknown address costs the same work and gets the same answer as a wrong password.

    Raises:
        SignInFailed: the address is unknown, the password wrong, or the person suspended.
        TooManyAttempts: ten attempts with this address failed within 15 minutes.
    """
    person = await checked(session, email=email, password=password, now=now)
    token, csrf_token = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    session.add(
        SignIn(
            id_hash=secret.digest(token),
            person_id=person.id,
            csrf_token=csrf_token,
            expires_at=now + rules.SESSION_LASTS,
            created_at=now,
        )
    )
    await session.flush()
    return token, csrf_token, person


async def checked(session: AsyncSession, *, email: str, password: str, now: datetime) -> Person:
    """Return the person whom an address and a password belong to; see `sign_in`.

    Raises:
        SignInFailed: the address is unknown, the password wrong, or the person suspended.
        TooManyAttempts: ten attempts with this address failed within 15 minutes.
    """
    address = email.strip().lower()
    await _count_attempt(session, address, now=now)
    person = await queries.find_person_by_email(session, address)
    fits = await passwords.fits(password, None if person is None else person.password_hash)
    if person is None or not fits or person.state != "active":
        _failed("sign-in-failed", account=secret.digest(address).hex()[:12])
        raise SignInFailed("The e-mail address and the password do not belong together.")
    await _forget(session, address, now=now)
    return person


async def sign_out(session: AsyncSession, token: str) -> None:
    """End the browser session of a token; one that is not there is ended already."""
    await session.execute(delete(SignIn).where(col(SignIn.id_hash) == secret.digest(token)))


async def create_key(
    session: AsyncSession,
    key_id: UUID,
    *,
    caller: Caller,
    prefix: str = secret.TEST,
    now: datetime,
    **fields: Unpack[KeyFields],
) -> tuple[ApiKey, str | None]:
    """Make an API key of the caller's; return it with its secret, which is never shown again.

    The same id with the same content gets the same key, and None instead of the secret.

    Raises:
        IdReused: the id belongs to another key.
        NotAllowed: the caller acts through an API key.
        ScopeNotAllowed: the role does not cover a scope.
        BadExpiry: the key would be expired from the start.
        BadName: the key's name breaks its rule.
        InvalidContent: a scope is unknown, or none is given.
    """
    wanted = rules.clean_key(fields)
    known = await session.get(ApiKey, key_id)
    if known is not None:
        return _same_key(known, caller=caller, wanted=wanted), None
    rules.check_new_key(caller, wanted, now=now)
    text = secret.write(secrets.token_bytes(32), prefix=prefix)
    key = ApiKey(
        id=key_id,
        person_id=caller.person_id,
        party_id=caller.party_id,
        name=wanted["name"],
        prefix=prefix,
        secret_sha256=secret.digest(text),
        last4=text[-4:],
        scopes=list(wanted["scopes"]),
        expires_at=wanted["expires_at"],
        created_at=now,
    )
    made = await session.execute(
        insert(ApiKey).values(**key.model_dump()).on_conflict_do_nothing().returning(ApiKey)
    )
    row = made.scalar_one_or_none()
    if row is not None:
        return row, text
    rival = await session.get_one(ApiKey, key_id)
    return _same_key(rival, caller=caller, wanted=wanted), None


async def revoke_key(
    session: AsyncSession, key_id: UUID, *, caller: Caller, now: datetime
) -> ApiKey:
    """Revoke one of the caller's API keys; a second time changes nothing.

    Raises:
        Unknown: the caller has no such key.
        NotAllowed: the caller acts through another API key.
    """
    if caller.key_id != key_id:
        caller.need_session()
    key = await queries.find_key_of(session, key_id, caller.person_id)
    if key is None:
        raise Unknown("You have no such key.", key=str(key_id))
    if key.revoked_at is None:
        key.revoked_at = now
        await session.flush()
    return key


async def caller_by_key(session: AsyncSession, key: str, *, now: datetime) -> Caller:
    """Recognise the holder of an API key.

    Raises:
        SignInNeeded: the key is malformed, unknown, expired or revoked, or its person suspended.
    """
    found = await queries.find_key_by_secret(session, key) if secret.is_well_formed(key) else None
    if found is None:
        _failed("unknown-key")
        raise SignInNeeded("This API key is not known.")
    row, person = found
    reason = _fault(row, person, now=now)
    if reason is not None:
        _failed(f"{reason}-key", key=str(row.id))
        raise SignInNeeded(f"This API key is {reason}.")
    role = Role(person.role)
    return Caller(
        person_id=person.id,
        party_id=person.party_id,
        role=role,
        scopes=rules.SCOPES_OF[role].intersection(row.scopes),
        key_id=row.id,
    )


async def caller_by_session(
    session: AsyncSession, token: str, *, csrf_token: str | None, now: datetime
) -> Caller:
    """Recognise the person of a browser session; `csrf_token` is None for safe methods.

    Raises:
        SignInNeeded: the session is unknown, expired or ended, or its person suspended.
        CsrfToken: the CSRF token is not this session's.
    """
    found = await queries.find_sign_in(session, token, now=now)
    if found is None:
        _failed("unknown-session")
        raise SignInNeeded("Your session has ended.")
    return caller_of(*found, csrf_token=csrf_token)


def caller_of(row: SignIn, person: Person, *, csrf_token: str | None) -> Caller:
    """Return the person of a live browser session; `csrf_token` is None for safe methods.

    Raises:
        CsrfToken: the CSRF token is not this session's.
    """
    if csrf_token is not None and not _equal(csrf_token, row.csrf_token):
        _failed("csrf-token", person=str(person.id))
        raise CsrfToken("The CSRF token is not this session's.")
    return Caller(person.id, person.party_id, Role(person.role), frozenset(rules.SCOPES))


async def _same_person(
    person: Person, *, party_id: UUID, role: Role, wanted: PersonFields
) -> Person:
    given = (party_id, role.value, wanted["email"], wanted["name"])
    same = given == (person.party_id, person.role, person.email, person.name)
    if not same or not await passwords.fits(wanted["password"], person.password_hash):
        raise IdReused("This id belongs to another person.", person=str(person.id))
    return person


def _same_key(key: ApiKey, *, caller: Caller, wanted: KeyFields) -> ApiKey:
    given = (caller.person_id, wanted["name"], list(wanted["scopes"]), wanted["expires_at"])
    if given != (key.person_id, key.name, key.scopes, key.expires_at):
        raise IdReused("This id belongs to another key.", key=str(key.id))
    return key


def _fault(key: ApiKey, person: Person, *, now: datetime) -> str | None:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= now:
        return "expired"
    return None if person.state == "active" else "suspended"


async def _count_attempt(session: AsyncSession, address: str, *, now: datetime) -> None:
    # Counted before the password is looked at; the row lock makes parallel guesses queue.
    over = col(SignInFailures.since) <= now - rules.FAILURES_COUNT_FOR
    first = insert(SignInFailures).values(email_hash=secret.digest(address), failures=1, since=now)
    counted = first.on_conflict_do_update(
        index_elements=[col(SignInFailures.email_hash)],
        set_={
            "failures": case((over, 1), else_=col(SignInFailures.failures) + 1),
            "since": case((over, now), else_=col(SignInFailures.since)),
        },
    ).returning(col(SignInFailures.failures), col(SignInFailures.since))
    failures, since = (await session.execute(counted)).one()
    if failures > rules.FAILURES_ALLOWED:
        _failed("too-many-attempts", account=secret.digest(address).hex()[:12])
        left = since + rules.FAILURES_COUNT_FOR - now
        raise TooManyAttempts(
            "Too many attempts with this address have failed.",
            retry_after_s=max(1, int(left.total_seconds())),
        )


async def _forget(session: AsyncSession, address: str, *, now: datetime) -> None:
    mine = col(SignInFailures.email_hash) == secret.digest(address)
    await session.execute(delete(SignInFailures).where(mine))
    stale = col(SignInFailures.since) <= now - rules.FAILURES_COUNT_FOR
    addresses = _some(select(col(SignInFailures.email_hash)).where(stale))
    await session.execute(
        delete(SignInFailures).where(col(SignInFailures.email_hash).in_(addresses))
    )
    ended = _some(select(col(SignIn.id_hash)).where(col(SignIn.expires_at) <= now))
    await session.execute(delete(SignIn).where(col(SignIn.id_hash).in_(ended)))


def _some(rows: Select[bytes]) -> Select[bytes]:
    return rows.limit(_SWEPT_AT_ONCE).with_for_update(skip_locked=True)


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _failed(reason: str, **about: str) -> None:
    _log.warning("authentication failed", extra={"reason": reason, **about})
