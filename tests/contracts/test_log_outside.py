"""A verifier that others wrote (PyPI metamorphic-log, Rust) judges our checkpoints and proofs."""

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import metamorphic_log as outside
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.log import merkle, tiles
from contracts.log.checkpoint import Checkpoint
from contracts.log.note import Signer
from contracts.log.tiles import Tile

VECTORS = Path(__file__).parent.parent / "vectors" / "tlog"
ORIGIN = "log.uhdx.example/2026"
LOG = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
OTHER = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
MOST = 700
HASHES = [merkle.leaf_hash(f"leaf {index}".encode()) for index in range(MOST)]
sizes = st.integers(1, MOST)


@cache
def tree() -> dict[merkle.Node, bytes]:
    return merkle.grow(0, HASHES, lambda _: b"")


def read(tile: Tile) -> bytes:
    return b"".join(tree()[node] for node in tile.nodes)


def root(size: int) -> bytes:
    return merkle.root(size, tree().__getitem__)


def signed(size: int) -> str:
    return LOG.sign(Checkpoint(ORIGIN, size, root(size)).text)


def includes(index: int, size: int, hashed: bytes, proof: list[bytes], want: bytes) -> bool:
    try:
        outside.verify_inclusion(index, size, hashed, proof, want)
    except outside.VerifyError:
        return False
    return True


def extends(old: int, new: int, proof: list[bytes], roots: tuple[bytes, bytes]) -> bool:
    try:
        outside.verify_consistency(old, new, proof, *roots)
    except outside.VerifyError:
        return False
    return True


def opens(text: str, vkey: str) -> bool:
    try:
        outside.checkpoint_verify(text, [vkey])
    except outside.VerifyError:
        return False
    return True


@settings(max_examples=50)
@given(sizes, st.data())
def test_it_accepts_our_checkpoints_and_every_proof_made_of_tiles(
    size: int, data: st.DataObject
) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    find = tiles.lookup(size, read)
    head = outside.checkpoint_verify(signed(size), [LOG.verifier.vkey])
    assert (head.origin, head.size) == (ORIGIN, size)
    path = merkle.inclusion_proof(index, size, find)
    outside.checkpoint_verify_inclusion(
        signed(size), [LOG.verifier.vkey], index, HASHES[index], path
    )
    if old < size:  # it takes equal sizes for no question
        grown = merkle.consistency_proof(old, size, find)
        outside.checkpoint_verify_consistency(signed(old), signed(size), [LOG.verifier.vkey], grown)


@settings(max_examples=100)
@given(sizes, st.data())
def test_it_refuses_every_changed_proof(size: int, data: st.DataObject) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    path = merkle.inclusion_proof(index, size, tree().__getitem__)
    parts = [HASHES[index], root(size), *path]
    parts[data.draw(st.integers(0, len(parts) - 1))] = data.draw(
        st.binary(min_size=32, max_size=32)
    )
    assert not includes(index, size, parts[0], parts[2:], parts[1])
    assert not includes(index, size, HASHES[index], [*path, HASHES[0]], root(size))
    if old < size:
        grown = merkle.consistency_proof(old, size, tree().__getitem__)
        parts = [root(old), root(size), *grown]
        place = data.draw(st.integers(0, len(parts) - 1))
        parts[place] = data.draw(st.binary(min_size=32, max_size=32))
        assert not extends(old, size, parts[2:], (parts[0], parts[1]))


@settings(max_examples=150)
@given(st.integers(0, len(signed(300).encode()) - 1), st.integers(0, 7))
def test_it_refuses_a_checkpoint_with_one_flipped_bit_as_we_do(place: int, bit: int) -> None:
    raw = bytearray(signed(300).encode())
    raw[place] ^= 1 << bit
    text = raw.decode(errors="replace")
    assert opens(signed(300), LOG.verifier.vkey)
    assert not opens(text, LOG.verifier.vkey)


def test_it_refuses_a_checkpoint_of_another_key() -> None:
    assert not opens(signed(3), OTHER.verifier.vkey)


def raw(case: dict[str, Any], *names: str) -> list[bytes]:
    return [base64.b64decode(case[name] or "") for name in names]


@pytest.mark.parametrize("kind", ["inclusion", "consistency"])
def test_it_and_we_give_each_vector_one_verdict(kind: str) -> None:
    judged = 0
    for path in sorted((VECTORS / kind).rglob("*.json")):
        case = json.loads(path.read_text())
        proof = [base64.b64decode(item) for item in case["proof"] or []]
        if kind == "inclusion":
            hashed, want = raw(case, "leafHash", "root")
            place = (case["leafIdx"], case["treeSize"])
            if min(place) < 0 or max(place) >= 1 << 64:
                continue  # no number of its interface
            theirs = includes(*place, hashed, proof, want)
            ours = merkle.includes(*place, hashed, proof, want)
        else:
            one, two = raw(case, "root1", "root2")
            if case["size1"] == case["size2"]:
                continue  # the question it does not take
            theirs = extends(case["size1"], case["size2"], proof, (one, two))
            ours = merkle.extends(case["size1"], case["size2"], one, two, proof)
        assert ours == theirs is not case["wantErr"], path
        judged += 1
    assert judged >= 30
