"""Signed documents of any kind of agreement: certified, signed, archived, and checked each time.

What differs between a contract and an agreement with the exchange is who signs, in which order; all
else is done here, outside the event loop, and nothing is returned that did not pass its check.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol
from uuid import UUID

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import rfc3339
from contracts.deals import archiving, rules, sealing, timestamps, verification
from contracts.deals.gateway import Press, Stamp
from contracts.deals.rules import BadSignature, WrongKey
from contracts.deals.sealing import Prepared
from contracts.deals.verification import SignatureVerdict
from contracts.parties import queries as parties
from contracts.parties.gateway import Certifier, TimeKey
from contracts.parties.tables import Party, PartyKey
from contracts.parties.times import NotStamped


@dataclass(frozen=True, slots=True)
class Paper:
    """What a document is checked against: its terms, and all who sign it, in their order."""

    terms: bytes
    roles: Sequence[str] = sealing.ROLES


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision that passed its check, and the level (PAdES) of the signature that it brings."""

    pdf: bytes
    level: str

    @property
    def is_stamped(self) -> bool:
        """Whether the signature carries a time-stamp."""
        return self.level != "B-B"


class Begun(Protocol):
    """A signing session as its row keeps it."""

    party_id: UUID
    key_id: UUID
    role: str
    spki_sha256: str
    certificate_pem: str
    prepared: bytes
    document_digest: bytes
    gap_start: int
    gap_end: int
    tbs: bytes


class Authority(Protocol):
    """Whoever time-stamps documents and says which certificates are revoked."""

    certifier: Certifier

    def lists(
        self, revoked: list[tuple[bytes, datetime]], *, of: list[bytes], now: datetime
    ) -> list[bytes]:
        """Return the lists of revoked certificates (DER) of those who issued certificates."""
        ...


async def certified(
    paper: Paper,
    base: bytes,
    *,
    press: Press,
    certifier: Certifier,
    exchange: Party,
    now: datetime,
) -> Revision:
    """Return the document as typeset with the exchange's certification upon it.

    Raises:
        DocumentNotSound: the certified file does not pass its own check.
    """
    key = certifier.spki_sha256
    mark = await stamp(press, ("认证", "Certification"), party=exchange, key=key, now=now)
    seal = partial(
        sealing.certify, base, certifier=certifier, stamp=mark, at=now, roles=paper.roles
    )
    pdf = await anyio.to_thread.run_sync(seal)
    return await _sound(pdf, paper, certifier=certifier, keys={paper.roles[0]: key})


async def prepared(
    session: AsyncSession,
    key: PartyKey,
    lay: Callable[..., Prepared],
    *,
    press: Press,
    now: datetime,
) -> Prepared:
    """Lay the stamp of a party's signature upon the document; leave a gap for the signature.

    Raises:
        CertificateExpired: the certificate of the key is not in force.
    """
    rules.check_certificate(key.certificate_pem.encode(), now=now)
    party = await parties.get_party(session, key.party_id)
    title = ("电子签名", "Electronic signature")
    mark = await stamp(press, title, party=party, key=key.spki_sha256, now=now)
    certificate_pem = key.certificate_pem.encode()
    prepare = partial(lay, certificate_pem=certificate_pem, stamp=mark, at=now)
    return await anyio.to_thread.run_sync(prepare)


def opened(key: PartyKey, laid: Prepared, *, on_sha256: str, now: datetime) -> dict[str, Any]:
    """Return what the row of a session keeps of its key and of the bytes prepared to be signed.

    `on_sha256` is of the revision that the signature is put upon.
    """
    return {
        "spki_sha256": key.spki_sha256,
        "certificate_pem": key.certificate_pem,
        "on_sha256": on_sha256,
        "prepared": laid.pdf,
        "document_digest": laid.document_digest,
        "gap_start": laid.gap_start,
        "gap_end": laid.gap_end,
        "tbs": laid.tbs,
        "opened_at": now,
        "expires_at": now + rules.SESSION_LASTS,
    }


async def check_key(
    session: AsyncSession, begun: Begun, der: bytes, *, sides: Sequence[UUID]
) -> None:
    """Pass only a signature by the key that its session was opened for, still in force.

    Raises:
        KeyNotActive: the key was revoked meanwhile.
        WrongKey: the signature is of another key of one of the sides.
        BadSignature: it is of none of theirs, or of other bytes.
    """
    key = await parties.active_key(session, begun.party_id, begun.key_id)
    if rules.fits(der, begun.tbs, public_key_pem=key.public_key_pem.encode()):
        return
    for side in sides:
        for other in await parties.keys_of(session, side):
            if rules.fits(der, begun.tbs, public_key_pem=other.public_key_pem.encode()):
                raise WrongKey("The signature is of another key.")
    raise BadSignature("The signature does not fit the bytes that were to be signed.")


