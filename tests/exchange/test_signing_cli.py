"""`exchange keys` and `exchange sign` against a served exchange: files, PKCS#12, devices, lies."""

import base64
import hashlib
import json
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from typer.testing import CliRunner, Result

from contracts.deals import queries, verification
from contracts.deals.consent import SessionNotSound
from contracts.deals.verification import DocumentNotSound
from contracts.refusal import Refusal
from exchange import cli, clock, signing_client
from exchange.authority import open_authority
from exchange.context import Context
from exchange.sealed_cli import ExchangeSaidNo, KeyFileUnreadable
from exchange.signing_cli import FileInTheWay
from exchange.signing_client import Desk, KeyNotRegistered, NothingToSign, TypesetOtherwise
from tests.exchange.portal_site import served
from tests.exchange.signing_factory import Waiting, waiting_deal

# The attribute messageDigest (RFC 5652 §11.2) up to its 32 bytes.
MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d01090431220420")
PASSWORD = "ein Satz genügt 一句话"


@dataclass
class Terminal:
    """A person's machine: a folder, and the commands that work on it."""

    site: str
    folder: Path
    api_key: str

    async def run(self, *words: str, typed: str = "") -> Result:
        at = [] if words[:2] in (("keys", "new"), ("keys", "csr")) else ["--exchange", self.site]
        environment = {"EXCHANGE_KEY": self.api_key}
        return await anyio.to_thread.run_sync(
            lambda: CliRunner().invoke(cli.app, [*words, *at], input=typed, env=environment)
        )

    async def good(self, *words: str, typed: str = "") -> str:
        told = await self.run(*words, typed=typed)
        assert told.exit_code == 0, (told.output, told.exception)
        return told.output

    async def refused(self, *words: str, typed: str = "") -> Refusal:
        told = await self.run(*words, typed=typed)
        assert isinstance(told.exception, Refusal), (told.output, told.exception)
        return told.exception

    def file(self, name: str) -> str:
        return str(self.folder / name)

    async def with_key(self) -> str:
        """Make and register a key without a password; return its file."""
        await self.good("keys", "new", "--out", str(self.folder), "--no-password")
        await self.registers("request.pem")
        return self.file("key.pem")

    async def registers(self, request: str) -> str:
        certificate = self.file("certificate.pem")
        return await self.good(
            "keys", "register", "--request", self.file(request), "--out", certificate
        )


@dataclass
class Desks:
    """A deal that waits for its first signature, and both sides at their terminals."""

    waiting: Waiting
    licensor: Terminal
    licensee: Terminal
    context: Context

    @property
    def deal(self) -> str:
        return str(self.waiting.deal.id)

    async def signing(self) -> str:
        async with self.context.db.transaction() as session:
            return (await queries.get_deal(session, self.waiting.deal.id)).signing


@pytest.fixture
async def desks(context: Context, tmp_path: Path) -> AsyncIterator[Desks]:
    waiting = await waiting_deal(context)
    async with served(context) as site:
        sides = []
        for side in ("licensor", "licensee"):
            folder = tmp_path / side
            folder.mkdir()
            sides.append(Terminal(site, folder, waiting.api_keys[side]))
        yield Desks(waiting, sides[0], sides[1], context)


async def test_both_sides_sign_at_their_terminals_with_pem_and_pkcs12(
    desks: Desks, context: Context
) -> None:
    one, two = desks.licensor, desks.licensee
    typed = f"{PASSWORD}\n{PASSWORD}\n"
    made = await one.good("keys", "new", "--out", str(one.folder), typed=typed)
    assert (one.folder / "key.pem").stat().st_mode & 0o077 == 0
    assert b"ENCRYPTED" in (one.folder / "key.pem").read_bytes()
    told = await one.registers("request.pem")
    spki = told.split()[1]
    assert spki in made and spki in await one.good("keys", "list")
    sign = ("sign", desks.deal, "--key", one.file("key.pem"))
    no = await one.run(*sign, typed=f"{PASSWORD}\nn\n")
    assert no.exit_code == 1 and await desks.signing() == "certified"
    for shown in ("1200000.00", "壹佰贰拾万元整", desks.waiting.deal.terms_sha256, "(you)"):
        assert shown in no.output
    assert "byte for byte the same" in no.output
    told = await one.good(*sign, "--save", str(one.folder), typed=f"{PASSWORD}\ny\n")
    assert "licensor_signed" in told
    terms = (one.folder / "terms.json").read_bytes()
    assert hashlib.sha256(terms).hexdigest() == desks.waiting.deal.terms_sha256

    key = await two.with_key()
    p12 = two.file("key.p12")
    openssl(
        "pkcs12", "-export", "-inkey", key, "-in", two.file("certificate.pem"), "-out", p12,
        "-passout", f"pass:{PASSWORD}",
    )  # fmt: skip
    wrong = await two.refused("sign", desks.deal, "--key", p12, "--yes", typed="another\n")
    assert isinstance(wrong, KeyFileUnreadable)
    told = await two.good("sign", desks.deal, "--key", p12, "--yes", typed=f"{PASSWORD}\n")
    assert "executed" in told
    async with context.db.transaction() as session:
        pdf = (await queries.document(session, desks.waiting.deal.id)).pdf
    root = open_authority(context.settings, now=clock.now()).root_pem
    assert [one.role for one in verification.check_signatures(pdf, root) if one.good] == [
        "exchange", "licensor", "licensee",
    ]  # fmt: skip
    again = await two.refused("sign", desks.deal, "--key", key, "--yes")
    assert isinstance(again, NothingToSign)


