"""`exchange delivery …`: hand over a master encrypted, open it, and have a complaint judged.

Encrypting, decrypting and judging happen on the party's own machine; the exchange gets a manifest,
and the content's key in an envelope that it opens when the settlement is booked.
"""

import base64
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import Progress

from contracts import canonical, ids
from contracts.refusal import Refusal
from exchange import clock, delivery_client
from exchange.delivery_client import Offered
from exchange.delivery_words import SAID, STATUS
from exchange.sealed_cli import EXCHANGE, PRIVATE, KeyFileUnreadable, read, write
from exchange.signing_cli import FileInTheWay
from exchange.signing_client import Desk
from listings.deliveries import complaints, envelopes, judging, manifests, packing, unpacking
from listings.deliveries.judging import Verdict
from listings.deliveries.manifests import BadManifest, Manifest

app = typer.Typer(help="Deliveries: content against payment.", no_args_is_help=True)
out = Console(highlight=False, markup=False, soft_wrap=True, emoji=False)
err = Console(stderr=True)
API_KEY = Annotated[
    str, typer.Option("--api-key", envvar="EXCHANGE_KEY", help="Your API key; scope `deal`.")
]
KEY_FILE = Annotated[
    Path,
    typer.Option("--key", help="Your delivery key (X25519, PEM).", exists=True, dir_okay=False),
]
DEAL = Annotated[UUID, typer.Argument(help="The deal's id.")]
DELIVERY = Annotated[
    UUID | None, typer.Option("--delivery", help="Which delivery; the latest by default.")
]
PACKAGE = Annotated[
    Path, typer.Argument(help="What `seal` wrote: NAME.delivery.json.", exists=True, dir_okay=False)
]
SEALED = Annotated[
    Path, typer.Argument(help="The ciphertext; its .leaves lie beside it.", exists=True)
]
COMPLAINT = Annotated[
    Path, typer.Argument(help="The complaint that `open` wrote.", exists=True, dir_okay=False)
]


@app.callback()
def delivery() -> None:
    """Deliveries: content against payment (母带交付)."""


@app.command("new-key")
def new_key(
    file: Annotated[Path, typer.Option("--out", help="Where to write.")] = Path("delivery-key.pem"),
    password: Annotated[
        bool, typer.Option("--password/--no-password", help="Lock the file with a password.")
    ] = True,
) -> None:
    """Make the key that deliveries are opened with; it stays with you. Not your signing key."""
    said = None
    if password:
        said = typer.prompt("Password", hide_input=True, confirmation_prompt=True).encode()
    private = envelopes.generate()
    _create(file, envelopes.written(private, said))
    out.print(f"key {envelopes.name_of(envelopes.public_of(private))}")
    out.print(f"{file.resolve()} stays with you: whoever loses it cannot open what was delivered.")


@app.command()
def register(key: KEY_FILE, exchange: EXCHANGE = "", api_key: API_KEY = "") -> None:
    """Register the public half of your key; what you have paid for is released to it."""
    desk, private = Desk(exchange, api_key), envelopes.read(key.read_bytes(), _password(key))
    public = base64.b64encode(envelopes.public_of(private)).decode()
    where = f"/v1/parties/{desk.party()}/delivery-keys/{ids.new(clock.now())}"
    told = desk.ask("PUT", where, {"public_b64": public})
    out.print(f"key {told['sha256']} is registered as {told['id']}")


