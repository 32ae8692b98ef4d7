"""Revisions of a contract's file: made outside the event loop, checked before they are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, rfc3339
from contracts.deals import queries, sealing, verification
from contracts.deals.gateway import Press, Stamp
from contracts.deals.sealing import Prepared
from contracts.deals.tables import Deal, DealDocument, SigningSession
from contracts.deals.verification import SignatureVerdict
from contracts.parties.gateway import Certifier
from contracts.parties.tables import Party


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision that passed its check, and the level (PAdES) of the signature that it brings."""

    pdf: bytes
    level: str

    @property
    def is_stamped(self) -> bool:
        """Whether the signature carries a time-stamp."""
        return self.level != "B-B"


async def certified(
    deal: Deal,
    base: bytes,
    *,
    press: Press,
    certifier: Certifier,
    exchange: Party,
    now: datetime,
) -> Revision:
    """Return the contract as typeset with the exchange's certification upon it.

    Raises:
        DocumentNotSound: the certified file does not pass its own check.
    """
    key = certifier.spki_sha256
    mark = await stamp(press, ("认证", "Certification"), party=exchange, key=key, now=now)
    seal = partial(sealing.certify, base, certifier=certifier, stamp=mark, at=now)
    pdf = await anyio.to_thread.run_sync(seal)
    return await _sound(pdf, deal, certifier=certifier, keys={"exchange": key})


async def signed(
    session: AsyncSession,
    deal: Deal,
    begun: SigningSession,
    der: bytes,
    *,
    certifier: Certifier,
    now: datetime,
) -> Revision:
    """Fill the gap with a party's signature and, where one is to be had, a time-stamp upon it.

    The whole file is checked before anybody may see it.

    Raises:
        DocumentNotSound: the signed file does not pass its own check.
    """
    prepared = Prepared(
        begun.prepared, begun.document_digest, begun.gap_start, begun.gap_end, begun.tbs
    )
    ask = partial(sealing.time_stamp, der, by=certifier, at=now)
    token = await anyio.to_thread.run_sync(ask)
    fill = partial(
        sealing.complete, prepared,
        certificate_pem=begun.certificate_pem.encode(), signature=der, stamped=token,
    )  # fmt: skip
    pdf = await anyio.to_thread.run_sync(fill)
    before = await queries.document(session, deal.id)
    if not pdf.startswith(before.pdf):
        raise verification.DocumentNotSound("The revision does not continue the one before.")
    keys = {"exchange": certifier.spki_sha256}
    for done in await queries.completed_sessions(session, deal.id):
        keys[done.role] = done.spki_sha256
    keys[begun.role] = begun.spki_sha256
    return await _sound(pdf, deal, certifier=certifier, keys=keys)


async def stamp(
    press: Press, title: tuple[str, str], *, party: Party, key: str, now: datetime
) -> bytes:
    """Return the page that a signature shows; the title in Chinese and English."""
    zh, en = title
    shown = Stamp(zh, en, party.name_zh, party.name_en, rfc3339.to_the_second(now), key)
    return await press.stamp(shown, at=now)


def document(deal: Deal, revision: int, pdf: bytes, *, now: datetime) -> DealDocument:
    """Return the row that keeps a revision."""
    return DealDocument(
        deal_id=deal.id, revision=revision, pdf=pdf, sha256=canonical.sha256_hex(pdf), made_at=now
    )


async def checked(
    pdf: bytes, deal: Deal, *, certifier: Certifier, keys: Mapping[str, str]
) -> Sequence[SignatureVerdict]:
    """Check a file as everybody may, outside the event loop; return what each signature is worth.

    Raises:
        DocumentNotSound: anything at all is not as it must be.
    """
    check = partial(
        verification.require_sound, pdf, certifier.root_pem,
        keys=keys, terms=deal.terms, time_roots_pem=certifier.time_roots_pem,
    )  # fmt: skip
    return await anyio.to_thread.run_sync(check)


async def _sound(
    pdf: bytes, deal: Deal, *, certifier: Certifier, keys: Mapping[str, str]
) -> Revision:
    verdicts = await checked(pdf, deal, certifier=certifier, keys=keys)
    return Revision(pdf, verdicts[-1].level)
