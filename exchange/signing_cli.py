"""`exchange sign` and `exchange keys …`: a party's own keys and signatures, away from the server.

Whatever holds the key can sign: a file, or a device that is handed the bytes (`--prepare`) and
gives back a signature (`--signature`).
"""

import os
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from rich.console import Console

from contracts import canonical, ids
from contracts.deals import rules
from contracts.deals.consent import SessionNotSound
from contracts.refusal import Kind, Refusal
from exchange import clock, signing_client
from exchange.sealed_cli import EXCHANGE, PRIVATE, KeyFileUnreadable, read, write
from exchange.signing_client import Begun, Contract, Desk

app = typer.Typer(help="Your signing keys.", no_args_is_help=True)
out = Console(highlight=False, markup=False, soft_wrap=True, emoji=False)
API_KEY = Annotated[
    str, typer.Option("--api-key", envvar="EXCHANGE_KEY", help="Your API key; scope `deal`.")
]
PREPARE = typer.Option(help="Write the bytes to sign here, for a device that signs.")
SIGNATURE = typer.Option(help="Send what the device signed: DER, or r and s.", exists=True)
KEY_SHA256 = typer.Option(help="Which registered key the device has; not needed for one.")
ROOT = typer.Option(help="Trust this root certificate (PEM), not the one told.", exists=True)
SAVE = typer.Option(help="A folder for terms.json and contract.pdf, to be read.")
DEPOSIT = typer.Option("--deposit", help="Sign the deposit agreement of an auction.")
AS_TYPESET = typer.Option("--as-typeset", help="Do not typeset the terms again to compare.")
CERTIFICATE = typer.Option(
    help="A certificate of an authority that the exchange trusts (PEM, with its chain).",
    exists=True,
)
PREVIOUS = typer.Option(help="A key in force, which vouches for this one.", exists=True)
KEY_FILE = typer.Option("--key", help="Your P-256 key: PEM or PKCS#12.", exists=True)


class FileInTheWay(Refusal):
    """A file of that name is there, and nothing is written over a key."""

    kind, code = Kind.CONFLICT, "file-in-the-way"
    hint = "Choose another name, or move the file away first."


@app.callback()
def keys() -> None:
    """Your signing keys: the exchange gets the public half alone."""


@app.command("new")
def new_key(
    folder: Annotated[Path, typer.Option("--out", help="A folder to write to.")] = Path(),
    name: Annotated[str, typer.Option(help="What to call the key, in its request.")] = "signing",
    password: Annotated[
        bool, typer.Option("--password/--no-password", help="Lock the file with a password.")
    ] = True,
) -> None:
    """Make a P-256 key, key.pem, and the request that registers it, request.pem."""
    lock: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        said = typer.prompt("Password for key.pem", hide_input=True, confirmation_prompt=True)
        lock = serialization.BestAvailableEncryption(said.encode())
    key = ec.generate_private_key(ec.SECP256R1())
    folder.mkdir(parents=True, exist_ok=True)
    encoded = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    _create(folder / "key.pem", encoded)
    _create(folder / "request.pem", _request(key, name))
    out.print(f"key {signing_client.spki_of(key)}")
    out.print(f"{(folder / 'key.pem').resolve()} stays with you; request.pem is for the exchange.")


@app.command()
def csr(
    key: Annotated[Path, KEY_FILE],
    file: Annotated[Path, typer.Option("--out", help="Where to write.")] = Path("request.pem"),
    name: Annotated[str, typer.Option(help="What to call the key.")] = "signing",
) -> None:
    """Write the request (PKCS#10) that registers a key you have."""
    _create(file, _request(unlocked(key), name))
    out.print(f"wrote {file.resolve()}")