async def signed(
    paper: Paper,
    before: bytes,
    begun: Begun,
    der: bytes,
    *,
    keys: Mapping[str, str],
    certifier: Certifier,
    now: datetime,
) -> Revision:
    """Fill the gap with a party's signature and, where one is to be had, a time-stamp upon it.

    Args:
        paper: what the document is checked against.
        before: the latest revision, upon which the session was opened.
        begun: the session.
        der: the signature.
        keys: from the roles that have signed, in order, to the SHA-256 (hex) of their keys' SPKI.
        certifier: the exchange's own certificate and root.
        now: the instant.

    Raises:
        DocumentNotSound: the signed file does not pass its own check.
    """
    laid = Prepared(
        begun.prepared, begun.document_digest, begun.gap_start, begun.gap_end, begun.tbs
    )
    ask = partial(sealing.time_stamp, der, by=certifier, at=now)
    token = await anyio.to_thread.run_sync(ask)
    fill = partial(
        sealing.complete, laid,
        certificate_pem=begun.certificate_pem.encode(), signature=der, stamped=token,
    )  # fmt: skip
    pdf = await anyio.to_thread.run_sync(fill)
    _check_continues(pdf, before)
    signers = {paper.roles[0]: certifier.spki_sha256, **keys, begun.role: begun.spki_sha256}
    return await _sound(pdf, paper, certifier=certifier, keys=signers)


async def archived(
    session: AsyncSession,
    paper: Paper,
    latest: bytes,
    *,
    number: int,
    signers: Sequence[Begun],
    authority: Authority,
    now: datetime,
) -> tuple[bytes, list[str]]:
    """Append revocation data and a time-stamp; return the file and the level of each signature.

    `number` counts the archives of this document, from 1.

    Raises:
        NotStamped: no time-stamp is to be had.
        DocumentNotSound: the archived file does not pass its own check.
    """
    certifier = authority.certifier
    source = timestamps.source(certifier)
    if source is None:
        raise NotStamped("Nobody is asked for time-stamps.")
    certificates = [
        certifier.root_pem,
        certifier.certificate_pem,
        *((source.certificate_pem,) if isinstance(source, TimeKey) else ()),
        *(one.certificate_pem.encode() for one in signers),
    ]
    revoked = [(key.certificate_pem.encode(), key.revoked_at or now)
               for key in await parties.revoked_keys(session)]  # fmt: skip
    make = partial(
        archiving.archive, latest, number=number, certificates=certificates,
        crls=authority.lists(revoked, of=certificates, now=now), by=source, at=now,
    )  # fmt: skip
    pdf = await anyio.to_thread.run_sync(make)
    _check_continues(pdf, latest)
    keys = {paper.roles[0]: certifier.spki_sha256}
    keys |= {one.role: one.spki_sha256 for one in signers}
    found = await checked(pdf, paper, certifier=certifier, keys=keys)
    return pdf, ["B-B" if one.stamped_at is None else "B-T" for one in found]


async def checked(
    pdf: bytes, paper: Paper, *, certifier: Certifier, keys: Mapping[str, str]
) -> Sequence[SignatureVerdict]:
    """Check a file as everybody may, outside the event loop; return what each signature is worth.

    Raises:
        DocumentNotSound: anything at all is not as it must be.
    """
    check = partial(
        verification.require_sound, pdf, certifier.root_pem, keys=keys, terms=paper.terms,
        time_roots_pem=certifier.time_roots_pem, roles=paper.roles,
    )  # fmt: skip
    return await anyio.to_thread.run_sync(check)


async def stamp(
    press: Press, title: tuple[str, str], *, party: Party, key: str, now: datetime
) -> bytes:
    """Return the page that a signature shows; the title in Chinese and English."""
    zh, en = title
    shown = Stamp(zh, en, party.name_zh, party.name_en, rfc3339.to_the_second(now), key)
    return await press.stamp(shown, at=now)


def _check_continues(pdf: bytes, before: bytes) -> None:
    if not pdf.startswith(before):
        raise verification.DocumentNotSound("The revision does not continue the one before.")


async def _sound(
    pdf: bytes, paper: Paper, *, certifier: Certifier, keys: Mapping[str, str]
) -> Revision:
    verdicts = await checked(pdf, paper, certifier=certifier, keys=keys)
    return Revision(pdf, verdicts[-1].level)
