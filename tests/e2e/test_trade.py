"""One whole trade through the public HTTP API, as `make run` plays it."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.demo import market
from exchange.settings import Settings
from tests.e2e import harness

STEPS = {"parties", "master", "fingerprint", "listing", "bids", "deal", "grant", "settlement"}


@pytest.fixture(scope="module")
def own() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="exchange-trade-") as folder:
        yield harness.own_settings(Path(folder))


def exchange(own: Settings, *words: str, patience_s: int = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exchange", *words],
        env=harness.environment(own),
        capture_output=True,
        text=True,
        timeout=patience_s,
        check=False,
    )


@pytest.fixture(scope="module")
def played(own: Settings) -> dict[str, object]:
    done = exchange(own, "demo", "--exit", "--json")
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_the_trade_plays_its_nine_steps(played: dict[str, object]) -> None:
    steps = set(dict(played["steps"]))
    assert steps >= STEPS | {"evidence"}
    assert played["bids_answered"] == 200
    assert played["price_minor"] == market.FLOOR_MINOR + 199 * market.STEP_MINOR
    assert played["books_balance"] is True


@pytest.mark.slow
def test_a_second_run_keeps_the_data(own: Settings, played: dict[str, object]) -> None:
    again = exchange(own, "demo", "--exit", "--json")
    assert again.returncode == 0, again.stderr[-4000:]
    recalled = json.loads(again.stdout.splitlines()[-1])
    assert recalled["again"] is True
    assert recalled["ids"] == played["ids"]


@pytest.mark.slow
def test_the_books_balance_and_the_command_says_so(
    own: Settings, played: dict[str, object]
) -> None:
    done = exchange(own, "ledger", "check", "--json")
    assert done.returncode == 0, played
    assert json.loads(done.stdout)["balanced"] is True


@pytest.mark.slow
def test_the_evidence_verifies_offline_and_one_flipped_byte_does_not(
    played: dict[str, object], tmp_path: Path
) -> None:
    bundle = Path(str(played["evidence"]))
    command = [
        sys.executable,
        "-m",
        "exchange",
        "verify",
        "--json",
        "--trust",
        str(played["log_key"]),
    ]
    good = subprocess.run([*command, str(bundle)], capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stdout
    raw = bytearray(bundle.read_bytes())
    raw[len(raw) // 3] ^= 1
    (tmp_path / "damaged.zip").write_bytes(raw)
    bad = subprocess.run(
        [*command, str(tmp_path / "damaged.zip")], capture_output=True, text=True, check=False
    )
    assert bad.returncode == 1
    failing = [check for check in json.loads(bad.stdout)["checks"] if not check["ok"]]
    assert failing and failing[0]["detail"]


@pytest.mark.slow
def test_a_demo_that_was_killed_leaves_nothing_in_the_way_of_the_next(
    own: Settings, played: dict[str, object]
) -> None:
    command = [sys.executable, "-m", "exchange", "demo"]
    with subprocess.Popen(
        command, env=harness.environment(own), stdout=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stdout is not None
        for line in serving.stdout:
            if "until Ctrl-C" in line:
                break
        serving.kill()
    again = exchange(own, "demo", "--exit", "--json")
    assert again.returncode == 0, again.stderr[-4000:]
    assert json.loads(again.stdout.splitlines()[-1])["ids"] == played["ids"]


@pytest.mark.slow
def test_doctor_finds_no_fault_after_the_trade(own: Settings, played: dict[str, object]) -> None:
    done = exchange(own, "doctor", "--json")
    faults = [one for one in json.loads(done.stdout) if one["state"] == "fault"]
    assert (done.returncode, faults) == (0, []), played
