"""Sealing and opening files: the listed master comes out, or a complaint, never half of it."""

import hashlib
from pathlib import Path

import pytest

from contracts import canonical
from listings.deliveries import complaints, envelopes, judging, packing, unpacking
from listings.deliveries.cobblestone import HEADER_BYTES, SEALED_SEGMENT_BYTES
from listings.deliveries.judging import Verdict
from listings.deliveries.manifests import BadManifest
from listings.deliveries.packing import Listed, NotTheListedFile
from listings.deliveries.unpacking import CopyDamaged, KeyNotCommitted
from listings.masters import chunks
from tests.listings.deliveries_factory import KEY, MIB, film, handed

ESCROW, OWN = envelopes.generate(), envelopes.generate()
LENGTHS = (1, 16384, MIB - 1, MIB, 3 * MIB + 77)


def listed(plain: bytes) -> Listed:
    sums = chunks.sums([plain])
    return Listed(sums.sha256, sums.chunk_root, sums.bytes)


def packed(folder: Path, plain: bytes, *, of: Listed | None = None) -> packing.Package:
    (folder / "film.mxf").write_bytes(plain)
    return packing.seal(
        folder / "film.mxf",
        folder / "film.mxf.sealed",
        listed=of or listed(plain),
        escrow=envelopes.public_of(ESCROW),
        own=envelopes.public_of(OWN),
    )


@pytest.mark.parametrize("length", LENGTHS)
def test_the_master_that_went_in_comes_out_byte_for_byte(length: int, tmp_path: Path) -> None:
    plain, sealed = film(length), tmp_path / "film.mxf.sealed"
    package = packing.read(canonical.loads(canonical.dumps(packed(tmp_path, plain).wire())))
    manifest = package.manifest
    assert sealed.stat().st_size == manifest.sealed_bytes
    assert (manifest.sha256, manifest.chunk_root.hex()) == (
        listed(plain).sha256, listed(plain).chunk_root,
    )  # fmt: skip
    unpacking.check_copy(sealed, manifest)
    key = envelopes.unseal(package.escrow, ESCROW, info=envelopes.for_escrow(manifest))
    own = envelopes.unseal(package.own, OWN, info=envelopes.for_licensor(manifest))
    assert key == own
    target = tmp_path / "out.mxf"
    assert unpacking.open_copy(sealed, target, manifest=manifest, key=key) is None
    assert target.read_bytes() == plain
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "film.mxf", "film.mxf.sealed", "film.mxf.sealed.leaves", "out.mxf",
    ]  # fmt: skip


def test_another_file_than_the_listed_one_leaves_nothing_behind(tmp_path: Path) -> None:
    for of in (listed(film(5000, "other")), listed(film(4999)),
               Listed(listed(film(5000)).sha256, "ab" * 32)):  # fmt: skip
        with pytest.raises(NotTheListedFile):
            packed(tmp_path, film(5000), of=of)
        assert [one.name for one in tmp_path.iterdir()] == ["film.mxf"]


@pytest.mark.parametrize(("kind", "index"), [("damaged", 0), ("damaged", 3), ("other", 2)])
def test_what_is_not_as_promised_becomes_a_complaint_and_no_file(
    kind: str, index: int, tmp_path: Path
) -> None:
    plain = film(3 * MIB + 77)
    other = {index: film(MIB, "another")}
    made = handed(plain, damaged=[index]) if kind == "damaged" else handed(plain, instead=other)
    sealed, target = made.laid(tmp_path), tmp_path / "out.mxf"
    unpacking.check_copy(sealed, made.manifest)  # nobody sees it before the key is there
    filed = unpacking.open_copy(sealed, target, manifest=made.manifest, key=KEY)
    assert filed is not None and filed.complaint == made.complaint(index)
    again = complaints.read(canonical.dumps(filed.kept()))
    assert again.key is not None
    assert judging.judge(again.manifest, again.key, again.complaint).verdict is Verdict.UPHELD
    assert not target.exists() and not list(tmp_path.glob("*.part"))


def test_a_copy_that_was_damaged_on_the_way_accuses_nobody(tmp_path: Path) -> None:
    made = handed(film(2 * MIB + 9))
    sealed, target = made.laid(tmp_path), tmp_path / "out.mxf"
    whole = made.sealed
    flipped = bytearray(whole)
    flipped[HEADER_BYTES + SEALED_SEGMENT_BYTES + 5] ^= 1
    for copy in (bytes(flipped), whole[:-1], whole + b"x", b"\1" + whole[1:]):
        sealed.write_bytes(copy)
        with pytest.raises(CopyDamaged):
            unpacking.check_copy(sealed, made.manifest)
        with pytest.raises(CopyDamaged):
            unpacking.open_copy(sealed, target, manifest=made.manifest, key=KEY)
    sealed.write_bytes(whole)
    leaves = packing.leaves_of(sealed)
    for told in (b"", leaves.read_bytes()[:-1], bytes(32 * 3), leaves.read_bytes() + bytes(32)):
        leaves.write_bytes(told)
        with pytest.raises(CopyDamaged):
            unpacking.check_copy(sealed, made.manifest)
    leaves.unlink()
    with pytest.raises(CopyDamaged):
        unpacking.open_copy(sealed, target, manifest=made.manifest, key=KEY)
    assert not target.exists() and not list(tmp_path.glob("*.part"))


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    made = handed(film(100))
    with pytest.raises(KeyNotCommitted):
        unpacking.open_copy(
            made.laid(tmp_path), tmp_path / "out", manifest=made.manifest, key=bytes(32)
        )


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    good = packed(tmp_path, film(9)).wire()
    for odd in ({}, {**good, "typ": "x"}, {**good, "escrow_b64": "*"}, {**good, "manifest": {}}):
        with pytest.raises(BadManifest):
            packing.read(odd)


def test_the_same_master_is_sealed_otherwise_each_time(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        packed(tmp_path / name, film(9000))
        digests.add(hashlib.sha256((tmp_path / name / "film.mxf.sealed").read_bytes()).digest())
    assert len(digests) == 2
