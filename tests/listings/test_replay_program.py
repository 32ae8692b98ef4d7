"""The second program as a stranger runs it: alone, in another process, by another solver."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contracts import canonical
from exchange import replaying
from listings.auctions import verify_auction
from tests.listings.replay_logs import LOGS, PROGRAM, joined, solved_logs, split


def test_the_program_runs_alone_and_tells_by_its_exit_status(tmp_path: Path) -> None:
    play = LOGS["proxy"]
    log = tmp_path / "log.jsonl"
    log.write_bytes(play.exported())
    status, said = replaying.verified(log)
    result = play.result()
    assert (status, said["holds"]) == (0, True)
    assert result is not None
    assert said["result_sha256"] == canonical.sha256_hex(result)
    lines = split(play.exported())
    log.write_bytes(joined([*lines[:3], *lines[4:]]))
    status, said = replaying.verified(log)
    assert (status, said["holds"], said["seq"]) == (1, False, 2)
    status, said = replaying.verified(tmp_path / "no-such-file")
    assert (status, said["holds"]) == (2, False)


def pythons() -> list[str]:
    """This Python, and every other from 3.9 on that this machine has."""
    named = filter(None, (shutil.which(f"python3.{minor}") for minor in range(9, 16)))
    installed = map(str, (Path.home() / ".pyenv/versions").glob("3.*/bin/python3"))
    ask = "import sys; sys.exit(sys.version_info < (3, 9))"
    found = sorted({*named, *installed})
    good = [one for one in found if not subprocess.run([one, "-Ic", ask], check=False,
                                                       capture_output=True).returncode]  # fmt: skip
    return [sys.executable, *good]


@pytest.mark.parametrize("python", pythons())
def test_invariant_34_another_process_and_another_python_give_the_same_bytes(
    python: str, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    for play in (LOGS[method] for method in ("proxy", "dutch", "weighted", "package")):
        log.write_bytes(play.exported())
        status, said = replaying.verified(log, python=python)
        result = play.result()
        assert status == 0, said
        assert said["result_sha256"] == (None if result is None else canonical.sha256_hex(result))


async def test_a_second_solver_confirms_that_no_better_set_of_winners_exists() -> None:
    play, seq = solved_logs()[0]
    answers = await replaying.confirmed(play.exported())
    assert len(answers) > len(play.events[seq].body["winners"])
    assert all(answers)
    assert await replaying.confirmed(LOGS["english"].exported()) == []


def test_the_program_compares_with_a_head_and_a_result_known_from_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play = LOGS["english"]
    log, result = tmp_path / "log.jsonl", tmp_path / "result.json"
    log.write_bytes(play.exported())
    result.write_bytes(play.result() or b"")
    head = verify_auction.verify(play.exported())["head_sha256"]
    good = [str(log), "--head", head, "--result", str(result)]
    assert verify_auction.main(good) == 0
    assert verify_auction.main([str(log), "--head", "0" * 64]) == 1
    result.write_bytes(b"{}")
    assert verify_auction.main([str(log), "--result", str(result)]) == 1
    assert "the result is not the one given" in capsys.readouterr().out


def test_the_program_needs_the_standard_library_alone_and_no_new_python() -> None:
    tree = ast.parse(PROGRAM.read_text(encoding="utf-8"), feature_version=(3, 9))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).split(".")[0])
    assert names <= sys.stdlib_module_names
    assert not names & {"random", "time", "socket", "subprocess"}
