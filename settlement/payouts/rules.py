"""Decisions about payouts: four eyes, bound to the exact content (pure).

Who prepared a payout may not decide it, and a decision names the SHA-256 of what was decided. The
database holds the first of these too (payout_needs_two_people).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts import canonical
from contracts.money import Money
from contracts.refusal import Kind, Refusal
from settlement.approvals import rules as approvals
from settlement.approvals.rules import Subject
from settlement.ledger import rules as accounts
from settlement.ledger.rules import Line

PREPARED, APPROVED, REFUSED, PAID = "prepared", "approved", "refused", "paid"
ACCOUNT_REQUESTED, ACCOUNT_READY, ACCOUNT_FAILED = "requested", "ready", "failed"
TRANSFER_PENDING, TRANSFER_SENDING, TRANSFER_MADE = "pending", "sending", "made"
LONGEST_REASON = 500


class SettlementNotFunded(Refusal):
    """The buyer's money has not arrived, or is being paid out already."""

    kind, code = Kind.CONFLICT, "settlement-not-funded"
    hint = "A payout is prepared once the invoice is paid; read the settlement's `state`."


class PayoutAccountMissing(Refusal):
    """A payee has no account that can be paid."""

    kind, code = Kind.CONFLICT, "payout-account-missing"
    hint = "The parties named in `parties` open one with PUT /v1/parties/{id}/payout-account."


class PayoutAlreadyPrepared(Refusal):
    """Another payout of this deal waits or was approved."""

    kind, code = Kind.CONFLICT, "payout-already-prepared"
    hint = "Decide the payout named in `payout` first."


class ContentChanged(Refusal):
    """The payout is not the one that was looked at."""

    kind, code = Kind.CONFLICT, "content-changed"
    hint = "Read the payout again; decide what it says now, or have it prepared anew."


class AlreadyDecided(Refusal):
    """The payout was approved or refused before."""

    kind, code = Kind.CONFLICT, "already-decided"
    hint = "A decision stands; after a refusal a new payout can be prepared."


@dataclass(frozen=True, slots=True)
class Transfer:
    """What one payee is to receive, and where."""

    party_id: UUID
    account: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Decision:
    """What a decider looked at: who decides, and the hash of the content that was read.

    `proof_id` is the proof that the decider was there in person; every door asks for it.
    """

    person_id: UUID
    content_sha256: str
    proof_id: UUID | None = None


def content(
    payout_id: UUID, *, deal_id: UUID, charge: str | None, transfers: Sequence[Transfer]
) -> bytes:
    """Return the canonical bytes of everything that a payout will do.

    Without a charge, which a deposit paid in part, transfers come from the balance at the provider.
    """
    return canonical.dumps(
        {
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


def check_accounts(payees: Collection[UUID], ready: Collection[UUID]) -> None:
    """Check that every payee has an account that can be paid.

    Raises:
        PayoutAccountMissing: some have none.
    """
    missing = sorted(str(payee) for payee in payees if payee not in ready)
    if missing:
        raise PayoutAccountMissing("Payees have no account that can be paid.", parties=missing)


def check_decision(decision: Decision, *, subject: Subject, state: str, content_now: bytes) -> None:
    """Check that a payout may be decided by this person on this content.

    Args:
        decision: who decides, and what they looked at.
        subject: what was prepared, by whom.
        state: the payout's state.
        content_now: what it would do if it were prepared at this moment.

    Raises:
        AlreadyDecided: it was decided before.
        SamePerson: the decider prepared it.
        ContentChanged: the decider saw other content, or the content is not what was prepared.
    """
    if state != PREPARED:
        raise AlreadyDecided(f"This payout is {state}.", state=state)
    approvals.check_two(subject, decision.person_id)
    sha256 = subject.object_hash
    if decision.content_sha256 != sha256 or canonical.sha256_hex(content_now) != sha256:
        raise ContentChanged("The payout is not the one that was looked at.", content_sha256=sha256)


def approved_lines(transfers: Sequence[Transfer]) -> list[Line]:
    """Return the journal of an approval: due to payees becomes in transit to them."""
    lines: list[Line] = []
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
