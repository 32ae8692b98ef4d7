"""Passwords: argon2id hashes, computed beside the event loop.

Source: RFC 9106 §4 (second recommended option: 64 MiB, three passes), the defaults of pwdlib.
"""

import unicodedata
from functools import cache

from anyio import CapacityLimiter, to_thread
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

_HASHER = PasswordHash((Argon2Hasher(),))
# Each takes 64 MiB; a flood of sign-ins must queue here instead of exhausting memory.
_AT_ONCE = CapacityLimiter(4)


async def hash_of(password: str) -> str:
    """Return a salted argon2id hash."""
    return await to_thread.run_sync(_HASHER.hash, password, limiter=_AT_ONCE)


async def fits(password: str, hashed: str | None) -> bool:
    """Tell whether the password belongs to the hash; None costs the same work and never fits."""
    spelled = unicodedata.normalize("NFC", password)
    if hashed is None:
        await to_thread.run_sync(_verify_nobody, spelled, limiter=_AT_ONCE)
        return False
    return await to_thread.run_sync(_HASHER.verify, spelled, hashed, limiter=_AT_ONCE)


def _verify_nobody(password: str) -> None:
    _HASHER.verify(password, _nobody())


@cache
def _nobody() -> str:
    return _HASHER.hash("nobody has this password")
