"""A refusal at the terminal: its code, and what to do next there."""

import subprocess
import sys
from pathlib import Path

FREE = ("avails", "check", "00000000-0000-4000-8000-000000000001", "--from", "2027-01-01",
        "--until", "2027-12-31", "--right", "broadcasting")  # fmt: skip


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exchange", *words],
        env={"EXCHANGE_HOME": str(home), "EXCHANGE_DATABASE_URL": "postgresql://127.0.0.1:9/none"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_database_that_is_away_is_told_with_the_next_command(tmp_path: Path) -> None:
    ended = run(tmp_path, *FREE, "--media", "satellite", "--territories", "CN")
    assert ended.returncode == 1
    assert "database-away" in ended.stderr
    assert "exchange migrate" in ended.stderr


def test_a_territory_that_is_none_is_told_before_any_database_is_asked(tmp_path: Path) -> None:
    ended = run(tmp_path, *FREE, "--media", "satellite", "--territories", "+WRD -ZZ")
    assert ended.returncode == 1
    assert "unknown-territory" in ended.stderr
    assert "ZZ" in ended.stderr
    assert "database-away" not in ended.stderr
