"""Decisions about refunds: how much, of which payment, and by two people (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts import canonical
from contracts.money import Money, WrongCurrency
from contracts.refusal import Kind, Refusal
from settlement.ledger import rules as accounts
from settlement.ledger.rules import Line

PREPARED, APPROVED, REFUSED = "prepared", "approved", "refused"
MADE, FAILED = "made", "failed"
# What counts against the payment. A refund that failed counts too: what the payees gave back for it
# stays owed to the payer, and goes another way than through the card.
COUNTED = (PREPARED, APPROVED, MADE, FAILED)
STANDING = (APPROVED, MADE, FAILED)  # booked: those who were paid have given it back


# Where a refund goes: the card that paid, the account that a transfer came from, or an account of
# the payer's that was verified.
TO_CARD, TO_PAYER, TO_VERIFIED = "card", "payer-account", "verified-account"


class PaymentNotRefundable(Refusal):
    """The payment brought nothing in, or did so another way than it is to go back."""

    kind, code = Kind.CONFLICT, "payment-not-refundable"
    hint = "Only what came in goes back: a card payment to its card, a bank transfer to an account."


class PaymentDisputed(Refusal):
    """The card holder disputes the payment; the bank decides who has the money."""

    kind, code = Kind.CONFLICT, "payment-disputed"
    hint = "Wait until the dispute named in `dispute` is closed."


class RefundTooLarge(Refusal):
    """More would go back than is left of what came in."""

    kind, code = Kind.CONFLICT, "refund-too-large"
    hint = "Refund at most `most`."


class RefundAccountMissing(Refusal):
    """There is no account at a bank that the refund could go to."""

    kind, code = Kind.CONFLICT, "refund-account-missing"
    hint = (
        "Have the payer declare an account under Money (or PUT /v1/parties/{id}/"
        "bank-accounts/{account_id}) and verify it; one that changed may be paid after 72 hours."
    )


class RefundOpen(Refusal):
    """Another refund of this payment waits for its decision or is on its way."""

    kind, code = Kind.CONFLICT, "refund-open"
    hint = "Decide the refund named in `refund`, or wait until it is made."


class RefundNotFailed(Refusal):
    """Only what failed is sent again, and by the name of the refund that gave it back first."""

    kind, code = Kind.CONFLICT, "refund-not-failed"
    hint = "Name a refund that failed; of one that was sent again before, the one in `first`."


class RefundSentAgain(Refusal):
    """The payer has the money: it was sent again before, and arrived."""

    kind, code = Kind.CONFLICT, "refund-sent-again"
    hint = "Nothing is owed any more; read the refund named in `refund`."


@dataclass(frozen=True, slots=True)
class Ask:
    """What a refund is of: a payment, how much of it, and why; and where it goes.

    Attributes:
        payment_id: the payment.
        amount: how much goes back.
        reason: why, in a sentence.
        goes_to: the card, or one of two accounts at a bank.
        resends: the refund that failed and is sent again by this one, whole.
        out_of: of one sent again to a bank, the account of ours that pays.
    """

    payment_id: UUID
    amount: Money
    reason: str
    goes_to: str = TO_CARD
    resends: UUID | None = None
    out_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """How a refund that failed is sent again: why, and where it goes now.

    `account_id` is the account of ours that pays, of a card's refund that goes to a bank now.
    """

    failed_id: UUID
    reason: str
    goes_to: str
    account_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class SeenRefund:
    """A refund as the provider shows it now; `refund_id` is the id we gave it, if it is ours."""

    provider_id: str
    amount: Money
    failed: bool
    refund_id: UUID | None


def check_amount(amount: Money, *, left: Money) -> None:
    """Check that no more goes back than is left of what came in, and in the same currency.

    Args:
        amount: what is to go back.
        left: what came in, less what refunds and disputes took of it.

    Raises:
        WrongCurrency: the payment came in another one.
        RefundTooLarge: more would go back.
    """
    if amount.currency != left.currency:
        raise WrongCurrency(
            f"The payment came in {left.currency}, and goes back in it.", currency=left.currency
        )
    if not 0 < amount.amount_minor <= left.amount_minor:
        raise RefundTooLarge(
            "More would go back than is left of what came in.",
            most={"amount_minor": left.amount_minor, "currency": left.currency},
        )


def check_way(ask: Ask, *, by_card: bool) -> None:
    """Check that money goes back the way it came; what failed on a card may go to a bank then.

    Raises:
        PaymentNotRefundable: it came another way.
    """
    to_card = ask.goes_to == TO_CARD
    if by_card != to_card and (to_card or ask.resends is None):
        raise PaymentNotRefundable("It came another way than that.", state="succeeded")


def check_failed(state: str, *, first: UUID | None) -> None:
    """Check that a refund is one to be sent again.

    Args:
        state: its state.
        first: the one that it sends again itself.

    Raises:
        RefundNotFailed: it did not fail, or is not the first.
    """
    if first is not None:
        raise RefundNotFailed("This sends another one again.", first=str(first))
    if state != FAILED:
        raise RefundNotFailed(f"This refund is {state}.", state=state)


def content(
    refund_id: UUID,
    ask: Ask,
    *,
    provider_id: str,
    debits: Sequence[tuple[str, int]],
    bank: Mapping[str, str] | None = None,
) -> bytes:
    """Return the canonical bytes of everything that a refund will do.

    `bank` says which account it goes to, and the SHA-256 of the file that a bank is given.
    """
    said: dict[str, Any] = {
        "refund": str(refund_id),
        "payment": str(ask.payment_id),
        "provider": provider_id,
        "amount_minor": ask.amount.amount_minor,
        "currency": ask.amount.currency,
        "reason": ask.reason,
        "given_back_by": [{"account": code, "amount_minor": minor} for code, minor in debits],
    }
    if ask.resends is not None:
        said["resends"] = str(ask.resends)
    return canonical.dumps(said if bank is None else {**said, "bank": dict(bank)})


def approved_lines(payer_id: UUID, amount: Money, debits: Sequence[Line]) -> list[Line]:
    """Return the journal of an approval: those who were paid give back what goes to the payer."""
    return [*debits, (accounts.refund_in_transit(payer_id), _minus(amount))]


def made_lines(payer_id: UUID, amount: Money, *, out_of: str = accounts.PSP_CLEARING) -> list[Line]:
    """Return the journal of a refund that was made: it left the provider, or the bank."""
    return [(accounts.refund_in_transit(payer_id), amount), (out_of, _minus(amount))]


def failed_lines(payer_id: UUID, amount: Money, *, into: str = accounts.PSP_CLEARING) -> list[Line]:
    """Return the journal of a refund that came back: the payer is still owed it."""
    return [(code, _minus(moved)) for code, moved in made_lines(payer_id, amount, out_of=into)]


def owed_account(payer_id: UUID) -> str:
    """Return the code of what a payer is owed because its refund failed (应退未退)."""
    return f"refund:{payer_id}:owed"


def owed_key(refund_id: UUID) -> str:
    """Return the key of the journal that says a refund is owed again."""
    return f"refund:{refund_id}:owed"


def owed_lines(payer_id: UUID, amount: Money) -> list[Line]:
    """Return the journal of a refund that failed: not on its way any more, and still owed."""
    return [
        (accounts.refund_in_transit(payer_id), amount),
        (owed_account(payer_id), _minus(amount)),
    ]


def resent_lines(payer_id: UUID, amount: Money) -> list[Line]:
    """Return what an approval to send again takes: what is owed, and of nobody who was paid."""
    return [(owed_account(payer_id), amount)]


def foreign_key(provider_id: str, *, failed: bool) -> str:
    """Return the key of the journal of a refund not ordered here, or of its coming back."""
    return f"{provider_id}:{'foreign-failed' if failed else 'foreign'}"


def foreign_lines(amount: Money) -> list[Line]:
    """Return the journal of a refund that was not ordered here: staff have to explain it."""
    return [(accounts.SUSPENSE_PSP, amount), (accounts.PSP_CLEARING, _minus(amount))]


def _minus(amount: Money) -> Money:
    return Money(-amount.amount_minor, amount.currency)
