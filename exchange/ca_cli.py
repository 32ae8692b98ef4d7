"""Commands about the exchange's certificate authority: make its keys, issue, revoke, sign lists.

With `--offline` they need the keys folder alone, wherever it lies; otherwise what they do goes
through the register of keys and into the log.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from rich.console import Console
from rich.table import Table

from contracts import ids
from contracts.parties import csr as csr_file
from contracts.parties import queries, revocations, rules, service, vouching
from contracts.parties.gateway import LocalAuthority
from contracts.refusal import Unknown
from exchange import clock
from exchange.authority import open_authority
from exchange.context import open_context
from exchange.settings import Settings
from exchange.terminal import Json

app = typer.Typer(help="The exchange's certificate authority.", no_args_is_help=True)
out = Console(soft_wrap=True)
Offline = Annotated[
    bool, typer.Option("--offline", help="Without the database: the keys folder alone.")
]
FILE_IN = typer.Option(exists=True, dir_okay=False)


@dataclass
class Named:
    """Whom a certificate issued off line names."""

    name_zh: str
    name_en: str
    uscc: str


@app.command()
def init(as_json: Json = False) -> None:
    """Make what is missing of root, issuing key, certification key and time key; the rest stays.

    Afterwards root.key may be taken away; once a year `exchange ca crl --root` needs it.
    """
    settings, now = Settings(), clock.now()
    made = LocalAuthority.ensure(settings.keys, now, settings.authority_setup)
    _tell(made, now=now, as_json=as_json)


@app.command()
def status(as_json: Json = False) -> None:
    """Show the authority's certificates and lists; exit status 0 only if all are in force."""
    _tell(_opened(), now=clock.now(), as_json=as_json)


@app.command()
def issue(  # noqa: PLR0913 - typer takes each option as an argument.
    csr: Annotated[Path, FILE_IN],
    file: Annotated[Path, typer.Option("--out", help="Where it goes.")] = Path("certificate.pem"),
    party: Annotated[UUID | None, typer.Option(help="Register the key for this party.")] = None,
    reason: Annotated[str, typer.Option(help="Why no earlier key vouches for it.")] = "",
    offline: Offline = False,
    name_zh: Annotated[str, typer.Option(help="With --offline: the registered name.")] = "",
    name_en: Annotated[str, typer.Option(help="With --offline: in English.")] = "",
    uscc: Annotated[str, typer.Option(help="With --offline: 统一社会信用代码.")] = "",
) -> None:
    """Certify the key of a request (PKCS#10).

    With --party the key is registered and logged. With --offline a certificate is all there is: it
    signs nothing until the party registers it (`exchange keys register --certificate`).
    """
    if offline == (party is not None):
        raise typer.BadParameter("give --party, or --offline with the names")
    asked, now = csr.read_bytes(), clock.now()
    if party is None:
        wanted = rules.organisation(
            kind=rules.TRADERS[0], name_zh=name_zh, name_en=name_en, uscc=uscc
        )
        named = Named(wanted.name_zh, wanted.name_en, wanted.uscc)
        file.write_bytes(_opened().issue(asked, party=named, now=now))
        out.print(f"wrote {file.resolve()}; it is not registered")
        return
    made = asyncio.run(_registered(Settings(), party, asked, reason=reason, now=now))
    file.write_bytes(made)
    out.print(f"wrote {file.resolve()}; the key is registered, and the log says so")


@app.command()
def revoke(
    certificate: Annotated[Path, FILE_IN],
    offline: Offline = False,
) -> None:
    """Revoke a certificate of this authority: the next list names it.

    If it is of a registered key, the key is revoked and the log says so (not with --offline).
    """
    pem, now = certificate.read_bytes(), clock.now()
    serial = _opened().revoke(pem, now=now)
    out.print(f"revoked {serial}: it is on every list of this folder from now on")
    if not offline:
        key = asyncio.run(_revoked(Settings(), pem, now=now))
        out.print(f"revoked the key {key}" if key else "no registered key has this certificate")


