"""Decisions about payout batches (付款批次): what they say, and what voids them (pure).

The hash of a batch is over the hashes of its payouts: whatever changes in one of them voids it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts import canonical
from contracts.money import Money
from contracts.refusal import Kind, Refusal

MOST_ITEMS = 200  # what one person can still read through before approving


class PayoutInBatch(Refusal):
    """A payout cannot go into a batch: it is decided, or another batch holds it."""

    kind, code = Kind.CONFLICT, "payout-in-batch"
    hint = "Leave out the payouts named in `payouts`, or decide the batch that holds them first."


class PayoutBatchVoid(Refusal):
    """A payout of the batch is no longer what was put into it."""

    kind, code = Kind.CONFLICT, "payout-batch-void"
    hint = "Refuse the batch and prepare another; `payouts` names those that have changed."


@dataclass(frozen=True, slots=True)
class Item:
    """One payout as it stood when it was put into a batch, with what it pays."""

    payout_id: UUID
    sha256: str
    amount: Money


def content(batch_id: UUID, items: Sequence[Item]) -> bytes:
    """Return the canonical bytes of a batch: its payouts by their hashes, in their order."""
    ordered = sorted(items, key=lambda item: item.payout_id)
    return canonical.dumps(
        {
            "batch": str(batch_id),
            "payouts": [
                {
                    "payout": str(item.payout_id),
                    "content_sha256": item.sha256,
                    "amount_minor": item.amount.amount_minor,
                    "currency": item.amount.currency,
                }
                for item in ordered
            ],
        }
    )


def totals(items: Sequence[Item]) -> list[Money]:
    """Return what a batch pays in each currency, in the order of their codes."""
    sums: dict[str, int] = defaultdict(int)
    for item in items:
        sums[item.amount.currency] += item.amount.amount_minor
    return [Money(minor, currency) for currency, minor in sorted(sums.items())]
