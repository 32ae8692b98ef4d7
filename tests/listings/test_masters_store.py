import hashlib
from pathlib import Path
from uuid import UUID

import pytest

from listings.masters import store
from listings.masters.store import MasterFiles

MASTER = UUID(int=1)
FIRST, SECOND = b"first half " * 500, b"second half " * 700


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_process_that_comes_late_hashes_what_is_stored(tmp_path: Path) -> None:
    MasterFiles(tmp_path).write(MASTER, FIRST, at=0)
    late = MasterFiles(tmp_path)
    late.write(MASTER, SECOND, at=len(FIRST))
    assert late.digest_with(MASTER, SECOND, at=len(FIRST)) == sha256(FIRST + SECOND)


def test_a_hash_that_ran_ahead_of_what_is_committed_starts_anew(tmp_path: Path) -> None:
    files = MasterFiles(tmp_path)
    files.write(MASTER, FIRST, at=0)
    files.committed(MASTER, FIRST, at=0)
    files.write(MASTER, SECOND, at=0)  # the commit was lost, and the upload starts over
    files.committed(MASTER, SECOND, at=0)
    assert files.digest_with(MASTER, FIRST, at=len(SECOND)) == sha256(SECOND + FIRST)


def test_a_block_cuts_away_what_lay_behind_it(tmp_path: Path) -> None:
    files = MasterFiles(tmp_path)
    files.write(MASTER, FIRST + SECOND, at=0)
    files.write(MASTER, b"end", at=10)
    assert files.path(MASTER).read_bytes() == FIRST[:10] + b"end"


def test_a_file_shorter_than_what_is_committed_is_not_hashed(tmp_path: Path) -> None:
    files = MasterFiles(tmp_path)
    files.write(MASTER, FIRST, at=0)
    with pytest.raises(EOFError, match="ends at"):
        list(store.pieces(files.path(MASTER), 0, len(FIRST) + 1))
