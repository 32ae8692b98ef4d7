"""`exchange bid …`: bids that are sealed before they leave this machine; receipts checked."""

from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from contracts import ids
from exchange import clock, receipts
from exchange.sealed_cli import (
    EXCHANGE,
    KEY,
    KeyFileUnreadable,
    ask,
    check_closed,
    read,
    write,
)
from listings.sealed import envelope, opening

app = typer.Typer(help="Sealed bids, and receipts of bids.", no_args_is_help=True)
out = Console()


@app.callback()
def bid() -> None:
    """Sealed bids, and receipts of bids."""


@app.command()
def seal(
    auction: Annotated[UUID, typer.Argument(help="The auction's id.")],
    amount_minor: Annotated[
        int | None, typer.Option("--amount-minor", min=1, help="The amount, in minor units (分).")
    ] = None,
    value: Annotated[
        list[str] | None, typer.Option("--value", help="A criterion and its value: code=number.")
    ] = None,
    content: Annotated[
        Path | None,
        typer.Option(help="The whole content of the bid as JSON, for packages.", exists=True),
    ] = None,
    keep: Annotated[Path, typer.Option("--keep", help="A folder for what was sealed.")] = Path(),
    exchange: EXCHANGE = "",
    key: KEY = "",
) -> None:
    """Seal a bid on this machine, keep what opens it, and send what nobody can read."""
    shown = ask(exchange, key, "GET", f"/v1/auctions/{auction}")
    book = shown["rulebook"]
    made = opening.parse(book["opening"], auction=auction)
    said = read(content) if content else _said(amount_minor, value or [], book["currency"])
    admitted = ask(exchange, key, "PUT", f"/v1/auctions/{auction}/admission", {})
    if admitted.get("paddle") is None:
        raise KeyFileUnreadable("You are not admitted yet, so there is no paddle to seal with.")
    sealed = envelope.seal(
        made, listing=UUID(book["listing"]), paddle=admitted["paddle"], content=said
    )
    bid_id = ids.new(clock.now())
    kept = keep / f"bid-{bid_id}.json"
    keep.mkdir(parents=True, exist_ok=True)
    write(
        kept,
        {
            "auction": str(auction), "bid": str(bid_id), "paddle": admitted["paddle"],
            "content": said, "nonce": sealed.nonce.hex(), "sent": sealed.content,
        },
    )  # fmt: skip
    out.print(f"kept in {kept.resolve()}: opens the bid if the shares do not come", soft_wrap=True)
    told = ask(exchange, key, "PUT", f"/v1/auctions/{auction}/bids/{bid_id}", sealed.content)
    out.print_json(data=told)


@app.command("send")
def send_again(
    kept: Annotated[Path, typer.Argument(help="What `seal` kept.", exists=True, dir_okay=False)],
    exchange: EXCHANGE = "",
    key: KEY = "",
) -> None:
    """Send a sealed bid again whose answer was lost; it counts once."""
    file = read(kept)
    out.print_json(data=ask(exchange, key, "PUT", _place(file), file["sent"]))


@app.command("open")
def open_bid(
    kept: Annotated[Path, typer.Argument(help="What `seal` kept.", exists=True, dir_okay=False)],
    exchange: EXCHANGE = "",
    key: KEY = "",
) -> None:
    """Open your own bid after the close, in case fewer than two shares come."""
    file = read(kept)
    place = _place(file)
    told = ask(exchange, key, "GET", f"/v1/auctions/{file['auction']}/opening")
    check_closed(told["state"])
    said = {"content": file["content"], "nonce": file["nonce"]}
    told = ask(exchange, key, "PUT", f"{place}/opening", said)
    out.print_json(data={"state": told["state"], "reveal_until": told["reveal_until"]})


@app.command()
def check(
    receipt: Annotated[
        Path,
        typer.Argument(help="A bid's answer or receipt, as JSON.", exists=True, dir_okay=False),
    ],
    public_key: Annotated[
        Path,
        typer.Option("--key", help="The exchange's receipt key, PEM.", exists=True, dir_okay=False),
    ],
    log: Annotated[
        Path | None,
        typer.Option(help="The auction's log: holds it the bid?", exists=True, dir_okay=False),
    ] = None,
) -> None:
    """Check a receipt offline: who signed it, and whether the auction's log keeps its word."""
    signed = read(receipt)
    if isinstance(signed.get("receipt"), dict) and "signature" not in signed:
        signed = signed["receipt"]  # the whole answer of a bid
    said = receipts.check(signed, public_key.read_bytes())
    out.print(f"signed by key {signed['key']}: bid {said['bid']}", soft_wrap=True)
    out.print(f"received at {said['received_at']}, event {said['event_sha256']}", soft_wrap=True)
    if log is not None:
        out.print(f"the log holds it under number {receipts.find(said, log.read_bytes())}")


def _said(amount_minor: int | None, values: list[str], currency: str) -> dict[str, Any]:
    if amount_minor is None:
        raise typer.BadParameter("give --amount-minor, or --content with the whole bid")
    said: dict[str, Any] = {"amount_minor": amount_minor, "currency": currency}
    pairs = [value.partition("=") for value in values]
    if any(not number.lstrip("-").isdigit() for _, _, number in pairs):
        raise typer.BadParameter("a value is written code=number")
    if pairs:
        said["values"] = {code: int(number) for code, _, number in pairs}
    return said


def _place(file: dict[str, Any]) -> str:
    if not {"auction", "bid", "content", "nonce", "sent"} <= set(file):
        raise KeyFileUnreadable("This is not what `exchange bid seal` keeps.")
    return f"/v1/auctions/{file['auction']}/bids/{file['bid']}"
