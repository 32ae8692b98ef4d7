"""Decisions about deliveries: when one may be handed over, opened, accepted, disputed (pure).

Source: the clause `delivery/1` of the contract library: the master is the file with the listed
SHA-256; the licensee accepts or objects within `accept_days`, and whoever is silent has accepted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.deals.lifecycle import Life
from contracts.refusal import Kind, Refusal
from listings.deliveries.manifests import Manifest

OFFERED, RELEASED, ACCEPTED, DISPUTED = "offered", "released", "accepted", "disputed"
REPLACED = "replaced"
# What follows what; a delivery that was disputed or replaced is followed by another one.
STEPS: Mapping[str, Sequence[str]] = {
    OFFERED: (RELEASED, REPLACED),
    RELEASED: (ACCEPTED, DISPUTED),
    ACCEPTED: (),
    DISPUTED: (),
    REPLACED: (),
}
SAID, DEEMED = "said", "deemed"
# What tells that the licensee has paid, or an instalment, of which the first is enough: the clause
# says so; the last where an amendment took over what was paid.
PAID = ("settlement.booked", "instalment.booked", "payment.carried")
MOST_COMPLAINTS = 20  # each costs the exchange a decryption; one that is upheld ends them
LONGEST_PLACE = 2000


class NothingToDeliver(Refusal):
    """The deal has no master of that SHA-256, or its chunks were never hashed."""

    kind, code = Kind.CONFLICT, "nothing-to-deliver"
    hint = "The manifest must be of the master in the contract's terms, with its listed chunk root."


class DeliveryNotPossible(Refusal):
    """The contract was given up or has ended, so nothing is handed over under it."""

    kind, code = Kind.CONFLICT, "delivery-not-possible"
    hint = "Deliver under the contract that is in force; an amendment takes the place of its base."


class DeliveryStands(Refusal):
    """The key of an earlier delivery of this master was released."""

    kind, code = Kind.CONFLICT, "delivery-stands"
    hint = "Another one can follow when a complaint about it was upheld."


class EscrowUnsound(Refusal):
    """The envelope for the exchange does not hold the key that the manifest commits to."""

    kind, code = Kind.INVALID, "escrow-unsound"
    hint = "Seal it again to the exchange's escrow key of today, with `exchange delivery seal`."


class NotPaidYet(Refusal):
    """The settlement of the deal is not booked yet, so its key stays where it is."""

    kind, code = Kind.CONFLICT, "not-paid-yet"
    hint = "The key follows by itself when the settlement is booked and in the log."


class KeyNotReleased(Refusal):
    """The key was not released to the licensee, or its release is not in the log yet."""

    kind, code = Kind.CONFLICT, "key-not-released"
    hint = "It needs a booked settlement and a delivery key of the licensee; then ask again."


class DeliveryStepNotPossible(Refusal):
    """The delivery is not in a state from which this step leads anywhere."""

    kind, code = Kind.CONFLICT, "delivery-step-not-possible"
    hint = "See `state` of the delivery for where it stands."


class ComplaintOfAnother(Refusal):
    """The complaint is about another manifest than that of this delivery."""

    kind, code = Kind.INVALID, "complaint-of-another"
    hint = "File it with the delivery whose manifest it holds."


class ComplaintInvalid(Refusal):
    """Nothing follows from the complaint: its paths do not lead to what was promised."""

    kind, code = Kind.INVALID, "complaint-invalid"
    hint = "See `reason`; `exchange delivery open` writes complaints that can be judged."


class TooManyComplaints(Refusal):
    """More complaints about this delivery were rejected than are judged."""

    kind, code = Kind.LIMITED, "too-many-complaints"
    hint = "What is in dispute beyond this is for the arbitrators that the contract names."


@dataclass(frozen=True, slots=True)
class Asset:
    """A master that a contract is about."""

    master: UUID
    sha256: str


def assets(terms: Mapping[str, Any]) -> list[Asset]:
    """Return the masters of a contract: one, or one for each work of a package."""
    held = [terms.get("asset"), *(one.get("asset") for one in terms.get("works", ()))]
    return [Asset(UUID(one["master"]), one["master_sha256"]) for one in held if one]


def asset_of(terms: Mapping[str, Any], manifest: Manifest) -> Asset:
    """Return the master that a manifest is about.

    Raises:
        NothingToDeliver: it is none of the contract's.
    """
    for one in assets(terms):
        if one.sha256 == manifest.sha256:
            return one
    raise NothingToDeliver("The contract is not about this file.", sha256=manifest.sha256)


def check_listed(manifest: Manifest, *, chunk_root: str | None, plain_bytes: int) -> None:
    """Check that a manifest promises the master chunk by chunk as it is listed.

    Raises:
        NothingToDeliver: it promises something else, or the master's chunks were never hashed.
    """
    if chunk_root is None:
        raise NothingToDeliver("The chunks of this master were never hashed; upload it again.")
    if (manifest.chunk_root.hex(), manifest.plain_bytes) != (chunk_root, plain_bytes):
        raise NothingToDeliver("The manifest has another chunk root than the listed master.")


def check_offer(life: Life) -> None:
    """Let deliveries be offered from the frozen terms to the end of the contract.

    Raises:
        DeliveryNotPossible: the deal was given up or has ended.
    """
    given_up = life.signing in ("voided", "declined", "expired")
    if given_up or life.end not in ("none", "in_force"):
        raise DeliveryNotPossible("Nothing is delivered under this deal.", end=life.end)


def check_release(life: Life, *, paid: bool) -> None:
    """Let a key be released under a contract that is in force and paid.

    Raises:
        DeliveryNotPossible: it is not in force.
        NotPaidYet: its settlement is not booked, or that is not in the log yet.
    """
    if life.end != "in_force":
        raise DeliveryNotPossible("The deal is not in force.", end=life.end)
    if not paid:
        raise NotPaidYet("The settlement of the deal is not booked yet.")


def step(state: str, to: str) -> str:
    """Return the state that a delivery comes to.

    Raises:
        DeliveryStepNotPossible: it cannot come to it from here.
    """
    if to not in STEPS[state]:
        raise DeliveryStepNotPossible("The delivery cannot come to this now.", state=state, to=to)
    return to
