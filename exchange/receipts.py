"""Receipts of bids (回执): what the exchange signs for every bid it accepts, checkable offline.

A receipt names the bid's event in the auction's log by its hash and the fact in the public log by
its commitment, so that neither the bid nor its place can be denied afterwards. Ed25519 gives the
same bytes for the same receipt, whenever it is asked for.

Source: RFC 8032 (Ed25519), RFC 8785 (the bytes that are signed).
"""

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from contracts import canonical, rfc3339
from contracts.refusal import Kind, Refusal
from exchange.settings import Settings
from listings.auctions.arrivals import Placed

KEY_FILE = "receipt.key"
VERSION = "uhdx/receipt/v1"


class ReceiptKeyMissing(Refusal):
    """The key that signs receipts is not where it should be, or is not an Ed25519 key."""

    kind, code = Kind.UNAVAILABLE, "receipt-key-missing"
    hint = "The operator restores the keys folder; receipts are not signed with throw-away keys."


class BadReceipt(Refusal):
    """The receipt is not one that the holder of this key signed."""

    kind, code = Kind.INVALID, "bad-receipt"
    hint = "Compare the key with the one the exchange publishes; a changed receipt proves nothing."


class NotInLog(Refusal):
    """The log does not hold the bid that the receipt promises."""

    kind, code = Kind.INVALID, "receipt-not-in-log"
    hint = "Fetch the log of this auction; if it still lacks the bid, the receipt proves that."


@dataclass(frozen=True, slots=True)
class ReceiptSigner:
    """The exchange's key for receipts."""

    key: Ed25519PrivateKey
    spki_sha256: str
    public_pem: str

    @classmethod
    def of(cls, key: Ed25519PrivateKey) -> "ReceiptSigner":
        """Name a key by the SHA-256 of its SubjectPublicKeyInfo."""
        public = key.public_key()
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return cls(key, hashlib.sha256(spki).hexdigest(), pem.decode())

    def sign(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the receipt with its signature (base64) and the key's name."""
        signature = self.key.sign(canonical.quick(body))
        return {
            "receipt": dict(body),
            "key": self.spki_sha256,
            "signature": base64.b64encode(signature).decode(),
        }


def signer(settings: Settings) -> ReceiptSigner:
    """Return the signer of receipts; in development its key is made at first use.

    Raises:
        ReceiptKeyMissing: in production, when the operator has not put the key in place.
    """
    return _opened(settings.keys, settings.environment)


def body(placed: Placed, *, sequence: int | None) -> dict[str, Any]:
    """Return what a receipt says of a bid; `sequence` is None while bidders stay hidden."""
    return {
        "v": VERSION,
        "auction": str(placed.auction_id),
        "bid": str(placed.bid_id),
        "sequence": sequence,
        "event_sha256": placed.event_sha256.hex(),
        "received_at": rfc3339.exact(placed.received_at),
        "rulebook_sha256": placed.rulebook_sha256,
        "fact": str(placed.fact_id) if placed.fact_id else None,
        "commitment": placed.commitment,
    }


def written(placed: Placed, signer: ReceiptSigner) -> bytes:
    """Return the JSON of the signed receipt that a bid is answered with."""
    raw = canonical.quick(body(placed, sequence=None if placed.is_hidden else placed.sequence))
    signature = base64.b64encode(signer.key.sign(raw))
    return b'{"key":"%b","receipt":%b,"signature":"%b"}' % (
        signer.spki_sha256.encode(),
        raw,
        signature,
    )


def check(signed: Any, public_pem: bytes) -> dict[str, Any]:
    """Return what a receipt says, once its signature is known to be the key's.

    Raises:
        BadReceipt: the document is no receipt, or was not signed by this key.
    """
    try:
        public = load_pem_public_key(public_pem)
        said = signed["receipt"]
        signature = base64.b64decode(signed["signature"], validate=True)
        if not isinstance(public, Ed25519PublicKey) or said["v"] != VERSION:
            raise BadReceipt("This is no receipt, or no Ed25519 key.")
        public.verify(signature, canonical.dumps(said))
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise BadReceipt("This is no receipt, or no key.") from error
    except InvalidSignature as error:
        raise BadReceipt("The signature is not this key's.") from error
    return dict(said)


def find(said: Mapping[str, Any], log: bytes) -> int:
    """Return the number that a receipt's bid has in an exported log of its auction.

    The log itself is checked by `verify_auction`; this tells whether it holds what was promised.

    Raises:
        NotInLog: the log has other rules, or no event of the promised hash, or another bid there.
        NotCanonical: the log is no JSON lines.
    """
    lines = [canonical.loads(line) for line in log.splitlines()]
    if not lines or lines[0].get("rulebook_sha256") != said["rulebook_sha256"]:
        raise NotInLog("The log is of other rules than the receipt.")
    event = next((one for one in lines[1:] if one.get("hash") == said["event_sha256"]), None)
    if event is None:
        raise NotInLog("The log holds no event of the hash that the receipt promises.")
    number: int = event["seq"]
    if event["body"].get("bid") != said["bid"] or said["sequence"] not in (None, number):
        raise NotInLog("The event of that hash is another bid's.", sequence=number)
    return number


@cache
def _opened(keys_dir: Path, environment: str) -> ReceiptSigner:
    path = keys_dir / KEY_FILE
    if environment != "production" and not path.exists():
        _make(path)
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ReceiptKeyMissing(f"The key file {KEY_FILE} cannot be read.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ReceiptKeyMissing(f"The key file {KEY_FILE} holds no Ed25519 key.")
    return ReceiptSigner.of(key)


def _make(path: Path) -> None:
    """Write a fresh key whole, mode 0600, unless another process was first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    draft = path.with_name(f".{KEY_FILE}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(handle)
    try:
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
