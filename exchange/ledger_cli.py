"""`exchange ledger …`: statements, holds and quotes, and orders that two people give the ledger."""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote as quoted
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from contracts import canonical, ids
from contracts.money import Money
from exchange import clock
from exchange.bank_cli import API_KEY, prove
from exchange.sealed_cli import EXCHANGE
from exchange.signing_client import Desk

app = typer.Typer(help="The books.", no_args_is_help=True)
out = Console(highlight=False, markup=False, soft_wrap=True, emoji=False)
CODE = Annotated[str, typer.Argument(help="The account, its currency last: commission:CNY")]
ORDER = Annotated[UUID, typer.Argument(help="The order's id.")]
SHA256 = Annotated[str, typer.Argument(help="The hash of the order that you have read.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]


@app.command()
def statement(
    account: CODE,
    since: Annotated[str, typer.Option("--from", help="The first day, YYYY-MM-DD.")],
    until: Annotated[str, typer.Option(help="The last day, YYYY-MM-DD.")],
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
    as_json: Json = False,
) -> None:
    """Print the statement of an account (对账单): opening balance, every line, closing balance."""
    days = f"from={_day(since)}&until={_day(until)}"
    where = f"/v1/ledger/accounts/{quoted(account, safe='')}/statement?{days}"
    told = Desk(exchange, api_key).ask("GET", where)
    if as_json:
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    table = Table("took effect", "what", "key", "amount", "balance")
    table.add_row("", "opening", "", "", _amount(told["opening_minor"], told))
    for line in told["moved"]:
        amounts = (_amount(line["amount_minor"], told), _amount(line["balance_minor"], told))
        table.add_row(line["effective_at"], line["kind"], line["key"], *amounts)
    table.add_row("", "closing", "", "", _amount(told["closing_minor"], told))
    out.print(table)


@app.command()
def order(
    file: Annotated[
        Path, typer.Argument(help="JSON: `what` and `reason`.", exists=True, dir_okay=False)
    ],
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Order something of the ledger from a JSON file, as PUT /v1/ledger/orders/{id} takes it."""
    where = f"/v1/ledger/orders/{ids.new(clock.now())}"
    told = Desk(exchange, api_key).ask("PUT", where, canonical.loads(file.read_bytes()))
    out.print(f"order {told['id']}: {told['kind']}, {told['reason']}")
    out.print(f"another person runs: exchange ledger approve {told['id']} {told['content_sha256']}")


@app.command()
def orders(exchange: EXCHANGE = "", api_key: API_KEY = "", as_json: Json = False) -> None:
    """List the orders that wait for a decision."""
    desk, after, found = Desk(exchange, api_key), "", []
    while after is not None:
        told = desk.ask("GET", f"/v1/ledger/orders?limit=200{after and f'&after={after}'}")
        found += [one for one in told["items"] if one["state"] == "prepared"]
        after = told["next"]
    if as_json:
        sys.stdout.write(json.dumps({"orders": found}, ensure_ascii=False) + "\n")
        return
    table = Table("order", "what", "reason", "content")
    for one in found:
        table.add_row(one["id"], one["kind"], one["reason"], one["content_sha256"])
    out.print(table)


@app.command()
def approve(
    order_id: ORDER, sha256: SHA256, exchange: EXCHANGE = "", api_key: API_KEY = ""
) -> None:
    """Approve an order that another person prepared; asks for your password."""
    desk = Desk(exchange, api_key)
    said = {"content_sha256": sha256, "proof": prove(desk)}
    told = desk.ask("POST", f"/v1/ledger/orders/{order_id}/approval", said)
    out.print(f"order {order_id} is {told['state']}{_booked(told)}")


@app.command()
def refuse(
    order_id: ORDER,
    sha256: SHA256,
    reason: Annotated[str, typer.Option(help="Why.")],
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Refuse an order that another person prepared, with a reason."""
    said = {"content_sha256": sha256, "reason": reason}
    told = Desk(exchange, api_key).ask("POST", f"/v1/ledger/orders/{order_id}/refusal", said)
    out.print(f"order {order_id} is {told['state']}")


@app.command()
def hold(
    account: CODE,
    amount_minor: Annotated[int, typer.Option(help="Debit positive: what is owed to somebody.")],
    until: Annotated[str, typer.Option(help="An instant: 2026-12-31T16:00:00Z")],
    reason: Annotated[str, typer.Option(help="Why.")],
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Set a part of an account aside (预留) until an instant."""
    said = {"account": account, "amount_minor": amount_minor, "reason": reason, "expires_at": until}
    where = f"/v1/ledger/holds/{ids.new(clock.now())}"
    told = Desk(exchange, api_key).ask("PUT", where, said)
    out.print(f"hold {told['id']} until {told['expires_at']}")


@app.command()
def holds(exchange: EXCHANGE = "", api_key: API_KEY = "", as_json: Json = False) -> None:
    """List the holds that have not ended (the first two hundred)."""
    told = Desk(exchange, api_key).ask("GET", "/v1/ledger/holds?limit=200")["items"]
    if as_json:
        sys.stdout.write(json.dumps({"holds": told}, ensure_ascii=False) + "\n")
        return
    table = Table("hold", "account", "minor units", "until", "reason")
    for one in told:
        table.add_row(
            one["id"], one["account"], str(one["amount_minor"]), one["expires_at"], one["reason"]
        )
    out.print(table)


@app.command()
def release(
    hold_id: Annotated[UUID, typer.Argument(help="The hold's id.")],
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Let a hold go (解除)."""
    told = Desk(exchange, api_key).ask("POST", f"/v1/ledger/holds/{hold_id}/release")
    out.print(f"hold {hold_id} is {told['outcome']}")


def _booked(told: dict[str, Any]) -> str:
    return f", booked as {told['journal']}" if told["journal"] else ""


def _amount(minor: int, told: dict[str, Any]) -> str:
    return f"{Money(minor, told['currency']).decimal()} {told['currency']}"


def _day(said: str) -> str:
    try:
        return date.fromisoformat(said).isoformat()
    except ValueError as wrong:
        raise typer.BadParameter("a day is written 2026-11-24") from wrong
