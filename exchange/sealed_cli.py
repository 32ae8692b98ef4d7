"""`exchange sealed …`: make an opening key, hold a share of it, open with it; away from the server.

No command here sends a share before the close, and none sends the key: it is kept nowhere.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import httpx
import typer
from rich.console import Console

from contracts import canonical
from contracts.refusal import Kind, Refusal
from exchange.settings import Settings
from listings.sealed import audit, ceremony, envelope, opening
from listings.sealed.curve import Point
from listings.sealed.opening import Opening
from listings.sealed.sharing import HOLDERS

app = typer.Typer(help="Opening keys of sealed auctions.", no_args_is_help=True)
out = Console()
PRIVATE = 0o600
EXCHANGE = Annotated[
    str, typer.Option("--exchange", help="Address of the exchange; this machine's by default.")
]
KEY = Annotated[str, typer.Option("--key", envvar="EXCHANGE_KEY", help="Your API key.")]
MINE = Annotated[
    Path, typer.Option("--mine", help="Your P-256 private key (PEM).", exists=True, dir_okay=False)
]
SHARE_FILE = Annotated[Path, typer.Argument(help="Your share file.", exists=True, dir_okay=False)]


class KeyFileUnreadable(Refusal):
    """A file is not the key, the share or the sealed bid that it should be."""

    kind, code = Kind.INVALID, "key-file-unreadable"
    hint = "Keys are PEM files for P-256; everything else is as an `exchange` command wrote it."


class ExchangeSaidNo(Refusal):
    """The exchange refused, in its own words, or nobody answered."""

    kind, code = Kind.CONFLICT, "exchange-said-no"
    hint = "See what it says; --exchange and EXCHANGE_KEY say whom is asked, and as whom."


class TooEarlyToOpen(Refusal):
    """The auction has not closed, so nothing was sent."""

    kind, code = Kind.CONFLICT, "too-early-to-open"
    hint = "Run the command again after the close; the file is good until then."


@app.callback()
def sealed() -> None:
    """Opening keys of sealed auctions."""


@app.command()
def keygen(
    auction: Annotated[UUID, typer.Argument(help="The id that the auction will have.")],
    seller: Annotated[Path, typer.Option(help="The seller's public key or certificate (PEM).")],
    operator: Annotated[Path, typer.Option(help="The exchange's holder's, likewise.")],
    auditor: Annotated[Path, typer.Option(help="The auditor's, likewise.")],
    folder: Annotated[Path, typer.Option("--out", help="A folder to write to.")] = Path(),
    plain_bytes: Annotated[
        int, typer.Option(help="The one length of what is sealed; 65536 for packages.")
    ] = 1024,
    reveal_s: Annotated[
        int, typer.Option(help="How long bidders may open their bids themselves, in seconds.")
    ] = 86_400,
) -> None:
    """Make an opening key: its public part, and a share file for each of the three holders.

    Whoever runs this could keep the key. Where nobody is trusted with that, each holder runs it,
    and `exchange sealed combine` adds the three parts to a key that nobody ever had.
    """
    paths = dict(zip(HOLDERS, (seller, operator, auditor), strict=True))
    made, files = ceremony.generate(
        auction,
        holders={holder: public_key(path) for holder, path in paths.items()},
        plain_bytes=plain_bytes,
        reveal_s=reveal_s,
    )
    opening.read(made.wire(), auction=auction)
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "opening.json", made.wire())
    for holder, file in files.items():
        write(folder / f"{holder}.share.json", file)
    out.print(f"key {made.sha256().hex()}", highlight=False, soft_wrap=True)
    out.print(f"Give each holder its share file and opening.json, in {folder.resolve()}.")


@app.command()
def combine(
    parts: Annotated[list[Path], typer.Argument(help="The folders of the three parts.")],
    holder: Annotated[str, typer.Option(help=f"Whose shares: {', '.join(HOLDERS)}.")],
    mine: MINE,
    folder: Annotated[Path, typer.Option("--out", help="A folder to write to.")] = Path(),
) -> None:
    """Add the parts that the holders made, and your shares of them, each checked first."""
    private = private_key(mine)
    openings = [read_opening(part / "opening.json") for part in parts]
    whole = ceremony.combined(openings)
    shares = [
        ceremony.read_share(read(part / f"{holder}.share.json"), opening=made, private=private)
        for part, made in zip(parts, openings, strict=True)
    ]
    share = ceremony.combined_share(shares)
    ceremony.check_share(whole, holder, share)
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "opening.json", whole.wire())
    to = envelope.point_of(private)
    write(folder / f"{holder}.share.json", ceremony.share_file(whole, holder, share, to=to))
    out.print(f"key {whole.sha256().hex()}", highlight=False, soft_wrap=True)
    out.print("The other two must see the same hash.")


@app.command()
def register(
    file: Annotated[Path, typer.Argument(help="opening.json", exists=True, dir_okay=False)],
    exchange: EXCHANGE = "",
    key: KEY = "",
) -> None:
    """Register the public part for an auction to come; the seller does this."""
    made = read_opening(file)
    told = ask(exchange, key, "PUT", f"/v1/auctions/{made.auction}/opening-key", made.wire())
    out.print_json(data={"key_sha256": told["key_sha256"], "holders": told["holders"]})


@app.command()
def acknowledge(share_file: SHARE_FILE, mine: MINE, exchange: EXCHANGE = "", key: KEY = "") -> None:
    """Check your share against the registered key, and show that you have it without telling it."""
    file = read(share_file)
    where = f"/v1/auctions/{_auction(file)}/opening-key"
    told = ask(exchange, key, "GET", where)
    made = opening.parse(told["key"], auction=_auction(file))
    share = ceremony.read_share(file, opening=made, private=private_key(mine))
    signature = envelope.have_share(share, made).hex()
    place = f"{where}/acknowledgements/{file['holder']}"
    told = ask(exchange, key, "PUT", place, {"signature": signature})
    out.print_json(data={"key_sha256": told["key_sha256"], "holders": told["holders"]})


@app.command()
def release(share_file: SHARE_FILE, mine: MINE, exchange: EXCHANGE = "", key: KEY = "") -> None:
    """Hand your share in, once the auction has closed; the second of two opens every bid."""
    file = read(share_file)
    where = f"/v1/auctions/{_auction(file)}/opening"
    told = ask(exchange, key, "GET", where)
    check_closed(told["state"])
    made = opening.parse(told["key"], auction=_auction(file))
    share = ceremony.read_share(file, opening=made, private=private_key(mine))
    told = ask(
        exchange, key, "PUT", f"{where}/shares/{file['holder']}",
        {"share": share.to_bytes(envelope.SCALAR_BYTES).hex()},
    )  # fmt: skip
    opened = told["opened"] or {"openings": [], "failures": []}
    out.print_json(
        data={
            "state": told["state"],
            "handed_in": [one["holder"] for one in told["holders"] if one["handed_in_at"]],
            "opened": len(opened["openings"]),
            "failed": len(opened["failures"]),
        }
    )


@app.command("audit")
def audit_log(
    file: Annotated[
        Path, typer.Argument(help="An exported log (JSON lines).", exists=True, dir_okay=False)
    ],
) -> None:
    """Decrypt every bid of an exported log again; exit status 0 only if all is as the log says.

    `exchange auction verify` tells whether the log itself is whole.
    """
    report = audit.audit(file.read_bytes().splitlines())
    out.print_json(
        data={
            "checked": report.checked,
            "trusted": report.trusted,
            "faults": [
                {"bid": one.bid, "said": one.said, "found": one.found} for one in report.faults
            ],
        }
    )
    sys.exit(1 if report.faults else 0)


def check_closed(state: str) -> None:
    """Let only closed auctions pass.

    Raises:
        TooEarlyToOpen: it has not closed.
    """
    if state in ("sealed", "not-sealed"):
        raise TooEarlyToOpen("The auction has not closed; nothing was sent.")


def ask(
    exchange: str, key: str, method: str, path: str, content: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Ask the exchange; return its answer.

    Raises:
        ExchangeSaidNo: it refused, or nobody answered.
    """
    address = (exchange or Settings().public_url).rstrip("/")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx.Client(timeout=60, trust_env=False, headers=headers) as client:
            answer = client.request(method, address + path, json=content)
        told: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as away:
        raise ExchangeSaidNo(f"{address} does not answer as an exchange.") from away
    if not answer.is_success:
        raise ExchangeSaidNo(f"{told.get('detail')} {told.get('hint')} ({told.get('code')})")
    return told


