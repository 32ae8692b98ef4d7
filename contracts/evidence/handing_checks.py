"""Checks of contracts that were handed on: nobody leaves one without its own signature."""

from collections.abc import Mapping
from typing import Any

from contracts import canonical
from contracts.deals import handing
from contracts.evidence.opened import TERMS, Bundle, Failed


def certificate_name(number: int) -> str:
    """Return the file with the certificate of whoever handed a contract on, counted from 1."""
    return f"pki/assignor-{number}.pem"


def check(bundle: Bundle, number: int, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Let another licensee stand in a contract only where the one before has signed its terms.

    Raises:
        Failed: it has not, or not with a key that it had registered.
    """
    leaving, entering = _licensee(before), _licensee(after)
    if leaving == entering:
        return
    said, name = after.get("assignment") or {}, certificate_name(number)
    if said.get("assignor", {}).get("party") != leaving:
        raise Failed(TERMS, "names another licensee, and nobody handed the contract on")
    if name not in bundle.files:
        raise Failed(name, "is missing")
    spki, public = handing.key_of(bundle.files[name])
    if spki != said.get("key") or not _was_registered(bundle, leaving, spki, after["deal"]):
        raise Failed(name, "is of a key that was not in force")
    if not handing.check_signed(canonical.dumps(dict(after)), public_key_pem=public):
        raise Failed(TERMS, "is not signed by the licensee who handed the contract on")


def _licensee(terms: Mapping[str, Any]) -> str:
    party: str = next(side["party"] for side in terms["parties"] if side["role"] == "licensee")
    return party


def _was_registered(bundle: Bundle, party: str, spki: str, deal: str) -> bool:
    """Tell whether a party had registered a key, and not revoked it, when the deal opened."""
    opened = bundle.of(deal, "deal.opened").index
    told = [
        event.kind
        for event in bundle.events
        if event.index < opened
        and event.kind in ("key.registered", "key.revoked")
        and (event.record["party"], event.record["spki_sha256"]) == (party, spki)
    ]
    return told == ["key.registered"]
