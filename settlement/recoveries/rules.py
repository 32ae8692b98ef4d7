"""Who gives back which part of a price: the cumulative split, never above what each got (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from contracts.money import Money, split
from contracts.refusal import Kind, Refusal
from settlement.ledger import rules as accounts
from settlement.ledger.rules import Line
from settlement.plans.rules import AWAITING_PAYMENT, FUNDED
from settlement.taxes import rules as taxes

REFUND, DISPUTE, RED_LETTER = "refund", "dispute", "red-letter"
# Taken off what was not paid out yet; owed by a payee; a reversal is on its way; it came back.
TAKEN, OWED, SENDING, REVERSED = "taken", "owed", "sending", "reversed"


class PayoutUnderWay(Refusal):
    """Transfers of this deal are on their way; what they bring must be known first."""

    kind, code = Kind.CONFLICT, "payout-under-way"
    hint = "Wait until the payout is paid, then prepare the refund."


@dataclass(frozen=True, slots=True)
class Cause:
    """Why money is taken back: the refund, the dispute, or the red letter of what is not paid."""

    kind: str
    id: UUID


@dataclass(frozen=True, slots=True)
class Share:
    """What one line of a settlement got, and what was taken back of it before."""

    line: int
    amount_minor: int
    taken_minor: int


def steps(shares: Mapping[int, Share], amount_minor: int) -> dict[int, int]:
    """Return what each line gives back now, so that all steps together split their sum.

    The split of everything taken so far, less what was taken before (cumulative largest
    remainder). The largest-remainder method is not monotone: where a line would get a unit back it
    gives nothing instead, and the line with the largest step gives that much less.

    Args:
        shares: by line; what was taken before is at most the amount of each.
        amount_minor: what is taken back now, positive, at most what is left of all.

    Raises:
        ValueError: more is to be taken than is left (a bug, not a refusal).
    """
    before = sum(share.taken_minor for share in shares.values())
    if not 0 < amount_minor <= sum(share.amount_minor for share in shares.values()) - before:
        raise ValueError("more is taken back than was given")
    weights = [(f"{line:06d}", share.amount_minor) for line, share in shares.items()]
    whole = split(before + amount_minor, weights)
    step = {line: whole[f"{line:06d}"] - share.taken_minor for line, share in shares.items()}
    over = sum(-minor for minor in step.values() if minor < 0)
    step = {line: max(0, minor) for line, minor in step.items()}
    for _ in range(over):
        most = max(step, key=lambda line: (step[line], -line))
        step[most] -= 1
    return {line: minor for line, minor in step.items() if minor}


def tax_step(fee_tax_minor: int, share: Share, step_minor: int) -> int:
    """Return the VAT within the part of the commission that goes back now.

    Cumulative, as the steps are: together never above the VAT that was charged, and all of it when
    the whole commission went back.
    """
    if share.amount_minor == 0:
        return 0
    before, now = (
        taxes.given_back(fee_tax_minor, back_minor=back, of_minor=share.amount_minor)
        for back in (share.taken_minor, share.taken_minor + step_minor)
    )
    return now - before


def debits(kind: str, payee_id: UUID, amount: Money, *, tax: Money, state: str) -> list[Line]:
    """Return who gives an amount back: income and its VAT, what is due, or a claim (应收追回).

    Before the buyer has paid (`state` of the settlement) it is off what is only held.
    """
    if kind == "commission":
        return taxes.returned_lines(amount, tax)
    whose = {AWAITING_PAYMENT: accounts.payee_held, FUNDED: accounts.payee_due}
    return [(whose.get(state, accounts.recoverable)(payee_id), amount)]


def returned_lines(payee_id: UUID, amount: Money) -> list[Line]:
    """Return the journal of a reversal: the payee's account gave the money back."""
    return [
        (accounts.PSP_CLEARING, amount),
        (accounts.recoverable(payee_id), Money(-amount.amount_minor, amount.currency)),
    ]
