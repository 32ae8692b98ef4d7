import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.log import merkle
from contracts.log.merkle import Node

VECTORS = Path(__file__).parent.parent / "vectors" / "tlog"
MOST = 40


def leaves(count: int) -> list[bytes]:
    return [merkle.leaf_hash(f"leaf {index}".encode()) for index in range(count)]


def plain_root(hashes: list[bytes]) -> bytes:
    """The root as RFC 9162 §2.1.1 defines it, recursively, for comparison."""
    if not hashes:
        return merkle.EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return merkle.node_hash(plain_root(hashes[:half]), plain_root(hashes[half:]))


def no_edge(node: Node) -> bytes:
    raise AssertionError(f"{node} was not needed")


def tree(count: int) -> dict[Node, bytes]:
    return merkle.grow(0, leaves(count), no_edge)


TREE = tree(MOST)
ROOTS = [merkle.root(size, TREE.__getitem__) for size in range(MOST + 1)]
sizes = st.integers(1, MOST)


def vectors(kind: str) -> list[Path]:
    return sorted((VECTORS / kind).rglob("*.json"))


def unbase64(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.parametrize(
    "path", vectors("inclusion"), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_an_inclusion_vector_gets_its_verdict(path: Path) -> None:
    case = json.loads(path.read_text())
    proof = [unbase64(item) for item in case["proof"] or []]
    verdict = merkle.includes(
        case["leafIdx"], case["treeSize"], unbase64(case["leafHash"]), proof, unbase64(case["root"])
    )
    assert verdict is not case["wantErr"]


@pytest.mark.parametrize(
    "path", vectors("consistency"), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_a_consistency_vector_gets_its_verdict(path: Path) -> None:
    case = json.loads(path.read_text())
    proof = [unbase64(item) for item in case["proof"] or []]
    verdict = merkle.extends(
        case["size1"], case["size2"], unbase64(case["root1"]), unbase64(case["root2"]), proof
    )
    assert verdict is not case["wantErr"]


def test_there_are_vectors() -> None:
    assert len(vectors("inclusion")) + len(vectors("consistency")) >= 82


def test_the_root_is_the_one_the_standard_defines() -> None:
    assert [plain_root(leaves(size)) for size in range(MOST + 1)] == ROOTS


def test_every_leaf_of_every_tree_is_proved() -> None:
    for size in range(1, MOST + 1):
        for index, hashed in enumerate(leaves(size)):
            proof = merkle.inclusion_proof(index, size, TREE.__getitem__)
            assert merkle.includes(index, size, hashed, proof, ROOTS[size])


def test_every_tree_extends_every_smaller_one() -> None:
    for new in range(1, MOST + 1):
        for old in range(1, new + 1):
            proof = merkle.consistency_proof(old, new, TREE.__getitem__)
            assert merkle.extends(old, new, ROOTS[old], ROOTS[new], proof)


def test_the_empty_tree_proves_nothing() -> None:
    assert not merkle.extends(0, 3, ROOTS[0], ROOTS[3], [])
    assert not merkle.extends(0, 0, ROOTS[0], ROOTS[0], [])
    with pytest.raises(ValueError, match="0 < size_1"):
        merkle.consistency_proof(0, 3, TREE.__getitem__)


@given(sizes, st.data())
def test_appending_in_batches_grows_the_same_tree(size: int, data: st.DataObject) -> None:
    grown: dict[Node, bytes] = {}
    done = 0
    while done < size:
        batch = data.draw(st.integers(1, size - done))
        new = merkle.grow(done, leaves(size)[done : done + batch], grown.__getitem__)
        assert not new.keys() & grown.keys()  # a complete subtree never changes
        grown |= new
        done += batch
    assert grown == tree(size)


@given(sizes, st.data())
def test_a_proof_needs_few_stored_hashes(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    assert len(merkle.inclusion_nodes(index, size)) <= 2 * size.bit_length()
    assert len(merkle.frontier(size)) == size.bit_count()


@given(sizes, st.data())
def test_a_changed_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(index, size, TREE.__getitem__)
    hashed = leaves(size)[index]
    parts = [hashed, ROOTS[size], *proof]
    part, bit = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 255))
    parts[part] = flipped(parts[part], bit)
    assert not merkle.includes(index, size, parts[0], parts[2:], parts[1])


@given(sizes, st.data())
def test_a_proof_of_another_length_or_place_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size + 1))
    proof = merkle.inclusion_proof(index, size, TREE.__getitem__)
    hashed = leaves(size)[index]
    assert not merkle.includes(index, size, hashed, [*proof, hashed], ROOTS[size])
    if proof:
        assert not merkle.includes(index, size, hashed, proof[:-1], ROOTS[size])
        assert not merkle.includes(index, size, hashed, [proof[0][:-1], *proof[1:]], ROOTS[size])
    if other != index:
        assert not merkle.includes(other, size, hashed, proof, ROOTS[size])


@given(sizes, st.data())
def test_a_changed_consistency_proof_is_refused(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    proof = merkle.consistency_proof(old, new, TREE.__getitem__)
    parts = [ROOTS[old], ROOTS[new], *proof]
    part, bit = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 255))
    parts[part] = flipped(parts[part], bit)
    assert not merkle.extends(old, new, parts[0], parts[1], parts[2:])
    assert not merkle.extends(old, new, ROOTS[old], ROOTS[new], [*proof, ROOTS[1]])


def flipped(value: bytes, bit: int) -> bytes:
    return (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(len(value), "big")
