"""Deposits decided: where one stands, what may be done with it, how a forfeited one is used (pure).

A deposit is 保证金, never 定金: it does not double back, and it is no part of the price until the
winner's deal is executed. Nothing here moves money: a bank's statement shows what came and went.
A card that holds, or a letter of guarantee, is a pledge: it counts as the deposit while it lasts,
and is no money of the ledger until it is drawn on (支取).

Source: 国资发产权规〔2025〕17号 and the notice of each listing (deposits and when they are lost);
法释〔2016〕18号 art. 24 (a forfeited deposit pays costs, then the shortfall of the re-sale, then
the seller's side); 拍卖法 art. 39 (whoever defaults pays the shortfall).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts import canonical
from contracts.money import Money
from contracts.refusal import Kind, Refusal
from settlement.ledger import rules as accounts
from settlement.ledger.rules import Line

REQUIRED, RECEIVED, FROZEN = "required", "received", "frozen"
RELEASED, APPLIED, FORFEITED, PARTIAL = "released", "applied", "forfeited", "partial"
RETURN, FORFEIT, DISTRIBUTE = "return", "forfeit", "distribute"  # what two people decide
DRAW = "draw"  # and this: what a card holds is captured, a demand under a letter is made
PREPARED, APPROVED, REFUSED, DONE = "prepared", "approved", "refused", "done"
FAILED = "failed"  # a drawing that came too late: the card held no longer
WIRE = "wire"  # the mode that every auction accepts where its rules name none
# Why a card is captured without a trigger: its bidder won, and no card holds until the contract.
KEPT = "kept"
# Not a trigger: the notice says that what the deposit does not cover is owed besides.
CLAIM_BEYOND = "claim-beyond-deposit"
RETURN_WITHIN_DAYS = 3  # working days after the winner is known (T+3)


class DepositNotFree(Refusal):
    """The deposit is still needed: its auction is open, or its party won."""

    kind, code = Kind.CONFLICT, "deposit-not-free"
    hint = "Only what was paid in beyond the deposit, `excess_minor`, can go back now."


class DepositElsewhere(Refusal):
    """Money for this deposit lies in another account."""

    kind, code = Kind.CONFLICT, "deposit-elsewhere"
    hint = "Leave this credit in suspense; a deposit goes back out of the account it came into."


class DepositTooSmall(Refusal):
    """Less is held than was to be moved."""

    kind, code = Kind.CONFLICT, "deposit-too-small"
    hint = "Move `held_minor` or less."


class TriggerNotNamed(Refusal):
    """The notice does not name this as a reason to forfeit a deposit."""

    kind, code = Kind.CONFLICT, "trigger-not-named"
    hint = "Only the reasons of the rulebook's `forfeits`, listed in `named`, count."


class DepositMovePending(Refusal):
    """Another movement of this deposit waits for its decision."""

    kind, code = Kind.CONFLICT, "deposit-move-pending"
    hint = "Decide the movement named in `movement` first."


class DepositMoveDecided(Refusal):
    """The movement was approved or refused before, or is not approved yet."""

    kind, code = Kind.CONFLICT, "deposit-move-decided"
    hint = "A decision stands; read the movement's `state`."


class DepositOtherPerson(Refusal):
    """Who prepared a movement of a deposit may not decide it (经办与复核分离)."""

    kind, code = Kind.FORBIDDEN, "deposit-other-person"
    hint = "Ask another approver."


class DepositMoveChanged(Refusal):
    """The movement is not the one that was looked at."""

    kind, code = Kind.CONFLICT, "deposit-move-changed"
    hint = "Read the movement again and decide what it says."


class ReceiptKnown(Refusal):
    """This line of the bank's statement was recorded before."""

    kind, code = Kind.CONFLICT, "receipt-known"
    hint = "One reference of the bank is one receipt; look it up before recording another."


@dataclass(frozen=True, slots=True)
class Terms:
    """What the notice says about the deposit of one bidder."""

    auction_id: UUID
    party_id: UUID
    seller_id: UUID
    required: Money
    until: datetime | None
    forfeits: tuple[str, ...]
    modes: tuple[str, ...] = (WIRE,)
    ends_by: datetime | None = None  # the longest that the auction can run; None: unbounded
    card_margin_h: int = 0
    guarantee_days: int = 0