def read(path: Path) -> dict[str, Any]:
    """Read a JSON file.

    Raises:
        KeyFileUnreadable: it is none.
    """
    try:
        found = canonical.loads(path.read_bytes())
    except (OSError, Refusal) as wrong:
        raise KeyFileUnreadable(f"{path} cannot be read.") from wrong
    if not isinstance(found, dict):
        raise KeyFileUnreadable(f"{path} is not one of these files.")
    return found


def read_opening(path: Path) -> Opening:
    """Read the public part of an opening key.

    Raises:
        KeyFileUnreadable: the file cannot be read.
        BadOpeningKey: it is none.
    """
    found = read(path)
    return opening.parse(found, auction=_auction(found))


def write(path: Path, value: Mapping[str, Any]) -> None:
    """Write a file that nobody else on this machine reads."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(handle)


def public_key(path: Path) -> Point:
    """Read a holder's public key or certificate.

    Raises:
        KeyFileUnreadable: it is none for P-256.
    """
    try:
        return envelope.read_public(path.read_bytes())
    except (OSError, ValueError) as wrong:
        raise KeyFileUnreadable(f"{path} holds no P-256 public key.") from wrong


def private_key(path: Path) -> int:
    """Read one's own private key.

    Raises:
        KeyFileUnreadable: it is none for P-256, or is locked with a password.
    """
    try:
        return envelope.read_private(path.read_bytes())
    except (OSError, ValueError) as wrong:
        raise KeyFileUnreadable(f"{path} holds no P-256 private key without a password.") from wrong


def _auction(file: Mapping[str, Any]) -> UUID:
    try:
        return UUID(file["auction"])
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise KeyFileUnreadable("The file names no auction.") from wrong
