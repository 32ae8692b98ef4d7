import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import ids
from contracts.log import checkpoint, note, rules
from contracts.log.gateway import LogKeyMissing, LogSigner
from contracts.log.note import BadNote, UntrustedNote
from contracts.log.rules import UNMARKED, LogWouldFork, Mark, SealerOvertaken
from tests.conftest import NOW
from tests.contracts.log_factory import ORIGIN, a_signer

FIRST = Mark(3, b"\x03" * 32, 0, (ids.new(NOW),))
SECOND = Mark(5, b"\x05" * 32, 3, (ids.new(NOW), ids.new(NOW)))


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    signer = a_signer(tmp_path / "keys")
    assert a_signer(tmp_path / "keys").verifier == signer.verifier
    assert stat.S_IMODE((tmp_path / "keys" / "log.key").stat().st_mode) == 0o600


def test_a_signature_moves_the_mark_and_outlives_the_process(tmp_path: Path) -> None:
    signed = a_signer(tmp_path).sign(FIRST, after=UNMARKED)
    signer = a_signer(tmp_path)
    opened = checkpoint.open_checkpoint(signed, origin=ORIGIN, trusted=[signer.verifier])
    assert (opened.size, opened.root) == (FIRST.size, FIRST.root)
    assert signer.mark() == FIRST


def test_the_same_promise_is_signed_again_with_the_same_bytes(tmp_path: Path) -> None:
    signer = a_signer(tmp_path)
    assert signer.sign(FIRST, after=UNMARKED) == signer.sign(FIRST, after=FIRST)


@pytest.mark.parametrize(
    "promise",
    [
        Mark(2, b"\x02" * 32, 0, FIRST.facts),
        Mark(3, b"\x04" * 32, 0, FIRST.facts),
        Mark(4, b"\x04" * 32, 2, FIRST.facts),
        Mark(3, FIRST.root, 3, ()),
    ],
    ids=["a smaller tree", "another root", "a batch from before the mark", "an empty batch"],
)
def test_what_does_not_continue_the_signed_tree_is_not_signed(
    tmp_path: Path, promise: Mark
) -> None:
    signer = a_signer(tmp_path)
    signer.sign(FIRST, after=UNMARKED)
    with pytest.raises(LogWouldFork):
        signer.sign(promise, after=FIRST)
    assert signer.mark() == FIRST


def test_a_sealer_that_was_overtaken_signs_nothing(tmp_path: Path) -> None:
    signer = a_signer(tmp_path)
    signer.sign(FIRST, after=UNMARKED)
    with pytest.raises(SealerOvertaken):
        signer.sign(Mark(9, b"\x09" * 32, 0, SECOND.facts), after=UNMARKED)
    assert signer.mark() == FIRST


def test_a_key_without_its_mark_signs_nothing(tmp_path: Path) -> None:
    signer = a_signer(tmp_path)
    (tmp_path / "log.mark").unlink()
    with pytest.raises(LogWouldFork):
        signer.sign(FIRST, after=UNMARKED)
    (tmp_path / "log.mark").write_text("{")
    with pytest.raises(LogWouldFork):
        signer.mark()


def test_the_mark_of_another_log_is_refused(tmp_path: Path) -> None:
    a_signer(tmp_path)
    with pytest.raises(LogWouldFork):
        LogSigner.open(tmp_path, "elsewhere.example/log").mark()


def test_a_lost_key_is_not_replaced_in_silence(tmp_path: Path) -> None:
    a_signer(tmp_path).sign(FIRST, after=UNMARKED)
    (tmp_path / "log.key").unlink()
    with pytest.raises(LogKeyMissing):
        a_signer(tmp_path)
    with pytest.raises(LogKeyMissing):
        LogSigner.open(tmp_path, ORIGIN)
    (tmp_path / "log.key").write_text("not a key")
    with pytest.raises(LogKeyMissing):
        LogSigner.open(tmp_path, ORIGIN)


def test_a_crash_before_the_first_key_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    a_signer(tmp_path)
    (tmp_path / "log.key").unlink()
    assert a_signer(tmp_path).mark() == UNMARKED


def test_a_manifest_can_never_be_taken_for_a_checkpoint(tmp_path: Path) -> None:
    signer = a_signer(tmp_path)
    signed = signer.attest("uhdx.evidence/v1\n" + "0" * 10 + "\n")
    assert note.open_note(signed, trusted=[signer.verifier]).startswith("uhdx.evidence/v1")
    with pytest.raises((BadNote, UntrustedNote)):
        checkpoint.open_checkpoint(signed, origin=ORIGIN, trusted=[signer.verifier])
    with pytest.raises(ValueError, match="begins with"):
        signer.attest(f"{ORIGIN}\n9\nAAAA\n")


@given(st.integers(0, 9), st.integers(0, 9))
def test_only_the_batch_right_after_the_database_can_be_promised(base: int, size: int) -> None:
    mark = Mark(base + 2, b"\x01" * 32, base, SECOND.facts)
    if mark.size <= size:
        assert rules.promised(mark, size) == ()
    elif base == size:
        assert rules.promised(mark, size) == mark.facts
    else:
        with pytest.raises(LogWouldFork):
            rules.promised(mark, size)


def test_machines_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as machines:
        signers = list(machines.map(lambda _: a_signer(tmp_path), range(16)))
    assert len({signer.verifier for signer in signers}) == 1


def test_invariant_28_of_machines_that_sign_at_once_one_wins_each_size(tmp_path: Path) -> None:
    a_signer(tmp_path)

    def attempt(number: int) -> str | None:
        promise = Mark(3, bytes([number]) * 32, 0, (ids.new(NOW),))
        try:
            return a_signer(tmp_path).sign(promise, after=UNMARKED)
        except SealerOvertaken:
            return None

    with ThreadPoolExecutor(8) as machines:
        signed = [note for note in machines.map(attempt, range(16)) if note]
    assert len(signed) == 1


def test_a_mark_that_was_cut_off_leaves_the_one_before(tmp_path: Path) -> None:
    signer = a_signer(tmp_path)
    signer.sign(FIRST, after=UNMARKED)
    before = (tmp_path / "log.mark").read_bytes()
    signer.sign(SECOND, after=FIRST)
    after = (tmp_path / "log.mark").read_bytes()
    half = len(after) // 2
    [changed] = [slot for slot in (0, half) if before[slot:][:half] != after[slot:][:half]]
    for cut in (0, 1, 64, 65, 200):
        torn = after[changed:][:cut] + before[changed:][:half][cut:]
        torn = after[:changed] + torn + after[changed + half :]
        (tmp_path / "log.mark").write_bytes(torn)
        assert signer.mark() == FIRST
    signer.sign(SECOND, after=FIRST)
    assert a_signer(tmp_path).mark() == SECOND


def test_marks_of_any_length_and_of_the_older_form_are_read(tmp_path: Path) -> None:
    signer = a_signer(tmp_path)
    many = Mark(2_000, b"\x05" * 32, 0, tuple(ids.new(NOW) for _ in range(2_000)))
    signer.sign(many, after=UNMARKED)
    assert a_signer(tmp_path).mark() == many
    older = {"origin": ORIGIN, "size": 3, "root": "01" * 32, "base": 0, "facts": []}
    (tmp_path / "log.mark").write_text(json.dumps(older))
    assert signer.mark() == Mark(3, b"\x01" * 32)
    signer.sign(Mark(4, b"\x02" * 32, 3), after=signer.mark())
    assert a_signer(tmp_path).mark().size == 4
