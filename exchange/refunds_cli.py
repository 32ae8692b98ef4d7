"""`exchange refunds …` and `exchange disputes …`: money that goes back, at a terminal."""

import json
import sys
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from contracts import ids
from contracts.money import EXPONENTS, WrongCurrency
from exchange import clock, terminal
from exchange.sealed_cli import EXCHANGE
from exchange.signing_client import Desk
from exchange.terminal import API_KEY, Json, Reason, every, major, out, write_json

refunds = typer.Typer(help="Money that goes back to payers.", no_args_is_help=True)
disputes = typer.Typer(help="What card holders contest.", no_args_is_help=True)
REFUND = Annotated[UUID, typer.Argument(help="The refund's id.")]
DISPUTE = Annotated[UUID, typer.Argument(help="The dispute's id.")]
SHA256 = Annotated[str, typer.Argument(help="The hash of the refund that you have read.")]


@refunds.command("list")
def list_refunds(
    state: Annotated[str, typer.Option(help="Only those in this state, e.g. prepared.")] = "",
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
    as_json: Json = False,
) -> None:
    """List refunds, the oldest first."""
    found = every(Desk(exchange, api_key), "/v1/refunds")
    found = [one for one in found if state in ("", one["state"])]
    _tell(found, "refunds", ("id", "state", "goes_to", "reason"), as_json=as_json)


@refunds.command("show")
def show_refund(refund: REFUND, exchange: EXCHANGE = "", api_key: API_KEY = "") -> None:
    """Print a refund with all that its decision is about, and who gives back what."""
    _print(Desk(exchange, api_key).ask("GET", f"/v1/refunds/{refund}"))


@refunds.command()
def draft(
    payment: Annotated[UUID, typer.Argument(help="The payment that is given back.")],
    amount_minor: Annotated[int, typer.Argument(min=1, help="In minor units: 12345 is 123.45.")],
    currency: Annotated[str, typer.Argument(help="The payment's currency, e.g. CNY.")],
    reason: Reason,
    goes_to: Annotated[
        str, typer.Option("--to", help="card, payer-account or verified-account.")
    ] = "card",
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Prepare a refund (经办); another person approves it."""
    if currency not in EXPONENTS:
        raise WrongCurrency(f"Currency {currency!r} is not handled.", known=sorted(EXPONENTS))
    said = {
        "payment_id": str(payment), "amount_minor": amount_minor, "currency": currency,
        "reason": reason, "goes_to": goes_to,
    }  # fmt: skip
    _prepared(Desk(exchange, api_key).ask("PUT", f"/v1/refunds/{ids.new(clock.now())}", said))


@refunds.command()
def resend(
    refund: Annotated[UUID, typer.Argument(help="The refund that failed.")],
    reason: Reason,
    goes_to: Annotated[str, typer.Option("--to", help="card, payer-account or verified-account.")],
    out_of: Annotated[
        str, typer.Option(help="Of a card's refund to a bank: the account of ours that pays.")
    ] = "",
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Prepare that a failed refund is sent again (经办); another person approves it."""
    said = {"reason": reason, "goes_to": goes_to, "account_id": out_of or None}
    path = f"/v1/refunds/{refund}/resends/{ids.new(clock.now())}"
    _prepared(Desk(exchange, api_key).ask("PUT", path, said))


@refunds.command()
def approve(refund: REFUND, sha256: SHA256, exchange: EXCHANGE = "", api_key: API_KEY = "") -> None:
    """Approve a refund that another person prepared (复核); asks for your password."""
    told = terminal.approve(Desk(exchange, api_key), f"/v1/refunds/{refund}", sha256)
    out.print(f"refund {refund} is {told['state']}")
    if told["payment_file_id"] is not None:
        out.print(f"its file for the bank: exchange bank fetch {told['payment_file_id']}")


@refunds.command()
def refuse(
    refund: REFUND,
    sha256: SHA256,
    reason: Reason,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Refuse a refund that another person prepared, with a reason."""
    desk, where = Desk(exchange, api_key), f"/v1/refunds/{refund}"
    told = terminal.refuse(desk, where, sha256, reason=reason)
    out.print(f"refund {refund} is {told['state']}")


@disputes.command("list")
def list_disputes(exchange: EXCHANGE = "", api_key: API_KEY = "", as_json: Json = False) -> None:
    """List disputes with the instant until which the bank takes evidence."""
    found = every(Desk(exchange, api_key), "/v1/disputes")
    _tell(found, "disputes", ("id", "state", "reason", "evidence_due_at"), as_json=as_json)


@disputes.command("show")
def show_dispute(dispute: DISPUTE, exchange: EXCHANGE = "", api_key: API_KEY = "") -> None:
    """Print a dispute, what it has drawn, and who bears it."""
    _print(Desk(exchange, api_key).ask("GET", f"/v1/disputes/{dispute}"))


def _prepared(told: dict[str, Any]) -> None:
    out.print(f"refund {told['id']}: {major(told['amount_minor'], told['currency'])}")
    out.print(
        f"another person runs: exchange refunds approve {told['id']} {told['content_sha256']}"
    )


def _tell(
    found: list[dict[str, Any]], name: str, columns: tuple[str, ...], *, as_json: bool
) -> None:
    if as_json:
        write_json({name: found})
        return
    table = Table("amount", *columns)
    for one in found:
        amount = major(one["amount_minor"], one["currency"])
        table.add_row(amount, *(str(one[column] or "") for column in columns))
    out.print(table)


def _print(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
