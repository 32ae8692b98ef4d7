"""The published list of revoked certificates (证书吊销列表): made anew when it has to be.

Source: RFC 5280 §5 (a new list before the last one ends, and whenever something was revoked).
"""

from datetime import datetime, timedelta
from typing import Protocol

from cryptography import x509
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import canonical, ids, locking, rfc3339
from contracts.facts import service as facts
from contracts.parties import queries, service
from contracts.parties.tables import Party, RevocationList

# A list is good for thirty days; whoever fetches one a day never holds one that is over.
RENEW_AFTER = timedelta(days=1)


class Lister(Protocol):
    """Whoever signs lists of revoked certificates."""

    def crl(self, revoked: list[tuple[bytes, datetime]], *, now: datetime) -> bytes:
        """Return the list of revoked certificates (DER)."""
        ...


async def latest(session: AsyncSession) -> RevocationList | None:
    """Return the list in force, or None."""
    chosen = select(RevocationList).order_by(col(RevocationList.made_at).desc()).limit(1)
    return (await session.execute(chosen)).scalar_one_or_none()


async def revoked(session: AsyncSession, *, now: datetime) -> list[tuple[bytes, datetime]]:
    """Return every certificate of a revoked key, with the instant of its revocation."""
    found = await queries.revoked_keys(session)
    return [(key.certificate_pem.encode(), key.revoked_at or now) for key in found]


async def renew(session: AsyncSession, *, lister: Lister, now: datetime) -> int:
    """Publish a list if something was revoked since the last one, or it is a day old.

    Returns:
        how many lists were published: 0 or 1.
    """
    exchange = await service.ensure_exchange(session, now=now)
    await locking.find_locked(session, Party, col(Party.id) == exchange.id)  # one at a time
    der = lister.crl(await revoked(session, now=now), now=now)
    made, last = x509.load_der_x509_crl(der), await latest(session)
    content = _content(made)
    if last is not None and last.made_at >= now:
        return 0
    if last and last.content_sha256 == content and now < last.made_at + RENEW_AFTER:
        return 0
    row = RevocationList(
        id=ids.new(now), der=der, content_sha256=content, entries=len(made), made_at=now,
        next_update=made.next_update_utc or now,
    )  # fmt: skip
    session.add(row)
    await session.flush()
    record = {
        "list": str(row.id),
        "issuer": made.issuer.rfc4514_string(),
        "sha256": canonical.sha256_hex(der),
        "entries": row.entries,
        "next_update": rfc3339.to_the_second(row.next_update),
    }
    await facts.record(session, "crl.issued", row.id, record, parties=[exchange.id], now=now)
    return 1


def _content(made: x509.CertificateRevocationList) -> str:
    """Return a hash over what a list names, and over whose key it is by."""
    by = made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    named = sorted(f"{one.serial_number:x} {one.revocation_date_utc}" for one in made)
    return canonical.sha256_hex("\n".join([(by.key_identifier or b"").hex(), *named]).encode())
