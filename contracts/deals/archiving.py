"""Making a signed contract last: revocation data and a time-stamp over all of it, in one revision.

Source: ETSI EN 319 142-1 §5.4 (document security store) and §6 (level B-LTA).
Appending is what every later renewal does too: the bytes of the signed contract never change.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from io import BytesIO

from asn1crypto import crl, x509
from asn1crypto import pem as asn1_pem
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.signers import PdfTimeStamper
from pyhanko.sign.validation.dss import DocumentSecurityStore

from contracts.deals.timestamps import DIGEST, OTHERS_BYTES, OWN_BYTES, Source, Stamper
from contracts.parties.gateway import TimeKey

FIELD = "archive-{number}"


def archive(
    pdf: bytes,
    *,
    number: int,
    certificates: Sequence[bytes],
    crls: Sequence[bytes],
    by: Source,
    at: datetime,
) -> bytes:
    """Return the contract with one more revision: revocation data and a document time-stamp.

    Args:
        pdf: the latest revision, signed by everybody.
        number: counts the time-stamps of this file, from 1.
        certificates: PEM, of everybody who signed, of the authority and of the time key, with
            those they lead to.
        crls: lists of revoked certificates, DER.
        by: the key of the time-stamping authority, or those of others.
        at: the instant.

    Raises:
        NotStamped: others were asked, and none answered as it should.
    """
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    DocumentSecurityStore.supply_dss_in_writer(
        writer,
        None,
        certs=_each(certificates),
        crls=[crl.CertificateList.load(der) for der in crls],
    )
    stamper = PdfTimeStamper(Stamper(by, at), field_name=FIELD.format(number=number))
    room = OWN_BYTES if isinstance(by, TimeKey) else OTHERS_BYTES
    made = stamper.async_timestamp_pdf(writer, DIGEST, bytes_reserved=2 * room)
    # A thread of its own, so that a caller's running event loop does no harm.
    with ThreadPoolExecutor(1) as thread:
        output: BytesIO = thread.submit(asyncio.run, made).result()
    return output.getvalue()


def _each(pems: Sequence[bytes]) -> list[x509.Certificate]:
    """Return the certificates in PEM texts, each once."""
    ders = [der for pem in pems for _, _, der in asn1_pem.unarmor(pem, multiple=True)]
    return [x509.Certificate.load(der) for der in dict.fromkeys(ders)]
