"""Certificates of other authorities (持牌机构): what is accepted, and each reason why not."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from contracts.parties import csr, licensed
from contracts.parties.gateway import LocalAuthority, Setup
from contracts.parties.licensed import (
    Accepted,
    BadCertificate,
    CertificateNotForSigning,
    CertificateNotInForce,
    CertificateNotTrusted,
    CertificateOfAnother,
)
from contracts.parties.trusted import Trusted, TrustedUnreadable
from exchange.demo import signer
from tests.conftest import NOW
from tests.contracts.licensed_factory import Outside, below_a_stranger
from tests.contracts.test_parties_gateway import Company

US = Company()
CODE = US.uscc


@dataclass(frozen=True)
class Room:
    """An exchange that trusts another authority, and a party's request."""

    outside: Outside
    authority: LocalAuthority
    request: bytes

    async def judged(self, pem: bytes) -> Accepted:
        spki = csr.read(self.request).spki_sha256
        return await licensed.accept(
            pem, spki_sha256=spki, party=US, authority=self.authority, now=NOW
        )


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    outside = Outside(tmp_path_factory.mktemp("trusted"), NOW)
    setup = Setup(trusted=Trusted(outside.folder))
    authority = LocalAuthority.ensure(tmp_path_factory.mktemp("keys"), NOW, setup)
    return Room(outside, authority, signer.make_key_and_csr("示范")[1])


@pytest.fixture(autouse=True)
def fresh(room: Room) -> None:
    room.outside.publish()


@pytest.mark.parametrize(
    "named",
    [
        {"uscc": CODE}, {"identifier": f"NTRCN-{CODE}"}, {"identifier": CODE.lower()},
        {"name": US.name_zh}, {"name": US.name_en.upper()}, {"name": "别名", "uscc": CODE},
    ],
)  # fmt: skip
async def test_a_certificate_counts_that_names_the_code_or_the_registered_name(
    room: Room, named: dict[str, Any]
) -> None:
    leaf = room.outside.issue(room.request, **named)
    accepted = await room.judged(leaf + room.outside.middle_pem)
    assert accepted.issuer_name == "CN=持牌签发"
    assert accepted.chain_pem == leaf + room.outside.middle_pem
    assert accepted.issue(room.request, party=US, now=NOW) == accepted.chain_pem


@pytest.mark.parametrize(
    "named", [{"name": "他人公司"}, {}, {"name": US.name_zh, "uscc": "91110000600037341L"}]
)
async def test_a_certificate_of_another_organisation_does_not(
    room: Room, named: dict[str, Any]
) -> None:
    leaf = room.outside.issue(room.request, **named)
    with pytest.raises(CertificateOfAnother):
        await room.judged(leaf + room.outside.middle_pem)


async def test_a_chain_is_completed_from_the_operators_folder(room: Room) -> None:
    leaf = room.outside.issue(room.request, uscc=CODE)
    whole = leaf + room.outside.middle_pem
    assert {(await room.judged(given)).chain_pem for given in (leaf, whole)} == {whole}
    assert room.authority.root_pem == room.authority.own_root_pem + room.outside.root_pem
    assert room.authority.roots_of([whole]) == room.authority.root_pem
    assert room.authority.roots_of([room.authority.issuing_pem]) == room.authority.own_root_pem


async def test_a_certificate_of_a_stranger_or_under_a_false_signature_is_not_trusted(
    room: Room,
) -> None:
    forged = room.outside.issue(
        room.request, uscc=CODE, key=ec.generate_private_key(ec.SECP384R1())
    )
    for wrong in (
        below_a_stranger(NOW, room.request, CODE), forged + room.outside.middle_pem,
    ):  # fmt: skip
        with pytest.raises(CertificateNotTrusted):
            await room.judged(wrong)


async def test_a_certificate_of_another_key_or_no_certificate_is_refused(room: Room) -> None:
    other = room.outside.issue(signer.make_key_and_csr("示范")[1], uscc=CODE)
    leaf = room.outside.issue(room.request, uscc=CODE)
    for wrong in (other, b"", b"nothing like it", leaf + room.outside.middle_pem * 4):
        with pytest.raises(BadCertificate):
            await room.judged(wrong)


@pytest.mark.parametrize(
    ("uses", "purposes", "accepted"),
    [
        (("digital_signature",), (ExtendedKeyUsageOID.EMAIL_PROTECTION,), False),
        (("content_commitment",), (ExtendedKeyUsageOID.EMAIL_PROTECTION,), False),
        (("digital_signature", "content_commitment"), (ExtendedKeyUsageOID.SERVER_AUTH,), False),
        (("digital_signature", "content_commitment"), (ExtendedKeyUsageOID.TIME_STAMPING,), False),
        (("digital_signature", "content_commitment"), (), True),
    ],
)
async def test_only_certificates_for_signing_documents_count(
    room: Room,
    uses: tuple[str, ...],
    purposes: tuple[x509.ObjectIdentifier, ...],
    accepted: bool,
) -> None:
    leaf = room.outside.issue(room.request, uscc=CODE, uses=uses, purposes=purposes)
    if accepted:
        assert await room.judged(leaf + room.outside.middle_pem)
        return
    with pytest.raises(CertificateNotForSigning):
        await room.judged(leaf + room.outside.middle_pem)


async def reason(room: Room, pem: bytes) -> object:
    with pytest.raises(CertificateNotInForce) as refused:
        await room.judged(pem + room.outside.middle_pem)
    return refused.value.data["reason"]


async def test_a_certificate_that_is_over_or_revoked_or_of_unknown_state_is_not_in_force(
    room: Room,
) -> None:
    over = room.outside.issue(room.request, uscc=CODE, lasts=timedelta(days=1))
    assert await reason(room, over) == "expired"
    leaf = room.outside.issue(room.request, uscc=CODE)
    room.outside.publish(leaf)
    assert await reason(room, leaf) == "revoked"
    room.outside.publish(at=NOW - timedelta(days=30))  # the operator fetched no newer list
    assert await reason(room, leaf) == "unknown"
    (room.outside.folder / "middle.crl").unlink()
    assert await reason(room, leaf) == "unknown"


async def test_what_the_exchange_issued_off_line_is_brought_like_any_other(room: Room) -> None:
    mine = room.authority.issue(room.request, party=US, now=NOW)
    accepted = await room.judged(mine)
    assert (accepted.issuer_name, accepted.chain_pem) == (None, mine)
    room.authority.revoke(mine, now=NOW)
    with pytest.raises(CertificateNotInForce):
        await room.judged(mine)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.pem", b"no certificate"), ("a.crl", b"no list"), ("leaf.pem", None), ("other.crl", None)],
)
def test_a_folder_with_anything_else_in_it_stops_the_exchange(
    tmp_path: Path, room: Room, name: str, content: bytes | None
) -> None:
    folder = tmp_path / "trusted"
    mine = Outside(folder, NOW)
    if name == "leaf.pem":
        content = mine.issue(room.request, uscc=CODE)
    elif name == "other.crl":
        content = (room.outside.folder / "middle.crl").read_bytes()
    (folder / name).write_bytes(content or b"")
    trusted = Trusted(folder)
    with pytest.raises(TrustedUnreadable):
        trusted.lists()
    with pytest.raises(TrustedUnreadable):
        Trusted(tmp_path / "missing").roots_pem()
