"""Commands: serve, work, migrate, demo, verify, doctor, identify, openapi, hash; groups below them.

The groups `avails` and `imf` are in `avails_cli.py`, `free_cli.py` and `files_cli.py`.
"""

import asyncio
import getpass
import json
import logging
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.table import Table

from contracts.log import policy as policies
from contracts.refusal import Refusal
from exchange import (
    assigning_cli,
    auction_cli,
    avails_cli,
    bank_cli,
    bid_cli,
    ca_cli,
    clock,
    conformance_cli,
    delivery_cli,
    doctor,
    fees_cli,
    files_cli,
    identify,
    index_cli,
    ledger_cli,
    log_cli,
    masters_cli,
    match_cli,
    migrating,
    openapi,
    probe_cli,
    refunds_cli,
    remit_cli,
    royalties_cli,
    sealed_cli,
    server,
    signing_cli,
    stripe_cli,
    sweeps_cli,
    templates_cli,
    witness_cli,
    worker,
)
from exchange.context import Context, database_url, open_context
from exchange.demo import play
from exchange.evidence import verify as evidence
from exchange.identity import service as identity
from exchange.identity.rules import STAFF, Role
from exchange.settings import Settings
from settlement.ledger import queries as ledger_queries
from settlement.reconciliation import queries as reconciliation_queries

app = typer.Typer(
    help="UHD Rights Exchange: list, bid for, contract and settle rights in UHD works.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
staff_app = typer.Typer(help="Exchange staff.", no_args_is_help=True)
app.add_typer(auction_cli.app, name="auction")
app.add_typer(avails_cli.app, name="avails")
app.add_typer(bank_cli.app, name="bank")
app.add_typer(files_cli.imf_app, name="imf")
app.command("hash")(files_cli.hash_file)
app.add_typer(index_cli.app, name="index")
app.add_typer(ledger_cli.app, name="ledger")
app.add_typer(refunds_cli.refunds, name="refunds")
app.add_typer(refunds_cli.disputes, name="disputes")
app.add_typer(sweeps_cli.app, name="sweeps")
app.add_typer(log_cli.app, name="log")
app.add_typer(masters_cli.app, name="masters")
app.add_typer(fees_cli.app, name="fees")
app.add_typer(remit_cli.app, name="remit")
app.add_typer(royalties_cli.app, name="royalties")
app.add_typer(staff_app, name="staff")
app.add_typer(stripe_cli.app, name="stripe")
app.add_typer(sealed_cli.app, name="sealed")
app.add_typer(bid_cli.app, name="bid")
app.add_typer(ca_cli.app, name="ca")
app.add_typer(templates_cli.app, name="templates")
app.add_typer(signing_cli.app, name="keys")
app.command("sign")(signing_cli.sign)
app.add_typer(delivery_cli.app, name="delivery")
app.command("assign")(assigning_cli.assign)
app.add_typer(witness_cli.app, name="witness")
app.command("probe")(probe_cli.probe)
app.command("conformance")(conformance_cli.conformance)
app.command("match")(match_cli.match)
out = Console()
err = Console(stderr=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]

# At a terminal the next step is another one than over HTTP.
_HINTS = {"database-away": "Has `exchange migrate` been run on it? `exchange doctor` tells more."}


def main() -> None:
    """Run the command line; a refusal is printed with its code and hint, exit status 1."""
    logging.basicConfig(
        level=logging.WARNING, format="%(message)s", handlers=[RichHandler(console=err)]
    )
    try:
        app()
    except Refusal as refusal:
        hint = _HINTS.get(refusal.code, refusal.hint)
        said = escape(f"{refusal.detail} {hint}")
        known = escape(", ".join(map(str, refusal.data.get("known", ()))))
        err.print(f"[bold red]{refusal.code}[/]: {said}" + (f"\nKnown: {known}" if known else ""))
        sys.exit(1)


@app.command()
def serve() -> None:
    """Serve API, portal and console on EXCHANGE_HOST:EXCHANGE_PORT."""
    server.serve(Settings())


@app.command()
def work() -> None:
    """Run background work; start as many as you like, on any machine that sees the database."""
    context = open_context(Settings())
    with suppress(asyncio.CancelledError):
        asyncio.run(_work(context))


async def _work(context: Context) -> None:
    """Work until SIGTERM or Ctrl-C; what was not committed is done by the next worker."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - asyncio.run made one.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await worker.work(context)


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    migrating.migrate(database_url(Settings()))
    out.print(f"database at revision {migrating.head()}")


@app.command()
def demo(
    leave: Annotated[bool, typer.Option("--exit", help="Stop after the trade.")] = False,
    master: Annotated[Path | None, typer.Option(help="Sell this video instead.")] = None,
    as_json: Json = False,
) -> None:
    """Play one whole trade through the public HTTP API, then keep serving."""
    sys.exit(
        play.run(
            Settings(), master=master, leave=leave, console=err if as_json else out, as_json=as_json
        )
    )


@app.command()
def verify(
    bundle: Annotated[
        Path, typer.Argument(help="An evidence bundle (zip).", exists=True, dir_okay=False)
    ],
    trust: Annotated[
        str | None, typer.Option(help="The log's key (vkey) you trust; printed at /v1/log/key.")
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(help="Whose cosignatures you ask for (C2SP tlog-policy).", exists=True),
    ] = None,
    master: Annotated[
        Path | None, typer.Option(help="Also compare this file with the listing.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check an evidence bundle offline; exit status 0 only if everything holds."""
    trusted = None if policy is None else policies.parse(policy.read_bytes())
    report = evidence.verify(bundle, trusted_vkey=trust, trusted=trusted, master=master)
    if as_json:
        sys.stdout.write(json.dumps(report.as_dict(), ensure_ascii=False) + "\n")
    else:
        table = Table("check", "", "where")
        for check in report.checks:
            table.add_row(
                check.name, "[green]holds[/]" if check.ok else "[red]FAILS[/]", check.detail
            )
        out.print(table)
    sys.exit(0 if report.ok else 1)


@app.command("doctor")
def doctor_command(as_json: Json = False) -> None:
    """Look for what would keep the exchange from working here."""
    findings = asyncio.run(doctor.examine(Settings()))
    if as_json:
        sys.stdout.write(json.dumps([finding.as_dict() for finding in findings]) + "\n")
    else:
        table = Table("part", "", "what to do")
        for finding in findings:
            mark = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "fault": "[red]fault[/]"}
            table.add_row(finding.part, mark[finding.state], finding.detail)
        out.print(table)
    sys.exit(1 if any(finding.state == "fault" for finding in findings) else 0)


