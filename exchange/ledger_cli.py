"""`exchange ledger …`: statements, holds and quotes, and orders that two people give the ledger."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote as quoted
from uuid import UUID

import typer
from rich.table import Table

from contracts import canonical, ids
from exchange import clock, terminal
from exchange.sealed_cli import EXCHANGE
from exchange.signing_client import Desk
from exchange.terminal import API_KEY, Json, Reason, day, every, major, out, write_json

app = typer.Typer(help="The books.", no_args_is_help=True)
CODE = Annotated[str, typer.Argument(help="The account, its currency last: commission:CNY")]
ORDER = Annotated[UUID, typer.Argument(help="The order's id.")]
SHA256 = Annotated[str, typer.Argument(help="The hash of the order that you have read.")]


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
    days = f"from={day(since)}&until={day(until)}"
    where = f"/v1/ledger/accounts/{quoted(account, safe='')}/statement?{days}"
    told = Desk(exchange, api_key).ask("GET", where)
    if as_json:
        write_json(told)
        return
    table = Table("took effect", "what", "key", "amount", "balance")
    table.add_row("", "opening", "", "", major(told["opening_minor"], told["currency"]))
    for line in told["moved"]:
        amounts = (
            major(line["amount_minor"], told["currency"]),
            major(line["balance_minor"], told["currency"]),
        )
        table.add_row(line["effective_at"], line["kind"], line["key"], *amounts)
    table.add_row("", "closing", "", "", major(told["closing_minor"], told["currency"]))
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
    told = every(Desk(exchange, api_key), "/v1/ledger/orders")
    found = [one for one in told if one["state"] == "prepared"]
    if as_json:
        write_json({"orders": found})
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
    desk, where = Desk(exchange, api_key), f"/v1/ledger/orders/{order_id}"
    told = terminal.approve(desk, where, sha256)
    out.print(f"order {order_id} is {told['state']}{_booked(told)}")


@app.command()
def refuse(
    order_id: ORDER,
    sha256: SHA256,
    reason: Reason,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Refuse an order that another person prepared, with a reason."""
    desk, where = Desk(exchange, api_key), f"/v1/ledger/orders/{order_id}"
    told = terminal.refuse(desk, where, sha256, reason=reason)
    out.print(f"order {order_id} is {told['state']}")


@app.command()
def hold(
    account: CODE,
    amount_minor: Annotated[int, typer.Option(help="Debit positive: what is owed to somebody.")],
    until: Annotated[str, typer.Option(help="An instant: 2026-12-31T16:00:00Z")],
    reason: Reason,
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
        write_json({"holds": told})
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