@dataclass(frozen=True, slots=True)
class Balance:
    """What was paid in for one deposit and what became of it, in minor units.

    `held + released + applied + forfeited == paid_in`, always; each is at least nothing. What is
    pledged is no money: it stands beside these.
    """

    required_minor: int
    paid_in_minor: int = 0
    held_minor: int = 0
    released_minor: int = 0
    applied_minor: int = 0
    forfeited_minor: int = 0
    pledged_minor: int = 0

    @property
    def is_covered(self) -> bool:
        """Whether money held and what is pledged are the deposit."""
        return self.held_minor + self.pledged_minor >= self.required_minor

    @property
    def excess_minor(self) -> int:
        """What is held beyond the deposit required."""
        return max(0, self.held_minor - self.required_minor)


@dataclass(frozen=True, slots=True)
class Move:
    """What is to be done with a deposit, as two people decide on it.

    Attributes:
        kind: RETURN, FORFEIT, DISTRIBUTE or DRAW.
        amount_minor: of a distribution, the whole of what was forfeited and not distributed.
        reason: the trigger of a forfeiture or drawing, or KEPT; else why, in words.
        fees_minor: of a distribution: what the failed sale cost both sides.
        shortfall_minor: of a distribution: how much less the re-sale brought.
    """

    kind: str
    amount_minor: int
    reason: str
    fees_minor: int = 0
    shortfall_minor: int = 0


@dataclass(frozen=True, slots=True)
class Waterfall:
    """How a forfeited deposit is used; the first three add up to it."""

    fees_minor: int
    shortfall_minor: int
    seller_minor: int
    claim_minor: int  # what it did not cover


def state(balance: Balance) -> str:
    """Return how a deposit stands; what was paid in too much and went back does not count."""
    if balance.paid_in_minor == 0:
        return FROZEN if balance.pledged_minor else REQUIRED
    if balance.held_minor:
        if balance.applied_minor or balance.forfeited_minor:
            return PARTIAL
        return FROZEN if balance.is_covered else RECEIVED
    excess = max(0, balance.paid_in_minor - balance.required_minor)
    ways = {
        RELEASED: max(0, balance.released_minor - excess),
        APPLIED: balance.applied_minor,
        FORFEITED: balance.forfeited_minor,
    }
    taken = [name for name, amount in ways.items() if amount]
    return taken[0] if len(taken) == 1 else PARTIAL


def paid_in(balance: Balance, amount_minor: int) -> Balance:
    """Return the balance after a credit on the bank's statement."""
    return replace(
        balance,
        paid_in_minor=balance.paid_in_minor + amount_minor,
        held_minor=balance.held_minor + amount_minor,
    )


def taken(balance: Balance, kind: str, amount_minor: int) -> Balance:
    """Return the balance after `amount_minor` was released, applied or forfeited.

    Raises:
        DepositTooSmall: less is held.
    """
    if not 0 < amount_minor <= balance.held_minor:
        raise DepositTooSmall("The deposit does not hold so much.", held_minor=balance.held_minor)
    name = f"{kind}_minor"
    changed: dict[str, int] = {name: getattr(balance, name) + amount_minor}
    return replace(balance, held_minor=balance.held_minor - amount_minor, **changed)


def check_move(
    move: Move, balance: Balance, *, is_free: bool, forfeits: Sequence[str], pool_minor: int
) -> None:
    """Check that a movement may be prepared, and again that it may be approved.

    Args:
        move: what is to be done.
        balance: the deposit as it stands.
        is_free: whether its party did not win, or withdrew in time.
        forfeits: the triggers that the notice names; of a drawing, what else it may be for.
        pool_minor: what was forfeited and has not been distributed.

    Raises:
        DepositNotFree: more than the excess is to go back too early.
        TriggerNotNamed: the notice does not name the reason.
        DepositTooSmall: less is there.
    """
    there = {DISTRIBUTE: pool_minor, DRAW: balance.pledged_minor}.get(move.kind, balance.held_minor)
    if not 0 < move.amount_minor <= there:
        raise DepositTooSmall("There is not so much.", held_minor=there)
    if move.kind == RETURN and not is_free and move.amount_minor > balance.excess_minor:
        raise DepositNotFree("The deposit is still needed.", excess_minor=balance.excess_minor)
    named = [code for code in forfeits if code != CLAIM_BEYOND]
    if move.kind in (FORFEIT, DRAW) and move.reason not in named:
        raise TriggerNotNamed("The notice names no such reason.", named=named)


