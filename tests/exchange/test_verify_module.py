"""The verifier as one module: what it imports, what it says, and that it says it alone."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from contracts import verify
from contracts.evidence import archive
from contracts.evidence.opened import Failed
from contracts.parties.gateway import LocalAuthority
from exchange import keys
from exchange.db import Database
from exchange.evidence import bundle
from exchange.settings import Settings
from listings.auctions import verify_auction
from tests.exchange.evidence_factory import settled_trade

ROOT = Path(__file__).parents[2]
RULES = Path(verify_auction.__file__)
# What a stranger installs, by the names the README gives.
INSTALLED = ("pyHanko", "rfc8785", "orjson")
ALONE = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("contracts.verify", run_name="__main__")
"""


@pytest.fixture(scope="module")
async def whole(db: Database, settings: Settings) -> bytes:
    trade = await settled_trade(db, settings)
    async with db.transaction() as session:
        _, made = await bundle.assemble(
            session,
            trade.deal.id,
            party=trade.licensor.id,
            signer=keys.log_signer(settings),
            authority=LocalAuthority.open(settings.keys),
        )
    return made


@pytest.fixture
def zipped(whole: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "bundle.zip"
    path.write_bytes(whole)
    return path


def closure(names: Sequence[str]) -> set[str]:
    """Return the distributions that these need, with themselves."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name not in found:
            found.add(name)
            needs = map(Requirement, metadata.requires(name) or [])
            waiting += [one.name for one in needs if not one.marker or one.marker.evaluate()]
    return found


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of modules that holds `contracts` and what the verifier needs, and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "contracts").symlink_to(ROOT / "contracts")
    for name in closure(INSTALLED):
        for file in metadata.files(name) or []:
            top, link = file.parts[0], folder / file.parts[0]
            if top not in ("..", "__pycache__") and not link.exists():
                link.symlink_to(Path(str(file.locate())).parents[len(file.parts) - 1] / top)
    return folder


def test_the_module_runs_where_only_three_packages_are_installed(
    bare: Path, zipped: Path, settings: Settings
) -> None:
    vkey = keys.log_signer(settings).verifier.vkey
    told = [str(zipped), "--trust", vkey, "--rules", str(RULES)]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", ALONE, str(bare), *told],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("the evidence holds\n")
    assert "4 bids replay to" in done.stdout
    assert not {"exchange", "fastapi", "sqlalchemy", "listings"} & {p.name for p in bare.iterdir()}


def test_it_answers_as_the_command_does(
    zipped: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    from exchange.evidence import verify as full

    vkey = keys.log_signer(settings).verifier.vkey
    assert verify.main([str(zipped), "--trust", vkey, "--rules", str(RULES), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == full.verify(zipped, trusted_vkey=vkey).as_dict()


def test_without_the_rules_it_says_that_nothing_was_replayed(
    zipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify.main([str(zipped)]) == 0
    said = capsys.readouterr().out
    assert "NOT REPLAYED" in said
    assert "compare it with the one the exchange publishes" in said


@pytest.mark.parametrize("name", ["contract.pdf", "events.jsonl", "terms.json", "auction.jsonl"])
def test_one_flipped_byte_is_found_and_named(
    name: str, whole: bytes, zipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flipped = bytearray(whole)
    content = archive.unpack(whole).files[name]
    flipped[whole.index(name.encode() + content) + len(name) + len(content) // 2] ^= 1
    zipped.write_bytes(bytes(flipped))
    assert verify.main([str(zipped)]) == 1
    said = capsys.readouterr().out
    assert name in said
    assert said.endswith("the evidence does NOT hold\n")


def test_a_file_that_is_not_there_is_no_verdict(
    tmp_path: Path, zipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify.main([str(tmp_path / "nothing.zip")]) == verify.UNUSABLE
    assert verify.main([str(zipped), "--rules", str(tmp_path / "none.py")]) == verify.UNUSABLE
    assert capsys.readouterr().err.count("No such file") == 2


def test_an_auction_whose_log_does_not_replay_names_the_event(whole: bytes) -> None:
    log = archive.unpack(whole).files["auction.jsonl"]
    changed = bytearray(log)
    changed[log.index(b'"paddle":') + len(b'"paddle":')] ^= 1
    replay: Callable[[bytes], Any] = verify.replay_by(RULES)
    assert replay(log)["bids"] == 4
    with pytest.raises(Failed, match=r"auction\.jsonl: event [0-9]+"):
        replay(bytes(changed))
