import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.parties.gateway import LocalAuthority
from exchange.cli import app


def told(monkeypatch: pytest.MonkeyPatch, home: Path, word: str) -> tuple[int, dict[str, bool]]:
    monkeypatch.setenv("EXCHANGE_KEYS_DIR", str(home))
    done = CliRunner().invoke(app, ["ca", word, "--json"])
    rows = json.loads(done.stdout)["certificates"]
    return done.exit_code, {row["name"]: row["in_force"] for row in rows}


def test_a_folder_from_before_time_stamps_gets_a_time_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {"root": True, "exchange": True, "tsa": True}
    assert told(monkeypatch, tmp_path, "init") == (0, whole)
    root = (tmp_path / "root.pem").read_bytes()
    for name in LocalAuthority.TIME_FILES:
        (tmp_path / name).unlink()
    assert told(monkeypatch, tmp_path, "status") == (1, {**whole, "tsa": False})
    assert told(monkeypatch, tmp_path, "init") == (0, whole)
    assert told(monkeypatch, tmp_path, "status") == (0, whole)
    assert (tmp_path / "root.pem").read_bytes() == root
