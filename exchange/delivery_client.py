"""A party's side of deliveries over the HTTP API: what is listed, what was offered, what was paid.

The ciphertext is fetched from where the licensor says that it lies. Nothing that is fetched is
trusted: `listings/deliveries/unpacking.py` checks it.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import httpx

from contracts import canonical
from contracts.refusal import Kind, Refusal
from exchange.signing_client import Desk
from listings.deliveries import envelopes, manifests, packing
from listings.deliveries.envelopes import EnvelopeBroken
from listings.deliveries.manifests import Manifest
from listings.deliveries.packing import Listed

BLOCK = 1024**2
Report = Callable[[int], None]


class NothingOffered(Refusal):
    """Under this deal nothing was offered, or not this."""

    kind, code = Kind.CONFLICT, "no-delivery-offered"
    hint = "The licensor offers a delivery with `exchange delivery offer`; ask it."


class PlaceSilent(Refusal):
    """The licensor's file cannot be fetched from where it is said to lie."""

    kind, code = Kind.UNAVAILABLE, "place-silent"
    hint = "Run the command again: it goes on where it stopped. Otherwise ask the licensor."


class MasterOfAnother(Refusal):
    """What was offered is not the master in the contract's terms."""

    kind, code = Kind.CONFLICT, "master-of-another"
    hint = "Do not pay; keep the manifest and ask the exchange."


@dataclass(frozen=True, slots=True)
class Offered:
    """A delivery as the exchange tells of it."""

    id: UUID
    contract_no: str
    manifest: Manifest
    place: str
    told: dict[str, Any]


def listed_of(desk: Desk, *, deal: UUID | None, listing: UUID | None) -> Listed:
    """Return what the exchange has listed of the master of a deal or a listing of one's own."""
    if deal is not None:
        terms = canonical.loads(desk.raw("GET", f"/v1/deals/{deal}/terms"))
        master = terms.get("asset", {}).get("master")
    else:
        master = desk.ask("GET", f"/v1/listings/{listing}")["master"]["id"]
    if master is None:
        raise NothingOffered("The contract names several masters; name the --listing of one.")
    told = desk.ask("GET", f"/v1/masters/{master}")
    if told["chunk_root"] is None:
        raise NothingOffered("The chunks of this master were never hashed; upload it again.")
    return Listed(told["sha256"], told["chunk_root"], told["bytes"])


def escrow_of(desk: Desk) -> bytes:
    """Return the exchange's public escrow key."""
    return base64.b64decode(desk.ask("GET", "/v1/deliveries/escrow-key")["public_b64"])


def offered(desk: Desk, deal: UUID, delivery: UUID | None) -> Offered:
    """Return a delivery under a deal: the one named, or the latest, if it is of its master.

    Raises:
        NothingOffered: there is none.
        MasterOfAnother: the contract is about another file.
    """
    found = desk.ask("GET", f"/v1/deals/{deal}/deliveries")
    for told in found["items"]:
        if delivery in (None, UUID(told["id"])):
            manifest = manifests.read(told["manifest"])
            _check_contract(desk, deal, manifest)
            return Offered(UUID(told["id"]), found["contract_no"], manifest, told["place"], told)
    raise NothingOffered("Nothing was offered under this deal.")


def released(desk: Desk, deal: UUID, one: Offered, pem: bytes, password: bytes | None) -> bytes:
    """Return the content's key, out of the first envelope that one's own key opens.

    Raises:
        EnvelopeBroken: none of them is for this key.
    """
    private = envelopes.read(pem, password)
    name = envelopes.name_of(envelopes.public_of(private))
    info = envelopes.for_release(one.contract_no, one.manifest.digest())
    told = desk.ask("GET", f"/v1/deals/{deal}/deliveries/{one.id}/keys")
    for item in told["items"]:
        if item["recipient"] == name:
            return envelopes.unseal(base64.b64decode(item["sealed_b64"]), private, info=info)
    raise EnvelopeBroken("No envelope was released to this key.", key=name)


def fetch(one: Offered, folder: Path, report: Report = lambda _done: None) -> Path:
    """Fetch ciphertext and chunk hashes into a folder, going on where an earlier try stopped.

    Raises:
        PlaceSilent: they do not come from where they are said to lie.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = Path(urlsplit(one.place).path).name or f"{one.id}.sealed"
    target = folder / name
    _fetch(_beside(one.place), packing.leaves_of(target), one.manifest.chunks * 32, _silent)
    _fetch(one.place, target, one.manifest.sealed_bytes, report)
    return target


def _fetch(place: str, target: Path, length: int, report: Report) -> None:
    """Append to a file what is missing of it."""
    have = target.stat().st_size if target.exists() else 0
    if have >= length:
        return
    try:
        with httpx.Client(timeout=60, trust_env=False, follow_redirects=True) as client:
            asked = {"Range": f"bytes={have}-{length - 1}"} if have else {}
            with client.stream("GET", place, headers=asked) as answer:
                answer.raise_for_status()
                goes_on = answer.status_code == httpx.codes.PARTIAL_CONTENT
                with target.open("ab" if goes_on else "wb") as into:
                    for block in answer.iter_bytes(BLOCK):
                        into.write(block)
                        report(into.tell())
                        if into.tell() > length:
                            raise PlaceSilent("More comes than was promised.", place=place)
    except (httpx.HTTPError, httpx.InvalidURL) as away:
        raise PlaceSilent("The licensor's file does not come.", place=place) from away
    if target.stat().st_size != length:
        raise PlaceSilent("The licensor's file ends too early.", place=place)


def _beside(place: str) -> str:
    """Return where the chunk hashes lie: at the same address with `.leaves` behind the path."""
    parts = urlsplit(place)
    return urlunsplit(parts._replace(path=f"{parts.path}.leaves"))


def _check_contract(desk: Desk, deal: UUID, manifest: Manifest) -> None:
    terms = canonical.loads(desk.raw("GET", f"/v1/deals/{deal}/terms"))
    held = [terms.get("asset"), *(each.get("asset") for each in terms.get("works", ()))]
    if manifest.sha256 not in [each["master_sha256"] for each in held if each]:
        raise MasterOfAnother("The contract is about another file.", sha256=manifest.sha256)


def _silent(_done: int) -> None:
    """Tell nothing of what is small."""
