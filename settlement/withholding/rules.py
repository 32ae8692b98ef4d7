"""What is withheld of a payee's gross, by which rows, and how much of it goes back later (pure).

Gross is what the settlement owes the payee; what is withheld of it and what is paid make the gross,
exactly, in every payout.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from contracts.money import Money
from contracts.refusal import Kind, Refusal
from settlement.ledger import rules as accounts
from settlement.ledger.rules import Line
from settlement.residences.rules import Residence
from settlement.taxes import rules as taxes
from settlement.taxes.rules import TaxRule

REVERSED, CLAIMED = "reversed", "claimed"


class WithheldNotRemitted(Refusal):
    """The tax office's receipt of a withheld tax is not there yet."""

    kind, code = Kind.CONFLICT, "withheld-not-remitted"
    hint = "Ask again later: the certificate names the receipt of the remittance (完税凭证)."


@dataclass(frozen=True, slots=True)
class Kept:
    """One tax of one payee's gross, with the row that it is withheld by."""

    rule: TaxRule
    amount: Money


@dataclass(frozen=True, slots=True)
class Cut:
    """What is withheld of one payee's gross; `certificate_no` where a treaty lowers it."""

    party_id: UUID
    country: str
    certificate_no: str | None
    gross: Money
    kept: tuple[Kept, ...]

    @property
    def net(self) -> Money:
        """What the payee is paid."""
        total = sum(one.amount.amount_minor for one in self.kept)
        return self.gross - Money(total, self.gross.currency)


@dataclass(frozen=True, slots=True)
class Remaining:
    """A withheld tax when some of its gross goes back: what it was of, and what went back of it."""

    gross_minor: int
    amount_minor: int
    back_minor: int
    returned_minor: int


def cut(
    party_id: UUID,
    gross: Money,
    *,
    payer: str,
    residence: Residence,
    rows: Sequence[TaxRule],
    on: date,
) -> Cut:
    """Return what is withheld of a payee's gross on a day.

    Args:
        party_id: the payee.
        gross: what it is owed, not negative.
        payer: the country in which the licensee is resident: it is the source of the income.
        residence: where the payee is resident, with its claim to a treaty.
        rows: the tax rows.
        on: the day of the payment.
    """
    certificate = residence.certificate_on(on)
    found = taxes.find_withheld(
        rows, payer=payer, payee=residence.country, claims_treaty=certificate is not None, on=on
    )
    kept = taxes.withhold(gross, found).kept
    lowered = any(rule.payee == residence.country for rule, _ in kept)
    return Cut(
        party_id,
        residence.country,
        certificate if lowered else None,
        gross,
        tuple(Kept(rule, amount) for rule, amount in kept if amount.amount_minor),
    )


def said(cuts: Sequence[Cut]) -> list[dict[str, Any]]:
    """Return what the content of a payout says of what is withheld, in a stable order."""
    return [
        {
            "party": str(one.party_id),
            "gross_minor": one.gross.amount_minor,
            "tax": kept.rule.code,
            "rule": kept.rule.id,
            "amount_minor": kept.amount.amount_minor,
            "currency": kept.amount.currency,
        }
        for one in sorted(cuts, key=lambda one: one.party_id)
        for kept in one.kept
    ]


def withheld_lines(cuts: Sequence[Cut]) -> list[Line]:
    """Return the journal of what is withheld: due to the payee becomes owed to the authority."""
    lines: list[Line] = []
    for one in cuts:
        for kept in one.kept:
            where = accounts.withheld(kept.rule.authority, kept.rule.code)
            lines.append((accounts.payee_due(one.party_id), kept.amount))
            lines.append((where, Money(-kept.amount.amount_minor, kept.amount.currency)))
    return lines


def back(one: Remaining, step_minor: int) -> int:
    """Return how much of a withheld tax goes back now that so much more of its gross does.

    Cumulative: together never above what was withheld, and all of it when the whole gross went
    back.
    """
    to_date = taxes.given_back(
        one.amount_minor, back_minor=one.back_minor + step_minor, of_minor=one.gross_minor
    )
    return max(0, to_date - one.returned_minor)


def returned_line(authority: str, tax: str, amount: Money, *, state: str) -> Line:
    """Return which account gives back withheld tax: what is owed, or a claim on the authority."""
    where = accounts.recoverable_tax if state == CLAIMED else accounts.withheld
    return where(authority, tax), amount


@dataclass(frozen=True, slots=True)
class Back:
    """A part of a withheld tax that goes back, and who owes it: we less, or the authority."""

    withheld_id: UUID
    authority: str
    tax: str
    amount: Money
    state: str

    @property
    def line(self) -> Line:
        """The account that gives it."""
        return returned_line(self.authority, self.tax, self.amount, state=self.state)
