"""What the exchange asks of whoever proves times: a time-stamp over a digest (RFC 3161)."""

from datetime import datetime
from typing import Protocol

from asn1crypto import cms, x509
from asn1crypto import pem as asn1_pem


def anchors(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of a PEM file, in order.

    Raises:
        ValueError: it holds something else.
    """
    if not pem.strip():
        return []
    return [x509.Certificate.load(der) for _, _, der in asn1_pem.unarmor(pem, multiple=True)]


class NotStamped(Exception):
    """No time-stamp was to be had; the text says why. It costs a level, never a signature."""


class TimeAuthority(Protocol):
    """Time-stamping authorities of others, asked over a network."""

    async def token(self, digest: bytes, *, at: datetime) -> cms.ContentInfo:
        """Return a checked time-stamp token over a SHA-256 digest.

        Args:
            digest: of what exists.
            at: the instant by the exchange's own clock.

        Raises:
            NotStamped: none of them answered as it should.
        """
        ...
