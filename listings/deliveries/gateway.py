"""The exchange's escrow key: one file in the folder of its keys, which opens content keys.

Source: RFC 7748 (X25519), RFC 5208 (PKCS#8). The key is used for two things alone: to check that an
envelope holds what a manifest commits to, and to release a content key that was paid for.
"""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from contracts.log import gateway as files
from contracts.refusal import Kind, Refusal
from listings.deliveries import envelopes
from listings.deliveries.envelopes import BadDeliveryKey
from listings.deliveries.manifests import Manifest

KEY_FILE, LOCK_FILE = "escrow.key", "escrow.lock"


class EscrowKeyMissing(Refusal):
    """The exchange's escrow key is not where it should be, or others on the machine can read it."""

    kind, code = Kind.UNAVAILABLE, "escrow-key-missing"
    hint = "The operator restores escrow.key from its backup; chmod 600."


class EscrowKey:
    """The X25519 key in `escrow.key`."""

    def __init__(self, private: X25519PrivateKey) -> None:
        """Use a key that has been read; see `open` and `ensure`."""
        self._private = private

    @classmethod
    def open(cls, keys_dir: Path) -> "EscrowKey":
        """Read the key.

        Raises:
            EscrowKeyMissing: there is none, or not for us alone.
        """
        path = keys_dir / KEY_FILE
        try:
            if path.stat().st_mode & 0o077:
                raise EscrowKeyMissing("The escrow key can be read by others.")
            return cls(envelopes.read(path.read_bytes()))
        except (OSError, BadDeliveryKey) as error:
            raise EscrowKeyMissing("The escrow key cannot be read.") from error

    @classmethod
    def ensure(cls, keys_dir: Path) -> "EscrowKey":
        """Read the key, or make one where there is none; any number of processes may."""
        keys_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with files.locked(keys_dir, LOCK_FILE):
            if not (keys_dir / KEY_FILE).exists():
                files.replace(keys_dir / KEY_FILE, envelopes.written(envelopes.generate()))
        return cls.open(keys_dir)

    @property
    def public(self) -> bytes:
        """The public half, which licensors seal to."""
        return envelopes.public_of(self._private)

    @property
    def name(self) -> str:
        """The SHA-256 (hex) of the public half."""
        return envelopes.name_of(self.public)

    def unseal(self, sealed: bytes, manifest: Manifest) -> bytes:
        """Return the content key of a manifest.

        Raises:
            EnvelopeBroken: the envelope is for another key or another manifest.
        """
        return envelopes.unseal(sealed, self._private, info=envelopes.for_escrow(manifest))
