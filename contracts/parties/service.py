"""Registering and verifying parties, and the keys they sign with."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import locking
from contracts.facts import service as facts
from contracts.parties import csr, queries, rules, vouching
from contracts.parties.rules import KeyTaken, UsccTaken
from contracts.parties.tables import Party, PartyKey
from contracts.parties.vouching import Basis, Endorsement
from contracts.refusal import IdReused, Unknown


class Issuer(Protocol):
    """Whoever certifies keys of parties: the exchange, or the authority that a party came from."""

    @property
    def issuer_name(self) -> str | None:
        """Who that is, for people; None: the exchange."""
        ...

    def issue(self, csr_pem: bytes, *, party: Party, now: datetime) -> bytes:
        """Return a certificate (PEM) for the key of the request, in the name of the party.

        Those that it leads to follow it, the root left out.
        """
        ...


async def register(
    session: AsyncSession,
    party_id: UUID,
    *,
    kind: str,
    name_zh: str,
    name_en: str,
    uscc: str,
    now: datetime,
) -> Party:
    """Register a party; the same id with the same content gets the party that is there.

    Raises:
        InvalidContent: the kind is not one that registers itself.
        BadName, ConfusableName: a name breaks its rule, or can be mistaken for another.
        BadUscc: the unified social credit code does not check.
        IdReused: the id belongs to a party with other content.
        UsccTaken: another party has the code.
    """
    wanted = rules.organisation(kind=kind, name_zh=name_zh, name_en=name_en, uscc=uscc)
    if party_id == rules.EXCHANGE_PARTY_ID:
        raise IdReused("This id belongs to the exchange itself.", party=str(party_id))
    party = Party(
        id=party_id,
        kind=wanted.kind,
        name_zh=wanted.name_zh,
        name_en=wanted.name_en,
        uscc=wanted.uscc,
        created_at=now,
    )
    made = await session.execute(
        insert(Party).values(**party.model_dump()).on_conflict_do_nothing().returning(Party)
    )
    row = made.scalar_one_or_none()
    if row is None:
        return await _same(session, party_id, wanted)
    await facts.record(
        session,
        "party.registered",
        row.id,
        {"party": str(row.id), "kind": row.kind},
        parties=[row.id],
        now=now,
    )
    return row


async def verify(session: AsyncSession, party_id: UUID, *, by: UUID, now: datetime) -> Party:
    """Mark a party as verified by a person of the staff (核验通过); a second time changes nothing.

    Raises:
        Unknown: there is no such party.
    """
    party = await _locked(session, party_id)
    if party.state == "verified":
        return party
    party.state = "verified"
    await session.flush()
    await facts.record(
        session,
        "party.verified",
        party.id,
        {"party": str(party.id), "by": str(by)},
        parties=[party.id],
        now=now,
    )
    return party


async def register_key(
    session: AsyncSession,
    party_id: UUID,
    key_id: UUID,
    *,
    csr_pem: bytes,
    issuer: Issuer,
    endorsement: Endorsement | None = None,
    now: datetime,
) -> PartyKey:
    """Register a key that the party proves to hold, certified; the same again changes nothing.

    But for the first, a key in force vouches for it, or staff has let it be registered without.

    Raises:
        BadCsr: the request is unreadable, not signed by its own key, or of another kind.
        Unknown: there is no such party.
        IdReused: the id belongs to another key.
        PartyNotVerified: the exchange certifies the names of verified parties only.
        KeyTaken: the public key was registered before, under another id or by another party.
        KeyNotEndorsed, EndorsementBroken: no earlier key of the party vouches for this one.
    """
    public = csr.read(csr_pem)
    party = await _locked(session, party_id)
    known = await session.get(PartyKey, key_id)
    if known is not None:
        if (known.party_id, known.spki_sha256) != (party_id, public.spki_sha256):
            raise IdReused("This id belongs to another key.", key=str(key_id))
        return known
    rules.need_verified(party.state)
    if await queries.find_spki(session, public.spki_sha256) is not None:
        raise KeyTaken("This public key was registered before.")
    basis = await vouching.basis(session, party_id, public, endorsement)
    certified = issuer.issue(csr_pem, party=party, now=now).decode()
    key = PartyKey(
        id=key_id, party_id=party.id, spki_sha256=public.spki_sha256, public_key_pem=public.pem,
        certificate_pem=certified, registered_at=now, issuer=issuer.issuer_name,
        endorsed_by=basis.previous_id, endorsement=basis.signature,
    )  # fmt: skip
    made = await session.execute(
        insert(PartyKey).values(**key.model_dump()).on_conflict_do_nothing().returning(PartyKey)
    )
    row = made.scalar_one_or_none()
    if row is None:
        raise KeyTaken("This public key was registered before.")
    await _record_key(session, row, basis, now=now)
    return row


async def revoke_key(
    session: AsyncSession, party_id: UUID, key_id: UUID, *, now: datetime
) -> PartyKey:
    """Revoke a key of the party; a second time changes nothing.

    Raises:
        Unknown: the party has no such key.
    """
    await _locked(session, party_id)
    key = await queries.find_key(session, party_id, key_id)
    if key is None:
        raise Unknown("Your organisation has no such key.", key=str(key_id))
    if key.state == "revoked":
        return key
    key.state, key.revoked_at = "revoked", now
    await session.flush()
    await facts.record(
        session,
        "key.revoked",
        key.id,
        {"party": str(party_id), "key": str(key.id), "spki_sha256": key.spki_sha256},
        parties=[party_id],
        now=now,
    )
    return key


async def ensure_exchange(session: AsyncSession, *, now: datetime) -> Party:
    """Return the exchange's own party, made on first use; it is verified by being itself."""
    known = await queries.find_party(session, rules.EXCHANGE_PARTY_ID)
    if known is not None:
        return known
    exchange = Party(
        id=rules.EXCHANGE_PARTY_ID,
        kind="exchange",
        name_zh="超高清版权交易所",
        name_en="UHD Rights Exchange",
        uscc="",
        state="verified",
        created_at=now,
    )
    await session.execute(insert(Party).values(**exchange.model_dump()).on_conflict_do_nothing())
    return await queries.get_party(session, exchange.id)


async def _same(session: AsyncSession, party_id: UUID, wanted: rules.Organisation) -> Party:
    party = await queries.find_party(session, party_id)
    if party is None:
        raise UsccTaken("This unified social credit code is registered already.")
    if wanted != rules.Organisation(party.kind, party.name_zh, party.name_en, party.uscc):
        raise IdReused("This id belongs to a party with other content.", party=str(party_id))
    return party


async def _record_key(session: AsyncSession, key: PartyKey, basis: Basis, *, now: datetime) -> None:
    if basis.reset is not None:
        basis.reset.used_by = key.id
        await session.flush()
    await facts.record(
        session,
        "key.registered",
        key.id,
        {
            "party": str(key.party_id),
            "key": str(key.id),
            "spki_sha256": key.spki_sha256,
            "certificate_sha256": csr.certificate_sha256(key.certificate_pem.encode()),
            "issuer": key.issuer,
            "basis": basis.word,
            "endorsement": basis.record,
        },
        parties=[key.party_id],
        now=now,
    )


async def _locked(session: AsyncSession, party_id: UUID) -> Party:
    party = await locking.find_locked(session, Party, col(Party.id) == party_id)
    if party is None:
        raise Unknown("There is no such party.", party=str(party_id))
    return party
