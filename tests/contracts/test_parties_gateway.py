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

from contracts.parties import certificates, csr
from contracts.parties.certificates import DOCUMENT_SIGNING
from contracts.parties.gateway import AuthorityMissing, BadCsr, LocalAuthority, Setup
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
    issuing, root = map(x509.load_pem_x509_certificate, (authority.issuing_pem, authority.root_pem))
    made.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(root)
    assert x509.load_pem_x509_certificates(pem) == [made, issuing]
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
    made = (*LocalAuthority.FILES, *LocalAuthority.TIME_FILES, "root.key", "root.crl")
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


def from_before(folder: Path) -> LocalAuthority:
    """An authority as the first version made it: the root issues, and nobody stands below it."""
    folder.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = certificates.subject(*certificates.ROOT_NAME, None)
    root = (
        x509.CertificateBuilder()
        .public_key(key.public_key())
        .subject_name(name)
        .issuer_name(name)
        .serial_number(7)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=7300))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    encoded = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "root.key").write_bytes(encoded)
    return LocalAuthority.ensure(folder, NOW)


def test_an_authority_from_before_goes_on_with_its_root_alone(tmp_path: Path) -> None:
    old = from_before(tmp_path)
    assert not (tmp_path / "issuing.pem").exists() and old.root_list() is None
    pem = old.issue(request(ec.generate_private_key(ec.SECP256R1())), party=Company(), now=NOW)
    (made,) = x509.load_pem_x509_certificates(pem)
    made.verify_directly_issued_by(x509.load_pem_x509_certificate(old.root_pem))
    (listed,) = old.lists([(pem, NOW)], of=[pem], now=NOW)
    assert x509.load_der_x509_crl(listed).get_revoked_certificate_by_serial_number(
        made.serial_number
    )
    (tmp_path / "root.key").unlink()
    with pytest.raises(AuthorityMissing):
        LocalAuthority.open(tmp_path)


def test_the_roots_key_may_be_taken_away_and_everything_but_its_list_goes_on(
    tmp_path: Path,
) -> None:
    LocalAuthority.ensure(tmp_path, NOW)
    (tmp_path / "root.key").unlink()
    (tmp_path / "tsa.pem").unlink()
    for authority in (LocalAuthority.ensure(tmp_path, NOW), LocalAuthority.open(tmp_path)):
        assert not authority.has_root_key and authority.certifier.time is not None
        pem = authority.issue(
            request(ec.generate_private_key(ec.SECP256R1())), party=Company(), now=NOW
        )
        assert len(authority.lists([], of=[pem], now=NOW)) == 2
        with pytest.raises(AuthorityMissing, match="root's key"):
            authority.sign_root_list(now=NOW)


def test_certificates_name_the_lists_of_their_issuer_where_they_are_published(
    tmp_path: Path,
) -> None:
    authority = LocalAuthority.ensure(tmp_path, NOW, Setup(public_url="https://x.example"))
    pem = authority.issue(
        request(ec.generate_private_key(ec.SECP256R1())), party=Company(), now=NOW
    )
    leaf, issuing = x509.load_pem_x509_certificates(pem)
    for one, name in ((leaf, "issuing"), (issuing, "root")):
        places = one.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        told = one.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        assert [at.full_name[0].value for at in places] == [f"https://x.example/ca/{name}.crl"]
        assert [at.access_location.value for at in told] == [f"https://x.example/ca/{name}.cer"]


def test_what_is_revoked_by_hand_is_on_the_list_of_its_issuer(tmp_path: Path) -> None:
    authority = LocalAuthority.ensure(tmp_path, NOW)
    pem = authority.issue(
        request(ec.generate_private_key(ec.SECP256R1())), party=Company(), now=NOW
    )
    leaf, issuing = x509.load_pem_x509_certificates(pem)
    for one in (pem, pem, authority.issuing_pem):
        authority.revoke(one, now=NOW)
    root_list = x509.load_der_x509_crl(authority.sign_root_list(now=NOW))
    own_list = x509.load_der_x509_crl(authority.crl([(pem, NOW + timedelta(days=1))], now=NOW))
    assert [(one.serial_number, one.revocation_date_utc) for one in own_list] == [
        (leaf.serial_number, NOW)
    ]
    assert [one.serial_number for one in root_list] == [issuing.serial_number]
    assert authority.root_list() == root_list.public_bytes(serialization.Encoding.DER)
    stranger = LocalAuthority.ensure(tmp_path / "other", NOW)
    with pytest.raises(AuthorityMissing, match="not of this authority"):
        stranger.revoke(pem, now=NOW)


@pytest.mark.parametrize("spoilt", LocalAuthority.FILES)
def test_an_authority_with_an_unreadable_file_does_not_open(tmp_path: Path, spoilt: str) -> None:
    LocalAuthority.ensure(tmp_path, NOW)
    (tmp_path / spoilt).write_bytes(b"spoilt")
    with pytest.raises(AuthorityMissing):
        LocalAuthority.open(tmp_path)
