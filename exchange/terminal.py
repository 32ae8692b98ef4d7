"""What commands share: options, whole lists, amounts, days, and decisions by password."""

import json
import sys
from datetime import date
from typing import Annotated, Any

import typer
from rich.console import Console

from contracts.money import EXPONENTS, Money
from exchange.signing_client import Desk

PAGE = 200
out = Console(highlight=False, markup=False, soft_wrap=True, emoji=False)
API_KEY = Annotated[
    str, typer.Option("--api-key", envvar="EXCHANGE_KEY", help="Your API key; scope `money`.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence.")]


def write_json(told: dict[str, Any]) -> None:
    """Print one JSON document for programs, on a line of its own."""
    sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")


def every(desk: Desk, path: str) -> list[dict[str, Any]]:
    """Return a whole list of the exchange, page after page."""
    found: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        told = desk.ask("GET", f"{path}?limit={PAGE}{after and f'&after={after}'}")
        found += told["items"]
        after = told["next"]
    return found


def major(minor: int, currency: str) -> str:
    """Return an amount as people write it; a currency not handled here in its minor units."""
    if currency in EXPONENTS:
        return f"{Money(minor, currency).decimal()} {currency}"
    return f"{minor} minor units of {currency}"


def day(said: str) -> str:
    """Return a day as it was typed.

    Raises:
        BadParameter: it is none.
    """
    try:
        return date.fromisoformat(said).isoformat()
    except ValueError as wrong:
        raise typer.BadParameter("a day is written 2026-11-24") from wrong


def approve(desk: Desk, path: str, sha256: str) -> dict[str, Any]:
    """Approve what was read and another person prepared; asks for the password, once for each."""
    password = typer.prompt("Your password at the exchange", hide_input=True)
    proof = str(desk.ask("POST", "/v1/proofs", {"password": password})["proof"])
    return desk.ask("POST", f"{path}/approval", {"content_sha256": sha256, "proof": proof})


def refuse(desk: Desk, path: str, sha256: str, *, reason: str) -> dict[str, Any]:
    """Refuse what was read and another person prepared, with a reason."""
    return desk.ask("POST", f"{path}/refusal", {"content_sha256": sha256, "reason": reason})
