"""`exchange fees …`: read the fee schedules, reckon what a price costs, announce a new one."""

import json
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from contracts import ids
from contracts.money import EXPONENTS, Money, percent
from contracts.refusal import InvalidContent
from exchange import clock
from exchange.sealed_cli import EXCHANGE
from exchange.signing_client import Desk
from settlement.fees import gateway, rules
from settlement.fees.rules import Case, Fee, Schedule

app = typer.Typer(help="Service fees: schedules, what a price costs.", no_args_is_help=True)
out = Console(highlight=False, soft_wrap=True)
NAME = Annotated[str, typer.Option("--schedule", help="One that ships; the one in force without.")]
API_KEY = Annotated[
    str, typer.Option("--api-key", envvar="EXCHANGE_KEY", help="An approver's; scope `money`.")
]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]


@app.callback()
def fees() -> None:
    """Service fees: schedules, what a price costs (服务费)."""


@app.command()
def show(
    schedule: NAME = "",
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "CNY",
    as_json: JSON = False,
) -> None:
    """Show a schedule that ships, tier by tier; the JSON is what `announce` takes."""
    found = _schedule(schedule, currency)
    if as_json:
        out.print(json.dumps(found.wire(), ensure_ascii=False, indent=2), markup=False)
        return
    out.print(f"{found.id}  {found.name_zh} · {found.name_en}", markup=False)
    out.print(f"sha256 {found.sha256}")
    table = Table("side", "sale", "basis", "above", "up to", "%", "read", "legal basis")
    for row in found.rows:
        top = "" if row.up_to_minor is None else _text(row.up_to_minor, found.currency or currency)
        table.add_row(
            row.side, row.sale, row.basis, _text(row.above_minor, found.currency or currency), top,
            percent(row.rate_bp), "yes" if row.verified else "no", row.legal_basis,
        )  # fmt: skip
    out.print(table)
    for side in rules.SIDES:
        least = found.minimum_minor(side)
        if least:
            out.print(f"minimum of the {side}: {_text(least, found.currency or currency)}")


@app.command()
def quote(
    price: Annotated[str, typer.Argument(help="The deal price in major units: 3600000.00")],
    listed: Annotated[str, typer.Option(help="The listed price; the price without.")] = "",
    sale: Annotated[str, typer.Option(help="bid or negotiated.")] = rules.BID,
    schedule: NAME = "",
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "CNY",
) -> None:
    """Reckon what a price would cost both sides, by a schedule that ships."""
    if sale not in rules.SALES:
        raise InvalidContent("A sale is by bids or negotiated.", known=list(rules.SALES))
    found = _schedule(schedule, currency)
    deal = _money(price, currency)
    case = Case(sale, _money(listed or price, currency), deal)
    seller, buyer = (rules.fee(found, side, case) for side in rules.SIDES)
    out.print(f"{found.id} ({sale}), listed {case.listed.decimal()}, price {deal.decimal()}")
    for fee in (seller, buyer):
        _said(fee)
    out.print(f"the seller receives {(deal - seller.amount).decimal()} {currency}")
    out.print(f"the buyer pays {(deal + buyer.amount).decimal()} {currency}")


@app.command()
def announce(
    file: Annotated[Path, typer.Argument(help="A schedule as JSON.", exists=True, dir_okay=False)],
    valid_from: Annotated[
        str, typer.Option("--from", metavar="YYYY-MM-DD", help="The day from which it is in force.")
    ],
    announcement_id: Annotated[
        UUID | None, typer.Option("--id", help="Give it again after a lost answer.")
    ] = None,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Announce a schedule for what is published from a day on; what is on sale keeps its own."""
    date.fromisoformat(valid_from)
    body = {"schedule": json.loads(file.read_text("utf-8")), "valid_from": valid_from}
    where = f"/v1/fees/announcements/{announcement_id or ids.new(clock.now())}"
    told = Desk(exchange, api_key).ask("PUT", where, body)
    out.print(f"{told['schedule']} is in force from {told['valid_from']}: {told['sha256']}")


def _schedule(name: str, currency: str) -> Schedule:
    shipped = gateway.shipped()
    if name and name not in shipped:
        raise InvalidContent("No such schedule ships.", known=sorted(shipped))
    if name:
        return shipped[name]
    today = rules.day_of(clock.now())
    return rules.in_force(gateway.days(), on=today, currency=currency)[1]


def _money(text: str, currency: str) -> Money:
    """Read an amount in major units.

    Raises:
        InvalidContent: it is none, or finer than the currency's minor unit.
    """
    try:
        minor = Decimal(text) * 10 ** EXPONENTS[currency]
        if minor != int(minor) or minor < 1:
            raise InvalidContent("This is no amount of the currency.", amount=text)
    except (InvalidOperation, KeyError, OverflowError, ValueError) as error:
        raise InvalidContent("This is no amount.", amount=text, currency=currency) from error
    return Money(int(minor), currency)


def _text(minor: int, currency: str) -> str:
    return Money(minor, currency).decimal()


def _said(fee: Fee) -> None:
    least = " (minimum)" if fee.is_minimum else ""
    out.print(f"{fee.side} {fee.amount.decimal()}{least}")
    for step in fee.steps:
        amount = _text(step.amount_minor, fee.amount.currency)
        read = "read" if step.row.verified else "not verified"
        out.print(
            f"  {amount} {step.row.basis} at {percent(step.row.rate_bp)} %, {read}: "
            f"{step.row.legal_basis}", markup=False,
        )  # fmt: skip
