"""The ledger's campaign: random steps, right and wrong, told to the auditor and to the books.

`python -m tests.settlement.ledger_campaign 1000000` plays so many on a server of its own, and
prints its seeds, its steps and the violations; `SOAK_ROUND` plays more of them in the tests.
"""

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

from exchange import embedded
from exchange.migrating import migrate
from settlement.ledger.queries import CHECKS
from tests.settlement.ledger_auditor import CURRENCIES, EXPONENTS, Auditor
from tests.settlement.ledger_steps import FORBIDDEN, Driver

EPOCH = datetime(1990, 1, 1, tzinfo=UTC)
SEED_STEPS, BATCH = 10_000, 200
Step = dict[str, Any]


class Run:
    """One seed: its random numbers, its clock, and what it may refer to."""

    def __init__(self, driver: Driver, seed: int, clock: int) -> None:
        self.random = random.Random(seed)
        self.name = f"{seed}-{self.random.getrandbits(48):x}"
        self.driver, self.clock = driver, clock
        self.auditor = Auditor(driver.open(self.name))
        self.taken: list[Step] = []  # journals that were taken in earlier batches
        self.fresh: list[Step] = []
        self.holds: list[str] = []
        self.quotes: list[str] = []
        self.told: Counter[str] = Counter()
        self.violations: list[str] = []

    def play(self, steps: int) -> None:
        """Play so many steps, batch after batch."""
        for begun in range(0, steps, BATCH):
            size = min(BATCH, steps - begun)
            self.play_these(self.random.choices(MAKERS, WEIGHTS, k=size))

    def play_these(self, makers: Sequence[Callable[["Run"], Step]]) -> None:
        """Play a batch in one transaction; compare every answer and every balance."""
        batch, expected = list[Step](), list[str | None]()
        for maker in makers:
            self.clock += self.random.choice((0, 1, 1, 2))
            step = {"at": self.clock, **maker(self)}
            batch.append(step)
            expected.append(self.auditor.expect(step))
            self._remember(step, expected[-1])
        for step, wanted, said in zip(batch, expected, self.driver.act(batch), strict=True):
            self.told[wanted or f"{step['op']} taken"] += 1
            if bool(wanted) != bool(said) or (wanted or "") not in said:
                self.violations.append(f"{self.name}: {step}: wanted {wanted!r}, said {said!r}")
        self.taken, self.fresh = [*self.taken, *self.fresh][-400:], []
        self._compare()

    def _compare(self) -> None:
        for account, row in zip(self.auditor.accounts, self.driver.read(), strict=True):
            if tuple(row[1:]) != account.copy():
                self.violations.append(f"{account.code}: {row[1:]} is not {account.copy()}")

    def _remember(self, step: Step, refused: str | None) -> None:
        if refused is None:
            if step["op"] in ("post", "reverse", "exchange", "capture"):
                self.fresh.append(step)
            if step["op"] == "make_hold":
                self.holds = [*self.holds, step["hold"]][-60:]
            if step["op"] == "quote":
                self.quotes = [*self.quotes, step["quote"]][-5:]

    def id(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def journal(self) -> Step:
        return {"key": f"{self.name}:{self.id()}", "hash": f"{self.random.getrandbits(32):08x}"}

    def unordered(self) -> Step:
        """Now and then nobody ordered what takes two people."""
        return {"unordered": True} if self.random.random() < 0.03 else {}

    def places(self, currency: str) -> list[int]:
        first = len(CURRENCIES) + 6 * CURRENCIES.index(currency)
        return list(range(first, first + 6))

    def amount(self) -> int:
        return self.random.choice((1, self.random.randint(1, 50), self.random.randint(1, 2_000)))


def post(run: Run) -> Step:
    currency = run.random.choice(CURRENCIES)
    few = run.random.choice((1, 1, 1, 2, 3, 7))
    places = run.random.choices(run.places(currency), k=few + 1)
    amounts = [run.amount() * run.random.choice((1, -1)) for _ in range(few)]
    if not sum(amounts):
        amounts.append(run.amount())
        places.append(places[0])
    last = -sum(amounts)
    kind = run.random.random()
    if kind < 0.03:
        last += 1 if last != -1 else 2
    elif kind < 0.06:
        places[-1] = run.random.choice(run.places(run.random.choice(CURRENCIES)))
    return {
        **run.journal(),
        "op": "post",
        "lines": list(zip(places, [*amounts, last], strict=True)),
    }


def single(run: Run) -> Step:
    return {**run.journal(), "op": "post", "lines": [(run.random.randrange(10), run.amount())]}


def again(run: Run) -> Step:
    if not run.taken:
        return post(run)
    known = dict(run.random.choice(run.taken), at=run.clock)
    if run.random.random() < 0.3:
        known["hash"] = f"{run.random.getrandbits(32):08x}"
    return known


def backdated(run: Run) -> Step:
    return {**post(run), "at": run.clock - run.random.randint(1, 5_000)}


def reverse(run: Run) -> Step:
    if not run.taken:
        return post(run)
    of = run.random.choice(run.taken)["key"]
    amounts = [amount for _, amount in run.auditor.journals[of].lines]
    off = 1 if run.random.random() < 0.05 and 1 not in amounts else 0
    said = {**run.journal(), "op": "reverse", "of": of, "off": off}
    return said if off else {**said, **run.unordered()}


def make_hold(run: Run) -> Step:
    place = run.random.randrange(len(CURRENCIES), len(run.auditor.accounts))
    account = run.auditor.accounts[place]
    sign = -1 if account.floor is not None else 1
    if run.random.random() < 0.1:
        sign = -sign
    return {
        "op": "make_hold", "hold": run.id(), "account": place, "amount": sign * run.amount(),
        "expires": run.clock + run.random.choice((1, 60, 600)),
    }  # fmt: skip


def capture(run: Run) -> Step:
    if not run.holds:
        return make_hold(run)
    name = run.random.choice(run.holds)
    hold = run.auditor.holds[name]
    part = run.random.choice((hold.amount, hold.amount, 1 if hold.amount > 0 else -1, run.amount()))
    other = run.places(run.auditor.accounts[hold.account].currency)[run.random.randrange(2)]
    lines = [(hold.account, part), (other, -part)]
    return {**run.journal(), "op": "capture", "hold": name, "lines": lines}


def end_hold(run: Run) -> Step:
    if not run.holds:
        return make_hold(run)
    outcome = run.random.choice(("released", "expired"))
    return {"op": "end_hold", "hold": run.random.choice(run.holds), "outcome": outcome}


def mark(run: Run) -> Step:
    place = run.random.randrange(len(run.auditor.accounts))
    frozen = run.auditor.accounts[place].status == "frozen"
    status = "open" if frozen else run.random.choice(("frozen", "open"))
    if run.random.random() < 0.02:
        status = "closed"
    return {"op": "mark", "mark": run.id(), "account": place, "status": status, **run.unordered()}


def thaw(run: Run) -> Step:
    for place, account in enumerate(run.auditor.accounts):
        if account.status == "frozen":
            return {"op": "mark", "mark": run.id(), "account": place, "status": "open"}
    return post(run)


def quote(run: Run) -> Step:
    base, counter = run.random.sample(CURRENCIES, 2)
    rate = f"{run.random.randint(1, 900_000_000)}e-{run.random.randint(4, 10)}"
    until = run.clock + run.random.choice((30, 300, 3_000))
    return {
        "op": "quote", "quote": run.id(), "base": base, "counter": counter, "rate": rate,
        "until": until,
    }  # fmt: skip


def exchange(run: Run) -> Step:
    if not run.quotes:
        return quote(run)
    name = run.random.choice(run.quotes)
    base, counter, rate, _, _ = run.auditor.quotes[name]
    ratio = rate * Fraction(10) ** (EXPONENTS[counter] - EXPONENTS[base])
    names = [base, counter]
    if run.random.random() < 0.5:
        names, ratio = names[::-1], 1 / ratio
    sold = run.amount() * run.random.choice((1, 1_000))
    got = int(sold * ratio) + (run.random.random() < 0.1)
    if not 0 < got < 10**12:
        return quote(run)
    give, take = (run.random.choice(run.places(each)[:4]) for each in names)
    positions = [CURRENCIES.index(each) for each in names]
    lines = [(give, sold), (positions[0], -sold), (positions[1], got), (take, -got)]
    return {
        **run.journal(), "op": "exchange", "quote": name, "lines": lines, "sold": names[0],
        "gave": sold, "bought": names[1], "got": got, **run.unordered(),
    }  # fmt: skip


def close(run: Run) -> Step:
    return {
        "op": "close",
        "close": run.id(),
        "until": run.clock - run.random.randint(0, 4_000),
        **run.unordered(),
    }


def append(run: Run) -> Step:
    if not run.taken:
        return post(run)
    key = run.random.choice(run.taken)["key"]
    return {"op": "append", "key": key, "lines": [(run.random.randrange(10), 5)]}


def forbidden(run: Run) -> Step:
    return {"op": "forbidden", "sql": run.random.choice(FORBIDDEN)}


MAKERS: list[Callable[[Run], Step]] = [
    post, single, again, backdated, reverse, make_hold, capture, end_hold, mark, thaw, quote,
    exchange, close, append, forbidden,
]  # fmt: skip
WEIGHTS = [46, 1, 5, 2, 8, 12, 8, 4, 1, 1.5, 1.5, 7, 0.05, 1, 1]


def play(url: str, seeds: range, steps: int) -> tuple[Counter[str], list[str]]:
    """Play the seeds on a migrated database; return what was told how often, and violations."""
    told: Counter[str] = Counter()
    driver, clock, violations = Driver(url, EPOCH), 0, list[str]()
    closed = driver.closed
    for seed in seeds:
        run = Run(driver, seed, clock)
        run.auditor.closed_until = closed
        run.play(steps)
        told, clock, closed = told + run.told, run.clock, run.auditor.closed_until
        violations += run.violations
        if seed % 10 == 9:
            sys.stderr.write(f"seed {seed}: {told.total()} steps, {len(violations)} violations\n")
    driver.connection.close()
    return told, violations


def faults(url: str) -> list[str]:
    """Return what the ledger's own check finds in the whole database."""
    driver = Driver(url, EPOCH)
    found = [
        sentence.format(*row)
        for sentence, query in CHECKS
        for row in driver.connection.execute(query).fetchall()
    ]
    driver.connection.close()
    return found


def main() -> None:
    """Play the steps that are asked for on a server of its own, and print the figures."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="exchange-ledger-") as folder:
        url = embedded.start(Path(folder))
        try:
            migrate(url)
            seeds = range(first, first + -(-steps // SEED_STEPS))
            told, violations = play(url, seeds, min(steps, SEED_STEPS))
            found = faults(url)
        finally:
            embedded.stop(Path(folder))
    for what, count in told.most_common():
        sys.stdout.write(f"{count:>9} {what}\n")
    sys.stdout.write(
        f"seeds {seeds.start} to {seeds.stop - 1}: {told.total()} steps, {len(violations)} "
        f"violations, {len(found)} faults found by the check, {time.monotonic() - begun:.0f} s\n"
    )
    sys.exit("\n".join([*violations[:5], *found[:5]]) or 0)


if __name__ == "__main__":
    main()
