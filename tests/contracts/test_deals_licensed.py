"""Contracts that parties sign with certificates of other authorities (持牌机构)."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from contracts.deals import timestamps, verification
from contracts.deals.verification import DocumentNotSound
from tests.conftest import NOW
from tests.contracts.brought import Brought
from tests.contracts.poppler import poppler
from tests.contracts.test_deals_archiving import SOON, Paper, _openssl, _stream, made, run


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    folder = tmp_path_factory.mktemp("authorities")
    return made(Brought.beside(folder / "keys", folder / "trusted"), stamps=True)


def outside(paper: Paper) -> Brought:
    assert isinstance(paper.authority, Brought)
    return paper.authority


def test_it_is_good_for_whoever_trusts_both_roots_and_for_nobody_else(paper: Paper) -> None:
    pdf = paper.archived()
    authority = outside(paper)
    both = authority.root_pem
    assert both == authority.own_root_pem + authority.outside.root_pem
    verification.require_sound(pdf, both, keys=paper.keys, terms=paper.terms)
    for roots in (authority.own_root_pem, authority.outside.root_pem):
        with pytest.raises(DocumentNotSound):
            verification.require_sound(pdf, roots, keys=paper.keys, terms=paper.terms)
    found = verification.check_signatures(paper.signed, authority.own_root_pem)
    assert [one.trusted for one in found] == [True, False, False]


def test_its_own_authoritys_list_decides_whether_a_certificate_was_revoked(paper: Paper) -> None:
    authority, licensor = outside(paper), paper.certificates[3]
    try:
        for moment, trusted in (
            (NOW - timedelta(seconds=1), [True, False, True]),
            (NOW + timedelta(seconds=1), [True, True, True]),
        ):
            authority.outside.publish(licensor, revoked_at=moment)
            assert [one.trusted for one in paper.verdicts(paper.archived())] == trusted
    finally:
        authority.outside.publish()
    # The exchange's own list names no certificate of others, and would not count if it did.
    listed = paper.archived(revoked=((licensor, NOW - timedelta(days=1)),))
    assert all(one.good for one in paper.verdicts(listed))


def test_outside_tools_accept_it_with_both_roots(paper: Paper, tmp_path: Path) -> None:
    pdf, authority = paper.archived(), outside(paper)
    file, roots = tmp_path / "contract.pdf", tmp_path / "roots.pem"
    file.write_bytes(pdf)
    roots.write_bytes(authority.root_pem)
    (tmp_path / "nss").mkdir()
    store = f"sql:{tmp_path / 'nss'}"
    run("certutil", "-N", "-d", store, "--empty-password")
    for trusted, pem in ((1, authority.own_root_pem), (3, authority.outside.root_pem)):
        one = tmp_path / f"{trusted}.pem"
        one.write_bytes(pem)
        run("certutil", "-A", "-d", store, "-n", one.name, "-t", "CT,C,C", "-i", str(one))
        seen = poppler("pdfsig", "-nssdir", store, file)
        assert seen.count("Certificate is Trusted") == trusted
        assert seen.count("Signature is Valid") == 3
    for number, one_ in enumerate(PdfFileReader(_stream(pdf)).embedded_signatures):
        _openssl(one_, pdf, tmp_path / str(number), roots)
    _, *issued = paper.certificates[3].split(b"-----BEGIN")
    (tmp_path / "leaf.pem").write_bytes(b"-----BEGIN" + issued[0])
    (tmp_path / "middle.pem").write_bytes(authority.outside.middle_pem)
    lists = b"".join(
        run(
            "openssl", "crl", "-inform", "DER", "-in", str(authority.outside.folder / name)
        ).encode()
        for name in ("root.crl", "middle.crl")
    )
    (tmp_path / "lists.pem").write_bytes(lists)
    said = run(
        "openssl", "verify", "-crl_check_all", "-CAfile", str(roots),
        "-untrusted", str(tmp_path / "middle.pem"), "-CRLfile", str(tmp_path / "lists.pem"),
        "-attime", str(int(SOON.timestamp())), str(tmp_path / "leaf.pem"),
    )  # fmt: skip
    assert "OK" in said


def test_a_policy_of_its_own_is_what_its_time_stamps_name(tmp_path: Path, paper: Paper) -> None:
    authority = outside(paper)
    time = authority.certifier.time
    assert time is not None
    certifier = replace(authority.certifier, time=replace(time, policy="1.2.156.99999.7"))
    for by, policy in ((time, time.policy), (certifier.time, "1.2.156.99999.7")):
        assert by is not None
        token = timestamps.token(b"7" * 32, by=by, at=NOW)
        info = token["content"]["encap_content_info"]["content"].parsed
        assert info["policy"].native == policy
        (tmp_path / "token.der").write_bytes(token.dump())
        said = run("openssl", "ts", "-reply", "-token_in", "-in", str(tmp_path / "token.der"),
                   "-token_out", "-text")  # fmt: skip
        assert f"Policy OID: {policy}" in said
