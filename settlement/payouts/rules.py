"""Decisions about payouts: four eyes, bound to the exact content (pure).

Who prepared a payout may not decide it, and a decision names the SHA-256 of what was decided
(settlement/approvals). The database holds both too.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts import canonical
from contracts.money import Money
from contracts.refusal import Kind, Refusal
from settlement.ledger import rules as accounts
from settlement.ledger.rules import Line
from settlement.payees.rules import is_at_a_bank
from settlement.withholding import rules as withholding
from settlement.withholding.rules import Cut

PREPARED, APPROVED, REFUSED, PAID = "prepared", "approved", "refused", "paid"
ACCOUNT_REQUESTED, ACCOUNT_READY, ACCOUNT_FAILED = "requested", "ready", "failed"
# How the provider's capability to receive transfers stands.
ACTIVE, PENDING, INACTIVE = "active", "pending", "inactive"
CAPABILITIES = (ACTIVE, PENDING, INACTIVE)
# An account that is not active is looked at again by itself; its event comes sooner.
LOOK_AGAIN = timedelta(minutes=10)
TRANSFER_PENDING, TRANSFER_SENDING, TRANSFER_MADE = "pending", "sending", "made"


class SettlementNotFunded(Refusal):
    """The buyer's money has not arrived, or is being paid out already."""

    kind, code = Kind.CONFLICT, "settlement-not-funded"
    hint = "A payout is prepared once the invoice is paid; read the settlement's `state`."


class PayoutAccountMissing(Refusal):
    """A payee has no account that can be paid."""

    kind, code = Kind.CONFLICT, "payout-account-missing"
    hint = "The parties named in `parties` open one with PUT /v1/parties/{id}/payout-account."


class PayoutAccountNotReady(Refusal):
    """The provider has not opened the account."""

    kind, code = Kind.CONFLICT, "payout-account-not-ready"
    hint = "Read the account until its `state` is `ready`; `failed` needs the exchange's help."


class PayoutAccountActive(Refusal):
    """The account may be paid: its onboarding is done."""

    kind, code = Kind.CONFLICT, "payout-account-active"
    hint = "Nothing is missing; ask again when `capability` is no longer `active`."


class PayoutAlreadyPrepared(Refusal):
    """Another payout of this deal waits or was approved."""

    kind, code = Kind.CONFLICT, "payout-already-prepared"
    hint = "Decide the payout named in `payout` first."


@dataclass(frozen=True, slots=True)
class Transfer:
    """What one payee is to receive, and where; `cut` says what is withheld of its gross for that.

    A transfer that is read back has none: what it withheld is a row of its own.
    """

    party_id: UUID
    account: str
    amount: Money
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class SeenAccount:
    """How the provider shows a payee's account: whether it may receive transfers."""

    provider_id: str
    capability: str


@dataclass(frozen=True, slots=True)
class Link:
    """An address of the provider's page, good for one visit and until then."""

    url: str
    until: datetime


def check_onboards(state: str, capability: str | None) -> None:
    """Check that there is something to onboard.

    Raises:
        PayoutAccountNotReady: the provider has not opened the account.
        PayoutAccountActive: nothing is missing.
    """
    if state != ACCOUNT_READY:
        raise PayoutAccountNotReady("The provider has not opened the account.", state=state)
    if capability == ACTIVE:
        raise PayoutAccountActive("The account may be paid.")


def waits(payout: str, transfer: str, account: str) -> bool:
    """Tell whether an approved transfer waits for its payee's account to be active."""
    is_unsent = payout == APPROVED and transfer == TRANSFER_PENDING
    return is_unsent and not is_at_a_bank(account)


def content(
    payout_id: UUID, *, deal_id: UUID, charge: str | None, transfers: Sequence[Transfer]
) -> bytes:
    """Return the canonical bytes of everything that a payout will do.

    Without a charge, which a deposit paid in part, transfers come from the balance at the provider.
    Where something is withheld of a payee's gross, it says by which rows, and how much.
    """
    withheld = withholding.said(cuts(transfers))
    return canonical.quick(
        {
            **({"withheld": withheld} if withheld else {}),
            "payout": str(payout_id),
            "deal": str(deal_id),
            "charge": charge,
            "transfers": [
                {
                    "party": str(transfer.party_id),
                    "account": transfer.account,
                    "amount_minor": transfer.amount.amount_minor,
                    "currency": transfer.amount.currency,
                }
                for transfer in sorted(transfers, key=lambda transfer: transfer.party_id)
            ],
        }
    )


def cuts(transfers: Sequence[Transfer]) -> list[Cut]:
    """Return what transfers withhold of their payees' gross."""
    return [one.cut for one in transfers if one.cut is not None and one.cut.kept]


def check_accounts(payees: Collection[UUID], ready: Collection[UUID]) -> None:
    """Check that every payee has an account that can be paid.

    Raises:
        PayoutAccountMissing: some have none.
    """
    missing = sorted(str(payee) for payee in payees if payee not in ready)
    if missing:
        raise PayoutAccountMissing("Payees have no account that can be paid.", parties=missing)


def approved_lines(transfers: Sequence[Transfer]) -> list[Line]:
    """Return the journal of an approval: due to payees becomes in transit, or is withheld."""
    lines: list[Line] = withholding.withheld_lines(cuts(transfers))
    for transfer in transfers:
        zero = Money(0, transfer.amount.currency)
        lines.append((accounts.payee_due(transfer.party_id), transfer.amount))
        lines.append((accounts.payee_in_transit(transfer.party_id), zero - transfer.amount))
    return lines


def made_lines(transfer: Transfer, *, out_of: str = accounts.PSP_CLEARING) -> list[Line]:
    """Return the journal of a transfer that was made: in transit becomes paid."""
    zero = Money(0, transfer.amount.currency)
    return [
        (accounts.payee_in_transit(transfer.party_id), transfer.amount),
        (out_of, zero - transfer.amount),
    ]
