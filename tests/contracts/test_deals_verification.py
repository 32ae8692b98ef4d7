import asyncio
import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from contracts import canonical
from contracts.deals import sealing, verification
from contracts.deals.gateway import Stamp, TypstPress
from contracts.deals.verification import DocumentNotSound
from contracts.parties.gateway import LocalAuthority
from exchange.demo import signer
from tests.conftest import NOW
from tests.contracts.poppler import poppler
from tests.contracts.test_deals_terms import built
from tests.contracts.test_parties_gateway import Company

ROLES = ["exchange", "licensor", "licensee"]


@dataclass(frozen=True)
class Paper:
    """A contract with its revisions: as typeset, certified, signed once, signed twice."""

    authority: LocalAuthority
    terms: bytes
    revisions: tuple[bytes, ...]
    keys: dict[str, str]
    stamp: bytes

    @property
    def pdf(self) -> bytes:
        return self.revisions[-1]

    @property
    def root(self) -> bytes:
        return self.authority.root_pem

    def checked(self, pdf: bytes) -> None:
        verification.require_sound(pdf, self.root, keys=self.keys, terms=self.terms)


def signature(
    authority: LocalAuthority, pdf: bytes, *, role: str, stamp: bytes, name: str
) -> bytes:
    key_pem, csr = signer.make_key_and_csr(name)
    certificate = authority.issue(csr, party=Company(name_zh=name), now=NOW)
    prepared = sealing.prepare(pdf, role=role, certificate_pem=certificate, stamp=stamp, at=NOW)
    key = load_pem_private_key(key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    made = key.sign(prepared.tbs, ec.ECDSA(hashes.SHA256()))
    return sealing.complete(prepared, certificate_pem=certificate, signature=made)


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    authority = LocalAuthority.ensure(tmp_path_factory.mktemp("keys"), NOW)
    press, raw = TypstPress(), canonical.dumps(built())
    base = asyncio.run(press.contract(raw, frozen_at=NOW))
    shown = Stamp("电子签名", "Signature", "示范机构", "Demo", "2026-11-22T09:00:00Z", "ab" * 32)
    stamp = asyncio.run(press.stamp(shown, at=NOW))
    certified = sealing.certify(base, certifier=authority.certifier, stamp=stamp, at=NOW)
    sign = partial(signature, authority, stamp=stamp)
    once = sign(certified, role="licensor", name="示范影像制作有限公司")
    twice = sign(once, role="licensee", name="示范卫视传媒有限公司")
    verdicts = verification.check_signatures(twice, authority.root_pem)
    keys = {verdict.role: verdict.spki_sha256 for verdict in verdicts}
    return Paper(authority, raw, (base, certified, once, twice), keys, stamp)


def test_three_signatures_hold(paper: Paper) -> None:
    verdicts = verification.check_signatures(paper.pdf, paper.root)
    assert [verdict.role for verdict in verdicts] == ROLES
    assert all(verdict.good and verdict.signed_at == NOW for verdict in verdicts)
    assert "示范影像制作有限公司" in verdicts[1].signer
    assert verdicts[0].spki_sha256 == paper.authority.certifier.spki_sha256
    assert [verdict.sha256 for verdict in verdicts] == [
        canonical.sha256_hex(revision) for revision in paper.revisions[1:]
    ]
    paper.checked(paper.pdf)


def test_each_revision_continues_the_one_before(paper: Paper) -> None:
    for before, after in pairwise(paper.revisions):
        assert after.startswith(before)


def covered(writer: IncrementalPdfFileWriter) -> None:
    """A white box over the price."""
    page = writer.root["/Pages"]["/Kids"][0].get_object()
    while page["/Type"] != "/Page":
        page = page["/Kids"][0].get_object()
    box = generic.StreamObject(stream_data=b"1 1 1 rg 0 0 600 900 re f")
    contents = page.raw_get("/Contents")
    page["/Contents"] = generic.ArrayObject([contents, writer.add_object(box)])
    writer.update_container(page)


def swapped(writer: IncrementalPdfFileWriter) -> None:
    """Another terms.json in the place of the first."""
    files = writer.root["/Names"]["/EmbeddedFiles"]["/Names"]
    embedded = files[1].get_object()["/EF"]
    fake = generic.StreamObject(stream_data=b'{"consideration":{"amount":"1.00"}}')
    embedded["/F"] = writer.add_object(fake)
    writer.update_container(embedded)


def annotated(writer: IncrementalPdfFileWriter) -> None:
    """A text box over the first page."""
    page = writer.root["/Pages"]["/Kids"][0].get_object()
    while page["/Type"] != "/Page":
        page = page["/Kids"][0].get_object()
    note = generic.DictionaryObject(
        {
            generic.pdf_name("/Type"): generic.pdf_name("/Annot"),
            generic.pdf_name("/Subtype"): generic.pdf_name("/FreeText"),
            generic.pdf_name("/Rect"): generic.ArrayObject(
                map(generic.NumberObject, (0, 0, 600, 900))
            ),
            generic.pdf_name("/Contents"): generic.pdf_string("free of charge"),
        }
    )
    page[generic.pdf_name("/Annots")] = generic.ArrayObject([writer.add_object(note)])
    writer.update_container(page)


def untouched(writer: IncrementalPdfFileWriter) -> None:
    """An update that changes nothing visible at all."""
    writer.update_root()


CHANGES: list[Callable[[IncrementalPdfFileWriter], None]] = [
    covered, swapped, annotated, untouched,
]  # fmt: skip


def appended(pdf: bytes, change: Callable[[IncrementalPdfFileWriter], None]) -> bytes:
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    change(writer)
    output = BytesIO()
    writer.write(output)
    return output.getvalue()


@pytest.mark.parametrize("change", CHANGES)
def test_an_update_after_the_last_signature_is_refused(
    paper: Paper, change: Callable[[IncrementalPdfFileWriter], None]
) -> None:
    attacked = appended(paper.pdf, change)
    assert attacked.startswith(paper.pdf)
    with pytest.raises(DocumentNotSound):
        paper.checked(attacked)
    assert not verification.check_signatures(attacked, paper.root)[-1].good


@pytest.mark.parametrize("change", CHANGES)
def test_an_update_slipped_in_before_a_signature_is_refused(
    paper: Paper, change: Callable[[IncrementalPdfFileWriter], None]
) -> None:
    attacked = signature(
        paper.authority, appended(paper.revisions[2], change),
        role="licensee", stamp=paper.stamp, name="示范卫视传媒有限公司",
    )  # fmt: skip
    verdicts = verification.check_signatures(attacked, paper.root)
    assert [verdict.role for verdict in verdicts] == ROLES
    assert not all(verdict.good for verdict in verdicts)


@pytest.mark.parametrize("change", [covered, swapped, annotated])
def test_a_change_in_the_very_update_that_signs_is_refused(
    paper: Paper,
    change: Callable[[IncrementalPdfFileWriter], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def opened(stream: BytesIO) -> IncrementalPdfFileWriter:
        writer = IncrementalPdfFileWriter(stream)
        change(writer)
        return writer

    monkeypatch.setattr(sealing, "IncrementalPdfFileWriter", opened)
    attacked = signature(
        paper.authority, paper.revisions[2],
        role="licensee", stamp=paper.stamp, name="示范卫视传媒有限公司",
    )  # fmt: skip
    verdicts = verification.check_signatures(attacked, paper.root)
    assert [verdict.role for verdict in verdicts] == ROLES
    assert all(verdict.intact and verdict.covers for verdict in verdicts)
    assert not verdicts[0].modification_ok and not verdicts[1].modification_ok


SIGNS, ENCIPHERS = ("digital_signature", "content_commitment"), ("key_encipherment",)
DOCUMENTS, SERVERS = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"), ExtendedKeyUsageOID.SERVER_AUTH


def certificate_for(
    authority: LocalAuthority,
    key: ec.EllipticCurvePrivateKey,
    *,
    uses: tuple[str, ...],
    purpose: x509.ObjectIdentifier,
) -> bytes:
    """A certificate of the same authority whose key is for these uses."""
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "示范")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(authority.issuing.certificate.subject)
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.KeyUsage(**{use: use in uses for use in every}), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .sign(authority.issuing.key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM) + authority.issuing_pem


@pytest.mark.parametrize(
    ("uses", "purpose", "trusted"),
    [(SIGNS, DOCUMENTS, True), (ENCIPHERS, DOCUMENTS, False), (SIGNS, SERVERS, False)],
)
def test_only_certificates_for_signing_documents_are_trusted(
    paper: Paper, uses: tuple[str, ...], purpose: x509.ObjectIdentifier, trusted: bool
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issued = certificate_for(paper.authority, key, uses=uses, purpose=purpose)
    prepared = sealing.prepare(
        paper.revisions[1], role="licensor", certificate_pem=issued, stamp=paper.stamp, at=NOW
    )
    made = key.sign(prepared.tbs, ec.ECDSA(hashes.SHA256()))
    pdf = sealing.complete(prepared, certificate_pem=issued, signature=made)
    verdict = verification.check_signatures(pdf, paper.root)[-1]
    assert (verdict.intact, verdict.trusted) == (True, trusted)


def test_signatures_in_another_order_are_refused(paper: Paper) -> None:
    early = signature(
        paper.authority, paper.revisions[1], role="licensee", stamp=paper.stamp, name="示范"
    )
    assert not verification.check_signatures(early, paper.root)[-1].good


def test_a_contract_cut_back_to_an_earlier_revision_is_refused(paper: Paper) -> None:
    for revision in paper.revisions[:-1]:
        with pytest.raises(DocumentNotSound):
            paper.checked(revision)


def test_other_terms_than_the_deals_are_refused(paper: Paper) -> None:
    with pytest.raises(DocumentNotSound, match="attached terms"):
        verification.require_sound(paper.pdf, paper.root, keys=paper.keys, terms=paper.terms + b" ")


def attached(writer: IncrementalPdfFileWriter) -> None:
    """A second attachment beside the terms."""
    names = writer.root["/Names"]["/EmbeddedFiles"]["/Names"]
    names.extend([generic.pdf_string("other.json"), names.raw_get(1)])
    writer.update_container(names)


def test_a_contract_carries_its_terms_and_nothing_beside(paper: Paper) -> None:
    assert verification.attachments(paper.pdf) == [paper.terms] * 4
    with pytest.raises(DocumentNotSound, match="cannot be read"):
        verification.attachments(appended(paper.pdf, attached))


def test_a_signature_by_another_key_is_refused(paper: Paper) -> None:
    keys = {**paper.keys, "licensee": "00" * 32}
    with pytest.raises(DocumentNotSound, match="those expected"):
        verification.require_sound(paper.pdf, paper.root, keys=keys, terms=paper.terms)


def test_another_root_trusts_nobody(paper: Paper, tmp_path: Path) -> None:
    stranger = LocalAuthority.ensure(tmp_path, NOW)
    verdicts = verification.check_signatures(paper.pdf, stranger.root_pem)
    assert all(verdict.intact and not verdict.trusted for verdict in verdicts)


def test_a_certificate_that_had_expired_is_not_trusted(paper: Paper) -> None:
    key_pem, csr = signer.make_key_and_csr("示范")
    old = paper.authority.issue(csr, party=Company(), now=NOW - timedelta(days=4 * 365))
    prepared = sealing.prepare(
        paper.revisions[1], role="licensor", certificate_pem=old, stamp=paper.stamp, at=NOW
    )
    key = load_pem_private_key(key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    made = key.sign(prepared.tbs, ec.ECDSA(hashes.SHA256()))
    pdf = sealing.complete(prepared, certificate_pem=old, signature=made)
    assert not verification.check_signatures(pdf, paper.root)[-1].trusted


def test_one_flipped_bit_anywhere_is_noticed(paper: Paper) -> None:
    draw = random.Random(26)
    for _ in range(25):
        place = draw.randrange(len(paper.pdf))
        damaged = bytearray(paper.pdf)
        damaged[place] ^= 1 << draw.randrange(8)
        with pytest.raises(DocumentNotSound):
            paper.checked(bytes(damaged))


def test_the_zeros_behind_a_signature_hold_nothing(paper: Paper) -> None:
    """No reader gives the reserved rest a meaning, which makes it a place to hide in."""
    place = paper.pdf.rfind(b"0" * 512) + 200
    damaged = bytearray(paper.pdf)
    damaged[place] = ord("7")
    with pytest.raises(DocumentNotSound):
        paper.checked(bytes(damaged))


@pytest.mark.parametrize("junk", [b"", b"%PDF-1.7", b"\x00" * 4096, b"not a pdf"])
def test_a_file_that_is_no_contract_is_refused(paper: Paper, junk: bytes) -> None:
    with pytest.raises(DocumentNotSound):
        paper.checked(junk)


@pytest.mark.parametrize("number", [b"1-2", b"1e5", b"--1", b"7.7.7"])
def test_a_number_that_is_none_is_refused_like_anything_broken(paper: Paper, number: bytes) -> None:
    with pytest.raises(DocumentNotSound):
        paper.checked(paper.pdf.replace(b"/F 132", b"/F " + number))


def test_pdfsig_finds_three_valid_signatures_of_trusted_certificates(
    paper: Paper, tmp_path: Path
) -> None:
    file = tmp_path / "contract.pdf"
    file.write_bytes(paper.pdf)
    if shutil.which("certutil") is None:
        seen = poppler("pdfsig", file)
    else:
        store = f"sql:{tmp_path / 'nss'}"
        (tmp_path / "nss").mkdir()
        (tmp_path / "root.pem").write_bytes(paper.root)
        subprocess.run(["certutil", "-N", "-d", store, "--empty-password"], check=True)
        subprocess.run(
            ["certutil", "-A", "-d", store, "-n", "root", "-t", "CT,C,C",
             "-i", str(tmp_path / "root.pem")],
            check=True,
        )  # fmt: skip
        seen = poppler("pdfsig", "-nssdir", store, file)
        assert seen.count("Certificate is Trusted") == 3
    assert seen.count("Signature is Valid.") == 3
    assert seen.count("Total document signed") == 1
