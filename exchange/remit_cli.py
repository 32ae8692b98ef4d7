"""`exchange remit …`: what was withheld and is due, remittances by two people, their receipts."""

import sys
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from contracts import calendar, ids
from exchange import clock, terminal
from exchange.sealed_cli import EXCHANGE
from exchange.signing_client import Desk
from exchange.terminal import API_KEY, Json, Reason, day, every, major, out, write_json

app = typer.Typer(help="Withheld taxes and the tax authority.", no_args_is_help=True)
REMITTANCE = Annotated[UUID, typer.Argument(help="The remittance's id.")]
SHA256 = Annotated[str, typer.Argument(help="The hash of the remittance that you have read.")]


@app.command()
def due(exchange: EXCHANGE = "", api_key: API_KEY = "", as_json: Json = False) -> None:
    """List what waits to be remitted, the first due first; exit status 3 if something is late."""
    told = Desk(exchange, api_key).ask("GET", "/v1/withholding-dues")["items"]
    if as_json:
        write_json({"dues": told})
    else:
        table = Table("due on", "authority", "tax", "period", "taxes", "amount")
        for one in told:
            named = (one["due_on"], one["authority"], one["tax"], one["period"])
            table.add_row(*named, str(one["items"]), _amount(one))
        out.print(table)
    today = calendar.day_of(clock.now())
    sys.exit(3 if any(date.fromisoformat(one["due_on"]) < today for one in told) else 0)


@app.command()
def status(exchange: EXCHANGE = "", api_key: API_KEY = "", as_json: Json = False) -> None:
    """List every remittance: what it pays, until when, how far it is, its receipt."""
    found = every(Desk(exchange, api_key), "/v1/remittances")
    if as_json:
        write_json({"remittances": found})
        return
    table = Table("remittance", "due on", "tax", "period", "amount", "state", "receipt")
    for one in found:
        named = (one["id"], one["due_on"], one["tax"], one["period"])
        table.add_row(*named, _amount(one), one["state"], one["receipt_no"] or "")
    out.print(table)


@app.command()
def prepare(
    tax: Annotated[str, typer.Argument(help="withheld-income or withheld-vat")],
    period: Annotated[str, typer.Argument(help="As `exchange remit due` names it: 2026-11")],
    authority: Annotated[str, typer.Option(help="The tax authority.")] = "CN",
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "CNY",
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Put all that waits of a tax and period into a remittance; another person approves."""
    said = {"authority": authority, "tax": tax, "currency": currency, "period": period}
    where = f"/v1/remittances/{ids.new(clock.now())}"
    told = Desk(exchange, api_key).ask("PUT", where, said)
    out.print(f"remittance {told['id']}: {_amount(told)} to {told['holder']} by {told['due_on']}")
    out.print(f"another person runs: exchange remit approve {told['id']} {told['content_sha256']}")


@app.command()
def approve(
    remittance: REMITTANCE, sha256: SHA256, exchange: EXCHANGE = "", api_key: API_KEY = ""
) -> None:
    """Approve a remittance that another person prepared; asks for your password."""
    told = terminal.approve(Desk(exchange, api_key), f"/v1/remittances/{remittance}", sha256)
    out.print(f"remittance {remittance} is {told['state']}: exchange bank pay ACCOUNT --on DAY")


@app.command()
def refuse(
    remittance: REMITTANCE,
    sha256: SHA256,
    reason: Reason,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Refuse a remittance that another person prepared, with a reason."""
    desk, where = Desk(exchange, api_key), f"/v1/remittances/{remittance}"
    told = terminal.refuse(desk, where, sha256, reason=reason)
    out.print(f"remittance {remittance} is {told['state']}")


@app.command()
def receipt(
    remittance: REMITTANCE,
    number: Annotated[str, typer.Argument(help="The number of the tax office's receipt.")],
    on: Annotated[str, typer.Option(help="The day of the receipt, YYYY-MM-DD.")],
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Record the tax office's receipt (完税凭证); payees' certificates name it from then on."""
    said = {"number": number, "issued_on": day(on)}
    told = Desk(exchange, api_key).ask("POST", f"/v1/remittances/{remittance}/receipt", said)
    out.print(f"remittance {remittance}: receipt {told['receipt_no']} of {told['receipt_on']}")


def _amount(told: dict[str, Any]) -> str:
    return major(told["amount_minor"], told["currency"])
