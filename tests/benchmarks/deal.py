"""`make bench B=deal`: three signatures, archive, validation, by processor time."""

import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from contracts.deals import verification
from contracts.parties.gateway import LocalAuthority
from tests.conftest import NOW
from tests.contracts.test_deals_archiving import made

ROUNDS = 3


def spent() -> float:
    """Processor time of this process and of the typesetter's, in seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Print cpu_s, validate_ms and pdf_bytes, the medians of three rounds."""
    cpu, validate, size = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        authority = LocalAuthority.ensure(Path(folder), NOW)
        made(authority, stamps=True)  # imports and fonts are read once per process
        for _ in range(ROUNDS):
            before = spent()
            paper = made(authority, stamps=True)
            pdf = paper.archived()
            cpu.append(spent() - before)
            began = time.perf_counter()
            verdicts = verification.check_signatures(pdf, authority.root_pem)
            validate.append((time.perf_counter() - began) * 1000)
            if not all(one.good and one.level == "B-LTA" for one in verdicts):
                raise SystemExit("a signature does not hold")
            size.append(len(pdf))
    found = {
        "cpu_s": round(statistics.median(cpu), 3),
        "validate_ms": round(statistics.median(validate), 1),
        "pdf_bytes": int(statistics.median(size)),
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
