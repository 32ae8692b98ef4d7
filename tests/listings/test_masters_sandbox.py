import logging
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from listings.masters import gateway
from listings.masters.gateway import Child, Ended, Limits
from listings.masters.refusals import ExaminationTimeout

QUICK = Limits(cpu_s=20, wall_s=40)


@pytest.fixture
def input_file(tmp_path: Path) -> Path:
    file = tmp_path / "in" / "master"
    file.parent.mkdir()
    file.write_bytes(b"the master")
    return file


@pytest.fixture(params=["limits", "walls"])
async def child(request: pytest.FixtureRequest) -> Child:
    """The child with limits alone, and the best sandbox of this machine."""
    if request.param == "limits":
        return Child(None)
    found = await gateway.sandbox("auto")
    assert isinstance(found, Child)
    return found


async def python(
    child: Child, code: str, reads: Path, limits: Limits = QUICK, writes: Path | None = None
) -> Ended:
    return await child.run(
        [sys.executable, "-I", "-c", code], reads=reads, writes=writes, limits=limits
    )


async def test_the_input_can_be_read(child: Child, input_file: Path) -> None:
    ended = await python(child, f"print(open({str(input_file)!r}).read())", input_file)
    assert (ended.status, ended.output) == (0, b"the master\n")


async def test_the_environment_is_empty(
    child: Child, input_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXCHANGE_STRIPE_API_KEY", "sk_live_hidden")
    ended = await python(child, "import os; print(sorted(os.environ))", input_file)
    assert b"EXCHANGE" not in ended.output and b"HOME" not in ended.output


async def test_a_hog_of_memory_is_stopped(child: Child, input_file: Path) -> None:
    small = Limits(cpu_s=20, wall_s=40, memory_bytes=512 * 1024**2)
    ended = await python(child, "bytearray(2 * 1024**3)", input_file, small)
    assert ended.status != 0 and "MemoryError" in ended.errors


async def test_a_hog_of_time_is_stopped_by_the_clock(child: Child, input_file: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ExaminationTimeout):
        await python(child, "import time; time.sleep(60)", input_file, Limits(cpu_s=20, wall_s=1))
    assert time.monotonic() - began < 20


async def test_a_hog_of_the_processor_is_stopped(child: Child, input_file: Path) -> None:
    with pytest.raises(ExaminationTimeout):
        await python(child, "while True: pass", input_file, Limits(cpu_s=1, wall_s=40))


async def test_a_file_without_end_is_stopped(
    child: Child, input_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    code = f"f = open({str(folder / 'big')!r}, 'wb')\nwhile True: f.write(bytes(65536)); f.flush()"
    small = Limits(cpu_s=20, wall_s=40, file_bytes=1024**2)
    ended = await python(child, code, input_file, small, writes=folder)
    assert ended.status != 0
    assert (folder / "big").stat().st_size <= 1024**2


async def test_what_a_child_prints_without_end_fills_no_memory(
    child: Child, input_file: Path
) -> None:
    code = "import sys\nfor _ in range(400): sys.stdout.write('x' * 65536)"
    ended = await python(child, code, input_file)
    assert len(ended.output) == gateway.MOST_OUTPUT


@pytest.fixture
async def walled() -> Child:
    """Bubblewrap; where it does not work, `require` says so and these tests fail on purpose."""
    found = await gateway.sandbox("require" if sys.platform == "linux" else "auto")
    assert isinstance(found, Child)
    return found


@pytest.fixture
def server() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize("what", ["/etc/passwd", "/etc/shadow", "/proc/1/environ"])
async def test_files_of_the_machine_are_out_of_reach(
    walled: Child, input_file: Path, what: str
) -> None:
    if walled.bwrap is None:
        assert sys.platform != "linux"
        return
    ended = await python(walled, f"print(len(open({what!r}).read()))", input_file)
    hidden = ended.status != 0 or (what == "/proc/1/environ" and ended.output == b"0\n")
    assert hidden, ended


async def test_a_file_beside_the_input_is_out_of_reach(walled: Child, input_file: Path) -> None:
    secret = input_file.with_name("another-master")
    secret.write_text("secret")
    ended = await python(walled, f"print(open({str(secret)!r}).read())", input_file)
    assert (walled.bwrap is None) == (ended.status == 0)


async def test_the_input_cannot_be_changed(walled: Child, input_file: Path) -> None:
    ended = await python(walled, f"open({str(input_file)!r}, 'w').write('changed')", input_file)
    assert (walled.bwrap is None) == (ended.status == 0)
    after = await python(walled, f"print(open({str(input_file)!r}).read())", input_file)
    assert walled.bwrap is None or after.output == b"the master\n"


async def test_the_network_is_out_of_reach(walled: Child, input_file: Path, server: int) -> None:
    code = f"import socket; socket.create_connection(('127.0.0.1', {server}), 3)"
    ended = await python(walled, code, input_file)
    assert (walled.bwrap is None) == (ended.status == 0)


async def test_a_machine_without_bubblewrap_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, input_file: Path
) -> None:
    monkeypatch.setattr(gateway, "_found", {})
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with caplog.at_level(logging.WARNING, "exchange.sandbox"):
        found = await gateway.sandbox("auto")
    assert "limits alone" in caplog.text
    ended = await found.run(
        [sys.executable, "-I", "-c", "print(1)"], reads=input_file, writes=None, limits=QUICK
    )
    assert ended.output == b"1\n"


async def test_a_required_sandbox_that_is_missing_is_a_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway, "_found", {})
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(gateway.SandboxMissing):
        await gateway.sandbox("require")


async def test_off_means_limits_alone() -> None:
    found = await gateway.sandbox("off")
    assert isinstance(found, Child) and found.bwrap is None
