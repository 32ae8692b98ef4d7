"""Chunked encryption: the published vectors, another implementation, and any part on its own."""

import base64
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from hypothesis import given, settings
from hypothesis import strategies as st

from listings.deliveries import cobblestone
from listings.deliveries.cobblestone import (
    CHUNK_BYTES,
    HEADER_BYTES,
    PLAIN_SEGMENT_BYTES,
    SEALED_SEGMENT_BYTES,
    Damaged,
    NotTheKey,
)

VECTORS = Path(__file__).parents[1] / "vectors/chunked-encryption"
KEY, CONTEXT = bytes(range(32)), b"uhdx/asset/v1\x00" + b"ab" * 32
# Lengths at which a count changes: around a chunk and around a segment.
EDGES = sorted(
    {0, 1, 17}
    | {unit * times + more for unit, times in ((CHUNK_BYTES, 1), (CHUNK_BYTES, 3),
                                               (PLAIN_SEGMENT_BYTES, 1), (PLAIN_SEGMENT_BYTES, 2))
       for more in (-1, 0, 1)}
)  # fmt: skip


def vectors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((VECTORS / "aes-256-gcm.json").read_text())["vectors"]
    return found


def wycheproof() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((VECTORS / "cobblestone-256.json").read_text())[
        "tests"
    ]
    return found


def sealed(plain: bytes, *, key: bytes = KEY, context: bytes = CONTEXT) -> bytes:
    message = cobblestone.begin(key, context=context)
    segments = [
        message.seal_segment(index, plain[at : at + PLAIN_SEGMENT_BYTES])
        for index, at in enumerate(range(0, len(plain) + 1, PLAIN_SEGMENT_BYTES))
    ]
    return message.header + b"".join(segments)


def opened(
    whole: bytes,
    *,
    key: bytes = KEY,
    context: bytes = CONTEXT,
    digest: hashes.HashAlgorithm = cobblestone.SHA_512,
) -> bytes:
    """Read a message to its end, as a reader does that knows nothing of its length."""
    header = whole[:HEADER_BYTES]
    message = cobblestone.resume(key, context=context, header=header, digest=digest)
    body, plain = whole[HEADER_BYTES:], b""
    for index, at in enumerate(range(0, len(body) + 1, SEALED_SEGMENT_BYTES)):
        plain += message.open_segment(index, body[at : at + SEALED_SEGMENT_BYTES])
    return plain


@pytest.mark.parametrize("vector", vectors(), ids=[one["name"] for one in vectors()])
def test_the_published_messages_open_or_are_refused(vector: dict[str, Any]) -> None:
    raw = base64.b64decode(vector["ciphertext"] or "")
    message = zlib.decompress(raw) if vector.get("compressed") else raw
    key, context = bytes.fromhex(vector["key"]), vector["context"].encode()
    if vector["expect"] == "failure":
        with pytest.raises((Damaged, NotTheKey)):
            opened(message, key=key, context=context, digest=hashes.SHA256())
        return
    plain = opened(message, key=key, context=context, digest=hashes.SHA256())
    assert len(plain) == vector["payload_length"]
    assert hashlib.sha256(plain).hexdigest() == vector["payload_sha256"]
    params = cobblestone.resume(
        key, context=context, header=message[:HEADER_BYTES], digest=hashes.SHA256()
    )
    assert params.base_nonce.to_bytes(12).hex() == vector["base_nonce"]


def test_there_are_as_many_vectors_as_were_taken() -> None:
    expected = [one["expect"] for one in vectors()]
    assert (expected.count("success"), expected.count("failure")) == (9, 25)
    results = [one["result"] for one in wycheproof()]
    assert (results.count("valid"), results.count("invalid")) == (4, 8)


@pytest.mark.parametrize("vector", wycheproof(), ids=[one["comment"] for one in wycheproof()])
def test_project_wycheproofs_messages_open_or_are_refused(vector: dict[str, Any]) -> None:
    # The streams of zlib are flushed and lack their last checksum.
    message = zlib.decompressobj().decompress(bytes.fromhex(vector["ct"]))
    key, context = bytes.fromhex(vector["key"]), bytes.fromhex(vector["ctx"])
    if vector["result"] == "invalid":
        with pytest.raises((Damaged, NotTheKey)):
            opened(message, key=key, context=context)
        return
    plain = opened(message, key=key, context=context)
    assert len(plain) == vector["msgLength"]
    assert hashlib.sha512(plain).hexdigest() == vector["msgSha512"]


@pytest.mark.parametrize("length", EDGES)
def test_what_one_implementation_seals_the_other_opens(length: int) -> None:
    plain = hashlib.shake_128(b"film").digest(length)
    ours = sealed(plain)
    assert len(ours) == cobblestone.sealed_bytes(length)
    theirs = Cobblestone256Decryptor(KEY, CONTEXT)
    assert theirs.update(ours) + theirs.finalize() == plain
    other = Cobblestone256Encryptor(KEY, CONTEXT)
    assert opened(other.update(plain) + other.finalize()) == plain == opened(ours)


@given(
    length=st.sampled_from([0, 5, CHUNK_BYTES, CHUNK_BYTES + 9]),
    data=st.data(),
    cut=st.sampled_from(["flip", "cut", "longer"]),
)
@settings(max_examples=60)
def test_whatever_is_changed_both_implementations_refuse(
    length: int, data: st.DataObject, cut: str
) -> None:
    whole = bytearray(sealed(bytes(length)))
    if cut == "flip":
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    elif cut == "cut":
        del whole[data.draw(st.integers(0, len(whole) - 1)) :]
    else:
        whole += data.draw(st.binary(min_size=1, max_size=40))
    with pytest.raises((Damaged, NotTheKey)):
        opened(bytes(whole))
    theirs = Cobblestone256Decryptor(KEY, CONTEXT)
    with pytest.raises((InvalidTag, ValueError)):
        theirs.update(bytes(whole))
        theirs.finalize()


@pytest.mark.parametrize("length", EDGES)
def test_any_segment_is_found_and_opened_alone(length: int) -> None:
    plain = hashlib.shake_128(b"film").digest(length)
    whole = sealed(plain)
    message = cobblestone.resume(KEY, context=CONTEXT, header=whole[:HEADER_BYTES])
    for index in reversed(range(cobblestone.segments(length))):
        at = HEADER_BYTES + index * SEALED_SEGMENT_BYTES
        size = cobblestone.sealed_segment_bytes(index, length)
        part = message.open_segment(index, whole[at : at + size])
        assert part == plain[index * PLAIN_SEGMENT_BYTES : (index + 1) * PLAIN_SEGMENT_BYTES]
    assert at == HEADER_BYTES and HEADER_BYTES + sum(
        cobblestone.sealed_segment_bytes(index, length)
        for index in range(cobblestone.segments(length))
    ) == len(whole)


def test_a_chunk_at_another_place_does_not_open() -> None:
    message = cobblestone.begin(KEY, context=CONTEXT)
    segment = message.seal_segment(1, bytes(PLAIN_SEGMENT_BYTES))
    with pytest.raises(Damaged):
        message.open_segment(0, segment)
    with pytest.raises(Damaged):
        message.open_segment(1, segment + b"x")
    with pytest.raises(Damaged):
        message.seal_chunk(cobblestone.MOST_CHUNKS, b"")