async def test_a_device_signs_in_two_calls_and_openssl_plays_the_device(desks: Desks) -> None:
    one = desks.licensor
    key = one.file("device.key")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    request = one.file("device.csr")
    openssl("req", "-new", "-key", key, "-subj", "/CN=device", "-out", request)
    await one.registers("device.csr")
    tbs, signature = one.file("out.der"), one.file("sig.der")
    told = await one.good("sign", desks.deal, "--prepare", tbs, typed="y\n")
    assert "--signature" in told and await desks.signing() == "certified"

    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", one.file("other.key"))
    openssl("dgst", "-sha256", "-sign", one.file("other.key"), "-out", signature, tbs)
    wrong = await one.refused("sign", desks.deal, "--signature", signature)
    assert isinstance(wrong, SessionNotSound) and wrong.data["check"] == "signature"

    openssl("dgst", "-sha256", "-sign", key, "-out", signature, tbs)
    assert "licensor_signed" in await one.good("sign", desks.deal, "--signature", signature)
    late = await one.refused("sign", desks.deal, "--signature", signature)
    assert isinstance(late, (NothingToSign, KeyFileUnreadable))


async def test_a_key_that_the_exchange_does_not_know_signs_nothing(desks: Desks) -> None:
    one = desks.licensor
    await one.with_key()
    await one.good("keys", "new", "--out", one.file("second"), "--no-password")
    unknown = await one.refused("sign", desks.deal, "--key", one.file("second/key.pem"), "--yes")
    assert isinstance(unknown, KeyNotRegistered)
    not_mine = await desks.licensee.refused(
        "sign", desks.deal, "--key", one.file("key.pem"), "--yes"
    )
    assert isinstance(not_mine, NothingToSign)
    nobody = Terminal(one.site, one.folder, "")
    assert isinstance(
        await nobody.refused("sign", desks.deal, "--key", one.file("key.pem")), ExchangeSaidNo
    )


async def test_no_file_is_written_over_and_no_other_kind_of_key_is_read(desks: Desks) -> None:
    one = desks.licensor
    await one.good("keys", "new", "--out", str(one.folder), "--no-password")
    before = (one.folder / "key.pem").read_bytes()
    again = await one.refused("keys", "new", "--out", str(one.folder), "--no-password")
    assert isinstance(again, FileInTheWay)
    assert (one.folder / "key.pem").read_bytes() == before
    for made in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())):
        (one.folder / "odd.pem").write_bytes(
            made.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )  # fmt: skip
        odd = await one.refused("keys", "csr", "--key", one.file("odd.pem"))
        assert isinstance(odd, KeyFileUnreadable)


class Lying(Desk):
    """A connection to an exchange that answers one question otherwise than it is."""

    lie = ""

    def raw(self, method: str, path: str, content: object = None) -> bytes:
        told = super().raw(method, path, content)
        where = path.rpartition("/")[2]
        if self.lie == "amount" and where == "terms":
            return told.replace(b"1200000.00", b"1300000.00")
        if self.lie == "page" and where == "contract.pdf" and "signing-sessions" not in path:
            return told.replace(b"%%EOF", b"%%EOG", 1)
        if self.lie == "other-bytes" and method == "PUT" and "signing-sessions" in path:
            begun = json.loads(told)
            tbs = bytearray(base64.b64decode(begun["tbs_der_b64"]))
            digest = tbs.index(MESSAGE_DIGEST) + len(MESSAGE_DIGEST)
            tbs[digest] ^= 1
            return json.dumps({**begun, "tbs_der_b64": base64.b64encode(tbs).decode()}).encode()
        if self.lie == "prepared" and "signing-sessions" in path and where == "contract.pdf":
            return told.replace(b"/Type", b"/Tupe", 1)
        return told


@pytest.mark.parametrize(
    ("lie", "found"),
    [
        ("amount", "terms"), ("page", "document-not-sound"), ("prepared", "revision"),
        ("other-bytes", "digest"),
    ],
)  # fmt: skip
async def test_an_exchange_that_lies_gets_no_signature(
    desks: Desks, monkeypatch: pytest.MonkeyPatch, lie: str, found: str
) -> None:
    key = await desks.licensor.with_key()
    monkeypatch.setattr(Lying, "lie", lie)
    monkeypatch.setattr("exchange.signing_cli.Desk", Lying)
    no = await desks.licensor.refused("sign", desks.deal, "--key", key, "--yes")
    assert isinstance(no, (SessionNotSound, DocumentNotSound))
    assert no.data.get("check", no.code) == found
    assert await desks.signing() == "certified"


async def test_a_contract_that_is_typeset_otherwise_is_not_signed_unasked(
    desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await desks.licensor.with_key()

    class OtherPress:
        async def contract(self, _terms: bytes, *, frozen_at: object) -> bytes:
            return f"%PDF-1.7 another, of {frozen_at}".encode()

    monkeypatch.setattr(signing_client, "TypstPress", OtherPress)
    words = ("sign", desks.deal, "--key", key, "--yes")
    assert isinstance(await desks.licensor.refused(*words), TypesetOtherwise)
    told = await desks.licensor.good(*words, "--as-typeset")
    assert "licensor_signed" in told and "byte for byte" not in told


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
