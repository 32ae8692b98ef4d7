import logging
import os
import platform
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from listings.masters import gateway
from listings.masters.gateway import Child, ChildStuck, Ended, Limits
from listings.masters.refusals import ExaminationTimeout, ExaminationTooLarge, NotAVideo

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


async def test_many_small_files_are_stopped_too(
    child: Child, input_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    small = Limits(cpu_s=20, wall_s=40, file_bytes=1024**2, folder_bytes=16 * 1024**2)
    code = (
        "import itertools, time\n"
        f"for at in itertools.count(): open(f'{folder}/{{at}}', 'wb').write(bytes(1024**2));"
        " time.sleep(0.01)"
    )
    with pytest.raises(ExaminationTooLarge):
        await python(child, code, input_file, small, writes=folder)
    written = sum(file.stat().st_size for file in folder.iterdir())
    assert 16 * 1024**2 <= written < 2**30


async def test_lines_without_an_end_fill_no_memory(child: Child, input_file: Path) -> None:
    told: list[str] = []

    async def on_line(line: str) -> None:
        told.append(line)

    code = "import sys\nfor _ in range(400): sys.stdout.write('x' * 65536)\nprint()\nprint('end')"
    command = [sys.executable, "-I", "-c", code]
    await child.run(command, reads=input_file, writes=None, limits=QUICK, on_line=on_line)
    assert told[-1] == "end" and max(map(len, told)) <= 2 * gateway.MOST_LINE


async def test_errors_without_an_end_fill_no_memory(child: Child, input_file: Path) -> None:
    code = "import sys\nfor _ in range(400): sys.stderr.write('x' * 65536)"
    assert len((await python(child, code, input_file)).errors) == gateway.MOST_OUTPUT


FORKS = [
    "os.fork()",
    "subprocess.run(['/bin/true'])",
    "os.posix_spawn('/bin/true', ['true'], {})",
    "libc.syscall(57) == 0 or libc.syscall(58) == 0 or fail()",
    "libc.syscall(56, 17, 0, 0, 0, 0) >= 0 or fail()",
    "libc.syscall(0x40000000 + 57) >= 0 or fail()",
]


@pytest.mark.parametrize("fork", FORKS)
async def test_a_fork_bomb_finds_no_fork(child: Child, input_file: Path, fork: str) -> None:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return  # the numbers of the calls are those of this machine
    code = (
        "import ctypes, os, subprocess\nlibc = ctypes.CDLL(None)\n"
        f"def fail(): raise OSError('refused')\nfor _ in range(4): {fork}"
    )
    ended = await python(child, code, input_file)
    assert ended.status != 0
    assert "refused" in ended.errors or "Operation not permitted" in ended.errors, ended.errors


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"])
async def test_no_socket_is_opened_within_walls_or_without(
    child: Child, input_file: Path, family: str
) -> None:
    if sys.platform != "linux":
        return
    ended = await python(child, f"import socket; socket.socket(socket.{family})", input_file)
    assert ended.status != 0 and "PermissionError" in ended.errors


async def test_threads_are_allowed_and_a_bomb_of_them_meets_the_limit(
    child: Child, input_file: Path
) -> None:
    code = (
        "import threading, time\nmade = 0\ntry:\n"
        " while made < 5000: threading.Thread(target=time.sleep, args=(9,), daemon=True).start();"
        " made += 1\nexcept RuntimeError: pass\nprint(made, flush=True)\nimport os; os._exit(0)"
    )
    small = Limits(cpu_s=20, wall_s=20, memory_bytes=1024**3)
    ended = await python(child, code, input_file, small)
    assert 1 < int(ended.output) < 300


@pytest.mark.parametrize("what", ["link", "pipe", "folder", "nothing"])
async def test_what_is_no_plain_file_is_not_opened(child: Child, tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "link":
        secret = tmp_path / "secret"
        secret.write_text("secret")
        path.symlink_to(secret)
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    with pytest.raises(NotAVideo):
        await python(child, f"print(open({str(path)!r}).read())", path)


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


@pytest.mark.parametrize("place", ["", "/dev", "/dev/shm", "/usr", "/root", "/home"])  # noqa: S108 - of the child.
async def test_there_is_nowhere_to_write_but_a_small_tmp(
    walled: Child, input_file: Path, place: str
) -> None:
    if walled.bwrap is None:
        assert sys.platform != "linux"
        return
    code = f"open({place + '/new'!r}, 'w').write('x')"
    assert (await python(walled, code, input_file)).status != 0


async def test_its_own_tmp_holds_little(walled: Child, input_file: Path) -> None:
    if walled.bwrap is None:
        assert sys.platform != "linux"
        return
    code = "for at in range(999): open(f'/tmp/{at}', 'wb').write(bytes(2**20)); print(at)"
    ended = await python(walled, code, input_file)
    assert ended.status != 0 and "No space left" in ended.errors
    assert int(ended.output.split()[-1]) <= gateway.TMP_BYTES // 2**20


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket().connect(('192.0.2.1', 80))",
        "import socket; socket.getaddrinfo('example.org', 80)",
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        " s.sendto(b'x', ('192.0.2.1', 53))",
        "import ctypes; assert not ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, 0)",
        "import os; os.kill(1, 9); os.setuid(0)",
        "import os; os.chroot('/tmp')",
    ],
)
async def test_the_world_and_more_rights_are_out_of_reach(
    walled: Child, input_file: Path, code: str
) -> None:
    if walled.bwrap is None:
        assert sys.platform != "linux"
        return
    assert (await python(walled, code, input_file)).status != 0


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


async def test_a_child_that_stands_still_is_stopped_long_before_its_clock(
    child: Child, input_file: Path
) -> None:
    limits = Limits(cpu_s=20, wall_s=120, idle_s=2)
    with pytest.raises(ChildStuck):
        await python(child, "import threading; threading.Event().wait()", input_file, limits)


async def test_a_child_at_work_is_not_taken_for_stuck(child: Child, input_file: Path) -> None:
    busy = "import time; end = time.monotonic() + 4\nwhile time.monotonic() < end: pass"
    ended = await python(child, busy, input_file, Limits(cpu_s=60, wall_s=120, idle_s=2))
    assert ended.status == 0
