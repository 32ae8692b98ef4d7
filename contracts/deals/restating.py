"""The full terms of a deal that takes another's place: what changes, restated whole (pure).

An amendment changes periods, rights or a fixed price; an assignment (合同转让) the licensee.
Whatever changes, the rest stands as it stood, and the new terms name those before by their hash.

Source: 民法典 art. 543 and 544 (change by agreement), 555 and 556 (handing a contract on).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts import rfc3339
from contracts.deals import library, patching, pricing, templates, terms
from contracts.deals.pricing import Price
from contracts.money import Money
from contracts.refusal import Kind, Refusal
from contracts.rights import rules as rights

# What may be changed by agreement, between which numbers.
AMENDABLE: Mapping[str, tuple[int, int]] = {
    "/parameters/due_days": (1, 365),
    "/parameters/delivery_days": (1, 365),
    "/parameters/accept_days": (1, 90),
    "/parameters/late_bp_daily": (0, 20),
    "/parameters/cure_days": (7, 180),
    "/parameters/notice_days": (1, 90),
    "/parameters/convenience_days": (30, 365),
}
MOST_CHANGES = 20
# What every contract has of its own, and an amendment sets itself.
OWN = ("contract", "deal", "supersedes", "frozen_at", "evidence")
HANDED_ON = "contract-assigned"  # the clause about an assignment, one version at a time
Terms = Mapping[str, Any]


class NotAmendable(Refusal):
    """An amendment may not change this, or not to that."""

    kind, code = Kind.INVALID, "not-amendable"
    hint = (
        "Replace what `amendable` names, within its numbers; rights stay of the contract's kind, "
        "and a price is a fixed one for a single work."
    )


class PriceNotLowered(Refusal):
    """What was paid under a contract is not given back by amending it."""

    kind, code = Kind.CONFLICT, "price-not-lowered"
    hint = "Amend to a higher price; to give money back, end the contract and agree anew."


class NothingAmended(Refusal):
    """The patch leaves the terms as they are."""

    kind, code = Kind.INVALID, "nothing-amended"
    hint = "Change at least one of the terms."


@dataclass(frozen=True, slots=True)
class Change:
    """What is to change: numbers of clauses by RFC 6902, all rights anew, the whole price anew."""

    numbers: Sequence[Mapping[str, Any]] = ()
    rights: Sequence[Mapping[str, Any]] | None = None
    amount_minor: int | None = None

    def check(self) -> None:
        """Let only changes pass that an amendment may make.

        Raises:
            NotAmendable: a number is something else or out of range, or nothing is asked for.
        """
        if self.numbers or (self.rights is None and self.amount_minor is None):
            check_numbers(self.numbers)


def check_numbers(changes: Sequence[Mapping[str, Any]]) -> None:
    """Let only `replace` and `test` of what is listed pass.

    Raises:
        NotAmendable: one is something else, or out of range.
    """
    known = {path: list(most) for path, most in AMENDABLE.items()}
    if not 1 <= len(changes) <= MOST_CHANGES:
        raise NotAmendable("Make between 1 and 20 changes.", amendable=known)
    for place, change in enumerate(changes):
        path, value = change.get("path"), change.get("value")
        least, most = AMENDABLE.get(str(path), (1, 0))
        wanted = change.keys() == {"op", "path", "value"} and change["op"] in ("replace", "test")
        if not (wanted and type(value) is int and least <= value <= most):
            raise NotAmendable("This cannot be changed so.", place=place, amendable=known)


def amended(before: Terms, change: Change, *, price: Money) -> dict[str, Any]:
    """Return the terms with a change made, still under the name of those before.

    Args:
        before: the terms that are amended.
        change: what is to change.
        price: what `before` makes due.

    Raises:
        PatchFails: a number's path names nothing, or a test is false.
        NotAmendable: the rights are of another kind of contract, or the price is not a fixed one.
        PriceNotLowered: the price would be lower.
        NothingAmended: nothing changes.
        Refusal: any of `contracts.rights.rules.resolve`.
    """
    after: dict[str, Any] = patching.apply(change.numbers, before)
    if change.rights is not None:
        _grant_anew(after, change.rights)
    if change.amount_minor is not None:
        _price_anew(after, Money(change.amount_minor, price.currency), before=price)
    if patching.equal(after, before):
        raise NothingAmended("The patch changes nothing.")
    return after


def under_own_name(
    after: dict[str, Any], *, supersedes: Terms, sha256: str, deal_id: UUID, now: datetime
) -> dict[str, Any]:
    """Return changed terms as those of a contract of their own that supersedes another.

    Args:
        after: the changed terms, still under the name of those before.
        supersedes: the terms before.
        sha256: of the RFC 8785 bytes of the terms before.
        deal_id: of the new deal.
        now: the instant of freezing.

    Raises:
        ContractHeadMissing, TextCannotBePrinted, ParameterMissing: see `terms.check`.
    """
    number = terms.contract_number(deal_id, now)
    after |= {
        "contract": number,
        "deal": str(deal_id),
        "frozen_at": rfc3339.to_the_second(now),
        "supersedes": {"contract": supersedes["contract"], "terms_sha256": sha256},
    }
    if "verify" in after.get("evidence", {}):
        own: str = after["evidence"]["verify"]
        after["evidence"]["verify"] = own.replace(supersedes["contract"], number)
    clauses = [
        library.clause(one["ref"], one["version"], one["sha256"]) for one in after["clauses"]
    ]
    terms.check(after, clauses, article=templates.of(after["template"]).article)
    return after


def handed_on(
    before: Terms, *, assignee: terms.Side, key_sha256: str, clause: str
) -> dict[str, Any]:
    """Return the terms with another licensee, still under the name of those before.

    Args:
        before: the terms of the contract that is handed on.
        assignee: who becomes the licensee.
        key_sha256: of the key with which the licensee until now signs these terms.
        clause: the name of the clause about it, e.g. `contract-assigned/1`.
    """
    after: dict[str, Any] = patching.apply((), before)
    leaving = next(side for side in after["parties"] if side["role"] == "licensee")
    after["parties"] = [
        assignee.named() if side["role"] == "licensee" else side for side in after["parties"]
    ]
    after["assignment"] = {"assignor": {**leaving, "role": "assignor"}, "key": key_sha256}
    after["parameters"] |= {
        "assignor_zh": leaving["legal_name"]["zh"],
        "assignor_en": leaving["legal_name"]["en"],
        "assignor_key": key_sha256,
        "assigned_contract": before["contract"],
    }
    after["clauses"] = [
        *(one for one in after["clauses"] if one["ref"] != HANDED_ON),
        library.named(clause).named(),
    ]
    return after


def substance(after: Terms) -> dict[str, Any]:
    """Return terms without what every contract has of its own."""
    return {name: value for name, value in after.items() if name not in OWN}


def _grant_anew(after: dict[str, Any], wires: Sequence[Mapping[str, Any]]) -> None:
    granted = [terms.granted(rights.normal(wire)) for wire in wires]
    template: str = after["template"]["id"]
    if "works" in after or not granted or templates.for_grants(granted).id != template:
        raise NotAmendable("These rights make another kind of contract.", template=template)
    if granted != [terms.granted(rights.normal(_wire(one))) for one in after["grants"]]:
        after["grants"] = granted
        after["wording"] = [terms.worded(rights.normal(wire)) for wire in wires]


def _wire(grant: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in grant.items() if name not in ("from", "until")}


def _price_anew(after: dict[str, Any], wanted: Money, *, before: Money) -> None:
    said = after["consideration"]
    if said.get("kind", "fixed") != "fixed" or {"lines", "instalments"} & said.keys():
        raise NotAmendable(
            "Only a price in one sum for one work is amended.", kind=said.get("kind")
        )
    if wanted.amount_minor < before.amount_minor:
        raise PriceNotLowered("The price is not lowered.", least_minor=before.amount_minor)
    if wanted != before:
        after["consideration"] = terms.considered(Price(pricing.FLAT, wanted))