@app.command()
def crl(
    root: Annotated[bool, typer.Option("--root", help="The root's list; needs its key.")] = False,
    file: Annotated[Path | None, typer.Option("--out", help="Where a copy goes (DER).")] = None,
    offline: Offline = False,
) -> None:
    """Sign a list of revoked certificates: of who issues, or of the root for 400 days.

    With the database the list is published and logged; with --offline it names what was revoked
    by hand in this folder, and is not published.
    """
    now = clock.now()
    if root:
        der = _opened().sign_root_list(now=now)
    elif offline:
        der = _opened().crl([], now=now)
    else:
        der = asyncio.run(_published(Settings(), now=now))
    if file is not None:
        file.write_bytes(der)
    read = x509.load_der_x509_crl(der)
    out.print(f"{len(read)} revoked; the next list is due before {read.next_update_utc}")


def described(authority: LocalAuthority, *, now: datetime) -> list[dict[str, Any]]:
    """Return what each certificate and list of the authority is, as plain JSON values."""
    time = authority.certifier.time
    held = {
        "root": authority.own_root_pem,
        "issuing": authority.issuing_pem,
        "exchange": authority.certifier.certificate_pem,
        "tsa": None if time is None else time.certificate_pem,
    }
    if authority.issuing_pem == authority.own_root_pem:
        del held["issuing"]
    told = [_described(name, pem, now=now) for name, pem in held.items()]
    return [*told, *_root_list(authority, now=now)]


def _root_list(authority: LocalAuthority, *, now: datetime) -> list[dict[str, Any]]:
    der = authority.root_list()
    if der is None:
        return []
    read = x509.load_der_x509_crl(der)
    until = read.next_update_utc
    return [
        {
            "name": "root.crl",
            "in_force": until is not None and read.last_update_utc <= now < until,
            "sha256": read.fingerprint(hashes.SHA256()).hex(),
            "until": until and until.isoformat(),
        }
    ]


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
    trusted = [one.subject.rfc4514_string() for one in authority.trusted.authorities()]
    if as_json:
        said = {
            "certificates": rows, "root_key_here": authority.has_root_key, "trusted": trusted,
        }  # fmt: skip
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    else:
        table = Table("certificate or list", "", "until", "SHA-256")
        for row in rows:
            mark = "[green]in force[/]" if row["in_force"] else "[red]missing or over[/]"
            table.add_row(row["name"], mark, row["until"] or "", row["sha256"] or "")
        out.print(table)
        where = "lies in the folder; it may be taken away" if authority.has_root_key else "is away"
        out.print(f"The root's key {where}.")
        for name in trusted:
            out.print(f"trusted too: {name}", markup=False)
    sys.exit(0 if all(row["in_force"] for row in rows) else 1)


def _opened() -> LocalAuthority:
    settings = Settings()
    return LocalAuthority.open(settings.keys, settings.authority_setup)


async def _registered(
    settings: Settings, party: UUID, csr_pem: bytes, *, reason: str, now: datetime
) -> bytes:
    authority = open_authority(settings, now=now)
    async with open_context(settings).db.transaction() as session:
        if reason:
            await vouching.allow_reset(
                session, party, ids.new(now), by=rules.EXCHANGE_PARTY_ID, reason=reason, now=now
            )
        key = await service.register_key(
            session, party, ids.new(now), csr_pem=csr_pem, issuer=authority, now=now
        )
    return key.certificate_pem.encode()


async def _revoked(settings: Settings, pem: bytes, *, now: datetime) -> UUID | None:
    async with open_context(settings).db.transaction() as session:
        key = await queries.find_spki(session, csr_file.spki_sha256_of(pem))
        if key is None:
            return None
        await service.revoke_key(session, key.party_id, key.id, now=now)
        return key.id


async def _published(settings: Settings, *, now: datetime) -> bytes:
    authority = open_authority(settings, now=now)
    async with open_context(settings).db.transaction() as session:
        await revocations.renew(session, lister=authority, now=now)
        row = await revocations.latest(session)
    if row is None:
        raise Unknown("No list is published.")
    return row.der
