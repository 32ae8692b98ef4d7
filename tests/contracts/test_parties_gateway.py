import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from contracts.parties import csr
from contracts.parties.gateway import DOCUMENT_SIGNING, AuthorityMissing, BadCsr, LocalAuthority
from tests.conftest import NOW


@dataclass
class Company:
    name_zh: str = "示范影像制作有限公司"
    name_en: str = "Demo Imaging Production Co., Ltd."
    uscc: str = "91110000000000001A"


def request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whatever the asker says")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def test_a_certificate_carries_the_registered_names_and_both_purposes(tmp_path: Path) -> None:
    authority = LocalAuthority.ensure(tmp_path, NOW)
    pem = authority.issue(
        request(ec.generate_private_key(ec.SECP256R1())), party=Company(), now=NOW
    )
    made = x509.load_pem_x509_certificate(pem)
    made.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.root_pem))
    assert made.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == Company.name_zh
    assert made.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)[0].value == Company.uscc
    uses = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(uses) == {DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION}
    usage = made.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature and usage.content_commitment and not usage.key_cert_sign
    assert made.not_valid_before_utc == NOW - timedelta(hours=1)
    assert made.not_valid_after_utc - NOW == timedelta(days=3 * 365)


def test_two_certificates_never_share_a_serial(tmp_path: Path) -> None:
    authority = LocalAuthority.ensure(tmp_path, NOW)
    csr = request(ec.generate_private_key(ec.SECP256R1()))
    made = [authority.issue(csr, party=Company(), now=NOW) for _ in range(5)]
    assert len({x509.load_pem_x509_certificate(pem).serial_number for pem in made}) == 5


def test_the_keys_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    first = LocalAuthority.ensure(tmp_path, NOW)
    again = LocalAuthority.ensure(tmp_path, NOW + timedelta(days=1))
    assert first.root_pem == again.root_pem
    assert first.certifier.certificate_pem == again.certifier.certificate_pem
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in LocalAuthority.FILES}
    assert modes == {0o600}
    made = LocalAuthority.FILES + LocalAuthority.TIME_FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(made)


def test_processes_that_race_end_with_one_authority(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: LocalAuthority.ensure(tmp_path, NOW), range(8)))
    assert len({authority.certifier.certificate_pem for authority in made}) == 1
    assert len({authority.root_pem for authority in made}) == 1


@pytest.mark.parametrize("lost", LocalAuthority.FILES)
def test_an_authority_that_is_not_whole_does_not_open(tmp_path: Path, lost: str) -> None:
    LocalAuthority.ensure(tmp_path, NOW)
    (tmp_path / lost).unlink()
    with pytest.raises(AuthorityMissing, match="missing"):
        LocalAuthority.open(tmp_path)


@pytest.mark.parametrize("swapped", LocalAuthority.FILES)
def test_an_authority_with_a_strange_file_does_not_open(tmp_path: Path, swapped: str) -> None:
    LocalAuthority.ensure(tmp_path / "ours", NOW)
    LocalAuthority.ensure(tmp_path / "other", NOW)
    (tmp_path / "ours" / swapped).write_bytes((tmp_path / "other" / swapped).read_bytes())
    with pytest.raises(AuthorityMissing):
        LocalAuthority.open(tmp_path / "ours")


def test_an_ed25519_key_is_certified_and_signs_bids_alone(tmp_path: Path) -> None:
    authority = LocalAuthority.ensure(tmp_path, NOW)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    asked = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(name)
        .sign(ed25519.Ed25519PrivateKey.generate(), None)
        .public_bytes(serialization.Encoding.PEM)
    )
    made = x509.load_pem_x509_certificate(authority.issue(asked, party=Company(), now=NOW))
    assert isinstance(made.public_key(), ed25519.Ed25519PublicKey)
    assert not csr.signs_documents(csr.read(asked).pem)
    contracts = request(ec.generate_private_key(ec.SECP256R1()))
    assert csr.signs_documents(csr.read(contracts).pem)


def test_a_request_for_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    authority = LocalAuthority.ensure(tmp_path, NOW)
    for wrong in (
        request(rsa.generate_private_key(65537, 2048)),
        request(ec.generate_private_key(ec.SECP384R1())),
        b"not a request",
        b"",
    ):
        with pytest.raises(BadCsr):
            authority.issue(wrong, party=Company(), now=NOW)


def test_a_request_signed_by_another_key_is_refused(tmp_path: Path) -> None:
    authority = LocalAuthority.ensure(tmp_path, NOW)
    genuine = x509.load_pem_x509_csr(request(ec.generate_private_key(ec.SECP256R1())))
    der = bytearray(genuine.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    try:
        forged = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)
    except ValueError:
        forged = b"broken"
    with pytest.raises(BadCsr):
        authority.issue(forged, party=Company(), now=NOW)


@pytest.mark.parametrize("spoilt", LocalAuthority.FILES)
def test_an_authority_with_an_unreadable_file_does_not_open(tmp_path: Path, spoilt: str) -> None:
    LocalAuthority.ensure(tmp_path, NOW)
    (tmp_path / spoilt).write_bytes(b"spoilt")
    with pytest.raises(AuthorityMissing):
        LocalAuthority.open(tmp_path)
