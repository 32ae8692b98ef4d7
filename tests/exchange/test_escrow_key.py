"""The exchange's escrow key: its own or none, never made by itself."""

from pathlib import Path

import pytest

from exchange.settings import Settings
from listings.deliveries.gateway import EscrowKey, EscrowKeyMissing


def test_in_production_an_escrow_key_is_never_made(tmp_path: Path) -> None:
    home = Settings(home=tmp_path).keys
    with pytest.raises(EscrowKeyMissing):
        EscrowKey.open(home)
    made = EscrowKey.ensure(home)
    assert EscrowKey.ensure(home).public == made.public == EscrowKey.open(home).public
    (home / "escrow.key").write_bytes(b"no key")
    with pytest.raises(EscrowKeyMissing):
        EscrowKey.ensure(home)
