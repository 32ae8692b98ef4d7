"""A party's side of signing, over the HTTP API: fetch, check here, sign here, send the signature.

Nothing here needs to run on the exchange's machines, and no private key is ever sent.
"""

import base64
import hashlib
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import httpx
from asn1crypto import pem
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from contracts import canonical
from contracts.deals import consent, sealing, verification
from contracts.deals.gateway import TypstPress
from contracts.parties import csr, endorsing
from contracts.parties.gateway import is_p256
from contracts.refusal import Kind, Refusal
from exchange.sealed_cli import ExchangeSaidNo, KeyFileUnreadable
from exchange.settings import Settings

TRIES, WAIT_S = 3, 1.0
SIGNERS = {"deal": sealing.ROLES, "agreement": sealing.AGREEMENT_ROLES}


class NothingToSign(Refusal):
    """The deal does not wait for this organisation's signature."""

    kind, code = Kind.CONFLICT, "nothing-to-sign"
    hint = "Look at the deal: its state says whose turn it is, or that everybody has signed."


class KeyNotRegistered(Refusal):
    """The exchange does not know this key as an active key of the organisation."""

    kind, code = Kind.CONFLICT, "key-not-registered"
    hint = "Run `exchange keys register` with the key or its request, then sign again."


class TypesetOtherwise(Refusal):
    """The contract is not what this machine typesets from the same terms."""

    kind, code = Kind.CONFLICT, "typeset-otherwise"
    hint = (
        "Use the exchange's version of this program. With --as-typeset the text counts as you "
        "read it in the PDF; the attached terms are compared all the same."
    )


