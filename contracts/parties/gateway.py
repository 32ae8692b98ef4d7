"""The exchange's certificate authority: a root, what it lets issue, and the exchange's own keys.

The root signs two things: the certificate of the authority that issues (签发机构), and once a year
a list. Its key is needed for nothing else and may be taken away (`exchange ca init`); an authority
from before that has a root that issues itself, and goes on.

Source: RFC 5280 (profile; §6 for paths), RFC 3647 §6.2 (keys of authorities off line).
Differs from the source: the keys lie in files, not in a device.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Protocol, TypeGuard

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from contracts import rfc3339
from contracts.parties import certificates, keeping, trusted
from contracts.parties.certificates import (
    CRL_LASTS,
    ISSUING,
    ROOT,
    ROOT_CRL_LASTS,
    Issuer,
    PartyPublicKey,
)
from contracts.parties.keeping import ROOT_LIST, AuthorityMissing
from contracts.parties.times import TimeAuthority
from contracts.parties.trusted import NOBODY, Trusted
from contracts.refusal import Kind, Refusal

__all__ = ["AuthorityMissing"]  # defined beside the files, met here
# The policy under which the embedded time-stamping authority works: the clock of this machine,
# audited by nobody. An arc of ITU-T X.667 (2.25.UUID), which needs no registration; an operator
# whose practice is written down names its own (EXCHANGE_TSA_POLICY).
POLICY = "2.25.147856475245386402475946147005962608145"


class BadCsr(Refusal):
    """The request cannot be read, is not signed by its key, or is for another kind of key."""

    kind, code = Kind.INVALID, "bad-csr"
    hint = "Send a PEM PKCS#10 request, signed with its key: P-256 (contracts) or Ed25519 (bids)."


class Subject(Protocol):
    """What a certificate says about a legal person."""

    name_zh: str
    name_en: str
    uscc: str


@dataclass(frozen=True, slots=True)
class TimeKey:
    """The key of the exchange's own time-stamping authority, with its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate_pem: bytes
    policy: str = POLICY


@dataclass(frozen=True, slots=True)
class Setup:
    """What an operator may say about the authority.

    Attributes:
        public_url: where lists and certificates are published; certificates name it.
        trusted: the other authorities whose certificates parties may bring.
        policy: the OID under which time-stamps are given.
    """

    public_url: str = ""
    trusted: Trusted = NOBODY
    policy: str = POLICY


PLAIN = Setup()


@dataclass(frozen=True, slots=True)
class Certifier:
    """A key of the exchange with its certificate, for certifying contracts.

    `certificate_pem` goes on with the certificates up to the root; `root_pem` holds every root that
    signatures may lead to, the exchange's own first. `time` puts a time-stamp upon each signature;
    without it, signatures are of a lower level. `outside` are the authorities of others, asked
    instead; `time_roots_pem` is what their certificates may lead to, good for time-stamps alone.
    """

    key: ec.EllipticCurvePrivateKey
    certificate_pem: bytes
    root_pem: bytes
    time: TimeKey | None = None
    outside: TimeAuthority | None = None
    time_roots_pem: bytes = b""

    @property
    def spki_sha256(self) -> str:
        """The SHA-256 (hex) of the key's SubjectPublicKeyInfo, which names it in contracts."""
        return hashlib.sha256(keeping.spki(self.key)).hexdigest()


