"""The process's certificate authority: opened once per keys folder, never made in production."""

from datetime import datetime
from functools import cache
from pathlib import Path

from contracts.parties.gateway import LocalAuthority
from exchange.settings import Settings


def open_authority(settings: Settings, *, now: datetime) -> LocalAuthority:
    """Return the exchange's authority; in development its keys are made on first use.

    Raises:
        AuthorityMissing: in production, a file of the authority is missing or does not fit.
    """
    if settings.environment == "production":
        return _opened(settings.keys)
    return _ensured(settings.keys, now)


@cache
def _opened(keys_dir: Path) -> LocalAuthority:
    return LocalAuthority.open(keys_dir)


_made: dict[Path, LocalAuthority] = {}


def _ensured(keys_dir: Path, now: datetime) -> LocalAuthority:
    if keys_dir not in _made:
        _made[keys_dir] = LocalAuthority.ensure(keys_dir, now)
    return _made[keys_dir]
