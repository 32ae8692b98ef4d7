"""`exchange bank …`: read and import statements, make payment files, approve and fetch them."""

import sys
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from contracts import canonical, ids
from contracts.refusal import Refusal
from exchange import clock, terminal
from exchange.sealed_cli import EXCHANGE
from exchange.signing_cli import FileInTheWay
from exchange.signing_client import Desk
from exchange.terminal import API_KEY, Json, day, major, out, write_json
from settlement.bank import reading, report, rules
from settlement.bank.report import Report
from settlement.bank.rules import Statement

app = typer.Typer(help="The exchange's accounts at banks.", no_args_is_help=True)
FILES = Annotated[
    list[Path],
    typer.Argument(help="camt.053, camt.054, MT940, pain.002.", exists=True, dir_okay=False),
]
BATCH = Annotated[UUID, typer.Argument(help="The payment file's id.")]


@app.callback()
def bank() -> None:
    """The exchange's accounts at banks (银行): statements in, payment files out."""


@app.command("read")
def read_files(files: FILES, as_json: Json = False) -> None:
    """Tell what statements say and whether they add up; exit status 1 if one does not."""
    told = [_told(file) for file in files]
    if as_json:
        write_json({"files": told})
    else:
        for each in told:
            _print(each)
    sys.exit(0 if all(each["refused"] is None for each in told) else 1)


@app.command("import")
def import_files(files: FILES, exchange: EXCHANGE = "", api_key: API_KEY = "") -> None:
    """Import statements, each file whole or not at all; a file that is known changes nothing."""
    desk = Desk(exchange, api_key)
    for file in files:
        told = canonical.loads(desk.raw("POST", "/v1/bank/statements", file.read_bytes()))
        for one in told["reports"]:
            out.print(
                f"{file.name}: report {one['report_id']} about payment file {one['batch_id']}: "
                f"{one['accepted']} accepted, {one['pending']} not decided, "
                f"{one['rejected']} rejected"
            )
        if not told["reports"]:
            _print_statements(file.name, told)
        for said in told["warnings"]:
            out.print(f"  {said}")


def _print_statements(name: str, told: dict[str, Any]) -> None:
    out.print(
        f"{name}: {told['new']} new of {len(told['statements'])} statements; "
        f"{told['matched']} lines matched, {told['suspended']} in suspense"
    )


@app.command()
def status(exchange: EXCHANGE = "", api_key: API_KEY = "", as_json: Json = False) -> None:
    """Compare ledger and bank, suspense and its items; exit status 1 if they differ anywhere."""
    answer = Desk(exchange, api_key).ask("GET", "/v1/bank/accounts")
    told, suspense = answer["items"], answer["suspense"]
    off = [one for one in suspense if one["unexplained_minor"]]
    if as_json:
        write_json({"accounts": told, "suspense": suspense})
    else:
        table = Table("account", "closed", "ledger", "bank", "in suspense", "in flight")
        for one in told:
            names = ("ledger_minor", "bank_minor", "suspended_minor", "in_flight_minor")
            amounts = [major(one[name], one["currency"]) for name in names]
            table.add_row(f"{one['name']}\n{one['id']}", one["closed_on"] or "never", *amounts)
        out.print(table)
        for one in off:
            ledger = major(one["ledger_minor"], one["currency"])
            named = major(one["named_minor"], one["currency"])
            out.print(f"suspense: the ledger has {ledger}, the named items come to {named}")
    sys.exit(1 if off or any(one["difference_minor"] for one in told) else 0)


