"""`exchange royalties …`: report what a deal's use brought, and read what is due for it."""

import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from contracts import ids
from contracts.money import Money, percent
from exchange import clock
from exchange.sealed_cli import EXCHANGE
from exchange.signing_client import Desk
from settlement.fees.rules import SEAT
from settlement.royalties import reports
from settlement.taxes import gateway as shipped
from settlement.taxes import rules as taxes

app = typer.Typer(help="Royalties: usage reports, statements, taxes.", no_args_is_help=True)
out = Console(highlight=False, soft_wrap=True)
API_KEY = Annotated[
    str, typer.Option("--api-key", envvar="EXCHANGE_KEY", help="Your API key; scope `deal`.")
]
DEAL = Annotated[UUID, typer.Argument(help="The deal's id.")]
DAY = "YYYY-MM-DD"
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]


@app.callback()
def royalties() -> None:
    """Royalties: usage reports, statements, taxes (分成)."""


@app.command()
def report(  # noqa: PLR0913 - each option is one word of the command
    deal: DEAL,
    file: Annotated[
        Path,
        typer.Argument(
            help=f"CSV with the columns {', '.join(reports.COLUMNS)}.", exists=True, dir_okay=False
        ),
    ],
    first_day: Annotated[str, typer.Option("--from", metavar=DAY, help="The first day.")],
    last_day: Annotated[str, typer.Option("--to", metavar=DAY, help="The last day.")],
    report_id: Annotated[
        UUID | None,
        typer.Option("--id", help="The report's id; give it again after a lost answer."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Read the file and print its sums; send nothing.")
    ] = False,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Report what a period brought; the same period again corrects it."""
    days = _day(first_day, "--from"), _day(last_day, "--to")
    lines = reports.read_csv(file.read_text("utf-8-sig"))
    read = reports.report(*days, lines)
    out.print(f"{len(lines)} lines, net receipts {read.receipts_minor}, {read.runs} runs")
    if check:
        return
    body = {"first_day": first_day, "last_day": last_day, "lines": lines}
    where = f"/v1/deals/{deal}/usage-reports/{report_id or ids.new(clock.now())}"
    told = Desk(exchange, api_key).ask("PUT", where, body)
    out.print(_said(told))


@app.command()
def show(deal: DEAL, as_json: JSON = False, exchange: EXCHANGE = "", api_key: API_KEY = "") -> None:
    """Show what was reported of a deal and stated to be due."""
    told = Desk(exchange, api_key).ask("GET", f"/v1/deals/{deal}/royalties")
    if as_json:
        out.print(json.dumps(told, ensure_ascii=False, indent=2), markup=False)
        return
    table = Table(
        "no.", "receipts", "runs", "earned", "recouped", "to recoup", "payable", "due", "carried"
    )
    for one in told["statements"]:
        names = ("receipts", "earned", "recouped", "unrecouped", "payable", "due", "carried")
        amount = {name: _decimal(one[f"{name}_minor"], one["currency"]) for name in names}
        table.add_row(
            str(one["number"]), amount["receipts"], str(one["runs"]), amount["earned"],
            amount["recouped"], amount["payable"], amount["due"], amount["carried"],
        )  # fmt: skip
    out.print(table)


@app.command()
def statement(
    deal: DEAL,
    file: Annotated[Path, typer.Option("--out", "-o", help="Where to write: .pdf or .csv.")],
    number: Annotated[
        int | None, typer.Option(min=1, help="Which one, for a PDF; a table has all of them.")
    ] = None,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Save a statement as a PDF, or all statements of a deal as a table (CSV)."""
    where = f"/v1/deals/{deal}/royalty-statements"
    if file.suffix.lower() == ".csv":
        path = f"{where}.csv"
    elif number is not None:
        path = f"{where}/{number}/pdf"
    else:
        raise typer.BadParameter("needed for a PDF", param_hint="--number")
    raw = Desk(exchange, api_key).raw("GET", path)
    file.write_bytes(raw)
    out.print(f"{file}: {len(raw)} bytes", markup=False)


@app.command()
def taxed(
    amount_minor: Annotated[int, typer.Argument(min=1, help="The gross, in minor units (分).")],
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "CNY",
    payee: Annotated[str, typer.Option(help="Where the payee resides, ISO 3166-1.")] = "CN",
    on: Annotated[str, typer.Option(metavar=DAY, help="The day; today by default.")] = "",
) -> None:
    """Reckon the taxes that a sum holds or that are kept back of it, by the rows that ship."""
    day = _day(on, "--on") if on else clock.now().astimezone(SEAT).date()
    gross, rows = Money(amount_minor, currency), shipped.shipped()
    vat = taxes.find(rows, taxes.VAT, payer=taxes.HOME, payee=payee, on=day)
    if vat is not None:
        held = taxes.included(gross, vat.rate_bp)
        out.print(f"net {held.net.decimal()} + VAT {held.tax.decimal()} = {gross.decimal()}")
        _basis(vat)
    found = (
        taxes.find(rows, code, payer=taxes.HOME, payee=payee, on=day) for code in taxes.WITHHELD
    )
    kept = taxes.withhold(gross, [rule for rule in found if rule is not None])
    for rule, tax in kept.kept:
        out.print(f"{rule.code} {tax.decimal()}")
        _basis(rule)
    out.print(f"paid to the payee {kept.paid.decimal()} {currency}")


def _basis(rule: taxes.TaxRule) -> None:
    read = "read" if rule.verified else "not verified"
    out.print(f"  {percent(rule.rate_bp)} %, {read}: {rule.legal_basis}", markup=False)


def _said(told: dict[str, Any]) -> str:
    due, carried = (
        _decimal(told[f"{name}_minor"], told["currency"]) for name in ("due", "carried")
    )
    said = f"statement {told['number']}: due {due} {told['currency']} by {told['due_on']}"
    if told["carried_minor"]:
        said += f", {carried} asked for too much before is carried"
    return said + f"; {_decimal(told['unrecouped_minor'], told['currency'])} to be recouped"


def _decimal(minor: int, currency: str) -> str:
    return Money(minor, currency).decimal()


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("not a day", param_hint=option) from None