def waterfall(forfeited_minor: int, *, fees_minor: int, shortfall_minor: int) -> Waterfall:
    """Divide a forfeited deposit: fees, then the price shortfall of the re-sale, then the seller.

    Never more than was forfeited; what is not covered is the claim.
    """
    fees = min(forfeited_minor, fees_minor)
    shortfall = min(forfeited_minor - fees, shortfall_minor)
    return Waterfall(
        fees_minor=fees,
        shortfall_minor=shortfall,
        seller_minor=forfeited_minor - fees - shortfall,
        claim_minor=max(0, fees_minor + shortfall_minor - forfeited_minor),
    )


def check_decision(*, state: str, prepared_by: UUID, decided_by: UUID, same: bool) -> None:
    """Check that a movement may be decided by this person on what they looked at.

    Raises:
        DepositMoveDecided: it was decided before.
        DepositOtherPerson: the decider prepared it.
        DepositMoveChanged: they looked at something else.
    """
    if state != PREPARED:
        raise DepositMoveDecided(f"This movement is {state}.", state=state)
    if decided_by == prepared_by:
        raise DepositOtherPerson("Another person has to decide this.")
    if not same:
        raise DepositMoveChanged("This is not what was looked at.")


def content(movement_id: UUID, terms: Terms, move: Move) -> bytes:
    """Return the canonical bytes of everything that a movement will do."""
    said: dict[str, Any] = {
        "movement": str(movement_id),
        "auction": str(terms.auction_id),
        "party": str(terms.party_id),
        "seller": str(terms.seller_id),
        "kind": move.kind,
        "amount_minor": move.amount_minor,
        "currency": terms.required.currency,
        "reason": move.reason,
        "fees_minor": move.fees_minor,
        "shortfall_minor": move.shortfall_minor,
    }
    return canonical.dumps(said)


def received_lines(
    terms: Terms, amount: Money, *, into: str = accounts.BANK_DEPOSITS
) -> list[Line]:
    """Return the journal of a receipt: the bank has more, the bidder is owed it."""
    return _moved(into, accounts.deposit(*_whose(terms)), amount)


def captured_lines(terms: Terms, amount: Money) -> list[Line]:
    """Return the journal of a card that paid: the provider has more, the bidder is owed it."""
    return _moved(accounts.PSP_CLEARING, accounts.deposit(*_whose(terms)), amount)


def fee_lines(fee: Money) -> list[Line]:
    """Return the journal of what the provider kept of a card's payment (手续费)."""
    return _moved(accounts.PSP_FEES, accounts.PSP_CLEARING, fee)


def refunded_lines(terms: Terms, amount: Money) -> list[Line]:
    """Return the journal of a return that the provider made to the card that paid."""
    return _moved(accounts.deposit_returning(terms.party_id), accounts.PSP_CLEARING, amount)


def return_lines(terms: Terms, amount: Money) -> list[Line]:
    """Return the journal of an approved return: held becomes on its way back."""
    back = accounts.deposit_returning(terms.party_id)
    return _moved(accounts.deposit(*_whose(terms)), back, amount)


def returned_lines(
    terms: Terms, amount: Money, *, out_of: str = accounts.BANK_DEPOSITS
) -> list[Line]:
    """Return the journal of a return that the bank's statement shows."""
    return _moved(accounts.deposit_returning(terms.party_id), out_of, amount)


def applied_lines(terms: Terms, amount: Money) -> list[Line]:
    """Return the journal of a deposit that became price: held pays what the buyer owes."""
    held = accounts.deposit(*_whose(terms))
    return _moved(held, accounts.receivable(terms.party_id), amount)


def forfeited_lines(terms: Terms, amount: Money) -> list[Line]:
    """Return the journal of a forfeiture: held becomes what is to be distributed."""
    whose = _whose(terms)
    return _moved(accounts.deposit(*whose), accounts.forfeited(*whose), amount)


def distributed_lines(terms: Terms, parts: Waterfall) -> list[Line]:
    """Return the journal of a distribution: fees to the exchange, the rest is due to the seller."""
    currency = terms.required.currency
    seller = parts.shortfall_minor + parts.seller_minor
    return [
        (accounts.forfeited(*_whose(terms)), Money(parts.fees_minor + seller, currency)),
        (accounts.COMMISSION, Money(-parts.fees_minor, currency)),
        (accounts.payee_due(terms.seller_id), Money(-seller, currency)),
    ]


def _whose(terms: Terms) -> tuple[UUID, UUID]:
    return terms.auction_id, terms.party_id


def _moved(debit: str, credit: str, amount: Money) -> list[Line]:
    return [(debit, amount), (credit, Money(-amount.amount_minor, amount.currency))]
