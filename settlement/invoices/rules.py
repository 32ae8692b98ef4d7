"""Decisions about invoices and the payments made on them (pure)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.money import Money
from contracts.refusal import Kind, Refusal

SERIES = "UHDX"
ISSUED, PAID = "issued", "paid"
REVERSED = "reversed"  # red letters took all of it back before anything was paid (红冲)
REQUESTED, READY, SUCCEEDED, FAILED = "requested", "ready", "succeeded", "failed"
# A payment only ever climbs: a late message about an earlier state changes nothing.
RANK = {REQUESTED: 0, READY: 1, FAILED: 2, SUCCEEDED: 3}
OPEN_PAYMENT = (REQUESTED, READY, SUCCEEDED)
CHECK_FIRST_S, CHECK_MOST_S = 30, 6 * 3600


class InvoiceNotOpen(Refusal):
    """The invoice is paid already, or was taken back."""

    kind, code = Kind.CONFLICT, "invoice-not-open"
    hint = "Nothing is left to pay; read the invoice."


class PaymentOpen(Refusal):
    """Another payment on this invoice is open; two at once could both go through."""

    kind, code = Kind.CONFLICT, "payment-open"
    hint = "Finish the payment named in `payment`."


class PaymentTooLate(Refusal):
    """A demand for payment ran out: the contract ends by default, and its price is not taken."""

    kind, code = Kind.CONFLICT, "payment-too-late"
    hint = "Speak with the licensor; what both agree on is a contract of its own."


@dataclass(frozen=True, slots=True)
class Due:
    """When an invoice is late, and the ten-thousandths a day that this costs; None: nothing."""

    at: datetime
    late_bp: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A payment as the provider shows it now; amounts are the provider's, never ours.

    `payment_id` is the id we gave it along, if the object is one of ours.
    """

    provider_id: str
    state: str
    received: Money | None
    charge_id: str | None
    payment_id: UUID | None
    fee: Money | None = None  # what the provider kept of it


def number(series: str, year: int, sequence: int) -> str:
    """Return an invoice number, e.g. `UHDX-2026-000001`."""
    return f"{series}-{year}-{sequence:06d}"


def check_open(state: str, *, open_payment: UUID | None) -> None:
    """Check that an invoice takes a new payment.

    Raises:
        InvoiceNotOpen: it is paid, or was taken back.
        PaymentOpen: another payment has not ended.
    """
    if state != ISSUED:
        raise InvoiceNotOpen(f"This invoice is {state}.", state=state)
    if open_payment is not None:
        raise PaymentOpen("A payment on this invoice is open.", payment=str(open_payment))


def climbs(now: str, then: str) -> bool:
    """Tell whether a payment may go from one state to another."""
    return RANK[then] > RANK[now]


def may_show(now: str, seen: str, *, secret: str | None) -> bool:
    """Tell whether a payment takes over a state seen at the provider.

    News may overtake the answer that brings the client secret; without the secret the payer can
    confirm nothing, so such a payment is not `ready` yet.
    """
    return climbs(now, seen) and (seen != READY or secret is not None)


def settles(owed: Money, received: Money) -> bool:
    """Tell whether what came in is what was owed; anything else is held in suspense for staff."""
    return owed == received


def next_check_s(checks: int) -> int:
    """Return the seconds until a payment without news is looked at again: 30, doubling, ≤ 6 h."""
    return min(CHECK_FIRST_S << min(checks, 12), CHECK_MOST_S)
