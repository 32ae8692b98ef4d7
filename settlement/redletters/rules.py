"""Decisions about red letters (红字): how much of an invoice they take back, and of its tax (pure).

Source: 国家税务总局公告2024年第11号, by secondary texts (what is red gives its reason as issued in
error, returned, service ended, or allowance).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from contracts import canonical
from contracts.money import Money
from contracts.refusal import Kind, Refusal
from settlement.ledger import rules as accounts
from settlement.ledger.rules import Line
from settlement.taxes import rules as taxes

SERIES = "UHDXR"
PREPARED, ISSUED, REFUSED = "prepared", "issued", "refused"
ERROR, RETURN, SERVICE_ENDED, ALLOWANCE = "error", "return", "service-ended", "allowance"
# The numbers under which the tax authority knows the reasons.
CODES: Mapping[str, str] = {ERROR: "01", RETURN: "02", SERVICE_ENDED: "03", ALLOWANCE: "04"}
WORDS: Mapping[str, Mapping[str, str]] = {
    ERROR: {"zh": "开票有误", "en": "Issued in error"},
    RETURN: {"zh": "销货退回", "en": "Returned"},
    SERVICE_ENDED: {"zh": "服务中止", "en": "Service ended"},
    ALLOWANCE: {"zh": "销售折让", "en": "Allowance"},
}
LONGEST_REASON = 200  # it is printed


class RedLetterTooLarge(Refusal):
    """More would be taken back than the invoice still says."""

    kind, code = Kind.CONFLICT, "red-letter-too-large"
    hint = "Take back at most `most`."


class RedLetterOpen(Refusal):
    """Another red letter of this invoice waits for its decision."""

    kind, code = Kind.CONFLICT, "red-letter-open"
    hint = "Decide the red letter named in `red_letter` first."


class RedLetterNeedsRefund(Refusal):
    """The invoice is paid, so it is taken back by what was refunded of its payment."""

    kind, code = Kind.CONFLICT, "red-letter-needs-refund"
    hint = "Have the refund approved first; name it in `refund_id`, with the refund's amount."


class RefundHasRedLetter(Refusal):
    """Another red letter stands for this refund."""

    kind, code = Kind.CONFLICT, "refund-has-red-letter"
    hint = "One refund has one red letter, the one named in `red_letter`."


class RedLetterNotIssued(Refusal):
    """The red letter was refused, or waits for its decision: there is nothing to print."""

    kind, code = Kind.CONFLICT, "red-letter-not-issued"
    hint = "Read its `state`; it is printed once another person has approved it."


@dataclass(frozen=True, slots=True)
class Ask:
    """What a red letter is of: an invoice, how much of it, why, and the refund behind it."""

    invoice_id: UUID
    amount: Money
    reason_code: str
    reason: str
    refund_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Blue:
    """What an invoice (蓝字) said, and what red letters took back of it before."""

    amount: Money
    tax_minor: int
    reversed_minor: int
    reversed_tax_minor: int


def check_room(amount: Money, *, most: Money) -> None:
    """Check that no more is taken back than is left.

    Raises:
        RedLetterTooLarge: it would be.
    """
    if amount.currency != most.currency or not 0 < amount.amount_minor <= most.amount_minor:
        raise RedLetterTooLarge(
            "More would be taken back than the invoice still says.",
            most={"amount_minor": most.amount_minor, "currency": most.currency},
        )


def tax_of(blue: Blue, amount: Money) -> Money:
    """Return the tax that goes back with an amount.

    Cumulative: all red letters together take back no more tax than was charged, and all of it when
    they take back the whole invoice.
    """
    back = blue.reversed_minor + amount.amount_minor
    of = blue.amount.amount_minor
    to_date = taxes.given_back(blue.tax_minor, back_minor=back, of_minor=of)
    return Money(to_date - blue.reversed_tax_minor, amount.currency)


def content(red_letter_id: UUID, ask: Ask, *, number: str, tax: Money) -> bytes:
    """Return the canonical bytes of everything that a red letter will say; `number` is the blue."""
    return canonical.dumps(
        {
            "red_letter": str(red_letter_id),
            "invoice": str(ask.invoice_id),
            "number": number,
            "amount_minor": ask.amount.amount_minor,
            "tax_minor": tax.amount_minor,
            "currency": ask.amount.currency,
            "reason_code": ask.reason_code,
            "reason": ask.reason,
            "refund": None if ask.refund_id is None else str(ask.refund_id),
        }
    )


def of_dispute(named: str, invoice_id: UUID, lost: Money, *, due: Money) -> Ask | None:
    """Return what a lost dispute takes back of its invoice, or None where nothing is left of it.

    Args:
        named: what the dispute is called at the provider; the reason names it.
        invoice_id: the invoice whose payment was lost.
        lost: what the card holder got back.
        due: what the payment had paid of the invoice, less what red letters took back before.
    """
    amount = min(lost.amount_minor, due.amount_minor)
    if amount <= 0:
        return None
    said = f"拒付争议败诉 (dispute lost) {named}"
    return Ask(invoice_id, Money(amount, lost.currency), ALLOWANCE, said)


def issued_lines(payer_id: UUID, amount: Money, debits: list[Line]) -> list[Line]:
    """Return the journal of a red letter of what is not paid: the buyer owes that much less."""
    return [
        *debits,
        (accounts.receivable(payer_id), Money(-amount.amount_minor, amount.currency)),
    ]
