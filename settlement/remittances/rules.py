"""Remittances decided: what one pays to the tax authority, and what voids it (pure).

A remittance is all that was withheld of one tax, in one currency and one period, and that no other
remittance holds. What went back before is off it; what goes back later the authority owes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from contracts import canonical
from contracts.money import Money
from contracts.refusal import InvalidContent, Kind, Refusal
from settlement.ledger import rules as accounts
from settlement.ledger.rules import Line
from settlement.payees.rules import Details

PREPARED, APPROVED, REFUSED, PAID = "prepared", "approved", "refused", "paid"
HOLDING = (APPROVED, PAID)  # the money is with the authority, or was approved to go there
LONGEST_RECEIPT = 64
AUTHORITY = re.compile("[A-Z]{2}(-[A-Z0-9]{1,10})?")  # a country, or one of its offices


class NothingToRemit(Refusal):
    """Nothing of this tax and period waits to be remitted."""

    kind, code = Kind.CONFLICT, "nothing-to-remit"
    hint = "See what is due (GET /v1/withholding-dues); another remittance may hold it."


class AuthorityAccountMissing(Refusal):
    """No account of the tax authority is recorded in this currency."""

    kind, code = Kind.CONFLICT, "tax-authority-account-missing"
    hint = "Record its account first, under Withheld taxes (or PUT /v1/tax-authorities/{code})."


class RemittanceNotPaid(Refusal):
    """The bank has not shown that the remittance was paid, so there is no receipt of it."""

    kind, code = Kind.CONFLICT, "remittance-not-paid"
    hint = "Import the bank's statement first; read the remittance's `state`."


class ReceiptRecorded(Refusal):
    """Another receipt of this remittance is recorded, or another remittance has this one."""

    kind, code = Kind.CONFLICT, "tax-receipt-recorded"
    hint = "A remittance has one receipt, and a receipt one remittance; read them."


@dataclass(frozen=True, slots=True)
class Group:
    """What is remitted together."""

    authority: str
    tax: str
    currency: str
    period: str


@dataclass(frozen=True, slots=True)
class Due:
    """What waits to be remitted of one group."""

    group: Group
    items: int
    amount: Money
    due_on: date
    since: datetime  # when the first of it was withheld


@dataclass(frozen=True, slots=True)
class Part:
    """One withheld tax in a remittance, less what went back of it before."""

    withheld_id: UUID
    amount: Money


def check_authority(code: str) -> None:
    """Check that a tax authority is named as tax rules name one.

    Raises:
        InvalidContent: it is not.
    """
    if not AUTHORITY.fullmatch(code):
        raise InvalidContent("No tax authority is called so.", field="authority_code")


def content(
    remittance_id: UUID, group: Group, *, due_on: date, parts: Sequence[Part], account: Details
) -> bytes:
    """Return the canonical bytes of everything that a remittance will do."""
    return canonical.dumps(
        {
            "remittance": str(remittance_id),
            "authority": group.authority,
            "tax": group.tax,
            "currency": group.currency,
            "period": group.period,
            "due_on": due_on.isoformat(),
            "account": account.code,
            "holder": account.holder,
            "amount_minor": sum(part.amount.amount_minor for part in parts),
            "withheld": [
                {"withheld": str(part.withheld_id), "amount_minor": part.amount.amount_minor}
                for part in sorted(parts, key=lambda part: part.withheld_id)
            ],
        }
    )


def approved_lines(group: Group, amount: Money) -> list[Line]:
    """Return the journal of an approval: owed to the authority becomes on its way to it."""
    minus = Money(-amount.amount_minor, amount.currency)
    return [
        (accounts.withheld(group.authority, group.tax), amount),
        (accounts.withheld_in_transit(group.authority, group.tax), minus),
    ]


def paid_lines(group: Group, amount: Money, *, out_of: str) -> list[Line]:
    """Return the journal of a payment that a bank's statement shows."""
    minus = Money(-amount.amount_minor, amount.currency)
    return [
        (accounts.withheld_in_transit(group.authority, group.tax), amount),
        (out_of, minus),
    ]


def returned_lines(group: Group, amount: Money, *, into: str) -> list[Line]:
    """Return the journal of a payment that came back: it is on its way again."""
    return [
        (code, Money(-moved.amount_minor, moved.currency))
        for code, moved in paid_lines(group, amount, out_of=into)
    ]
