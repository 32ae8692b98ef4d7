"""`exchange assign`: hand a contract on to another licensee, signed away from the server.

The draft is compared here with the contract that it takes the place of, before the key signs it.
"""

import base64
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from rich.console import Console

from contracts import canonical, ids
from contracts.deals import restating, rules
from contracts.deals.consent import SessionNotSound
from exchange import clock, signing_client
from exchange.sealed_cli import EXCHANGE, KeyFileUnreadable, read, write
from exchange.signing_cli import API_KEY, KEY_FILE, KEY_SHA256, unlocked
from exchange.signing_client import Desk

out = Console(highlight=False, markup=False, soft_wrap=True, emoji=False)
PREPARE = typer.Option(help="Write the terms to sign here, for a device that signs.")
SIGNATURE = typer.Option(help="Send what the device signed: DER, or r and s.", exists=True)
# What a contract that was handed on says otherwise than the one before.
OTHERWISE = frozenset({*restating.OWN, "parties", "parameters", "clauses", "assignment"})
WORDS = frozenset({"assignor_zh", "assignor_en", "assignor_key", "assigned_contract"})


def assign(  # noqa: PLR0913 - typer takes each option as an argument.
    deal: Annotated[UUID, typer.Argument(help="The deal to hand on.")],
    to: Annotated[UUID, typer.Option("--to", help="The party that becomes the licensee.")],
    key: Annotated[Path | None, KEY_FILE] = None,
    prepare: Annotated[Path | None, PREPARE] = None,
    signature: Annotated[Path | None, SIGNATURE] = None,
    key_sha256: Annotated[str | None, KEY_SHA256] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Draft a contract of yours with another licensee, check it, and sign it with your own key.

    The licensor's signature is its consent, and the new licensee signs last: `exchange sign`. With
    a device: --prepare, sign the file with ECDSA P-256 and SHA-256, and then --signature.
    """
    if sum(one is not None for one in (key, prepare, signature)) != 1:
        raise typer.BadParameter("give --key, or --prepare, or --signature")
    desk = Desk(exchange, api_key)
    private = unlocked(key) if key else None
    kept = _kept(signature, deal) if signature else {}
    spki = signing_client.spki_of(private) if private else kept.get("key_sha256", key_sha256)
    told = desk.ask("GET", f"/v1/parties/{desk.party()}/signing-keys")
    chosen = signing_client.chosen_key(told["items"], spki)
    number = kept.get("assignment") or str(ids.new(clock.now()))
    where = f"/v1/deals/{deal}/assignments/{number}"
    raw = _drafted(desk, deal, UUID(number), to=to, key=chosen, where=where)
    if signature:
        der = rules.signature_der(signature.read_bytes())
        _send(desk, where, raw, der, chosen)
        _place(signature, deal).unlink()
        return
    if not yes:
        typer.confirm("Sign this, and hand the contract on?", abort=True)
    if prepare:
        prepare.write_bytes(raw)
        write(_place(prepare, deal),
              {"assignment": number, "key_sha256": chosen["spki_sha256"]})  # fmt: skip
        out.print(f"wrote {prepare.resolve()}: sign it with ECDSA P-256 and SHA-256 within a day")
        out.print(f"then: exchange assign {deal} --to {to} --signature FILE, in the same folder")
    elif private:
        _send(desk, where, raw, private.sign(raw, ec.ECDSA(hashes.SHA256())), chosen)


def check(
    after: dict[str, Any], before: dict[str, Any], *, deal: UUID, to: UUID, key_sha256: str
) -> None:
    """Pass only a draft that is the contract before with this licensee and this key, no more.

    Raises:
        SessionNotSound: it says something else; `check` in its data names what.
    """
    licensees = [one["party"] for one in after["parties"] if one["role"] == "licensee"]
    rest = [[one for one in terms["parties"] if one["role"] != "licensee"]
            for terms in (after, before)]  # fmt: skip
    others = [[one for one in terms["clauses"] if one["ref"] != restating.HANDED_ON]
              for terms in (after, before)]  # fmt: skip
    numbers = [{name: value for name, value in terms["parameters"].items() if name not in WORDS}
               for terms in (after, before)]  # fmt: skip
    assigned = after.get("assignment", {})
    holds = {
        "deal": after["deal"] == str(deal),
        "licensee": licensees == [str(to)],
        "parties": rest[0] == rest[1],
        "clauses": others[0] == others[1],
        "parameters": numbers[0] == numbers[1],
        "assignor": assigned.get("key") == key_sha256,
        "supersedes": (after["supersedes"] or {}).get("terms_sha256")
        == canonical.sha256_hex(canonical.dumps(before)),
        "terms": {name: after[name] for name in after.keys() - OTHERWISE}
        == {name: before[name] for name in before.keys() - OTHERWISE},
    }
    for name, fine in holds.items():
        if not fine:
            raise SessionNotSound("The draft is not this contract handed on.", check=name)


def _drafted(
    desk: Desk, deal: UUID, number: UUID, *, to: UUID, key: dict[str, Any], where: str
) -> bytes:
    """Return the bytes to sign, once they were compared with the contract and shown."""
    made = desk.ask("PUT", where, {"assignee_id": str(to), "key_id": key["id"]})
    raw = base64.b64decode(made["terms_b64"])
    after = canonical.loads(raw)
    before = canonical.loads(desk.raw("GET", f"/v1/deals/{deal}/terms"))
    check(after, before, deal=number, to=to, key_sha256=key["spki_sha256"])
    for side in after["parties"]:
        out.print(f"{side['role']:12} {side['legal_name']['zh']} · {side['legal_name']['en']}")
    out.print(f"contract     {after['contract']}, in the place of {before['contract']}")
    out.print(f"terms        {canonical.sha256_hex(raw)}")
    out.print(f"key          {key['spki_sha256']}")
    out.print("checked here: but for the licensee, the terms are those of the contract before")
    return raw


def _send(desk: Desk, where: str, raw: bytes, der: bytes, key: dict[str, Any]) -> None:
    public = x509.load_pem_x509_certificate(key["certificate_pem"].encode()).public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if not rules.fits(der, raw, public_key_pem=pem):
        raise SessionNotSound("The signature is not of these bytes by this key.", check="signature")
    body = {"signature_b64": base64.b64encode(der).decode()}
    made = desk.ask("PUT", f"{where}/signature", body)
    out.print(f"signed: deal {made['id']} waits for the licensor, then for the new licensee")


def _kept(signature: Path, deal: UUID) -> dict[str, Any]:
    kept = read(_place(signature, deal))
    if set(kept) != {"assignment", "key_sha256"}:
        raise KeyFileUnreadable("This is not what `exchange assign --prepare` keeps.")
    return kept


def _place(beside: Path, deal: UUID) -> Path:
    return beside.parent / f"{deal}.assignment.json"
