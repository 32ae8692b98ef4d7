import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listings.masters import objects, store
from listings.masters.objects import FolderObjects, Objects, ObjectsAway, StoreObjects
from listings.masters.store import Files, MasterFiles, StoredMasters
from tests.exchange import s3_standin
from tests.exchange.s3_standin import Bucket

MASTER = UUID(int=1)
FIRST, SECOND = b"first half " * 500, b"second half " * 700
BOTH = FIRST + SECOND


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with s3_standin.s3() as (found, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture(params=["folder", "memory", "s3"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "folder":
        return FolderObjects(tmp_path / "kept")
    if request.param == "s3":
        request.getfixturevalue("bucket")
    url = {"memory": "memory:///", "s3": "s3://bucket/some/prefix"}[request.param]
    return StoreObjects(objects.connect(url), tmp_path / "kept")


@pytest.fixture
def files(kept: Objects, tmp_path: Path) -> Files:
    if isinstance(kept, FolderObjects):
        return MasterFiles(kept.folder)
    return StoredMasters(kept, tmp_path / "kept")


def stored(files: Files, upto: int) -> bytes:
    return b"".join(files.pieces(MASTER, 0, upto))


def test_a_block_cuts_away_what_lay_behind_it(files: Files) -> None:
    files.write(MASTER, BOTH, at=0)
    files.write(MASTER, FIRST[:10], at=0)
    files.write(MASTER, b"end", at=10)
    assert stored(files, 13) == FIRST[:10] + b"end"
    with pytest.raises(EOFError, match="ends at"):
        stored(files, 14)


def test_any_range_can_be_read_before_and_after_the_whole_is_put_together(files: Files) -> None:
    files.write(MASTER, FIRST, at=0)
    files.write(MASTER, SECOND, at=len(FIRST))
    ranges = [(0, len(BOTH)), (5, 5), (3, len(FIRST) + 9), (len(FIRST), len(BOTH) - 1)]
    for _ in range(2):
        for start, end in ranges:
            assert b"".join(files.pieces(MASTER, start, end)) == BOTH[start:end]
        assert files.local(MASTER, len(BOTH)).read_bytes() == BOTH


def test_parts_that_are_not_whole_are_not_put_together(bucket: Bucket, tmp_path: Path) -> None:
    files = StoredMasters(StoreObjects(objects.connect("s3://bucket"), tmp_path), tmp_path)
    files.write(MASTER, FIRST, at=0)
    with pytest.raises(EOFError, match="ends"):
        files.local(MASTER, len(BOTH))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert list(bucket.objects) == [f"bucket/parts/{MASTER}/{0:016x}"]


def test_a_removed_master_leaves_nothing(files: Files, tmp_path: Path) -> None:
    files.write(MASTER, FIRST, at=0)
    files.write(MASTER, SECOND, at=len(FIRST))
    files.remove(MASTER)
    files.remove(MASTER)
    with pytest.raises((FileNotFoundError, EOFError)):
        files.local(MASTER, 1)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_second_machine_goes_on_and_a_third_has_its_own_copy(
    bucket: Bucket, tmp_path: Path
) -> None:
    machines = [
        StoredMasters(
            StoreObjects(objects.connect("s3://bucket/m"), tmp_path / name), tmp_path / name
        )
        for name in ("one", "two", "three")
    ]
    machines[0].write(MASTER, FIRST, at=0)
    machines[1].write(MASTER, SECOND, at=len(FIRST))
    for machine in machines:
        assert machine.local(MASTER, len(BOTH)).read_bytes() == BOTH
    assert list(bucket.objects) == [f"bucket/m/masters/{MASTER}"]


def test_copies_nobody_asked_for_are_dropped_and_fetched_again(
    bucket: Bucket, tmp_path: Path
) -> None:
    files = StoredMasters(StoreObjects(objects.connect("s3://bucket"), tmp_path), tmp_path)
    other = UUID(int=2)
    for master_id in (MASTER, other):
        files.write(master_id, FIRST, at=0)
        os.utime(files.local(master_id, len(FIRST)), (1000, 1000))
    del bucket.objects[f"bucket/masters/{other}"]
    assert files.drop_copies(unused_since=1000) == 0
    assert files.drop_copies(unused_since=1001) == 1
    assert [path.name for path in (tmp_path / "masters").iterdir()] == [str(other)]
    copy = files.local(MASTER, len(FIRST))
    assert copy.read_bytes() == FIRST
    assert files.drop_copies(unused_since=1001) == 0


def test_the_files_of_a_folder_are_no_copies(tmp_path: Path) -> None:
    files = MasterFiles(tmp_path)
    files.write(MASTER, FIRST, at=0)
    os.utime(files.path(MASTER), (1000, 1000))
    assert files.drop_copies(unused_since=2000) == 0
    assert files.path(MASTER).exists()


def test_a_large_object_goes_in_parts(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PART", 6 * 1024**2)
    large = os.urandom(13 * 1024**2)
    (tmp_path / "large").write_bytes(large)
    kept = StoreObjects(objects.connect("s3://bucket"), tmp_path / "copies")
    kept.put("masters/large", tmp_path / "large")
    assert bucket.objects["bucket/masters/large"] == large
    assert sum("partNumber" in line for line in bucket.asked) == 3
    assert kept.read("masters/large", 7, 6 * 1024**2) == large[7 : 6 * 1024**2]
    assert kept.local("masters/large").read_bytes() == large


def test_objects_are_kept_read_and_removed(kept: Objects, tmp_path: Path) -> None:
    key = "derived/1/海报.jpg"
    assert kept.size(key) is None
    kept.put(key, b"0123456789")
    assert (kept.size(key), kept.read(key), kept.read(key, 3, 6)) == (10, b"0123456789", b"345")
    assert kept.read(key, 8, 99) == b"89" and kept.read(key, 99) == b""
    assert kept.local(key).read_bytes() == b"0123456789"
    (tmp_path / "file").write_bytes(b"from a file")
    kept.put(key, tmp_path / "file")
    assert kept.read(key) == kept.local(key).read_bytes() == b"from a file"
    kept.delete(key)
    kept.delete(key)
    for look in (kept.read, kept.local):
        with pytest.raises(FileNotFoundError):
            look(key)


@given(
    key=st.sampled_from(
        ["", "/", "/etc/passwd", "a//b", "../x", "a/../../x", "a/./b", "a/", "a\x00b"]
    )
)
def test_a_key_that_could_leave_the_folder_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match="is no key"):
        objects.safe(key)


def test_a_store_that_refuses_us_is_a_refusal(bucket: Bucket, tmp_path: Path) -> None:
    kept = StoreObjects(objects.connect("s3://bucket"), tmp_path)
    bucket.down = True
    for ask in (kept.size, kept.delete, kept.read, kept.local, lambda key: kept.put(key, b"1")):
        with pytest.raises(ObjectsAway):
            ask("masters/1")


def test_what_names_no_store_is_a_refusal() -> None:
    with pytest.raises(ObjectsAway):
        objects.connect("gopher://somewhere")


def test_a_write_that_fails_leaves_neither_a_file_nor_a_part_of_it(tmp_path: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"some"
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        objects.write_whole(tmp_path / "made", breaking())
    assert list(tmp_path.iterdir()) == []


def test_a_file_shorter_than_what_is_committed_is_not_hashed(tmp_path: Path) -> None:
    files = MasterFiles(tmp_path)
    files.write(MASTER, FIRST, at=0)
    with pytest.raises(EOFError, match="ends at"):
        list(store.pieces(files.path(MASTER), 0, len(FIRST) + 1))


def test_the_setting_chooses_between_folder_and_store(tmp_path: Path) -> None:
    assert isinstance(store.opened(tmp_path, None), MasterFiles)
    assert isinstance(store.opened(tmp_path, "memory:///"), StoredMasters)
    assert store.opened(tmp_path, "memory:///") is store.opened(tmp_path, "memory:///")