class LocalAuthority:
    """A certificate authority whose keys lie in one folder of this machine, mode 0600."""

    FILES: ClassVar = ("root.pem", "issuing.key", "issuing.pem", "exchange.key", "exchange.pem")
    # A folder from before there was an authority below the root.
    ROOT_ALONE: ClassVar = ("root.pem", "root.key", "exchange.key", "exchange.pem")
    TIME_FILES: ClassVar = ("tsa.key", "tsa.pem")
    ROOT_KEY, REVOKED = "root.key", "revoked.json"

    def __init__(self, keys_dir: Path, setup: Setup = PLAIN) -> None:
        """Read the files, those of the time key and the root's key if they are there; all must fit.

        Raises:
            AuthorityMissing: a file is missing, unreadable, or does not fit the others.
        """
        self._folder, self._setup = keys_dir, setup
        self.own_root_pem = keeping.needed(keys_dir, ("root.pem",))[0]
        root = keeping.load_certificate(self.own_root_pem)
        below = certificates.has_authority_below(root)
        files = keeping.needed(keys_dir, self.FILES if below else self.ROOT_ALONE)
        self.root = self._root_issuer(root)
        self.issuing = self._issuing(root, files[2]) if below else self._need_root()
        self.issuing_pem = files[2] if below else self.own_root_pem
        self._chain = files[2] if below else b""
        self.root_pem = self.own_root_pem + setup.trusted.roots_pem()
        exchange_pem, key = files[-1], keeping.load_key(keys_dir / "exchange.key")
        self._need_pair(key, exchange_pem)
        self.certifier = Certifier(key, exchange_pem + self._chain, self.root_pem, self._time_key())

    @classmethod
    def ensure(cls, keys_dir: Path, now: datetime, setup: Setup = PLAIN) -> "LocalAuthority":
        """Open the authority, making once what is missing (not for production).

        Processes may race: each file is claimed whole, in order, and everybody goes on from what
        the first to claim it has written.
        """
        keeping.make_missing(keys_dir, public_url=setup.public_url, now=now)
        return cls(keys_dir, setup)

    @classmethod
    def open(cls, keys_dir: Path, setup: Setup = PLAIN) -> "LocalAuthority":
        """Open an authority that must be there.

        Raises:
            AuthorityMissing: it is not, or not whole.
        """
        return cls(keys_dir, setup)

    @property
    def has_root_key(self) -> bool:
        """Whether the root's key lies in the folder; taken away, it can sign nothing wrong."""
        return self.root is not None

    @property
    def issuer_name(self) -> None:
        """None: what this authority issues is the exchange's own."""
        return None

    @property
    def trusted(self) -> Trusted:
        """The authorities beside the exchange's own."""
        return self._setup.trusted

    def roots_of(self, pems: Iterable[bytes]) -> bytes:
        """Return the exchange's root, and those others that certificates (PEM) lead to."""
        return self.own_root_pem + self.trusted.roots_of(pems)

    def issue(self, csr_pem: bytes, *, party: Subject, now: datetime) -> bytes:
        """Certify the key of a request for a party; return the certificate, and its chain, as PEM.

        The names come from the register of parties; those in the request are ignored.

        Raises:
            BadCsr: the request is unreadable, not signed by its own key, or of another kind.
        """
        public = checked_key(csr_pem)
        name = certificates.subject(party.name_zh, party.name_en, party.uscc)
        made = certificates.documents(
            public, name, by=self.issuing, years=certificates.PARTY_YEARS, now=now
        )
        return made + self._chain

    def crl(self, revoked: Iterable[tuple[bytes, datetime]], *, now: datetime) -> bytes:
        """Return the list of revoked certificates of who issues (DER), good for thirty days.

        Args:
            revoked: certificates (PEM), each with the instant from which nobody may rely on it;
                those of other authorities are left out.
            now: the instant of the list, which also numbers it.
        """
        read = ((x509.load_pem_x509_certificate(pem), at) for pem, at in revoked)
        ours = [(one.serial_number, at) for one, at in read
                if one.issuer == self.issuing.certificate.subject]  # fmt: skip
        every = [*ours, *self._revoked_by_hand(self.issuing.name)]
        return certificates.revocation_list(every, by=self.issuing, lasts=CRL_LASTS, now=now)

    def lists(
        self,
        revoked: Iterable[tuple[bytes, datetime]],
        *,
        of: Sequence[bytes],
        now: datetime,
    ) -> list[bytes]:
        """Return the lists (DER) by which certificates are judged: one of each of their issuers.

        Args:
            revoked: see `crl`.
            of: certificates (PEM), each perhaps with its chain.
            now: see `crl`.
        """
        root_list = self.root_list()
        own = [self.crl(revoked, now=now), *([] if root_list is None else [root_list])]
        return [*own, *self.trusted.lists_of(of)]

    def root_list(self) -> bytes | None:
        """Return the root's own list (DER), if the root issues no other and has signed one."""
        if self.issuing.name == ROOT:
            return None
        try:
            return (self._folder / ROOT_LIST).read_bytes()
        except FileNotFoundError:
            return None

    def sign_root_list(self, *, now: datetime) -> bytes:
        """Sign the root's list anew, good for 400 days, and keep it in the folder.

        Raises:
            AuthorityMissing: the root's key is away.
        """
        root = self._need_root()
        made = certificates.revocation_list(
            self._revoked_by_hand(ROOT), by=root, lasts=ROOT_CRL_LASTS, now=now
        )
        keeping.write(self._folder / ROOT_LIST, made)
        return made

    def revoke(self, certificate_pem: bytes, *, now: datetime) -> str:
        """Remember that a certificate of ours is revoked; return its serial number in hexadecimal.

        The lists of this folder name it from now on; a second time changes nothing.

        Raises:
            AuthorityMissing: it is not a certificate of this authority.
        """
        one = keeping.load_certificate(certificate_pem)
        issuers = {
            ROOT: keeping.load_certificate(self.own_root_pem),
            ISSUING: self.issuing.certificate,
        }
        name = next(
            (name for name, issuer in issuers.items() if trusted.issued(one, by=issuer)), None
        )
        if name is None:
            raise AuthorityMissing("The certificate is not of this authority.")
        serial, kept = f"{one.serial_number:x}", self._by_hand()
        if all(entry["serial"] != serial for entry in kept):
            entry = {"issuer": name, "serial": serial, "at": rfc3339.to_the_second(now)}
            keeping.write(
                self._folder / self.REVOKED, json.dumps([*kept, entry], indent=1).encode()
            )
        return serial

    def _revoked_by_hand(self, issuer: str) -> list[tuple[int, datetime]]:
        return [
            (int(entry["serial"], 16), datetime.fromisoformat(entry["at"]))
            for entry in self._by_hand()
            if entry["issuer"] == issuer
        ]

    def _by_hand(self) -> list[dict[str, str]]:
        try:
            held = json.loads((self._folder / self.REVOKED).read_bytes())
        except FileNotFoundError:
            return []
        except ValueError as unreadable:
            raise AuthorityMissing(f"{self.REVOKED} cannot be read.") from unreadable
        return list(held)

    def _root_issuer(self, certificate: x509.Certificate) -> Issuer | None:
        path = self._folder / self.ROOT_KEY
        if not path.is_file():
            return None
        key = keeping.load_key(path)
        keeping.need_same(key, certificate)
        return Issuer(ROOT, certificate, key, self._setup.public_url)

    def _need_root(self) -> Issuer:
        if self.root is None:
            raise AuthorityMissing("The root's key is not here.", missing=[self.ROOT_KEY])
        return self.root

    def _issuing(self, root: x509.Certificate, pem: bytes) -> Issuer:
        certificate = keeping.load_certificate(pem)
        key = keeping.load_key(self._folder / "issuing.key")
        keeping.need_issued(certificate, root)
        keeping.need_same(key, certificate)
        return Issuer(ISSUING, certificate, key, self._setup.public_url)

    def _time_key(self) -> TimeKey | None:
        there = [name for name in self.TIME_FILES if (self._folder / name).is_file()]
        if not there:  # a folder from before time-stamps; `exchange ca init` adds them
            return None
        if len(there) == 1:
            raise AuthorityMissing("Half of the time key is missing.", missing=there)
        pem, key = (
            (self._folder / "tsa.pem").read_bytes(),
            keeping.load_key(self._folder / "tsa.key"),
        )
        self._need_pair(key, pem)
        return TimeKey(key, pem + self._chain, self._setup.policy)

    def _need_pair(self, key: ec.EllipticCurvePrivateKey, pem: bytes) -> None:
        certificate = keeping.load_certificate(pem)
        keeping.need_issued(certificate, self.issuing.certificate)
        keeping.need_same(key, certificate)


def checked_key(csr_pem: bytes) -> PartyPublicKey:
    """Return the key that a request proves to hold: P-256 for contracts, Ed25519 for bids.

    Raises:
        BadCsr: the request is unreadable, not signed by its own key, or for another kind of key.
    """
    try:
        request = x509.load_pem_x509_csr(csr_pem)
        signed = request.is_signature_valid
        public = request.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as unreadable:
        raise BadCsr("The certificate request cannot be read.") from unreadable
    if not isinstance(public, ed25519.Ed25519PublicKey) and not is_p256(public):
        raise BadCsr("The key of the request is neither a P-256 nor an Ed25519 key.")
    if not signed:
        raise BadCsr("The request is not signed by its own key.")
    return public


def is_p256(public: object) -> TypeGuard[ec.EllipticCurvePublicKey]:
    """Tell whether a public key is one that signs contracts."""
    return isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name == "secp256r1"
