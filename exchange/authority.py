"""The process's certificate authority: opened once per keys folder, never made in production."""

from copy import copy
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path

from contracts.parties.gateway import LocalAuthority, Setup
from exchange.settings import Settings
from exchange.timestamping import OutsideAuthorities


def open_authority(settings: Settings, *, now: datetime) -> LocalAuthority:
    """Return the exchange's authority; in development its keys are made on first use.

    Where the settings name outside time-stamping authorities, those stamp in the place of its own.

    Raises:
        AuthorityMissing: in production, a file of the authority is missing or does not fit.
    """
    setup = settings.authority_setup
    production = settings.environment == "production"
    opened = _opened(settings.keys, setup) if production else _ensured(settings.keys, setup, now)
    return _with_outside(opened, settings) if settings.time_roots_pem else opened


def _with_outside(opened: LocalAuthority, settings: Settings) -> LocalAuthority:
    authority = copy(opened)
    authority.certifier = replace(
        opened.certifier,
        outside=_outside(settings.time_authorities, settings.time_roots_pem),
        time_roots_pem=settings.time_roots_pem,
    )
    return authority


@cache
def _outside(urls: tuple[str, ...], roots_pem: bytes) -> OutsideAuthorities | None:
    """Keep those that were asked: they remember which of them failed."""
    return OutsideAuthorities(urls, roots_pem) if urls else None


@cache
def _opened(keys_dir: Path, setup: Setup) -> LocalAuthority:
    return LocalAuthority.open(keys_dir, setup)


_made: dict[tuple[Path, Setup], LocalAuthority] = {}


def _ensured(keys_dir: Path, setup: Setup, now: datetime) -> LocalAuthority:
    if (keys_dir, setup) not in _made:
        _made[keys_dir, setup] = LocalAuthority.ensure(keys_dir, now, setup)
    return _made[keys_dir, setup]
