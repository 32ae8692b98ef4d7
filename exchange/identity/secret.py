"""Secrets of API keys: their form, their check part and their hash (pure).

Form: `rx_test_` or `rx_live_`, 43 base62 characters (32 random bytes), 6 base62 characters (the
CRC-32 of all that stands before). The check part lets a scanner tell a leaked key from noise, and
the exchange refuse a mistyped one, without asking the database.
"""

import hashlib
import zlib

TEST, LIVE = "rx_test_", "rx_live_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY, _CHECK = 43, 6  # 62^43 > 2^256 and 62^6 > 2^32


def write(entropy: bytes, *, prefix: str) -> str:
    """Return the API key that carries 32 bytes of entropy."""
    body = prefix + _base62(int.from_bytes(entropy, "big"), _BODY)
    return body + _check(body)


def is_well_formed(key: str) -> bool:
    """Tell whether a text has the form of an API key and a fitting check part."""
    if not key.isascii() or not key.startswith((TEST, LIVE)):
        return False
    body, check = key[:-_CHECK], key[-_CHECK:]
    return len(body) == len(TEST) + _BODY and check == _check(body)


def digest(secret: str) -> bytes:
    """Return the SHA-256 that is stored instead of a secret of high entropy."""
    return hashlib.sha256(secret.encode()).digest()


def _check(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECK)


def _base62(value: int, width: int) -> str:
    digits = []
    for _ in range(width):
        value, rest = divmod(value, 62)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))