class Desk:
    """A connection to the exchange in the name of one API key."""

    def __init__(self, exchange: str, api_key: str) -> None:
        """Remember whom to ask, and as whom."""
        self.address = (exchange or Settings().public_url).rstrip("/")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(timeout=60, trust_env=False, headers=headers)

    def raw(self, method: str, path: str, content: Any = None) -> bytes:
        """Ask; what names its own id may be asked again when the answer is lost.

        Bytes are sent as they are, anything else as JSON.

        Raises:
            ExchangeSaidNo: it refused, or nobody answered.
        """
        given = {"content" if isinstance(content, bytes) else "json": content}
        for left in reversed(range(TRIES)):
            try:
                answer = self._client.request(method, self.address + path, **given)
            except (httpx.HTTPError, httpx.InvalidURL) as away:
                if left:
                    time.sleep(WAIT_S)
                    continue
                raise ExchangeSaidNo(f"{self.address} does not answer.") from away
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or not left:
                break
            time.sleep(WAIT_S)
        if not answer.is_success:
            raise _refused(answer)
        return answer.content

    def ask(self, method: str, path: str, content: Any = None) -> dict[str, Any]:
        """Ask for a JSON object."""
        told = canonical.loads(self.raw(method, path, content))
        if not isinstance(told, dict):
            raise ExchangeSaidNo(f"{self.address} does not answer as an exchange.")
        return told

    def party(self) -> str:
        """Return the id of one's own organisation."""
        return str(self.ask("GET", "/v1/me")["party"]["id"])


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract that waits for this organisation's signature, checked as far as it goes.

    `deal` is what the exchange tells of it; `noun` says what it is of: a deal, or an agreement.
    """

    noun: str
    deal: dict[str, Any]
    terms: bytes
    latest: bytes
    key: dict[str, Any]
    root_pem: bytes
    time_roots_pem: bytes

    @property
    def where(self) -> str:
        """The address under which the exchange keeps it."""
        return f"/v1/{self.noun}s/{self.deal['id']}"

    @property
    def certificate(self) -> bytes:
        """The DER of the certificate that will sign."""
        _, _, der = pem.unarmor(self.key["certificate_pem"].encode())
        return bytes(der)


@dataclass(frozen=True, slots=True)
class Begun:
    """A signing session whose bytes are those of the contract."""

    path: str
    prepared: sealing.Prepared


def fetch(
    desk: Desk, deal_id: UUID, *, spki: str | None, root: bytes | None, as_typeset: bool
) -> Contract:
    """Fetch a contract that waits for us, and check what there is before a session is opened.

    Args:
        desk: whom to ask.
        deal_id: the deal.
        spki: the hash of our key; None takes the only active one.
        root: the root certificate to trust; None takes the exchange's word for it.
        as_typeset: do not typeset the terms again.

    Raises:
        NothingToSign: it is not our turn.
        KeyNotRegistered: the exchange knows no such active key of ours.
        TypesetOtherwise: the same terms give another contract here.
        SessionNotSound: the terms are not those of the deal.
        DocumentNotSound: a signature before ours does not hold.
    """
    deal = desk.ask("GET", f"/v1/deals/{deal_id}")
    found = _fetched(desk, "deal", deal, spki=spki, root=root)
    _check(found, as_typeset=as_typeset)
    return found


def fetch_deposit(
    desk: Desk, auction_id: UUID, *, spki: str | None, root: bytes | None, as_typeset: bool
) -> Contract:
    """Have the deposit agreement of an auction drawn up, fetch it, and check what there is.

    Raises:
        SessionNotSound: the terms are not those of a deposit agreement of this auction.
        Refusal: any of `fetch`.
    """
    agreement = desk.ask("PUT", f"/v1/auctions/{auction_id}/deposit-agreement", {})
    found = _fetched(desk, "agreement", agreement, spki=spki, root=root)
    if canonical.loads(found.terms)["auction"] != str(auction_id):
        raise consent.SessionNotSound("The terms are of another auction.", check="terms")
    _check(found, as_typeset=as_typeset)
    return found


def _fetched(
    desk: Desk, noun: str, told_of: dict[str, Any], *, spki: str | None, root: bytes | None
) -> Contract:
    party, where = desk.party(), f"/v1/{noun}s/{told_of['id']}"
    if told_of["next_signer"] != party:
        raise NothingToSign("It does not wait for your signature.", signing=told_of["signing"])
    told = desk.ask("GET", f"/v1/parties/{party}/signing-keys")
    return Contract(
        noun=noun,
        deal=told_of,
        terms=desk.raw("GET", f"{where}/terms"),
        latest=desk.raw("GET", f"{where}/contract.pdf"),
        key=chosen_key(told["items"], spki),
        root_pem=root or told["root_pem"].encode(),
        time_roots_pem=told["time_roots_pem"].encode(),
    )


def begin(desk: Desk, contract: Contract, session_id: UUID) -> Begun:
    """Open a signing session (or the same again) and check that it signs this contract.

    Raises:
        SessionNotSound: it signs something else.
    """
    path = f"{contract.where}/signing-sessions/{session_id}"
    told = desk.ask("PUT", path, {"key_id": contract.key["id"]})
    session = consent.Session(
        tbs=_decoded(told["tbs_der_b64"]),
        pdf_sha256=told["pdf_sha256"],
        terms_sha256=told["terms_sha256"],
        base_sha256=told["base_sha256"],
    )
    prepared = consent.check(
        session,
        terms=contract.terms,
        latest=contract.latest,
        prepared=desk.raw("GET", f"{path}/contract.pdf"),
        certificate=contract.certificate,
    )
    return Begun(path, prepared)


def send(desk: Desk, contract: Contract, begun: Begun, der: bytes) -> dict[str, Any]:
    """Check the contract with the signature in it as the other side will, then send the signature.

    Raises:
        DocumentNotSound: with this signature the contract would not hold; nothing was sent.
    """
    certificate_pem = contract.key["certificate_pem"].encode()
    whole = sealing.complete(begun.prepared, certificate_pem=certificate_pem, signature=der)
    verdicts = _sound(whole, contract)
    if verdicts[-1].spki_sha256 != contract.key["spki_sha256"]:
        raise verification.DocumentNotSound("The last signature is not of your key.")
    body = {"signature_b64": base64.b64encode(der).decode()}
    return desk.ask("PUT", f"{begun.path}/signature", body)


def endorsed(desk: Desk, csr_pem: bytes, *, by: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """Return what a key in force says of the next one, as the exchange takes it.

    Raises:
        KeyNotRegistered: the exchange knows no such active key of ours.
        BadCsr: the request cannot be read.
    """
    party, previous = desk.party(), spki_of(by)
    told = desk.ask("GET", f"/v1/parties/{party}/signing-keys")["items"]
    said = endorsing.message(
        party, spki_sha256=csr.read(csr_pem).spki_sha256, previous_sha256=previous
    )
    signature = by.sign(said, ec.ECDSA(hashes.SHA256()))
    return {
        "key_id": chosen_key(told, previous)["id"],
        "signature_b64": base64.b64encode(signature).decode(),
    }


def load_key(path: Path, password: bytes | None) -> ec.EllipticCurvePrivateKey:
    """Read a P-256 private key: PEM, or PKCS#12 (.p12, .pfx).

    Raises:
        KeyFileUnreadable: it holds none, or the password is another one.
    """
    try:
        content = path.read_bytes()
        if content.lstrip().startswith(b"-----BEGIN"):
            locked = b"ENCRYPTED" in content
            key: object = serialization.load_pem_private_key(content, password if locked else None)
        else:
            key = pkcs12.load_key_and_certificates(content, password)[0]
    except (OSError, ValueError, TypeError) as wrong:
        raise KeyFileUnreadable(f"{path} cannot be read with this password.") from wrong
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not is_p256(key.public_key()):
        raise KeyFileUnreadable(f"{path} holds no P-256 private key.")
    return key


def is_locked(path: Path) -> bool:
    """Tell whether a password is needed: PKCS#12 always, PEM when it says so."""
    content = path.read_bytes()
    return not content.lstrip().startswith(b"-----BEGIN") or b"ENCRYPTED" in content


