"""Sets the limits of its own process and becomes the command it was given.

Run as a script by `gateway.py`: `launcher.py CPU_S MEMORY_BYTES FILE_BYTES PROCESSES -- COMMAND…`.
A limit of 0 is not set. macOS does not know every limit; those it refuses are left to the clock.
"""

import os
import resource
import sys

ORDER = ("RLIMIT_CPU", "RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NPROC")


def main() -> None:
    """Limit, then execute."""
    split = sys.argv.index("--")
    for name, value in zip(ORDER, map(int, sys.argv[1:split]), strict=True):
        _limit(name, value)
    _limit("RLIMIT_CORE", 1)  # a core dump of a master is a copy of it (1 byte is as good as none)
    command = sys.argv[split + 1 :]
    os.execve(command[0], command, {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"})  # noqa: S606 - no shell is wanted.


def _limit(name: str, value: int) -> None:
    kind = getattr(resource, name, None)
    if value and kind is not None:
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):
            return


if __name__ == "__main__":
    main()
