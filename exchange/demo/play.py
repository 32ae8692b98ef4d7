"""`exchange demo`: start everything, play the trade, say what happened, keep serving."""

import asyncio
import json
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from contracts.canonical import sha256_hex
from exchange import clock, migrating
from exchange.context import open_context
from exchange.demo import cast as people
from exchange.demo import market, money, paper
from exchange.demo.cast import Cast
from exchange.demo.processes import Processes
from exchange.demo.stage import Stage, amount, new_bars
from exchange.demo.state import State
from exchange.identity import service as identity
from exchange.settings import Settings
from settlement.ledger import queries as ledger

STEPS = (
    market.parties, market.masters, market.fingerprints, market.listing, market.bids,
    paper.deal, paper.grant, money.settle, paper.proof,
)  # fmt: skip


def run(
    settings: Settings, *, master: Path | None, leave: bool, console: Console, as_json: bool
) -> int:
    """Play the demo; return the exit status: 0 only if every step succeeded."""
    if settings.environment == "production":
        console.print("[red]The demo signs demo parties up; it does not run in production.[/]")
        return 2
    if master is not None and not master.is_file():
        console.print(f"[red]There is no file {master}.[/]")
        return 2
    chosen = master.resolve() if master else None
    with suppress(KeyboardInterrupt):
        return asyncio.run(_run(settings, chosen, leave=leave, console=console, as_json=as_json))
    return 0


async def _run(
    settings: Settings, master: Path | None, *, leave: bool, console: Console, as_json: bool
) -> int:
    processes = Processes(settings)
    processes.stop_orphans()
    processes.check_ports()
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None  # noqa: S101 - asyncio.run made one.
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    console.print(f"data under {settings.home}")
    state = State(settings.home / "demo" / _state_name(master))
    cast = Cast(settings.public_url, state)
    try:
        await prepare(settings, cast)
        await processes.start()
        summary = await play(settings, cast, master=master, console=console)
        _print(summary, cast, console)
        if as_json:
            sys.stdout.write(json.dumps(summary, ensure_ascii=False) + "\n")
        if not leave:
            console.print(f"\nserving [bold]{settings.public_url}[/] until Ctrl-C")
            await _until_interrupted()
        return 0
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever broke the trade is told to the person at the terminal.
        why = str(error) or type(error).__name__
        console.print(f"[red]the trade broke off: {why}[/]  (logs: {settings.home / 'log'})")
        return 1
    finally:
        await cast.close()
        await processes.stop()


async def prepare(settings: Settings, cast: Cast) -> None:
    """Bring the database up and add the first staff, which nobody could add through the API."""
    context = open_context(settings)
    await asyncio.to_thread(migrating.migrate, context.db.url)
    for slot, role, name in people.STAFF:
        if cast.state.get(f"staff/{slot}") is None:
            async with context.db.transaction() as session:
                await identity.add_staff(
                    session, email=cast.email(slot), name=name,
                    password=cast.password(slot), role=role, now=clock.now(),
                )  # fmt: skip
            cast.state.put(f"staff/{slot}", "added")
    await context.db.close()


async def play(
    settings: Settings,
    cast: Cast,
    *,
    master: Path | None,
    console: Console,
    bids: int = 200,
    bidding_s: int = 8,
) -> dict[str, Any]:
    """Play the trade, or recall the one already played; return what happened."""
    done = cast.state.get("done")
    if done is not None:
        console.print("the trade was played before; its data is kept")
        return {**done, "again": True, "books_balance": await _books_balance(settings)}
    clock_ = asyncio.get_running_loop()
    begun = clock_.time()
    bars = new_bars(console)
    stage = Stage(settings, cast.state, cast, console, bars, master, bids, bidding_s)
    with bars:
        for step in STEPS:
            await step(stage)
    summary = _summary(stage, round(clock_.time() - begun, 3))
    summary["books_balance"] = await _books_balance(settings)
    if not summary["books_balance"]:
        raise RuntimeError("the books do not balance: exchange ledger check")
    cast.state.put("done", summary)
    return summary


def _summary(stage: Stage, seconds: float) -> dict[str, Any]:
    state, folder = stage.state, stage.folder
    names = ("work/original", "master/original", "listing/original", "auction/original", "payout/1")
    return {
        "seconds": seconds,
        "steps": stage.seconds,
        "price_minor": state.get("price_minor"),
        "currency": "CNY",
        "bids_answered": state.values.get("bids_answered"),
        "ids": {name.split("/")[0]: str(state.id(name)) for name in names}
        | {"deal": state.get("deal")},
        "contract": str(folder / "contract.pdf"),
        "evidence": str(folder / "evidence.zip"),
        "log_key": state.get("vkey"),
    }


async def _books_balance(settings: Settings) -> bool:
    context = open_context(settings)
    async with context.db.transaction() as session:
        faults = await ledger.check(session)
    await context.db.close()
    return not faults


def _print(summary: dict[str, Any], cast: Cast, console: Console) -> None:
    console.print(
        f"\n[bold]sold for {amount(summary['price_minor'])}[/] in {summary['seconds']:.1f} s; "
        f"books balance: {'yes' if summary['books_balance'] else 'NO'}"
    )
    for name, value in summary["ids"].items():
        console.print(f"  {name}: {value}", highlight=False)
    console.print(
        f"  contract: {summary['contract']}\n  evidence: {summary['evidence']}", highlight=False
    )
    console.print(
        f"  check it: exchange verify {summary['evidence']} --trust '{summary['log_key']}'",
        highlight=False,
    )
    console.print(sign_ins(cast))


def sign_ins(cast: Cast) -> Table:
    """Return who signs in by what; on a narrow terminal names are broken, never what is typed."""
    typed = [Column(head, no_wrap=True) for head in ("e-mail", "password")]
    table = Table("sign in as", *typed, title=f"{cast.base_url}/sign-in")
    for member in people.MEMBERS:
        table.add_row(
            f"{member.name_zh} {member.name_en}",
            cast.email(member.slot),
            cast.password(member.slot),
        )
    for slot, _, name in people.STAFF:
        table.add_row(name, cast.email(slot), cast.password(slot))
    return table


def _state_name(master: Path | None) -> str:
    """Return one state per video, so that each `--master FILE` is a trade of its own."""
    return "trade.json" if master is None else f"trade-{sha256_hex(str(master).encode())[:12]}.json"


async def _until_interrupted() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
