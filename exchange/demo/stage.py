"""What a step of the demo is given: the cast, the clock of each step, a place to show progress."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from contracts.money import Money
from exchange.demo.cast import Cast
from exchange.demo.state import State
from exchange.settings import Settings


@dataclass
class Stage:
    """The demo in progress; `seconds` tells how long each of the nine steps took."""

    settings: Settings
    state: State
    cast: Cast
    console: Console
    bars: Progress
    master: Path | None = None
    bids: int = 200
    bidding_s: int = 8  # from publication to the announced close
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the demo's own files go: clips, contract, evidence."""
        path = self.state.path.with_suffix("")
        path.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[TaskID]:
        """Show a step as a bar and take its time."""
        clock = asyncio.get_running_loop()
        begun = clock.time()
        bar = self.bars.add_task(title, total=None)
        yield bar
        self.seconds[name] = round(self.seconds.get(name, 0) + clock.time() - begun, 3)
        self.bars.update(bar, total=1, completed=1, description=f"[green]✔[/] {title}")

    def meter(self, bar: TaskID) -> Callable[[int, int], None]:
        """Return a function that moves a bar to (done, total)."""

        def move(done: int, total: int) -> None:
            self.bars.update(bar, completed=done, total=max(total, 1))

        return move

    def name(self, bar: TaskID, part: str) -> None:
        """Say beside a bar which part of its step is going on: hashing, decoding …"""
        title = self.bars.tasks[bar].description.split(" · ")[0]
        self.bars.update(bar, description=f"{title} · {part}")

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self.bars.console.print("   " + text, highlight=False)


def amount(minor: int, currency: str = "CNY") -> str:
    """Write minor units with separators, e.g. `CNY 897,000.00`."""
    return f"{currency} {Decimal(Money(minor, currency).decimal()):,}"


def new_bars(console: Console) -> Progress:
    """Return the demo's progress display."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=console,
    )
