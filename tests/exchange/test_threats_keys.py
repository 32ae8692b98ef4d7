"""Rows 3, 4 and 6 of the threat model: keys that are added to a party, and keys that are stolen."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts import canonical
from contracts import verify as offline
from contracts.evidence import archive, manifest
from contracts.parties import endorsing
from contracts.parties.gateway import LocalAuthority
from exchange import keys
from exchange.db import Database
from exchange.evidence import bundle
from exchange.settings import Settings
from tests.contracts.brought import Brought
from tests.exchange import evidence_factory
from tests.exchange.evidence_factory import settled_trade

Files = dict[str, bytes]


@dataclass(frozen=True)
class Held:
    """The evidence of a trade whose parties brought their certificates, and the log's key."""

    files: Files
    vkey: str
    pack: Callable[[Files], bytes]


@pytest.fixture(scope="module")
async def held(db: Database, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Held:
    folder = tmp_path_factory.mktemp("trusted")
    authority = Brought.beside(settings.keys, folder / "outside")
    with pytest.MonkeyPatch.context() as patched:

        class Ours(LocalAuthority):
            ensure = staticmethod(lambda *_: authority)

        patched.setattr(evidence_factory, "LocalAuthority", Ours)
        trade = await settled_trade(db, settings)
        await evidence_factory.archive(db, settings, trade)
    signer = keys.log_signer(settings)
    async with db.transaction() as session:
        _, made = await bundle.assemble(
            session, trade.deal.id, party=trade.licensee.id, signer=signer, authority=authority
        )

    def pack(files: Files) -> bytes:
        said = manifest.parse(files[manifest.FILE].decode().rpartition("\n\n")[0] + "\n")
        kept = {name: content for name, content in files.items() if name != manifest.FILE}
        return bundle.sign_and_pack(kept, deal=said.deal, stage=said.stage, signer=signer)

    return Held(dict(archive.unpack(made).files), signer.verifier.vkey, pack)


def verdict(held: Held, files: Files, place: Path) -> int:
    """The exit status of `python -m contracts.verify`."""
    place.write_bytes(held.pack(files))
    return offline.main([str(place), "--trust", held.vkey])


def registered(files: Files, **change: Any) -> Files:
    """The bundle with other records of the parties' keys."""
    lines = []
    for line in files["events.jsonl"].splitlines():
        event = canonical.loads(line)
        if event["kind"] == "key.registered":
            event["record"] |= change
        lines.append(canonical.dumps(event) + b"\n")
    return {**files, "events.jsonl": b"".join(lines)}


def test_the_evidence_of_a_contract_under_other_roots_carries_them(
    held: Held, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert held.files["pki/root.pem"].count(b"BEGIN CERTIFICATE") == 2
    assert held.files["pki/licensor.pem"].count(b"BEGIN CERTIFICATE") == 2
    assert {"crls/1.crl", "crls/2.crl", "crls/3.crl"} <= set(held.files)
    assert verdict(held, held.files, tmp_path / "whole.zip") == 0
    assert "the evidence holds" in capsys.readouterr().out


def test_threat_04_a_root_that_signatures_lead_to_cannot_be_left_out(
    held: Held, tmp_path: Path
) -> None:
    first, _ = held.files["pki/root.pem"].split(b"-----END CERTIFICATE-----\n", 1)
    alone = {**held.files, "pki/root.pem": first + b"-----END CERTIFICATE-----\n"}
    assert verdict(held, alone, tmp_path / "alone.zip") == 1


def test_threat_03_an_endorsement_that_the_key_before_never_gave_is_seen(held: Held) -> None:
    """What the exchange would have to write, had it added a key itself, does not hold."""
    events = [canonical.loads(line) for line in held.files["events.jsonl"].splitlines()]
    record = next(one["record"] for one in events if one["kind"] == "key.registered")
    assert (record["basis"], record["issuer"]) == ("first", "CN=持牌签发")
    assert endorsing.recorded(record)
    mine = ec.generate_private_key(ec.SECP256R1())
    spki = mine.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    said = endorsing.message(
        record["party"],
        spki_sha256=record["spki_sha256"],
        previous_sha256=canonical.sha256_hex(spki),
    )
    made = {
        "spki": base64.b64encode(spki).decode(),
        "signature": base64.b64encode(mine.sign(said, ec.ECDSA(hashes.SHA256()))).decode(),
    }
    assert endorsing.recorded({**record, "basis": "endorsed", "endorsement": made})
    for wrong in (
        {"basis": "endorsed"},
        {"basis": "first", "endorsement": made},
        {"basis": "endorsed", "endorsement": {**made, "signature": made["spki"]}},
        {"basis": "endorsed", "endorsement": {"spki": "no base64", "signature": ""}},
        {"basis": "endorsed", "endorsement": made, "party": "another"},
    ):
        assert not endorsing.recorded({**record, **wrong})


def test_threat_03_a_bundle_that_tells_of_a_false_endorsement_does_not_hold(
    held: Held, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verdict(held, registered(held.files, basis="endorsed"), tmp_path / "told.zip") == 1
    assert "FAILS  contract signatures" in capsys.readouterr().out