@app.command()
def pay(
    account: Annotated[UUID, typer.Argument(help="Out of which account (`exchange bank status`).")],
    on: Annotated[str, typer.Option(help="The day on which the bank is to pay, YYYY-MM-DD.")],
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Put all approved payouts in the account's currency into a payment file; another approves."""
    said = {"account_id": str(account), "execute_on": day(on)}
    where = f"/v1/bank/payment-files/{ids.new(clock.now())}"
    told = Desk(exchange, api_key).ask("PUT", where, said)
    sum_ = major(told["sum_minor"], told["currency"])
    out.print(f"payment file {told['id']}: {len(told['items'])} payments, {sum_}")
    out.print(f"another person runs: exchange bank approve {told['id']} {told['content_sha256']}")


@app.command()
def approve(
    batch: BATCH,
    sha256: Annotated[str, typer.Argument(help="The hash of the file that you have read.")],
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Approve a payment file that another person prepared; asks for your password."""
    where = f"/v1/bank/payment-files/{batch}"
    told = terminal.approve(Desk(exchange, api_key), where, sha256)
    out.print(f"payment file {batch} is {told['state']}: exchange bank fetch {batch}")


@app.command()
def fetch(
    batch: BATCH,
    file: Annotated[Path | None, typer.Option("--out", help="Where to write.")] = None,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Fetch an approved payment file (pain.001) for the bank: the same bytes each time."""
    target = file or Path(f"payments-{batch}.xml")
    content = Desk(exchange, api_key).raw("POST", f"/v1/bank/payment-files/{batch}/document")
    if target.exists() and target.read_bytes() != content:
        raise FileInTheWay(f"{target} is there already.")
    target.write_bytes(content)
    out.print(f"wrote {target.resolve()}: SHA-256 {canonical.sha256_hex(content)}")


def _told(file: Path) -> dict[str, Any]:
    raw = file.read_bytes()
    try:
        if report.is_report(raw):
            said = _report(report.read(raw))
            return {"file": file.name, "statements": [], "report": said, "refused": None}
        statements = reading.parsed(raw)
    except Refusal as refusal:
        return {"file": file.name, "statements": [], "refused": _refusal(refusal)}
    return {
        "file": file.name,
        "statements": [_statement(one) for one in statements],
        "refused": next((_refusal(said) for said in map(_unbalanced, statements) if said), None),
    }


def _report(said: Report) -> dict[str, Any]:
    """Return what a report says; what of a payment that it does not name stands under `rest`."""
    return {
        "report": said.report_id,
        "message": said.message_id,
        "rest": None if said.rest is None else said.rest.code,
        "payments": {name: [one.code, one.reason] for name, one in said.payments.items()},
    }


def _unbalanced(statement: Statement) -> Refusal | None:
    try:
        rules.check_balance(statement)
    except Refusal as refusal:
        return refusal
    return None


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {"code": refusal.code, "detail": refusal.detail, **refusal.data}


def _statement(statement: Statement) -> dict[str, Any]:
    return {
        "account": statement.account,
        "statement": statement.statement_id,
        "kind": statement.kind,
        "currency": statement.currency,
        "opening_minor": statement.opening_minor,
        "entries": len(statement.entries),
        "movements_minor": statement.total_minor,
        "closing_minor": statement.closing_minor,
        "warnings": list(statement.warnings),
    }


def _print(told: dict[str, Any]) -> None:
    out.print(told["file"])
    if "report" in told:
        one = told["report"]
        out.print(f"  report {one['report']} about {one['message']}: {one['rest'] or 'by payment'}")
        for name, (code, reason) in one["payments"].items():
            out.print(f"  {name}: {code} {reason or ''}")
    for one in told["statements"]:
        amounts = [
            "none" if one[name] is None else major(one[name], one["currency"])
            for name in ("opening_minor", "movements_minor", "closing_minor")
        ]
        out.print(
            f"  {one['account']} {one['statement']}: opening {amounts[0]}, "
            f"{one['entries']} entries {amounts[1]}, closing {amounts[2]}"
        )
        for said in one["warnings"]:
            out.print(f"  warning: {said}")
    if told["refused"] is not None:
        out.print(f"  {told['refused']['code']}: {told['refused']['detail']}")
