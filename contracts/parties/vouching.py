"""Who vouches for a party's next key: the key before it, or the exchange's staff by name (换钥)."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import locking
from contracts.facts import service as facts
from contracts.parties import csr, endorsing, queries, rules
from contracts.parties.csr import PublicKey
from contracts.parties.tables import KeyReset, Party, PartyKey
from contracts.refusal import IdReused, Kind, Refusal, Unknown

LONGEST_REASON = 500


class KeyNotEndorsed(Refusal):
    """The party has had a key, and neither it nor the exchange's staff vouches for this one."""

    kind, code = Kind.CONFLICT, "key-not-endorsed"
    hint = (
        "Sign the next key with one in force (`exchange keys register --previous KEY`, or in the "
        "browser that keeps it). If it is lost or stolen, ask the operator for a reset."
    )


class EndorsementBroken(Refusal):
    """What is to vouch for the key does not: another key signed, or something else was signed."""

    kind, code = Kind.CONFLICT, "endorsement-broken"
    hint = (
        "Sign the RFC 8785 bytes of {v: uhdx/key/v1, party, spki_sha256, previous_sha256} with a "
        "key of your organisation that is in force; contracts' keys vouch for either kind."
    )


@dataclass(frozen=True, slots=True)
class Endorsement:
    """What a key of the party says of its next one."""

    key_id: UUID
    signature: bytes


@dataclass(frozen=True, slots=True)
class Basis:
    """Why a key counts as the party's: the first of its kind, `endorsed`, or after a `reset`."""

    word: str
    previous: PartyKey | None = None
    signature: bytes | None = None
    reset: KeyReset | None = None

    @property
    def previous_id(self) -> UUID | None:
        """The key that vouches, if one does."""
        return None if self.previous is None else self.previous.id

    @property
    def record(self) -> dict[str, str] | None:
        """What the log says of the endorsement, so that anybody can check it."""
        if self.previous is None or self.signature is None:
            return None
        named = {"spki": spki_of(self.previous), "signature": self.signature}
        return {name: base64.b64encode(value).decode() for name, value in named.items()}


async def basis(
    session: AsyncSession, party_id: UUID, public: PublicKey, given: Endorsement | None
) -> Basis:
    """Return why a new key counts as the party's, whose row is locked.

    Raises:
        EndorsementBroken: what was given does not vouch for this key.
        KeyNotEndorsed: nothing was given, though the party has had a key that signs the same.
    """
    keys, signs = await queries.keys_of(session, party_id), csr.signs_documents(public.pem)
    if given is not None:
        return _endorsed(keys, given, party_id=party_id, public=public)
    earlier = [key for key in keys if csr.signs_documents(key.public_key_pem) == signs]
    if not earlier:
        return Basis("first")
    chosen = select(KeyReset).where(
        col(KeyReset.party_id) == party_id, col(KeyReset.used_by).is_(None)
    )
    reset = (await session.execute(chosen.order_by(col(KeyReset.id)).limit(1))).scalar()
    if reset is not None:
        return Basis("reset", reset=reset)
    raise KeyNotEndorsed(
        "No earlier key vouches for this one.",
        previous=[key.spki_sha256 for key in earlier if key.state == "active"],
    )


async def allow_reset(
    session: AsyncSession, party_id: UUID, reset_id: UUID, *, by: UUID, reason: str, now: datetime
) -> KeyReset:
    """Let a party register one key that no earlier one vouches for; the log shows that it was let.

    Raises:
        BadName: the reason is empty, too long, or holds characters that cannot be seen.
        Unknown: there is no such party.
        IdReused: the id belongs to another reset.
    """
    said = rules.clean_name(reason, field="reason", most=LONGEST_REASON)
    party = await locking.find_locked(session, Party, col(Party.id) == party_id)
    if party is None:
        raise Unknown("There is no such party.", party=str(party_id))
    known = await session.get(KeyReset, reset_id)
    if known is not None:
        if (known.party_id, known.reason) != (party_id, said):
            raise IdReused("This id belongs to another reset.", reset=str(reset_id))
        return known
    reset = KeyReset(id=reset_id, party_id=party_id, allowed_by=by, reason=said, allowed_at=now)
    session.add(reset)
    await session.flush()
    record = {"party": str(party_id), "reset": str(reset_id), "by": str(by), "reason": said}
    await facts.record(session, "key.reset", reset_id, record, parties=[party_id], now=now)
    return reset


def spki_of(key: PartyKey) -> bytes:
    """Return a registered key's SubjectPublicKeyInfo as DER."""
    public = load_pem_public_key(key.public_key_pem.encode())
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _endorsed(
    keys: Sequence[PartyKey], given: Endorsement, *, party_id: UUID, public: PublicKey
) -> Basis:
    previous = next((key for key in keys if key.id == given.key_id), None)
    # What is kept for bids lies on servers; it is no witness for a key that signs contracts.
    fits = previous is not None and (
        csr.signs_documents(previous.public_key_pem) or not csr.signs_documents(public.pem)
    )
    if previous is None or previous.state != "active" or not fits:
        raise EndorsementBroken("That key does not vouch for others now.", key=str(given.key_id))
    if not endorsing.holds(
        spki_of(previous), given.signature, party_id=party_id, spki_sha256=public.spki_sha256
    ):
        raise EndorsementBroken("The endorsement is not of this key.", key=str(given.key_id))
    return Basis("endorsed", previous, given.signature)
