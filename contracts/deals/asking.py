"""Asking for time-stamps, and judging the answers: what a token has to be before it is kept.

Source: RFC 3161 §2.3 (the authority's certificate), §2.4.1 (request), §2.4.2 (answer), RFC 5816.
Differs from the source: stricter. Only `granted` is taken, not `grantedWithMods`; a time that is
far from the exchange's own clock is refused, because then one of the two is wrong; so is a token
that does not fit the gap left for it.
"""

from datetime import datetime, timedelta
from typing import ClassVar

from asn1crypto import cms, core, tsp, x509
from pyhanko.sign.general import CMSStructuralError
from pyhanko.sign.validation import generic_cms
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.status import TimestampSignatureStatus
from pyhanko_certvalidator import ValidationContext

from contracts.deals.timestamps import DIGEST, OTHERS_BYTES
from contracts.parties import times
from contracts.parties.times import NotStamped

# Clocks of machines differ by seconds; whoever is off by a minute is broken.
CLOCKS_DIFFER = timedelta(minutes=1)
# RFC 3161 §2.4.1 and RFC 5816: the token names the certificate that it is to be checked with.
_NAMING = frozenset({"signing_certificate", "signing_certificate_v2"})
# What reading a broken answer may raise.
_UNREADABLE = (
    CMSStructuralError,
    SignatureValidationError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    RecursionError,
)


class _Answer(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    """A TimeStampResp, which has no token where the authority refuses (asn1crypto wants one)."""

    _fields: ClassVar = [
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


def request(digest: bytes, *, nonce: int) -> bytes:
    """Return the DER of a request for a time-stamp over a SHA-256 digest, with certificates."""
    asked = tsp.TimeStampReq(
        {
            "version": "v1",
            "message_imprint": {"hash_algorithm": {"algorithm": DIGEST}, "hashed_message": digest},
            "nonce": nonce,
            "cert_req": True,
        }
    )
    der: bytes = asked.dump()
    return der


async def checked(
    answer: bytes, *, digest: bytes, nonce: int, roots_pem: bytes, at: datetime
) -> cms.ContentInfo:
    """Return the token of an answer if it is what was asked for, by an authority that is trusted.

    Args:
        answer: the DER that came back.
        digest: what was to be stamped.
        nonce: the number that was sent along.
        roots_pem: the certificates, one or several, that the authority's has to lead to.
        at: the instant by our own clock.

    Raises:
        NotStamped: anything at all is not as it must be.
    """
    try:
        token = _granted(answer)
        info: tsp.TSTInfo = token["content"]["encap_content_info"]["content"].parsed
        _check_info(info, digest=digest, nonce=nonce, at=at)
        await _check_signature(token["content"], info, digest=digest, roots_pem=roots_pem)
    except _UNREADABLE as broken:
        raise NotStamped("the answer cannot be read") from broken
    return token


def _granted(answer: bytes) -> cms.ContentInfo:
    said = _Answer.load(answer, strict=True)
    status = said["status"]["status"].native
    if status != "granted":
        raise NotStamped(f"the answer is {status}")
    token: cms.ContentInfo = said["time_stamp_token"]
    _need(token["content_type"].native == "signed_data", "the answer holds no token")
    content = token["content"]["encap_content_info"]["content_type"].native
    _need(content == "tst_info", "the token says no time")
    _need(len(token.dump()) <= OTHERS_BYTES, "the token is too large for a contract")
    return token


def _check_info(info: tsp.TSTInfo, *, digest: bytes, nonce: int, at: datetime) -> None:
    imprint = info["message_imprint"]
    algorithm = imprint["hash_algorithm"]["algorithm"].native
    _need(algorithm == DIGEST and imprint["hashed_message"].native == digest, "another imprint")
    _need(info["nonce"].native == nonce, "another nonce")
    moment: datetime = info["gen_time"].native
    _need(abs(moment - at) <= CLOCKS_DIFFER, f"its clock says {moment.isoformat()}")


async def _check_signature(
    signed: cms.SignedData, info: tsp.TSTInfo, *, digest: bytes, roots_pem: bytes
) -> None:
    _need(len(signed["signer_infos"]) == 1, "the token has not one signature")
    named = {one["type"].native for one in signed["signer_infos"][0]["signed_attrs"]}
    _need(named & _NAMING, "the token does not name its certificate")
    context = ValidationContext(
        trust_roots=times.anchors(roots_pem),
        allow_fetching=False,
        moment=info["gen_time"].native,
        revocation_mode="soft-fail",
    )
    said = await generic_cms.validate_tst_signed_data(signed, context, lambda _: digest)
    found = TimestampSignatureStatus(**said)
    _need(found.intact and found.valid, "the token's signature does not hold")
    _need(found.trusted, "the authority is not trusted")
    _need(_stamps_alone(found.signing_cert), "the certificate is not for time-stamps alone")


def _stamps_alone(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is for time-stamps and nothing else (RFC 3161 §2.3: critical)."""
    usage = certificate.extended_key_usage_value
    critical = "extended_key_usage" in certificate.critical_extensions
    return usage is not None and usage.native == ["time_stamping"] and critical


def _need(holds: object, why: str) -> None:
    if not holds:
        raise NotStamped(why)
