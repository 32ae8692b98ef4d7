"""A time-stamping authority of somebody else, for tests: over HTTP, and able to misbehave.

Its answers are built here from RFC 3161, not with the exchange's own code.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from asn1crypto import algos, cms, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.conftest import NOW


@dataclass
class Tsa:
    """An authority with an RSA key, a root of its own, and a clock that tests set."""

    root_pem: bytes
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    clock: Callable[[], datetime] = lambda: NOW
    manner: str = "good"
    asked: list[bytes] = field(default_factory=list)

    def answer(self, request: bytes, *, manner: str | None = None) -> bytes:
        """Answer as the manner says: `good`, or wrong in the way that it names."""
        manner, asked = manner or self.manner, tsp.TimeStampReq.load(request)
        imprint, nonce = asked["message_imprint"], asked["nonce"].native
        if manner == "garbage":
            return b"<html>Welcome to our hotel</html>"
        if manner == "refused":
            return bytes.fromhex("30053003020102")  # status 2, and no token
        if manner == "imprint":
            imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": b"\0" * 32}
        moment = self.clock() + timedelta(minutes=6 if manner == "clock" else 0)
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": "1.2.3.4",
                "message_imprint": imprint,
                "serial_number": 7,
                "gen_time": moment.replace(microsecond=0),
                "nonce": nonce + 1 if manner == "nonce" else nonce,
            }
        )
        token = self._token(info, spoilt=manner == "signature", named=manner != "unnamed")
        status = "granted_with_mods" if manner == "mods" else "granted"
        made = {"status": {"status": status}, "time_stamp_token": token}
        return bytes(tsp.TimeStampResp(made).dump())

    def _token(self, info: tsp.TSTInfo, *, spoilt: bool, named: bool) -> dict[str, Any]:
        certificate = asn1_x509.Certificate.load(self.certificate.public_bytes(Encoding.DER))
        digest = hashes.Hash(hashes.SHA256())
        digest.update(info.dump())
        said: list[tuple[str, Any]] = [
            ("content_type", "tst_info"), ("message_digest", digest.finalize()),
        ]  # fmt: skip
        if named:
            named_by = {"cert_hash": hashlib.sha256(certificate.dump()).digest()}
            said += [("signing_certificate_v2", tsp.SigningCertificateV2({"certs": [named_by]}))]
        attributes = cms.CMSAttributes([{"type": name, "values": [value]} for name, value in said])
        signed = attributes.dump() + (b"x" if spoilt else b"")
        signer = {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                "issuer_and_serial_number",
                {"issuer": certificate.issuer, "serial_number": certificate.serial_number},
            ),
            "digest_algorithm": {"algorithm": "sha256"},
            "signed_attrs": attributes,
            "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "sha256_rsa"}),
            "signature": self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256()),
        }
        data = {
            "version": "v3",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": {"content_type": "tst_info", "content": info},
            "certificates": [cms.CertificateChoices("certificate", certificate)],
            "signer_infos": [signer],
        }
        return {"content_type": "signed_data", "content": cms.SignedData(data)}

    def write(self, folder: Path) -> None:
        """Leave root, certificate and key as PEM, for programs that nobody here wrote."""
        folder.mkdir(exist_ok=True)
        (folder / "root.pem").write_bytes(self.root_pem)
        (folder / "tsa.pem").write_bytes(self.certificate.public_bytes(Encoding.PEM))
        plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "tsa.key").write_bytes(self.key.private_bytes(*plain))


def make(*, purposes: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.TIME_STAMPING,),
         critical: bool = True) -> Tsa:  # fmt: skip
    """Make an authority; by default its certificate is for time-stamps alone, as it must be."""
    root_key, key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Somebody Else Root")])
    root = (
        _builder(name, name, root_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Somebody Else TSA")])
    certificate = (
        _builder(subject, name, key)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=critical)
        .sign(root_key, hashes.SHA256())
    )
    return Tsa(root.public_bytes(Encoding.PEM), certificate, key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=365))
        .not_valid_after(NOW + timedelta(days=3650))
    )


@contextmanager
def served(tsa: Tsa) -> Iterator[str]:
    """Serve an authority on this machine; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"]))
            tsa.asked.append(request)
            if tsa.manner == "late":
                time.sleep(1)
            answer = b"x" * 100_000 if tsa.manner == "long" else tsa.answer(request)
            self.send_response(500 if tsa.manner == "500" else 200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if tsa.manner == "dripping":  # byte by byte: no single read ever takes long
                for byte in answer[:20]:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(0.05)
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsa"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