def spki_of(key: ec.EllipticCurvePrivateKey) -> str:
    """Return the hash (hex) that names a key in the register of keys."""
    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(spki).hexdigest()


def chosen_key(keys: list[dict[str, Any]], spki: str | None) -> dict[str, Any]:
    """Return the active key that signs contracts: the one with this hash, or the only one.

    Raises:
        KeyNotRegistered: there is none such, or several and none is named.
        SessionNotSound: the certificate told is of another key.
    """
    usable = [key for key in keys if key["state"] == "active" and key["signs"] == "contracts"]
    chosen = [key for key in usable if spki in (None, key["spki_sha256"])]
    if len(chosen) != 1:
        said = "The exchange knows no such key." if spki else "Name the key with --key-sha256."
        raise KeyNotRegistered(said, known=[key["spki_sha256"] for key in usable])
    _, _, der = pem.unarmor(chosen[0]["certificate_pem"].encode())
    if consent.spki_sha256(der) != chosen[0]["spki_sha256"]:
        raise consent.SessionNotSound("The certificate is of another key.", check="certificate")
    return chosen[0]


def _check(contract: Contract, *, as_typeset: bool) -> None:
    deal = contract.deal
    said = canonical.loads(contract.terms)
    is_same = canonical.sha256_hex(contract.terms) == deal["terms_sha256"]
    if not is_same or said.get(contract.noun) != deal["id"]:
        raise consent.SessionNotSound(
            f"The terms are not those of the {contract.noun}.", check="terms"
        )
    _sound(contract.latest, contract)
    if not as_typeset:
        frozen_at = datetime.fromisoformat(said["frozen_at"])
        base = anyio.run(lambda: TypstPress().contract(contract.terms, frozen_at=frozen_at))
        if not contract.latest.startswith(base):
            raise TypesetOtherwise("The contract is not what its terms give when typeset here.")


def _sound(pdf: bytes, contract: Contract) -> list[verification.SignatureVerdict]:
    """Check every signature by the strict rule, and that the file carries the terms."""
    verdicts = verification.check_signatures(
        pdf, contract.root_pem, time_roots_pem=contract.time_roots_pem, roles=SIGNERS[contract.noun]
    )
    bad = [verdict.role for verdict in verdicts if not verdict.good]
    if bad or not verdicts:
        raise verification.DocumentNotSound("A signature does not hold.", signatures=bad)
    if any(attached != contract.terms for attached in verification.attachments(pdf)):
        raise verification.DocumentNotSound("The attached terms are not those of the deal.")
    return verdicts


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as unreadable:
        raise consent.SessionNotSound("This is no base64.", check="attributes") from unreadable


def _refused(answer: httpx.Response) -> ExchangeSaidNo:
    try:
        told = answer.json()
        said = f"{told['detail']} {told['hint']} ({told['code']})"
    except (ValueError, KeyError, TypeError):
        said = f"It answered {answer.status_code}."
    return ExchangeSaidNo(said)
