"""Decisions about refunds: how much, of which payment, and by two people (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts import canonical
from contracts.money import Money
from contracts.refusal import Kind, Refusal
from settlement.ledger import rules as accounts
from settlement.ledger.rules import Line

PREPARED, APPROVED, REFUSED = "prepared", "approved", "refused"
MADE, FAILED = "made", "failed"
# What counts against the payment. A refund that failed counts too: what the payees gave back for it
# stays owed to the payer, and goes another way than through the card.
COUNTED = (PREPARED, APPROVED, MADE, FAILED)


class PaymentNotRefundable(Refusal):
    """The payment brought nothing in by card, so there is nothing to send back on it."""

    kind, code = Kind.CONFLICT, "payment-not-refundable"
    hint = "Only a card payment that succeeded is refunded; a wire goes back by a payment file."


class PaymentDisputed(Refusal):
    """The card holder disputes the payment; the bank decides who has the money."""

    kind, code = Kind.CONFLICT, "payment-disputed"
    hint = "Wait until the dispute named in `dispute` is closed."


class RefundTooLarge(Refusal):
    """More would go back than came in."""

    kind, code = Kind.CONFLICT, "refund-too-large"
    hint = "Refund at most `most`."


class RefundOpen(Refusal):
    """Another refund of this payment waits for its decision or is on its way."""

    kind, code = Kind.CONFLICT, "refund-open"
    hint = "Decide the refund named in `refund`, or wait until it is made."


@dataclass(frozen=True, slots=True)
class Ask:
    """What a refund is of: a payment, how much of it, and why."""

    payment_id: UUID
    amount: Money
    reason: str


@dataclass(frozen=True, slots=True)
class SeenRefund:
    """A refund as the provider shows it now; `refund_id` is the id we gave it, if it is ours."""

    provider_id: str
    amount: Money
    failed: bool
    refund_id: UUID | None


def check_amount(amount: Money, *, received: Money, refunded_minor: int) -> None:
    """Check that no more goes back than came in.

    Raises:
        RefundTooLarge: it would.
    """
    left = received.amount_minor - refunded_minor
    if amount.currency != received.currency or not 0 < amount.amount_minor <= left:
        raise RefundTooLarge(
            "More would go back than came in.",
            most={"amount_minor": left, "currency": received.currency},
        )


def content(
    refund_id: UUID, ask: Ask, *, provider_id: str, debits: Sequence[tuple[str, int]]
) -> bytes:
    """Return the canonical bytes of everything that a refund will do."""
    said: dict[str, Any] = {
        "refund": str(refund_id),
        "payment": str(ask.payment_id),
        "provider": provider_id,
        "amount_minor": ask.amount.amount_minor,
        "currency": ask.amount.currency,
        "reason": ask.reason,
        "given_back_by": [{"account": code, "amount_minor": minor} for code, minor in debits],
    }
    return canonical.dumps(said)


def approved_lines(payer_id: UUID, amount: Money, debits: Sequence[Line]) -> list[Line]:
    """Return the journal of an approval: those who were paid give back what goes to the payer."""
    return [*debits, (accounts.refund_in_transit(payer_id), _minus(amount))]


def made_lines(payer_id: UUID, amount: Money) -> list[Line]:
    """Return the journal of a refund that was made: it left the balance at the provider."""
    return [(accounts.refund_in_transit(payer_id), amount), (accounts.PSP_CLEARING, _minus(amount))]


def failed_lines(payer_id: UUID, amount: Money) -> list[Line]:
    """Return the journal of a refund that came back: the payer is still owed it."""
    return [(code, _minus(moved)) for code, moved in made_lines(payer_id, amount)]


def foreign_key(provider_id: str, *, failed: bool) -> str:
    """Return the key of the journal of a refund not ordered here, or of its coming back."""
    return f"{provider_id}:{'foreign-failed' if failed else 'foreign'}"


def foreign_lines(amount: Money) -> list[Line]:
    """Return the journal of a refund that was not ordered here: staff have to explain it."""
    return [(accounts.SUSPENSE_PSP, amount), (accounts.PSP_CLEARING, _minus(amount))]


def _minus(amount: Money) -> Money:
    return Money(-amount.amount_minor, amount.currency)
