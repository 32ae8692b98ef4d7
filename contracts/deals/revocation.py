"""Revoked certificates of a contract: what the lists say that the file itself carries.

Source: RFC 5280 §5 and §6.3, ETSI EN 319 102-1 (a certificate is judged when its signature was
proved to exist).
Differs from the source: a list counts as long as its issuer's signature holds, however old it is.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko_certvalidator.path import ValidationPath

Lists = Sequence[x509.CertificateRevocationList]


def kept(reader: PdfFileReader) -> Lists:
    """Return the lists of revoked certificates in the file, whoever may have signed them."""
    if "/DSS" not in reader.root:
        return []
    held = reader.root["/DSS"].get_object().get("/CRLs", ())
    return [x509.load_der_x509_crl(one.get_object().data) for one in held]


def revoked(path: ValidationPath | None, at: datetime | None, lists: Lists) -> bool:
    """Tell whether a certificate, or one that it leads to, was revoked at an instant.

    Each is looked up in the lists of its own issuer alone. Where nothing proves the instant, a
    certificate that is on any list counts as revoked.

    Args:
        path: from the root to the certificate; None where none was found, and nothing is trusted.
        at: when the signature was first proved to exist; None where nothing proves it.
        lists: those in the file.
    """
    if path is None:
        return True
    chain = [x509.load_der_x509_certificate(one.dump()) for one in path.iter_certs(True)]
    dates = [date for issuer, one in pairwise(chain) for date in _dates(one, issuer, lists)]
    return bool(dates) and (at is None or min(dates) <= at)


def _dates(
    certificate: x509.Certificate, issuer: x509.Certificate, lists: Lists
) -> Iterable[datetime]:
    """Yield when the lists of its issuer say that a certificate was revoked."""
    key = issuer.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return
    for one in lists:
        entry = one.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is not None and one.issuer == issuer.subject and one.is_signature_valid(key):
            yield entry.revocation_date_utc
