"""`exchange sweeps …`: the provider's balance on its way to a bank, by two people, until it lands.

A statement names most sweeps by itself. What it does not name waits in suspense at the bank, and is
matched with its sweep here: one person says so, another approves it.
"""

import json
import sys
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from contracts import ids
from contracts.refusal import Unknown
from exchange import clock, terminal
from exchange.sealed_cli import EXCHANGE
from exchange.signing_client import Desk
from exchange.terminal import API_KEY, Json, Reason, every, major, out, write_json

app = typer.Typer(help="Sweeps of the provider's balance to a bank.", no_args_is_help=True)
SWEEP = Annotated[UUID, typer.Argument(help="The sweep's id.")]
RELEASE = Annotated[UUID, typer.Argument(help="The id that `exchange sweeps match` printed.")]
SHA256 = Annotated[str, typer.Argument(help="The hash of what you have read.")]
FUNDS = ("available", "pending", "ledger", "owed", "disputed", "instructed", "free")


@app.command()
def free(exchange: EXCHANGE = "", api_key: API_KEY = "", as_json: Json = False) -> None:
    """Tell what there is at the provider by currency, who waits for it, and what is free."""
    told = Desk(exchange, api_key).ask("GET", "/v1/provider/funds")["items"]
    if as_json:
        write_json({"funds": told})
        return
    table = Table("currency", *FUNDS)
    for one in told:
        sums = [major(one[f"{name}_minor"], one["currency"]) for name in FUNDS]
        table.add_row(one["currency"], *sums)
    out.print(table)


@app.command("list")
def list_sweeps(
    state: Annotated[str, typer.Option(help="Only those in this state, e.g. in_transit.")] = "",
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
    as_json: Json = False,
) -> None:
    """List sweeps, the oldest first: how far each is, and whether it landed."""
    found = every(Desk(exchange, api_key), "/v1/sweeps")
    found = [one for one in found if state in ("", one["state"])]
    if as_json:
        write_json({"sweeps": found})
        return
    table = Table("amount", "id", "words for the bank", "state", "arrives on", "landed at")
    for one in found:
        named = (one["id"], one["descriptor"], one["state"])
        days = (one["arrives_on"] or "", one["landed_at"] or "")
        table.add_row(major(one["amount_minor"], one["currency"]), *named, *days)
    out.print(table)


@app.command("show")
def show_sweep(sweep: SWEEP, exchange: EXCHANGE = "", api_key: API_KEY = "") -> None:
    """Print a sweep with all that its decision is about."""
    told = Desk(exchange, api_key).ask("GET", f"/v1/sweeps/{sweep}")
    sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")


@app.command()
def prepare(
    account: Annotated[UUID, typer.Argument(help="Into which account (`exchange bank status`).")],
    amount_minor: Annotated[int, typer.Argument(min=1, help="In minor units: 12345 is 123.45.")],
    currency: Annotated[str, typer.Argument(help="The account's currency, e.g. CNY.")],
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Prepare a sweep of what is free (经办); another person approves it."""
    said = {"account_id": str(account), "amount_minor": amount_minor, "currency": currency}
    told = Desk(exchange, api_key).ask("PUT", f"/v1/sweeps/{ids.new(clock.now())}", said)
    out.print(f"sweep {told['id']}: {major(amount_minor, currency)} as {told['descriptor']}")
    out.print(f"another person runs: exchange sweeps approve {told['id']} {told['content_sha256']}")


@app.command()
def approve(sweep: SWEEP, sha256: SHA256, exchange: EXCHANGE = "", api_key: API_KEY = "") -> None:
    """Approve a sweep that another person prepared (复核); asks for your password."""
    told = terminal.approve(Desk(exchange, api_key), f"/v1/sweeps/{sweep}", sha256)
    out.print(f"sweep {sweep} is {told['state']}")


@app.command()
def refuse(
    sweep: SWEEP, sha256: SHA256, reason: Reason, exchange: EXCHANGE = "", api_key: API_KEY = ""
) -> None:
    """Refuse a sweep that another person prepared, with a reason."""
    desk, where = Desk(exchange, api_key), f"/v1/sweeps/{sweep}"
    told = terminal.refuse(desk, where, sha256, reason=reason)
    out.print(f"sweep {sweep} is {told['state']}")


@app.command()
def match(
    item: Annotated[UUID, typer.Argument(help="The money in suspense at the bank.")],
    sweep: SWEEP,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Say that money in suspense at the bank is a sweep (经办); another person approves it."""
    desk = Desk(exchange, api_key)
    held = [one for one in every(desk, "/v1/bank/suspense") if one["id"] == str(item)]
    if not held:
        raise Unknown("No such money is in suspense at the bank.")
    part = {"kind": "sweep", "name": str(sweep), "amount_minor": held[0]["amount_minor"]}
    where = f"/v1/bank/releases/{ids.new(clock.now())}"
    told = desk.ask("PUT", where, {"items": [str(item)], "parts": [part]})
    amount = major(part["amount_minor"], held[0]["currency"])
    out.print(f"match {told['id']}: {amount} is sweep {sweep}")
    named = f"{told['id']} {told['content_sha256']}"
    out.print(f"another person runs: exchange sweeps approve-match {named}")


@app.command("approve-match")
def approve_match(
    release: RELEASE, sha256: SHA256, exchange: EXCHANGE = "", api_key: API_KEY = ""
) -> None:
    """Approve that money is a sweep, as another person said (复核); asks for your password."""
    told = terminal.approve(Desk(exchange, api_key), f"/v1/bank/releases/{release}", sha256)
    out.print(f"match {release} is {told['state']}")


@app.command("refuse-match")
def refuse_match(
    release: RELEASE, sha256: SHA256, reason: Reason, exchange: EXCHANGE = "", api_key: API_KEY = ""
) -> None:
    """Refuse what another person said of the money; it waits in suspense as before."""
    desk, where = Desk(exchange, api_key), f"/v1/bank/releases/{release}"
    told = terminal.refuse(desk, where, sha256, reason=reason)
    out.print(f"match {release} is {told['state']}")
