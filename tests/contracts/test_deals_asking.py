"""Answers of time-stamping authorities: what is kept, and what is refused and why."""

import hashlib
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from contracts.deals import asking
from contracts.parties.times import NotStamped
from exchange import clock
from tests.conftest import NOW
from tests.contracts import tsa_standin
from tests.contracts.tsa_standin import Tsa

DIGEST, NONCE = hashlib.sha256(b"a signature").digest(), 1 << 63 | 11
CONFIG = """[tsa]
default_tsa = ours
[ours]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


@pytest.fixture(scope="module")
def tsa() -> Tsa:
    return tsa_standin.make()


async def judged(
    answer: bytes, tsa: Tsa, *, nonce: int = NONCE, digest: bytes = DIGEST, at: datetime = NOW
) -> datetime:
    token = await asking.checked(answer, digest=digest, nonce=nonce, roots_pem=tsa.root_pem, at=at)
    moment: datetime = token["content"]["encap_content_info"]["content"].parsed["gen_time"].native
    return moment


async def test_the_answer_to_what_was_asked_is_kept(tsa: Tsa) -> None:
    answer = tsa.answer(asking.request(DIGEST, nonce=NONCE))
    assert await judged(answer, tsa) == NOW


@pytest.mark.parametrize(
    ("manner", "why"),
    [
        ("garbage", "cannot be read"),
        ("refused", "rejection"),
        ("mods", "granted_with_mods"),
        ("nonce", "another nonce"),
        ("imprint", "another imprint"),
        ("clock", "its clock says"),
        ("signature", "does not hold"),
        ("unnamed", "does not name its certificate"),
    ],
)
async def test_an_answer_that_is_not_as_it_must_be_is_refused(
    tsa: Tsa, manner: str, why: str
) -> None:
    answer = tsa.answer(asking.request(DIGEST, nonce=NONCE), manner=manner)
    with pytest.raises(NotStamped, match=why):
        await judged(answer, tsa)


async def test_a_flipped_bit_anywhere_changes_no_time(tsa: Tsa) -> None:
    """Either the answer is refused, or what it proves is what it proved."""
    answer = tsa.answer(asking.request(DIGEST, nonce=NONCE))
    refused = 0
    for place in range(0, len(answer), 97):
        spoilt = answer[:place] + bytes([answer[place] ^ 1]) + answer[place + 1 :]
        try:
            assert await judged(spoilt, tsa) == NOW
        except NotStamped:
            refused += 1
    assert refused > 5


async def test_an_answer_to_another_request_is_refused(tsa: Tsa) -> None:
    earlier = tsa.answer(asking.request(DIGEST, nonce=NONCE))
    with pytest.raises(NotStamped, match="another nonce"):
        await judged(earlier, tsa, nonce=NONCE + 2)
    with pytest.raises(NotStamped, match="another imprint"):
        await judged(earlier, tsa, digest=hashlib.sha256(b"another").digest())
    with pytest.raises(NotStamped, match="its clock says"):
        await judged(earlier, tsa, at=NOW + timedelta(minutes=6))


async def test_an_authority_of_another_root_is_refused(tsa: Tsa) -> None:
    answer = tsa_standin.make().answer(asking.request(DIGEST, nonce=NONCE))
    with pytest.raises(NotStamped, match="not trusted"):
        await judged(answer, tsa)


@pytest.mark.parametrize(
    ("purposes", "critical", "why"),
    [
        ((ExtendedKeyUsageOID.CODE_SIGNING,), True, "not trusted"),
        (
            (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING),
            True,
            "not for time-stamps alone",
        ),
        ((ExtendedKeyUsageOID.TIME_STAMPING,), False, "not for time-stamps alone"),
    ],
)
async def test_a_certificate_for_other_things_stamps_nothing(
    purposes: tuple[x509.ObjectIdentifier, ...], critical: bool, why: str
) -> None:
    other = tsa_standin.make(purposes=purposes, critical=critical)
    answer = other.answer(asking.request(DIGEST, nonce=NONCE))
    with pytest.raises(NotStamped, match=why):
        await judged(answer, other)


def openssl_answer(tsa: Tsa, folder: Path) -> bytes:
    tsa.write(folder)
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder))
    query, reply = folder / "query.tsq", folder / "reply.tsr"
    query.write_bytes(asking.request(DIGEST, nonce=NONCE))
    made = subprocess.run(
        ["openssl", "ts", "-reply", "-config", str(folder / "tsa.cnf"),
         "-queryfile", str(query), "-out", str(reply)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return reply.read_bytes()


async def test_the_answer_of_openssl_is_kept(tsa: Tsa, tmp_path: Path) -> None:
    """An authority that nobody here wrote reads our request and answers it."""
    answer = openssl_answer(tsa, tmp_path)
    now = clock.now()  # openssl's authority has the machine's clock
    assert abs(await judged(answer, tsa, at=now) - now) < asking.CLOCKS_DIFFER
