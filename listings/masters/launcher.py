"""Sets the limits of its own process and becomes the command it was given.

Run as a script by `gateway.py`: `launcher.py CPU_S MEMORY_BYTES FILE_BYTES PROCESSES -- COMMAND…`.
A limit of 0 is not set. macOS does not know every limit; those it refuses are left to the clock.

On Linux a filter of system calls lets the command start threads but no process, and open no socket:
where bubblewrap is missing, there is no network either. The limit of processes alone would not
hold, for it counts a whole user's and passes root by.
"""

import ctypes
import os
import platform
import resource
import struct
import sys

ORDER = ("RLIMIT_CPU", "RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NPROC")
# Linux, by machine: its name in the kernel's audit.h, the number of clone, and those of fork, vfork
# and socket.
MACHINES = {"x86_64": (0xC000003E, 56, (57, 58, 41)), "aarch64": (0xC00000B7, 220, (198,))}
CLONE3, IO_URING = 435, 425  # io_uring could open sockets past the filter
CLONE_THREAD = 0x10000
FOREIGN_CALLS = 0x40000000  # x32: other numbers for the same calls
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2  # prctl(2)
LOAD, EQUAL, AT_LEAST, ANY_BIT, ANSWER = 0x20, 0x15, 0x35, 0x45, 0x06  # classic BPF
NUMBER, MACHINE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
ALLOW, DENY, UNKNOWN = 0x7FFF0000, 0x00050001, 0x00050026  # EPERM; ENOSYS: clone is tried instead


def main() -> None:
    """Limit, then execute."""
    split = sys.argv.index("--")
    for name, value in zip(ORDER, map(int, sys.argv[1:split]), strict=True):
        _limit(name, value)
    _limit("RLIMIT_CORE", 1)  # a core dump of a master is a copy of it (1 byte is as good as none)
    _forbid()
    command = sys.argv[split + 1 :]
    os.execve(command[0], command, {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"})  # noqa: S606 - no shell is wanted.


def _limit(name: str, value: int) -> None:
    kind = getattr(resource, name, None)
    if value and kind is not None:
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):
            return


def _forbid() -> None:
    """Install the filter where the kernel and the machine are known."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return
    steps = _filter(*MACHINES[platform.machine()])
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in steps))
    program = struct.pack("@HP", len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0:
        libc.prctl(SECCOMP, FILTER, ctypes.create_string_buffer(program), 0, 0)


def _filter(machine: int, clone: int, never: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """Return the steps (what, jump if so, jump if not, value) of the filter.

    The answers stand at the end: allow, deny, unknown; jumps are counted from the next step.
    """
    tests = [(call, "deny") for call in never] + [(IO_URING, "unknown"), (CLONE3, "unknown")]
    ends = {"allow": 0, "deny": 1, "unknown": 2}
    last = 4 + len(tests) + 3  # the first of the answers
    steps = [(LOAD, 0, 0, MACHINE), (EQUAL, 0, last + ends["deny"] - 2, machine)]
    steps += [(LOAD, 0, 0, NUMBER), (AT_LEAST, last + ends["deny"] - 4, 0, FOREIGN_CALLS)]
    for call, end in tests:
        steps.append((EQUAL, last + ends[end] - len(steps) - 1, 0, call))
    steps.append((EQUAL, 0, last + ends["allow"] - len(steps) - 1, clone))
    steps.append((LOAD, 0, 0, FIRST_ARGUMENT))
    steps.append((ANY_BIT, 0, 1, CLONE_THREAD))
    return [*steps, *((ANSWER, 0, 0, answer) for answer in (ALLOW, DENY, UNKNOWN))]


if __name__ == "__main__":
    main()
