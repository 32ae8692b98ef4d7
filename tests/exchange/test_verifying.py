"""The path for people who trust nobody: the documented commands, played on a real bundle.

The programs are Debian's: openssl, qpdf, poppler-utils, libnss3-tools, golang-go with
golang-golang-x-mod-dev. None of them was written here, and none knows the exchange.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts import canonical
from contracts.evidence import archive, manifest
from contracts.log.gateway import LogSigner
from contracts.parties.gateway import LocalAuthority
from exchange import keys
from exchange.db import Database
from exchange.evidence import bundle
from exchange.settings import Settings
from tests.exchange.evidence_factory import archive as archived
from tests.exchange.evidence_factory import settled_trade

ROOT = Path(__file__).parents[2]
Files = dict[str, bytes]


@dataclass(frozen=True)
class Held:
    """What a party holds: the bundle's files, the log's signer, the root from elsewhere.

    `executed` are the files as they were before the contract was archived.
    """

    files: Files
    executed: Files
    signer: LogSigner
    root: bytes


@pytest.fixture(scope="module")
async def held(db: Database, settings: Settings) -> Held:
    trade = await settled_trade(db, settings)
    signer, authority = keys.log_signer(settings), LocalAuthority.open(settings.keys)

    async def files() -> Files:
        async with db.transaction() as session:
            _, made = await bundle.assemble(
                session, trade.deal.id, party=trade.licensee.id, signer=signer, authority=authority
            )
        return dict(archive.unpack(made).files)

    executed = await files()
    await archived(db, settings, trade)
    return Held(await files(), executed, signer, authority.root_pem)


@pytest.fixture(scope="module")
def go_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("go")


@pytest.fixture
def play(tmp_path: Path, held: Held, go_cache: Path) -> Callable[..., tuple[int, str]]:
    """Run verify.sh on files as a party unpacked them; return its exit status and what it said."""

    def run(files: Files, *, without: str | None = None) -> tuple[int, str]:
        folder = tmp_path / "bundle"
        shutil.rmtree(folder, ignore_errors=True)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        root = tmp_path / "root.pem"
        root.write_bytes(held.root)
        known = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GOCACHE": str(go_cache)}
        if without is not None:
            known["PATH"] = str(everything_but(without, tmp_path))
        done = subprocess.run(
            ["/bin/sh", "verify/verify.sh", held.signer.verifier.vkey, str(root)],
            cwd=folder, env=known, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return run


def everything_but(program: str, folder: Path) -> Path:
    """A folder of links to every program on the path except one."""
    found = folder / "bin"
    found.mkdir()
    for place in os.environ["PATH"].split(":"):
        for one in Path(place).iterdir() if Path(place).is_dir() else ():
            if one.name != program and not (found / one.name).exists():
                (found / one.name).symlink_to(one)
    return found


def signed_again(files: Files, held: Held) -> Files:
    """What a dishonest exchange could make: the changed files under its own good signature."""
    said = manifest.parse(files[manifest.FILE].decode().rpartition("\n\n")[0] + "\n")
    kept = {name: content for name, content in files.items() if name != manifest.FILE}
    text = manifest.of(kept, deal=said.deal, stage=said.stage).text
    return {**kept, manifest.FILE: held.signer.attest(text).encode()}


def test_the_documented_commands_pass_a_whole_bundle(
    held: Held, play: Callable[..., tuple[int, str]]
) -> None:
    status, said = play(held.files)
    assert status == 0, said
    for line in (
        "OK: manifest and checkpoint are signed by",
        "was executed; qpdf finds no fault",
        "OK: terms.json is inside base.pdf and contract.pdf",
        "OK: pdfsig finds 3 signatures valid and their certificates trusted",
        "OK: openssl verifies signatures/0-exchange.cms",
        "OK: openssl verifies signatures/1-licensor.cms",
        "OK: openssl verifies signatures/2-licensee.cms, timestamp signatures/2-licensee.tst",
        "OK: openssl verifies signatures/archive-1.tst",
        "OK: 4 signatures, the last one over the whole file",
        "files as signed, ",
    ):
        assert line in said
    facts = len(held.files["events.jsonl"].splitlines())
    assert f"{facts} facts in the log of" in said
    assert "NOT CHECKED" not in said


def test_the_documented_commands_pass_a_bundle_from_before_the_archive(
    held: Held, play: Callable[..., tuple[int, str]]
) -> None:
    status, said = play(held.executed, without="go")
    assert status == 0, said
    assert "OK: 3 signatures, the last one over the whole file" in said
    assert "NOT CHECKED: the proofs" in said


def test_the_guide_names_the_command_and_the_packages_that_are_played_here() -> None:
    guide = (ROOT / "VERIFYING.md").read_text(encoding="utf-8")
    assert 'sh verify/verify.sh "$VKEY" root.pem' in guide
    for package in ("openssl", "qpdf", "poppler-utils", "libnss3-tools", "golang-golang-x-mod-dev"):
        assert package in guide
    script = (ROOT / "exchange/evidence/verify.sh").read_text(encoding="utf-8")
    commands = (
        "pdfsig -nssdir",
        "openssl cms -verify -binary",
        "openssl ts -verify",
        "qpdf --check",
    )
    for command in (*commands, "openssl pkeyutl -verify", "pdfdetach -saveall", "go run verify/"):
        assert command in guide
        assert command in script


def flip(name: str) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        content = bytearray(files[name])
        content[len(content) // 2] ^= 1
        return {**files, name: bytes(content)}

    return change


def swap_proofs(files: Files) -> Files:
    one, other = sorted(name for name in files if name.startswith("proofs/"))[:2]
    return {**files, one: files[other], other: files[one]}


def grow(files: Files) -> Files:
    """An incremental update, and a record of the archive that fits it."""
    return as_recorded(files, files["contract.pdf"] + b"\n% covers the fee\n%%EOF\n")


def as_recorded(files: Files, pdf: bytes) -> Files:
    """Another contract, and a record that fits it."""
    old, new = (canonical.sha256_hex(one).encode() for one in (files["contract.pdf"], pdf))
    events = files["events.jsonl"].replace(b'"pdf_sha256":"' + old, b'"pdf_sha256":"' + new)
    return {**files, "contract.pdf": pdf, "events.jsonl": events}


def executed_size(files: Files) -> int:
    """Where the last signature of a party ends, and the archive begins."""
    pdf = files["contract.pdf"]
    return pdf.rindex(b"%%EOF", 0, pdf.rindex(b"%%EOF")) + len(b"%%EOF\n")


# Under the exchange's own good signature, so that the step named here has to see it.
FORGED: dict[str, tuple[Callable[[Files], Files], str]] = {
    "another contract": (flip("contract.pdf"), "is not the file that was executed"),
    "another text as typeset": (flip("base.pdf"), "has another beginning"),
    "other terms": (flip("terms.json"), "carries other terms than terms.json"),
    "an update after the last signature": (grow, "something follows the last signature"),
    "another copy of a signature": (
        flip("signatures/1-licensor.cms"), "a signature of contract.pdf has no copy",
    ),
    "another time-stamp of the archive": (
        flip("signatures/archive-1.tst"), "a signature of contract.pdf has no copy",
    ),
    "the contract without its archive": (
        lambda files: as_recorded(files, files["contract.pdf"][: executed_size(files)]),
        "of no signature of contract.pdf",
    ),
    "proofs in each other's place": (swap_proofs, "is not the proof of this fact"),
}  # fmt: skip


@pytest.mark.parametrize("forgery", FORGED)
def test_the_documented_commands_find_a_forgery(
    forgery: str, held: Held, play: Callable[..., tuple[int, str]]
) -> None:
    change, expected = FORGED[forgery]
    status, said = play(signed_again(change(held.files), held))
    assert status != 0, said
    assert expected in said


@pytest.mark.parametrize("name", ["contract.pdf", "checkpoint.txt", "manifest.note", "log.vkey"])
def test_one_flipped_byte_is_found_by_the_documented_commands(
    name: str, held: Held, play: Callable[..., tuple[int, str]]
) -> None:
    status, said = play(flip(name)(held.files))
    assert status != 0, said


def test_a_blind_that_opens_nothing_is_found_by_go(
    held: Held, play: Callable[..., tuple[int, str]]
) -> None:
    place = held.files["events.jsonl"].index(b'"blind":"') + len(b'"blind":"')
    events = bytearray(held.files["events.jsonl"])
    events[place] = ord("0") if events[place] != ord("0") else ord("1")
    files = signed_again({**held.files, "events.jsonl": bytes(events)}, held)
    status, said = play(files)
    assert status != 0
    assert "does not open its leaf" in said
