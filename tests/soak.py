"""`make soak`: the seeded campaigns of the test-suite with more seeds, for SOAK_SECONDS (600).

A round is played to its end, most of an hour on two cores: those of `tests/contracts/campaign.py`
run in full (cells, prover, races for the same rights) and print their cases and their differences;
10,000 schedules of payments out are played over HTTP, and their table is printed.
"""

import os
import subprocess
import sys
import time

CAMPAIGNS = (
    "tests/settlement",
    "tests/contracts",
    "tests/listings/test_auctions_rules.py",
    "tests/listings/test_bundles_rules.py",
    "tests/listings/test_auctions_invariants.py",
    "tests/listings/test_auctions_invariants_awards.py",
    "tests/listings/test_auctions_machine.py",
    "tests/listings/test_replay.py",
    "tests/listings/test_replay_program.py",
    "tests/listings/test_masters_mutants.py",
    "tests/e2e/test_kill.py",
    "tests/e2e/test_bids_kill.py",
    "tests/e2e/test_upload_kill.py",
)
OUTBOUND, SCHEDULES = "tests.settlement.outbound_campaign", 10_000
SECONDS = int(os.environ.get("SOAK_SECONDS", "600"))


def main() -> None:
    """Repeat the campaigns with fresh seeds until the time is up; stop at the first failure."""
    begun, rounds = time.monotonic(), 0
    while not rounds or time.monotonic() < begun + SECONDS:
        rounds += 1
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *CAMPAIGNS]
        seed = f"--hypothesis-seed={rounds}"
        done = subprocess.run(
            [*command, seed], check=False, env={**os.environ, "SOAK_ROUND": str(rounds)}
        )
        if done.returncode:
            sys.exit(f"round {rounds} failed; repeat it with {seed}")
        played = [str(SCHEDULES), str((rounds - 1) * SCHEDULES)]
        if subprocess.run([sys.executable, "-m", OUTBOUND, *played], check=False).returncode:
            sys.exit(f"round {rounds} failed; repeat it with -m {OUTBOUND} {' '.join(played)}")
    sys.stdout.write(f"{rounds} rounds passed in {time.monotonic() - begun:.0f} s\n")


if __name__ == "__main__":
    main()