@app.command("identify")
def identify_command(
    text: Annotated[str, typer.Argument(help="An EIDR, ISAN, permit number, credit code, …")],
    as_json: Json = False,
) -> None:
    """Tell what an identifier is, or what is wrong with it; exit status 0 only if it is good."""
    told = identify.tell(text)
    if as_json:
        sys.stdout.write(json.dumps(told.as_dict(), ensure_ascii=False) + "\n")
    elif told.form is None:
        out.print("Nothing tells what this was meant to be.", markup=False)
    else:
        mark = "[green]good[/]" if told.good else "[red]NOT good[/]"
        out.print(f"{told.form.name_zh} · {told.form.name_en}: {mark}", highlight=False)
        out.print(f"  {told.canonical or told.text}", markup=False, highlight=False)
        for name, part in told.parts.items():
            out.print(f"  {name}: {part}", markup=False, highlight=False)
        for doubt in told.doubts:
            out.print(f"  {doubt.said} {doubt.fix}", markup=False, highlight=False)
    sys.exit(0 if told.good else 1)


@app.command("openapi")
def openapi_command(
    write: Annotated[bool, typer.Option("--write", help="Write openapi/exchange.json.")] = False,
) -> None:
    """Print (or write) the HTTP contract, OpenAPI 3.1."""
    text = openapi.text()
    if write:
        path = Path("openapi/exchange.json")
        path.write_text(text, encoding="utf-8")
        out.print(f"wrote {path}")
    else:
        sys.stdout.write(text)


@ledger_cli.app.command("check")
def ledger_check(as_json: Json = False) -> None:
    """Recompute every balance, and hold suspense and banks beside it; 0 only if all agree."""
    faults, totals = asyncio.run(_check_ledger(Settings()))
    if as_json:
        sys.stdout.write(
            json.dumps({"balanced": not faults, "faults": faults, "accounts": totals}) + "\n"
        )
    else:
        for fault in faults:
            out.print(f"[red]{fault}[/]")
        out.print(
            f"{totals} accounts checked: "
            + ("[red]faults found[/]" if faults else "[green]the books balance[/]")
        )
    sys.exit(1 if faults else 0)


async def _check_ledger(settings: Settings) -> tuple[list[str], int]:
    context = open_context(settings)
    async with context.db.transaction() as session:
        faults = await ledger_queries.check(session)
        faults += await reconciliation_queries.faults(session)
        totals = await ledger_queries.trial_balance(session)
    await context.db.close()
    return [str(fault) for fault in faults], len(totals)


@staff_app.command("add")
def staff_add(
    email: str,
    name: str,
    role: Annotated[str, typer.Option(help="operator, approver or auditor")],
    password_stdin: Annotated[
        bool, typer.Option(help="Read the password from standard input.")
    ] = False,
) -> None:
    """Add a member of staff (the first ones cannot be added by anybody else)."""
    wanted = Role(role)
    if wanted not in STAFF:
        raise typer.BadParameter("role is one of operator, approver, auditor")
    password = sys.stdin.readline().rstrip("\n") if password_stdin else getpass.getpass()
    anyio.run(_add_staff, Settings(), email, name, password, wanted)
    out.print(f"{email} may sign in as {role}")


async def _add_staff(settings: Settings, email: str, name: str, password: str, role: Role) -> None:
    context = open_context(settings)
    async with context.db.transaction() as session:
        await identity.add_staff(
            session, email=email, name=name, password=password, role=role, now=clock.now()
        )
    await context.db.close()
