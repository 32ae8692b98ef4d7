"""SHA-256 whose state can be set down and taken up again by another process.

hashlib keeps its state to itself. OpenSSL's own functions, in the library that this Python already
uses, leave it in a struct; where they are missing or answer wrongly, a compiled loop takes over.

Source: FIPS 180-4 §6.2; OpenSSL `SHA256_CTX` (eight words, the count of bits, a buffer).
"""

import _hashlib
import ctypes
import hashlib
import struct
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

WORDS = 32  # bytes of the state
BLOCK = 64  # bytes hashed at once
_FIRST = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)  # fmt: skip


class Engine(Protocol):
    """Hashes whole blocks into a state of eight words."""

    def __call__(self, words: bytes, blocks: memoryview) -> bytes:
        """Return the words (big endian) after the blocks."""
        ...


class Sha256:
    """A running SHA-256; `state` is what `resumed` goes on from."""

    __slots__ = ("_rest", "_words", "length")

    def __init__(self) -> None:
        """Begin with nothing."""
        self._words, self._rest, self.length = struct.pack(">8I", *_FIRST), b"", 0

    @classmethod
    def resumed(cls, state: bytes, length: int) -> "Sha256":
        """Go on from a state after `length` bytes.

        Raises:
            ValueError: the state is not one of that length.
        """
        if len(state) != state_bytes(length):
            raise ValueError("the state of the hash has another length")
        running = cls()
        running._words, running._rest, running.length = state[:WORDS], state[WORDS:], length
        return running

    def update(self, content: bytes | memoryview) -> None:
        """Take in further bytes."""
        view = memoryview(content)
        self.length += len(view)
        if self._rest:
            need = BLOCK - len(self._rest)
            self._rest += bytes(view[:need])
            view = view[need:]
            if len(self._rest) < BLOCK:
                return
            self._words, self._rest = engine()(self._words, memoryview(self._rest)), b""
        whole = len(view) // BLOCK * BLOCK
        if whole:
            self._words = engine()(self._words, view[:whole])
        self._rest = bytes(view[whole:])

    def digest(self) -> bytes:
        """Return the hash of what was taken in; more may follow."""
        gap = b"\x80" + bytes((BLOCK - 9 - self.length) % BLOCK)
        padded = self._rest + gap + struct.pack(">Q", self.length * 8)
        return engine()(self._words, memoryview(padded))

    def state(self) -> bytes:
        """Return the words and what does not fill a block: at most 95 bytes."""
        return self._words + self._rest


def state_bytes(length: int) -> int:
    """Return how many bytes the state after `length` bytes takes."""
    return WORDS + length % BLOCK


@lru_cache(maxsize=1)
def engine() -> Engine:
    """Return OpenSSL's functions where they are right, or else the compiled loop."""
    try:
        found = openssl()
    except (OSError, AttributeError):
        return compiled()
    return found if _is_right(found) else compiled()


def _is_right(found: Engine) -> bool:
    """Tell whether an engine hashes as hashlib does, taken up in the middle too."""
    sample = bytes(range(256)) * 2
    words = struct.pack(">8I", *_FIRST)
    halves = found(found(words, memoryview(sample[:192])), memoryview(sample[192:]))
    end = b"\x80" + bytes(BLOCK - 9) + struct.pack(">Q", len(sample) * 8)
    return found(halves, memoryview(end)) == hashlib.sha256(sample).digest()


def openssl() -> Engine:
    """Return an engine over `SHA256_Update` of the library behind hashlib.

    Raises:
        OSError, AttributeError: this Python has no such library, or it hides the functions.
    """
    library = ctypes.CDLL(_hashlib.__file__)
    begin, update = library.SHA256_Init, library.SHA256_Update
    update.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

    def run(words: bytes, blocks: memoryview) -> bytes:
        context = ctypes.create_string_buffer(256)  # the struct takes 112
        begin(context)
        ctypes.memmove(context, struct.pack("=8I", *struct.unpack(">8I", words)), WORDS)
        content = np.frombuffer(blocks, np.uint8)
        update(context, content.ctypes.data, content.nbytes)
        return struct.pack(">8I", *struct.unpack("=8I", context.raw[:WORDS]))

    return run


@lru_cache(maxsize=1)
def compiled() -> Engine:
    """Return an engine that is compiled when it is first needed (a second)."""
    import numba  # noqa: PLC0415 - half a second, needed only where OpenSSL hides its functions.

    compress = numba.njit(nogil=True)(_compress)
    rounds = _rounds()

    def run(words: bytes, blocks: memoryview) -> bytes:
        state = np.frombuffer(words, ">u4").astype(np.uint32)
        compress(state, np.frombuffer(blocks, ">u4").astype(np.uint32), rounds)
        return state.astype(">u4").tobytes()

    return run


def _rounds() -> NDArray[np.uint32]:
    """Return the constants: 32 bits of the cube roots of 64 primes (FIPS 180-4 §4.2.2)."""
    primes = [n for n in range(2, 312) if all(n % d for d in range(2, n))]
    return np.array([_cube_root(prime << 96) & 0xFFFFFFFF for prime in primes], np.uint32)


def _cube_root(number: int) -> int:
    low, high = 0, 1 << (number.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= number else (low, middle - 1)
    return low


def _compress(state: Any, content: Any, rounds: Any) -> None:
    """Hash blocks of sixteen words into the state; compiled by Numba (FIPS 180-4 §6.2.2)."""
    w = np.zeros(64, np.uint32)
    for start in range(0, content.size, 16):
        for t in range(16):
            w[t] = content[start + t]
        for t in range(16, 64):
            x, y = w[t - 15], w[t - 2]
            low = ((x >> 7) | (x << 25)) ^ ((x >> 18) | (x << 14)) ^ (x >> 3)
            high = ((y >> 17) | (y << 15)) ^ ((y >> 19) | (y << 13)) ^ (y >> 10)
            w[t] = np.uint32(w[t - 16] + low + w[t - 7] + high)
        a, b, c, d, e, f, g, h = state
        for t in range(64):
            high = ((e >> 6) | (e << 26)) ^ ((e >> 11) | (e << 21)) ^ ((e >> 25) | (e << 7))
            one = np.uint32(h + high + ((e & f) ^ (~e & g)) + rounds[t] + w[t])
            low = ((a >> 2) | (a << 30)) ^ ((a >> 13) | (a << 19)) ^ ((a >> 22) | (a << 10))
            two = np.uint32(low + ((a & b) ^ (a & c) ^ (b & c)))
            h, g, f, e = g, f, e, np.uint32(d + one)
            d, c, b, a = c, b, a, np.uint32(one + two)
        state += np.array((a, b, c, d, e, f, g, h), np.uint32)