@app.command()
def register(
    request: Annotated[
        Path, typer.Option("--request", help="The request, PEM.", exists=True, dir_okay=False)
    ],
    file: Annotated[Path, typer.Option("--out", help="Where the certificate goes.")] = Path(
        "certificate.pem"
    ),
    certificate: Annotated[Path | None, CERTIFICATE] = None,
    previous: Annotated[Path | None, PREVIOUS] = None,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Register a key by its request, and keep the certificate that the exchange gives for it.

    The first key needs nothing else; for every other one, a key in force signs (--previous).
    """
    desk = Desk(exchange, api_key)
    body: dict[str, Any] = {"csr_pem": request.read_text("utf-8")}
    if certificate:
        body["certificate_pem"] = certificate.read_text("utf-8")
    if previous:
        body["endorsement"] = signing_client.endorsed(
            desk, request.read_bytes(), by=unlocked(previous)
        )
    where = f"/v1/parties/{desk.party()}/signing-keys/{ids.new(clock.now())}"
    told = desk.ask("PUT", where, body)
    file.write_text(told["certificate_pem"], "utf-8")
    out.print(f"key {told['spki_sha256']} is registered as {told['id']}")
    out.print(f"wrote {file.resolve()}")


@app.command("list")
def list_keys(exchange: EXCHANGE = "", api_key: API_KEY = "") -> None:
    """List your organisation's keys."""
    desk = Desk(exchange, api_key)
    for key in desk.ask("GET", f"/v1/parties/{desk.party()}/signing-keys")["items"]:
        out.print(f"{key['spki_sha256']}  {key['state']}  signs {key['signs']}  {key['id']}")


def sign(  # noqa: PLR0913 - typer takes each option as an argument.
    deal: Annotated[UUID, typer.Argument(help="The deal's id; with --deposit, the auction's.")],
    key: Annotated[Path | None, KEY_FILE] = None,
    prepare: Annotated[Path | None, PREPARE] = None,
    signature: Annotated[Path | None, SIGNATURE] = None,
    key_sha256: Annotated[str | None, KEY_SHA256] = None,
    root: Annotated[Path | None, ROOT] = None,
    save: Annotated[Path | None, SAVE] = None,
    as_typeset: Annotated[bool, AS_TYPESET] = False,
    deposit: Annotated[bool, DEPOSIT] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Check a contract on this machine, show what it says, and sign it with your own key.

    With a key in a file: --key. With any other device: --prepare, sign the file with ECDSA
    P-256 and SHA-256, and then --signature.
    """
    if sum(one is not None for one in (key, prepare, signature)) != 1:
        raise typer.BadParameter("give --key, or --prepare, or --signature")
    desk = Desk(exchange, api_key)
    private = unlocked(key) if key else None
    kept = _kept(signature, deal) if signature else {}
    fetch = signing_client.fetch_deposit if deposit else signing_client.fetch
    found = fetch(
        desk, deal,
        spki=signing_client.spki_of(private) if private else kept.get("key_sha256", key_sha256),
        root=root.read_bytes() if root else None,
        as_typeset=as_typeset,
    )  # fmt: skip
    if save:
        _save(found, save)
    if signature:
        _send_signed(desk, found, kept, signature)
        _place(signature, deal).unlink()
        return
    _show(found, desk, is_typeset=not as_typeset)
    if not yes:
        typer.confirm("Sign this contract?", abort=True)
    begun = signing_client.begin(desk, found, ids.new(clock.now()))
    if prepare:
        _keep(begun, found, prepare, named=deal)
        more = " --deposit" if deposit else ""
        out.print(f"then: exchange sign {deal}{more} --signature FILE, in the same folder")
    elif private:
        der = private.sign(begun.prepared.tbs, ec.ECDSA(hashes.SHA256()))
        _done(signing_client.send(desk, found, begun, der))


def _show(found: Contract, desk: Desk, *, is_typeset: bool) -> None:
    terms = canonical.loads(found.terms)
    for side in terms["parties"]:
        name = side["legal_name"]
        mine = "  (you)" if side["party"] == found.deal["next_signer"] else ""
        out.print(f"{side['role']:12} {name['zh']} · {name['en']}{mine}")
    price = terms["consideration"]
    out.print(f"contract     {terms.get('contract') or terms['agreement']}")
    if "work" in terms:
        out.print(f"work         {terms['work']['title']['zh']} · {terms['work']['title']['en']}")
    for work, line in zip(terms.get("works", ()), price.get("lines", ()), strict=True):
        title = work["title"]
        out.print(f"work         {title['zh']} · {title['en']}  {line['amount']}")
    out.print(f"amount       {price['currency']} {price['amount']}  {price['in_words']}")
    for worded in terms.get("wording", ()):
        out.print(f"right        {worded['zh']['sentence']}")
        out.print(f"             {worded['en']['sentence']}")
    out.print(f"terms        {found.deal['terms_sha256']}")
    out.print(f"contract.pdf {found.deal['pdf_sha256']}")
    out.print(f"key          {found.key['spki_sha256']}")
    typeset = "; typeset here again from the terms, byte for byte the same" if is_typeset else ""
    out.print(f"checked here: terms, earlier signatures, attachment{typeset} ({desk.address})")


def _keep(begun: Begun, found: Contract, file: Path, *, named: UUID) -> None:
    """Write the bytes to sign, and beside them what `--signature` needs to send them."""
    file.write_bytes(begun.prepared.tbs)
    session = begun.path.rpartition("/")[2]
    kept = {"session": session, "key_sha256": found.key["spki_sha256"]}
    write(_place(file, named), kept)
    out.print(f"wrote {file.resolve()}: sign it with ECDSA P-256 and SHA-256 within ten minutes")


def _kept(signature: Path, deal: UUID) -> dict[str, Any]:
    kept = read(_place(signature, deal))
    if set(kept) != {"session", "key_sha256"}:
        raise KeyFileUnreadable("This is not what `exchange sign --prepare` keeps.")
    return kept


def _place(beside: Path, deal: UUID) -> Path:
    return beside.parent / f"{deal}.session.json"


def _send_signed(desk: Desk, found: Contract, kept: dict[str, Any], signature: Path) -> None:
    """Send what a device signed, if it is a signature of these very bytes."""
    begun = signing_client.begin(desk, found, UUID(kept["session"]))
    der = rules.signature_der(signature.read_bytes())
    public = x509.load_der_x509_certificate(found.certificate).public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if not rules.fits(der, begun.prepared.tbs, public_key_pem=pem):
        raise SessionNotSound("The signature is not of these bytes by this key.", check="signature")
    _done(signing_client.send(desk, found, begun, der))


def _done(deal: dict[str, Any]) -> None:
    out.print(f"signed: the contract is now {deal['signing']}, SHA-256 {deal['pdf_sha256']}")


def _save(found: Contract, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "terms.json").write_bytes(found.terms)
    (folder / "contract.pdf").write_bytes(found.latest)
    out.print(f"to read: {(folder / 'contract.pdf').resolve()}")


def unlocked(path: Path) -> ec.EllipticCurvePrivateKey:
    """Return the private key of a file, after asking for its password where it has one."""
    said = None
    if signing_client.is_locked(path):
        said = typer.prompt(f"Password of {path.name}", hide_input=True).encode()
    return signing_client.load_key(path, said)


def _request(key: ec.EllipticCurvePrivateKey, name: str) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _create(path: Path, content: bytes) -> None:
    """Write a new file that nobody else on this machine reads."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    except FileExistsError as there:
        raise FileInTheWay(f"{path} exists.") from there
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
