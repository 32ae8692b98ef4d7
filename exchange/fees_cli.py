"""`exchange fees …`: read the fee schedules, reckon what a price costs, announce a new one.

A new one is prepared by one person and approved by another; until then it is in force for nobody.
"""

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from contracts import canonical, ids
from contracts.money import EXPONENTS, Money, WrongCurrency, percent
from contracts.refusal import InvalidContent
from exchange import clock, terminal
from exchange.sealed_cli import EXCHANGE
from exchange.signing_client import Desk
from exchange.terminal import API_KEY, Json, Reason, day, every, out, write_json
from settlement.fees import gateway, reading, rules
from settlement.fees.rules import Case, Fee, Schedule

app = typer.Typer(help="Service fees: schedules, what a price costs.", no_args_is_help=True)
NAME = Annotated[str, typer.Option("--schedule", help="One that ships; the one in force without.")]
FILE = Annotated[Path, typer.Argument(help="A schedule as JSON.", exists=True, dir_okay=False)]
PREPARED = Annotated[UUID, typer.Argument(help="The announcement's id.")]
SHA256 = Annotated[str, typer.Argument(help="The hash of the announcement that you have read.")]


@app.callback()
def fees() -> None:
    """Service fees: schedules, what a price costs (服务费)."""


@app.command()
def show(
    schedule: NAME = "",
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "CNY",
    as_json: Json = False,
) -> None:
    """Show a schedule that ships, tier by tier; the JSON is what `announce` takes."""
    found = _schedule(schedule, currency)
    if as_json:
        out.print(json.dumps(found.wire(), ensure_ascii=False, indent=2))
        return
    out.print(f"{found.id}  {found.name_zh} · {found.name_en}")
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
    file: Annotated[
        Path | None,
        typer.Option(help="By a schedule of your own, as JSON.", exists=True, dir_okay=False),
    ] = None,
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "CNY",
) -> None:
    """Reckon what a price would cost both sides, by a schedule that ships or one of a file."""
    if sale not in rules.SALES:
        raise InvalidContent("A sale is by bids or negotiated.", known=list(rules.SALES))
    found = _schedule(schedule, currency) if file is None else _read(file)
    deal = _money(price, currency)
    if not found.serves(currency):
        raise WrongCurrency("This schedule is in another currency.", wanted=found.currency)
    case = Case(sale, _money(listed or price, currency), deal)
    seller, buyer = (rules.fee(found, side, case) for side in rules.SIDES)
    out.print(f"{found.id} ({sale}), listed {case.listed.decimal()}, price {deal.decimal()}")
    for fee in (seller, buyer):
        _said(fee)
    out.print(f"the seller receives {(deal - seller.amount).decimal()} {currency}")
    out.print(f"the buyer pays {(deal + buyer.amount).decimal()} {currency}")


@app.command()
def announce(
    file: FILE,
    valid_from: Annotated[
        str, typer.Option("--from", metavar="YYYY-MM-DD", help="The day from which it is in force.")
    ],
    announcement_id: Annotated[
        UUID | None, typer.Option("--id", help="Give it again after a lost answer.")
    ] = None,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Prepare a schedule for what is published from a day on; another person approves."""
    wire = canonical.loads(file.read_bytes())
    where = f"/v1/fees/announcements/{announcement_id or ids.new(clock.now())}"
    body = {"schedule": wire, "valid_from": day(valid_from)}
    told = Desk(exchange, api_key).ask("PUT", where, body)
    out.print(f"announcement {told['id']}: {told['schedule']} from {told['valid_from']}")
    out.print(f"another person runs: exchange fees approve {told['id']} {told['content_sha256']}")


@app.command()
def status(exchange: EXCHANGE = "", api_key: API_KEY = "", as_json: Json = False) -> None:
    """List the schedules that were prepared, and what became of each."""
    found = every(Desk(exchange, api_key), "/v1/fees/announcements")
    if as_json:
        write_json({"announcements": found})
        return
    table = Table("announcement", "schedule", "from", "state", "content sha256", "reason")
    for one in found:
        named = (one["id"], one["schedule"], one["valid_from"], one["state"])
        table.add_row(*named, one["content_sha256"], one["reason"] or "")
    out.print(table)


@app.command()
def approve(
    announcement: PREPARED, sha256: SHA256, exchange: EXCHANGE = "", api_key: API_KEY = ""
) -> None:
    """Approve a schedule that another person prepared; asks for your password."""
    where = f"/v1/fees/announcements/{announcement}"
    told = terminal.approve(Desk(exchange, api_key), where, sha256)
    out.print(f"{told['schedule']} is in force from {told['valid_from']}: {told['sha256']}")


@app.command()
def refuse(
    announcement: PREPARED,
    sha256: SHA256,
    reason: Reason,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Refuse a schedule that another person prepared, with a reason."""
    desk, where = Desk(exchange, api_key), f"/v1/fees/announcements/{announcement}"
    told = terminal.refuse(desk, where, sha256, reason=reason)
    out.print(f"announcement {announcement} is {told['state']}")


def _schedule(name: str, currency: str) -> Schedule:
    shipped = gateway.shipped()
    if name and name not in shipped:
        raise InvalidContent("No such schedule ships.", known=sorted(shipped))
    if name:
        return shipped[name]
    today = rules.day_of(clock.now())
    return rules.in_force(gateway.days(), on=today, currency=currency)[1]


def _read(file: Path) -> Schedule:
    """Return the schedule of a file.

    Raises:
        NotCanonical: it is no strict JSON.
        InvalidContent: it has not the form of a schedule.
        BadFeeSchedule: it does not hold together.
    """
    wire = canonical.loads(file.read_bytes())
    try:
        return reading.read_new(wire)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidContent("This is no schedule.", file=file.name) from error


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
            f"{step.row.legal_basis}"
        )
