"""`exchange ca …` as the operator of an authority uses it, with the database and without."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from cryptography import x509
from typer.testing import CliRunner, Result

from contracts.parties import csr
from contracts.parties import queries as parties
from contracts.parties.gateway import LocalAuthority
from exchange import clock
from exchange.cli import app
from exchange.db import Database
from exchange.demo import signer
from tests.contracts.licensed_factory import Outside
from tests.contracts.parties_factory import code, party

WHOLE = {"root": True, "issuing": True, "exchange": True, "tsa": True, "root.crl": True}


@dataclass(frozen=True)
class Operator:
    """Somebody at a terminal whose keys folder is `home`."""

    home: Path

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["ca", *words])

    def told(self, word: str) -> tuple[int, dict[str, Any]]:
        done = self.run(word, "--json")
        return done.exit_code, json.loads(done.stdout)

    def state(self, word: str) -> tuple[int, dict[str, bool]]:
        status, said = self.told(word)
        return status, {row["name"]: row["in_force"] for row in said["certificates"]}


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    monkeypatch.setenv("EXCHANGE_KEYS_DIR", str(tmp_path / "keys"))
    return Operator(tmp_path / "keys")


def test_a_folder_from_before_time_stamps_gets_a_time_key(operator: Operator) -> None:
    assert operator.state("init") == (0, WHOLE)
    root = (operator.home / "root.pem").read_bytes()
    for name in LocalAuthority.TIME_FILES:
        (operator.home / name).unlink()
    assert operator.state("status") == (1, {**WHOLE, "tsa": False})
    assert operator.state("init") == (0, WHOLE)
    assert operator.state("status") == (0, WHOLE)
    assert (operator.home / "root.pem").read_bytes() == root


def test_the_roots_key_goes_away_after_the_ceremony_and_comes_back_for_its_list(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = Outside(tmp_path / "trusted", clock.now())
    monkeypatch.setenv("EXCHANGE_TRUSTED_CAS", str(outside.folder))
    monkeypatch.setenv("EXCHANGE_BASE_URL", "https://x.example/")
    assert operator.told("init")[1]["root_key_here"] is True
    (operator.home / "root.key").rename(tmp_path / "root.key")
    status, said = operator.told("status")
    assert (status, said["root_key_here"]) == (0, False)
    assert said["trusted"] == ["CN=持牌根", "CN=持牌签发"]
    assert "The root's key is away." in operator.run("status").stdout
    issuing = x509.load_pem_x509_certificate((operator.home / "issuing.pem").read_bytes())
    (place,) = issuing.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert place.full_name[0].value == "https://x.example/ca/root.crl"
    before = (operator.home / "root.crl").read_bytes()
    assert operator.run("crl", "--root").exit_code == 1
    (tmp_path / "root.key").rename(operator.home / "root.key")
    assert operator.run("crl", "--root").exit_code == 0
    assert (operator.home / "root.crl").read_bytes() != before


def test_off_line_a_certificate_is_issued_revoked_and_listed(
    operator: Operator, tmp_path: Path
) -> None:
    operator.run("init")
    asked, made, listed = (tmp_path / name for name in ("request.pem", "made.pem", "list.crl"))
    asked.write_bytes(signer.make_key_and_csr("whatever")[1])
    names = ["--name-zh", "示范影像", "--name-en", "Demo Imaging", "--uscc", code(4711)]
    done = operator.run("issue", "--csr", str(asked), "--offline", *names, "--out", str(made))
    assert done.exit_code == 0 and "it is not registered" in done.stdout, done.output
    leaf, issuing = x509.load_pem_x509_certificates(made.read_bytes())
    leaf.verify_directly_issued_by(issuing)
    (uscc,) = leaf.subject.get_attributes_for_oid(x509.NameOID.SERIAL_NUMBER)
    assert uscc.value == code(4711)
    wrong = [*names[:-1], "91110000600037341X"]
    assert operator.run("issue", "--csr", str(asked), "--offline", *wrong).exit_code == 1
    assert (
        operator.run("issue", "--csr", str(asked)).exit_code == 2
    )  # neither off line nor for a party
    for _ in range(2):
        assert operator.run("revoke", "--certificate", str(made), "--offline").exit_code == 0
    assert "1 revoked" in operator.run("crl", "--offline", "--out", str(listed)).stdout
    entry = x509.load_der_x509_crl(listed.read_bytes())
    assert entry.get_revoked_certificate_by_serial_number(leaf.serial_number) is not None


async def test_with_the_database_what_is_issued_and_revoked_is_a_registered_key(
    operator: Operator, tmp_path: Path, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXCHANGE_DATABASE_URL", db.url.replace("+psycopg", ""))
    operator.run("init")
    async with db.transaction() as session:
        owner = await party(session, now=clock.now())
    asked, made = tmp_path / "request.pem", tmp_path / "made.pem"

    async def run(*words: str) -> Result:
        return await anyio.to_thread.run_sync(operator.run, *words)

    for reason, status in ([], 0), ([], 1), (["--reason", "密钥遗失 / key lost"], 0):
        asked.write_bytes(signer.make_key_and_csr("whatever")[1])
        done = await run(
            "issue", "--csr", str(asked), "--party", str(owner.id), "--out", str(made), *reason
        )
        assert done.exit_code == status, done.output
    done = await run("revoke", "--certificate", str(made))
    async with db.transaction() as session:
        keys = await parties.keys_of(session, owner.id)
        last = await parties.find_spki(session, csr.spki_sha256_of(made.read_bytes()))
    assert [key.state for key in keys] == ["active", "revoked"]
    assert last is not None and f"revoked the key {last.id}" in done.stdout.replace("\n", "")
    listed = tmp_path / "list.crl"
    assert (await run("crl", "--out", str(listed))).exit_code == 0
    assert x509.load_der_x509_crl(listed.read_bytes()).next_update_utc
