"""Contracts that last: time-stamps on every signature, revocation data, an archive time-stamp."""

import asyncio
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from asn1crypto import parser
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from contracts import canonical
from contracts.deals import archiving, extraction, sealing, verification
from contracts.deals.gateway import Stamp, TypstPress
from contracts.deals.verification import DocumentNotSound, SignatureVerdict
from contracts.parties.gateway import LocalAuthority, Setup
from exchange.demo import signer
from tests.conftest import NOW
from tests.contracts.poppler import poppler
from tests.contracts.test_deals_terms import built
from tests.contracts.test_deals_verification import CHANGES, appended
from tests.contracts.test_parties_gateway import Company

SOON = NOW + timedelta(seconds=30)
ROLES = ["exchange", "licensor", "licensee"]


@dataclass(frozen=True)
class Paper:
    authority: LocalAuthority
    terms: bytes
    certificates: tuple[bytes, ...]
    signed: bytes
    keys: dict[str, str]

    def archived(
        self,
        pdf: bytes | None = None,
        *,
        number: int = 1,
        revoked: tuple[tuple[bytes, datetime], ...] = (),
        at: datetime = SOON,
    ) -> bytes:
        time = self.authority.certifier.time
        assert time is not None
        return archiving.archive(
            pdf or self.signed, number=number, certificates=self.certificates,
            crls=self.authority.lists(revoked, of=self.certificates, now=at), by=time, at=at,
        )  # fmt: skip

    def verdicts(self, pdf: bytes) -> list[SignatureVerdict]:
        return verification.check_signatures(pdf, self.authority.root_pem)