@app.command()
def seal(
    file: Annotated[Path, typer.Argument(help="The master.", exists=True, dir_okay=False)],
    key: KEY_FILE,
    deal: Annotated[UUID | None, typer.Option(help="For the master of this deal.")] = None,
    listing: Annotated[UUID | None, typer.Option(help="For the master of this listing.")] = None,
    folder: Annotated[Path, typer.Option("--out", help="A folder to write to.")] = Path(),
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Encrypt the listed master here, under a new key, once for all who license it.

    Writes NAME.sealed and NAME.sealed.leaves, which go where the licensee can fetch them, and
    NAME.delivery.json, which stays: `exchange delivery offer` sends what is to be sent of it.
    """
    if (deal is None) == (listing is None):
        raise typer.BadParameter("give --deal or --listing")
    desk = Desk(exchange, api_key)
    own = envelopes.public_of(envelopes.read(key.read_bytes(), _password(key)))
    folder.mkdir(parents=True, exist_ok=True)
    target, kept = folder / f"{file.name}.sealed", folder / f"{file.name}.delivery.json"
    _need_free(target, kept)
    with _progress("sealing", file.stat().st_size) as report:
        package = packing.seal(
            file, target, listed=delivery_client.listed_of(desk, deal=deal, listing=listing),
            escrow=delivery_client.escrow_of(desk), own=own, report=report,
        )  # fmt: skip
    write(kept, package.wire())
    out.print(f"manifest {package.manifest.digest()}")
    out.print(f"wrote {target.resolve()}, {packing.leaves_of(target).name} and {kept.name}")


@app.command()
def offer(
    package: PACKAGE,
    deal: Annotated[UUID, typer.Option(help="Under which deal.")],
    place: Annotated[str, typer.Option(help="Where the licensee fetches NAME.sealed: a URL.")],
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Offer a sealed master under a deal: the manifest, and the key in escrow."""
    made, desk = _package(package), Desk(exchange, api_key)
    said = {
        "manifest": made.manifest.wire(), "place": place,
        "escrow_b64": base64.b64encode(made.escrow).decode(),
    }  # fmt: skip
    told = desk.ask("PUT", f"/v1/deals/{deal}/deliveries/{ids.new(clock.now())}", said)
    out.print(f"delivery {told['id']} ({told['number']}): manifest {told['manifest_sha256']}")


@app.command()
def fetch(
    deal: DEAL,
    folder: Annotated[Path, typer.Option("--out", help="A folder to write to.")] = Path(),
    delivery: DELIVERY = None,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Fetch the ciphertext and check it, before you pay; run it again to go on."""
    found = delivery_client.offered(Desk(exchange, api_key), deal, delivery)
    with _progress("fetching", found.manifest.sealed_bytes) as report:
        target = delivery_client.fetch(found, folder, report)
    _keep_manifest(target, found)
    _check(target, found.manifest)


@app.command()
def check(sealed: SEALED) -> None:
    """Check a fetched ciphertext against its manifest, offline."""
    _check(sealed, _manifest(sealed))


@app.command("open")
def open_delivery(  # noqa: PLR0913 - typer takes each option as an argument.
    sealed: SEALED,
    deal: Annotated[UUID, typer.Option(help="Under which deal.")],
    key: KEY_FILE,
    target: Annotated[Path, typer.Option("--out", help="Where the master goes.")],
    envelope: Annotated[
        Path | None,
        typer.Option(help="The licensor's own envelope; the exchange is not asked.", exists=True),
    ] = None,
    delivery: DELIVERY = None,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Open what was delivered: the listed master, checked to the last byte, or a complaint.

    Exit status 0, or 3 where it is not what was promised: then TARGET.complaint.json is written,
    which holds the content's key; show it to nobody but a judge.
    """
    _need_free(target)
    manifest, pem, password = _manifest(sealed), key.read_bytes(), _password(key)
    if envelope is None:
        desk = Desk(exchange, api_key)
        found = delivery_client.offered(desk, deal, delivery)
        if found.manifest != manifest:
            raise BadManifest("The delivery has another manifest than this copy.")
        content_key = delivery_client.released(desk, deal, found, pem, password)
    else:
        content_key = _content_key(read(envelope), manifest, pem, password)
    with _progress("opening", manifest.plain_bytes) as report:
        filed = unpacking.open_copy(
            sealed, target, manifest=manifest, key=content_key, report=report
        )
    if filed is None:
        out.print(f"wrote {target.resolve()}: SHA-256 {manifest.sha256}, as listed")
        return
    place = target.with_name(f"{target.name}.complaint.json")
    write(place, filed.kept())
    out.print(f"NOT as promised, in segment {filed.complaint.index}; wrote {place.resolve()}")
    out.print(f"File it: exchange delivery dispute {place.name} --deal {deal}")
    sys.exit(STATUS[Verdict.UPHELD])


@app.command()
def judge(
    complaint: COMPLAINT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    lang: Annotated[str, typer.Option("--lang", help="en or zh.")] = "en",
) -> None:
    """Judge a complaint, offline: exit status 3 upheld, 0 rejected, 4 nothing follows."""
    filed = complaints.read(complaint.read_bytes())
    if filed.key is None:
        raise KeyFileUnreadable("This copy of the complaint holds no key of the content.")
    found = judging.judge(filed.manifest, filed.key, filed.complaint)
    if as_json:
        told = {"verdict": found.verdict, "reason": found.reason, "segment": filed.complaint.index,
                "manifest_sha256": filed.manifest.digest(),
                "complaint_sha256": filed.digest()}  # fmt: skip
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        words = SAID["zh" if lang == "zh" else "en"]
        out.print(words[found.verdict])
        out.print(f"segment {filed.complaint.index}: {words[found.reason]}")
        out.print(f"manifest {filed.manifest.digest()}")
    sys.exit(STATUS[found.verdict])


@app.command()
def dispute(
    complaint: COMPLAINT,
    deal: Annotated[UUID, typer.Option(help="Under which deal.")],
    delivery: DELIVERY = None,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """File a complaint; the content's key in the file is not sent."""
    desk, filed = Desk(exchange, api_key), complaints.read(complaint.read_bytes())
    found = delivery_client.offered(desk, deal, delivery)
    where = f"/v1/deals/{deal}/deliveries/{found.id}/complaints"
    told = desk.ask("POST", where, filed.wire())
    out.print(f"{told['verdict']}: {SAID['en'][told['reason']]}")
    out.print(f"the delivery is now {told['delivery']['state']}")


@app.command()
def accept(
    deal: DEAL, delivery: DELIVERY = None, exchange: EXCHANGE = "", api_key: API_KEY = ""
) -> None:
    """Accept a delivery that you have opened."""
    desk = Desk(exchange, api_key)
    found = delivery_client.offered(desk, deal, delivery)
    told = desk.ask("POST", f"/v1/deals/{deal}/deliveries/{found.id}/acceptance")
    out.print(f"delivery {told['id']} is {told['state']}")


@app.command()
def release(
    package: PACKAGE,
    deal: Annotated[UUID, typer.Option(help="Under which deal.")],
    key: KEY_FILE,
    file: Annotated[
        Path | None, typer.Option("--out", help="Write the envelope here and send nothing.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="The licensee's public key (base64), if it told you itself.")
    ] = None,
    exchange: EXCHANGE = "",
    api_key: API_KEY = "",
) -> None:
    """Release the content's key yourself, as its licensor: where the exchange does not.

    With --out the envelope goes into a file, which the licensee opens with `open --envelope`.
    """
    made, desk = _package(package), Desk(exchange, api_key)
    found = desk.ask("GET", f"/v1/deals/{deal}/deliveries")
    private = envelopes.read(key.read_bytes(), _password(key))
    content_key = envelopes.unseal(made.own, private, info=envelopes.for_licensor(made.manifest))
    recipient = found["recipient"]
    if recipient is None and to is None:
        raise delivery_client.NothingOffered("The licensee has registered no delivery key.")
    public = base64.b64decode(to or recipient["public_b64"], validate=True)
    digest = made.manifest.digest()
    info = envelopes.for_release(found["contract_no"], digest)
    sealed = base64.b64encode(envelopes.seal(content_key, public, info=info)).decode()
    if file is not None:
        write(file, {"contract_no": found["contract_no"], "sealed_b64": sealed})
        out.print(f"wrote {file.resolve()}: only the licensee's key opens it")
        return
    offered = next((one for one in found["items"] if one["manifest_sha256"] == digest), None)
    if offered is None:
        raise delivery_client.NothingOffered("This package was not offered under this deal.")
    where = f"/v1/deals/{deal}/deliveries/{offered['id']}/releases/{recipient['id']}"
    told = desk.ask("PUT", where, {"sealed_b64": sealed})
    out.print(f"delivery {told['id']} is {told['state']}")


@app.command()
def status(deal: DEAL, exchange: EXCHANGE = "", api_key: API_KEY = "") -> None:
    """Show the deliveries under a deal, and what the release of a key waits for."""
    told = Desk(exchange, api_key).ask("GET", f"/v1/deals/{deal}/deliveries")
    out.print(f"contract {told['contract_no']}: {'paid' if told['paid'] else 'not paid yet'}")
    if told["recipient"] is None:
        out.print("the licensee has registered no delivery key")
    for one in told["items"]:
        out.print(f"{one['number']}  {one['state']:<9} {one['id']}  {one['place']}")


@contextmanager
def _progress(said: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far it is; the bar goes when it is done."""
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task(said, total=total)
        yield lambda done: progress.update(task, completed=done)


def _check(target: Path, manifest: Manifest) -> None:
    with _progress("checking", manifest.segments) as report:
        unpacking.check_copy(target, manifest, report)
    out.print(f"{target.resolve()} is what was promised: manifest {manifest.digest()}")


def _content_key(
    told: dict[str, str], manifest: Manifest, pem: bytes, password: bytes | None
) -> bytes:
    """Return the content's key out of an envelope that the licensor gave."""
    try:
        contract_no, sealed = told["contract_no"], base64.b64decode(told["sealed_b64"])
    except (KeyError, TypeError, ValueError) as strange:
        raise KeyFileUnreadable("This is no envelope.") from strange
    info = envelopes.for_release(contract_no, manifest.digest())
    return envelopes.unseal(sealed, envelopes.read(pem, password), info=info)


def _package(path: Path) -> packing.Package:
    return packing.read(read(path))


def _keep_manifest(target: Path, found: Offered) -> None:
    place = target.with_name(f"{target.name}.manifest.json")
    place.write_bytes(found.manifest.written())


def _manifest(sealed: Path) -> Manifest:
    place = sealed.with_name(f"{sealed.name}.manifest.json")
    try:
        return manifests.read(canonical.loads(place.read_bytes()))
    except (OSError, Refusal) as wrong:
        raise BadManifest(f"{place.name} is missing, or no manifest.") from wrong


def _password(path: Path) -> bytes | None:
    if envelopes.is_locked(path.read_bytes()):
        said: str = typer.prompt(f"Password of {path.name}", hide_input=True)
        return said.encode()
    return None


def _need_free(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            raise FileInTheWay(f"{path} exists.")


def _create(path: Path, content: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    except FileExistsError as there:
        raise FileInTheWay(f"{path} exists.") from there
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
