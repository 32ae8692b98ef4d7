"""The exchange's own log and escrow keys: made at first use in development, else required.

Opened once per process: pages and endpoints ask for it at every request, and the sealer holds the
lock of its folder.
"""

from functools import cache
from pathlib import Path

from contracts.log.gateway import LogSigner
from exchange.settings import Settings
from listings.deliveries.gateway import EscrowKey


def log_signer(settings: Settings) -> LogSigner:
    """Return the signer of the transparency log.

    Raises:
        LogKeyMissing: in production, when the operator has not put the key in place.
    """
    if settings.environment == "production":
        return _opened(settings.keys, settings.log_origin)
    return _ensured(settings.keys, settings.log_origin)


def escrow_key(settings: Settings) -> EscrowKey:
    """Return the key that licensors seal content keys to.

    Raises:
        EscrowKeyMissing: in production, when the operator has not put the key in place.
    """
    if settings.environment == "production":
        return EscrowKey.open(settings.keys)
    return EscrowKey.ensure(settings.keys)


@cache
def _opened(keys_dir: Path, origin: str) -> LogSigner:
    return LogSigner.open(keys_dir, origin)


@cache
def _ensured(keys_dir: Path, origin: str) -> LogSigner:
    return LogSigner.ensure(keys_dir, origin)