def made(authority: LocalAuthority, *, stamps: bool) -> Paper:
    press, raw = TypstPress(), canonical.dumps(built())
    base = asyncio.run(press.contract(raw, frozen_at=NOW))
    shown = Stamp("电子签名", "Signature", "示范机构", "Demo", "2026-11-22T09:00:00Z", "ab" * 32)
    stamp = asyncio.run(press.stamp(shown, at=NOW))
    time = authority.certifier.time
    assert time is not None
    certifier = authority.certifier if stamps else replace(authority.certifier, time=None)
    pdf = sealing.certify(base, certifier=certifier, stamp=stamp, at=NOW)
    certificates = [authority.certifier.certificate_pem, time.certificate_pem, authority.root_pem]
    for role in ROLES[1:]:
        key_pem, csr = signer.make_key_and_csr("示范")
        certificates.append(authority.issue(csr, party=Company(), now=NOW))
        prepared = sealing.prepare(
            pdf, role=role, certificate_pem=certificates[-1], stamp=stamp, at=NOW
        )
        key = load_pem_private_key(key_pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        der = key.sign(prepared.tbs, ec.ECDSA(hashes.SHA256()))
        token = sealing.time_stamp(der, by=certifier, at=NOW)
        pdf = sealing.complete(
            prepared, certificate_pem=certificates[-1], signature=der, stamped=token
        )
    found = verification.check_signatures(pdf, authority.root_pem)
    keys = {one.role: one.spki_sha256 for one in found}
    return Paper(authority, raw, tuple(certificates), pdf, keys)


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    # Nobody answers at port 9 (discard): the lists of revoked certificates travel in the PDF.
    setup = Setup(public_url="http://127.0.0.1:9")
    return made(LocalAuthority.ensure(tmp_path_factory.mktemp("keys"), NOW, setup), stamps=True)


def test_every_signature_carries_a_time_stamp(paper: Paper) -> None:
    found = paper.verdicts(paper.signed)
    assert [(one.role, one.good, one.level) for one in found] == [
        (role, True, "B-T") for role in ROLES
    ]
    assert {one.stamped_at for one in found} == {NOW}


def test_invariant_11_each_revision_starts_with_the_bytes_of_the_one_before(paper: Paper) -> None:
    first = paper.archived()
    second = paper.archived(first, number=2, at=SOON + timedelta(days=365))
    for before, after in pairwise([paper.signed, first, second]):
        assert after.startswith(before) and len(after) > len(before)
        found = paper.verdicts(after)
        assert [(one.good, one.level) for one in found] == [(True, "B-LTA")] * 3
        verification.require_sound(
            after, paper.authority.root_pem, keys=paper.keys, terms=paper.terms
        )


@pytest.mark.parametrize("change", CHANGES)
def test_invariant_14_nothing_but_an_archive_follows_the_last_signature(
    paper: Paper, change: Callable[[IncrementalPdfFileWriter], None]
) -> None:
    for attacked in (
        appended(paper.archived(), change),  # after the archive's time-stamp
        paper.archived(appended(paper.signed, change)),  # archived along with what was signed
    ):
        with pytest.raises(DocumentNotSound):
            verification.require_sound(
                attacked, paper.authority.root_pem, keys=paper.keys, terms=paper.terms
            )


def test_invariant_15_a_signature_of_one_contract_is_worth_nothing_in_another(
    paper: Paper,
) -> None:
    other = made(paper.authority, stamps=True)
    theirs = list(PdfFileReader(_stream(other.signed)).embedded_regular_signatures)[2]
    ours = list(PdfFileReader(_stream(paper.signed)).embedded_regular_signatures)[2]
    _, start, end, _ = (int(part) for part in ours.byte_range)
    der = theirs.pkcs7_content[: parser.peek(theirs.pkcs7_content)]  # without the padding
    moved = der.hex().encode().ljust(end - start - 2, b"0")
    attacked = paper.signed[: start + 1] + moved + paper.signed[end - 1 :]
    assert not paper.verdicts(attacked)[2].good


def _stream(pdf: bytes) -> BytesIO:
    return BytesIO(pdf)


def test_invariant_18_a_certificate_revoked_before_its_signature_is_refused_and_after_it_not(
    paper: Paper,
) -> None:
    licensor = paper.certificates[3]
    before = paper.archived(revoked=((licensor, NOW - timedelta(seconds=1)),))
    assert [one.trusted for one in paper.verdicts(before)] == [True, False, True]
    after = paper.archived(revoked=((licensor, NOW + timedelta(seconds=1)),))
    assert [one.trusted for one in paper.verdicts(after)] == [True, True, True]


def test_a_list_of_revoked_certificates_by_another_root_says_nothing(
    paper: Paper, tmp_path: Path
) -> None:
    stranger = LocalAuthority.ensure(tmp_path, NOW)
    time = paper.authority.certifier.time
    assert time is not None
    forged = stranger.crl([(paper.certificates[3], NOW - timedelta(days=1))], now=SOON)
    pdf = archiving.archive(
        paper.signed, number=1, certificates=paper.certificates, crls=[forged], by=time, at=SOON
    )
    assert all(one.good for one in paper.verdicts(pdf))


def test_invariant_19_without_time_stamps_a_contract_is_signed_at_a_lower_level(
    paper: Paper,
) -> None:
    plain = made(paper.authority, stamps=False)
    assert [(one.good, one.level) for one in plain.verdicts(plain.signed)] == [(True, "B-B")] * 3
    later = plain.archived()
    assert [(one.good, one.level) for one in plain.verdicts(later)] == [(True, "B-LTA")] * 3


def test_a_time_stamp_of_another_root_holds_nothing_up(paper: Paper, tmp_path: Path) -> None:
    stranger = LocalAuthority.ensure(tmp_path, NOW).certifier.time
    assert stranger is not None
    pdf = archiving.archive(
        paper.signed, number=1, certificates=paper.certificates, crls=[], by=stranger, at=SOON
    )
    assert not any(one.good for one in paper.verdicts(pdf))


def test_a_contract_cut_back_to_before_its_archive_is_of_a_lower_level(paper: Paper) -> None:
    assert {one.level for one in paper.verdicts(paper.archived())} == {"B-LTA"}
    assert {one.level for one in paper.verdicts(paper.signed)} == {"B-T"}


def test_copies_are_taken_out_of_an_archived_contract(paper: Paper) -> None:
    taken = extraction.copies(paper.archived())
    signed = {f"signatures/{n}-{role}.{kind}" for n, role in enumerate(sealing.ROLES)
              for kind in ("cms", "sig", "tst")}  # fmt: skip
    assert set(taken) == signed | {"signatures/archive-1.tst", "crls/1.crl", "crls/2.crl"}
    issuers = {x509.load_der_x509_crl(taken[f"crls/{n}.crl"]).issuer for n in (1, 2)}
    assert issuers == {
        x509.load_pem_x509_certificate(pem).subject
        for pem in (paper.authority.root_pem, paper.authority.issuing_pem)
    }


def test_outside_tools_accept_every_signature_and_time_stamp(paper: Paper, tmp_path: Path) -> None:
    """pdfsig with NSS trust, openssl cms and ts, qpdf: programs nobody here wrote."""
    file, root = tmp_path / "contract.pdf", tmp_path / "root.pem"
    pdf = paper.archived()
    file.write_bytes(pdf)
    root.write_bytes(paper.authority.root_pem)
    store = f"sql:{tmp_path / 'nss'}"
    (tmp_path / "nss").mkdir()
    run("certutil", "-N", "-d", store, "--empty-password")
    run("certutil", "-A", "-d", store, "-n", "root", "-t", "CT,C,C", "-i", str(root))
    for also in ((), ("-no-ocsp",)):
        seen = poppler("pdfsig", *also, "-nssdir", store, file)
        # invariant 21: as many valid signatures as there are signers; the archive's time-stamp
        # is listed behind them without a verdict.
        assert seen.count("Certificate is Trusted") == seen.count("Signature is Valid") == 3
    reader = PdfFileReader(_stream(pdf))
    for number, one in enumerate(reader.embedded_signatures):
        _openssl(one, pdf, tmp_path / str(number), root)
    assert "No syntax or stream encoding errors" in run("qpdf", "--check", str(file))


def _openssl(one: EmbeddedPdfSignature, pdf: bytes, stem: Path, root: Path) -> None:
    _, first, second, length = (int(part) for part in one.byte_range)
    data, cms = stem.with_suffix(".bin"), stem.with_suffix(".der")
    data.write_bytes(pdf[:first] + pdf[second : second + length])
    _, start, end, _ = (int(part) for part in one.byte_range)
    der = bytes.fromhex(pdf[start + 1 : end - 1].decode())
    from asn1crypto import cms as asn1_cms

    cms.write_bytes(der[: parser.peek(der)])
    if one.sig_object_type == "/DocTimeStamp":
        said = run(
            "openssl", "ts", "-verify", "-token_in", "-in", str(cms),
            "-data", str(data), "-CAfile", str(root),
        )  # fmt: skip
        assert "Verification: OK" in said
        return
    said = run(
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", str(cms),
        "-content", str(data), "-CAfile", str(root), "-purpose", "any", "-cades",
        "-out", "/dev/null",
    )  # fmt: skip
    assert "CAdES Verification successful" in said
    signed = asn1_cms.ContentInfo.load(cms.read_bytes())["content"]["signer_infos"][0]
    token = next(
        each["values"][0]
        for each in signed["unsigned_attrs"]
        if each["type"].native == "signature_time_stamp_token"
    )
    stem.with_suffix(".tst").write_bytes(token.dump())
    stem.with_suffix(".sig").write_bytes(signed["signature"].native)
    said = run(
        "openssl", "ts", "-verify", "-token_in", "-in", str(stem.with_suffix(".tst")),
        "-data", str(stem.with_suffix(".sig")), "-CAfile", str(root),
    )  # fmt: skip
    assert "Verification: OK" in said


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
