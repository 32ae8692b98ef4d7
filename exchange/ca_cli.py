"""Commands about the exchange's certificate authority: make its keys, look at them."""

import json
import sys
from datetime import datetime
from typing import Annotated, Any

import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from rich.console import Console
from rich.table import Table

from contracts.parties.gateway import LocalAuthority
from exchange import clock
from exchange.settings import Settings

app = typer.Typer(help="The exchange's certificate authority.", no_args_is_help=True)
out = Console()
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]


@app.command()
def init(as_json: Json = False) -> None:
    """Make what is missing of root, certification key and time key; what is there stays."""
    now = clock.now()
    _tell(LocalAuthority.ensure(Settings().keys, now), now=now, as_json=as_json)


@app.command()
def status(as_json: Json = False) -> None:
    """Show the authority's certificates; exit status 0 only if all are there and in force."""
    now = clock.now()
    _tell(LocalAuthority.open(Settings().keys), now=now, as_json=as_json)


def described(authority: LocalAuthority, *, now: datetime) -> list[dict[str, Any]]:
    """Return what each certificate of the authority is, as plain JSON values."""
    time = authority.certifier.time
    held = {
        "root": authority.root_pem,
        "exchange": authority.certifier.certificate_pem,
        "tsa": None if time is None else time.certificate_pem,
    }
    return [_described(name, pem, now=now) for name, pem in held.items()]


def _described(name: str, pem: bytes | None, *, now: datetime) -> dict[str, Any]:
    if pem is None:
        return {"name": name, "in_force": False, "sha256": None, "until": None}
    certificate = x509.load_pem_x509_certificate(pem)
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return {
        "name": name,
        "in_force": since <= now < until,
        "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
        "until": until.isoformat(),
    }


def _tell(authority: LocalAuthority, *, now: datetime, as_json: bool) -> None:
    rows = described(authority, now=now)
    if as_json:
        sys.stdout.write(json.dumps({"certificates": rows}) + "\n")
    else:
        table = Table("certificate", "", "until", "SHA-256")
        for row in rows:
            mark = "[green]in force[/]" if row["in_force"] else "[red]missing or over[/]"
            table.add_row(row["name"], mark, row["until"] or "", row["sha256"] or "")
        out.print(table)
    sys.exit(0 if all(row["in_force"] for row in rows) else 1)
