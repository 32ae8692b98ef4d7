"""What a bank's statement must look like, and what a payment file is made of (pure).

In the mode that is meant first, the exchange only instructs (仅指令): the money lies with a
licensed bank, our ledger mirrors it, and only the bank's statement says what happened.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from contracts.money import EXPONENTS, Money
from contracts.refusal import Kind, Refusal

STATEMENT, NOTIFICATION = "statement", "notification"
PREPARED, APPROVED, REFUSED, SETTLED = "prepared", "approved", "refused", "settled"
# ISO 20022 ExternalPurpose1Code
ROYALTIES, WITHHOLDING, REFUND = "ROYA", "WHLD", "REFU"
WAITING, INSTRUCTED, PAID, RETURNED, FAILED = "waiting", "instructed", "paid", "returned", "failed"
MOST_BYTES = 32 * 1024**2  # a statement of 10,000 entries has about 15 MB
MOST_ENTRIES = 20_000
MOST_STATEMENTS = 400
MOST_ITEMS = 2_000  # of one payment file
# Statements may be read, never booked, in currencies that are no longer.
READ_ONLY_EXPONENTS = {"DEM": 2}


class StatementMalformed(Refusal):
    """The file is no bank statement that can be read."""

    kind, code = Kind.INVALID, "statement-malformed"
    hint = "Send the bank's own camt.053, camt.054, MT940 or pain.002; `reason` says what broke."


class StatementTooLarge(Refusal):
    """The file is larger than any statement that is read."""

    kind, code = Kind.TOO_LARGE, "statement-too-large"
    hint = "Ask the bank for statements of shorter spans."


class StatementUnbalanced(Refusal):
    """Opening balance and movements do not add up to the closing balance."""

    kind, code = Kind.INVALID, "statement-unbalanced"
    hint = "Nothing was booked. Ask the bank for the statement again; `statement` names it."


class StatementGap(Refusal):
    """The opening balance is not the last closing balance: a statement is missing."""

    kind, code = Kind.CONFLICT, "statement-gap"
    hint = "Nothing was booked. Import the missing statement first; `expected_minor` closed last."


class StatementIdReused(Refusal):
    """A statement of this id was imported with other content."""

    kind, code = Kind.CONFLICT, "statement-id-reused"
    hint = "Nothing was booked. Ask the bank which of the two is right."


class ReportUnknownFile(Refusal):
    """The report is about a payment file that was not given to a bank here."""

    kind, code = Kind.CONFLICT, "report-unknown-file"
    hint = "Nothing was changed. Ask the bank whose file `message` is."


class ReportDiffers(Refusal):
    """The report names a payment, a number or a sum that the payment file does not have."""

    kind, code = Kind.CONFLICT, "report-differs"
    hint = "Nothing was changed. Ask the bank which file it has; `field` names what differs."


class ReportIdReused(Refusal):
    """A report of this id was imported with other content."""

    kind, code = Kind.CONFLICT, "report-id-reused"
    hint = "Nothing was changed. Ask the bank which of the two is right."


class OwnAccountUnknown(Refusal):
    """The statement is of an account that the exchange does not follow."""

    kind, code = Kind.CONFLICT, "own-account-unknown"
    hint = "Open the account named in `account` with PUT /v1/bank/accounts/{id} first."


class CustodyMoney(Refusal):
    """The money lies with a licensed bank for others (监管资金); the exchange only instructs it."""

    kind, code = Kind.CONFLICT, "custody-money"
    hint = "Use an account of the exchange's own, or say whose money it is."


class BatchEmpty(Refusal):
    """There is nothing to pay from this account."""

    kind, code = Kind.CONFLICT, "batch-empty"
    hint = "Approve payouts first; `left_out` names transfers whose account cannot be paid now."


class BatchSamePerson(Refusal):
    """Who prepared a payment file may not decide it (经办与复核分离)."""

    kind, code = Kind.FORBIDDEN, "batch-same-person"
    hint = "Ask another approver."


class BatchChanged(Refusal):
    """The payment file is not the one that was looked at, or a payee's account has changed."""

    kind, code = Kind.CONFLICT, "batch-changed"
    hint = "Read it again and decide what it says now, or refuse it and prepare another."


class BatchDecided(Refusal):
    """The payment file was approved or refused before, or is not approved yet."""

    kind, code = Kind.CONFLICT, "batch-decided"
    hint = "A decision stands; read the file's `state`."


@dataclass(frozen=True, slots=True)
class Entry:
    """A movement on an account; a credit is positive, a debit negative, in minor units."""

    amount_minor: int
    booked_on: date | None = None
    valued_on: date | None = None
    bank_ref: str | None = None
    end_to_end_id: str | None = None
    batch_id: str | None = None
    name: str | None = None
    account: str | None = None
    text: str | None = None
    return_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, or a notification (which has no balances and books nothing)."""

    kind: str
    statement_id: str
    account: str
    currency: str
    opening_minor: int | None
    closing_minor: int | None
    closed_on: date | None
    entries: Sequence[Entry]
    warnings: Sequence[str] = field(default=())

    @property
    def total_minor(self) -> int:
        """What the movements add up to."""
        return sum(entry.amount_minor for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Account:
    """Who holds an account, and where: the payer or a payee of a payment file."""

    scheme: str
    number: str
    holder: str
    member_id: str | None = None
    bic: str | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """One instruction of a payment file."""

    end_to_end_id: str
    payee: Account
    amount: Money
    text: str
    purpose: str = ROYALTIES


def exponent(currency: str) -> int:
    """Return the decimal places of a currency.

    Raises:
        StatementMalformed: no such currency is read.
    """
    places = EXPONENTS.get(currency, READ_ONLY_EXPONENTS.get(currency))
    if places is None:
        raise StatementMalformed("A currency is unknown.", reason="currency", currency=currency)
    return places


def minor(text: str, currency: str, *, point: str) -> int:
    """Return an amount written with a decimal point or comma as whole minor units.

    Raises:
        StatementMalformed: it is no amount, or has more decimals than the currency.
    """
    whole, _, part = text.partition(point)
    places = exponent(currency)
    rest = part.rstrip("0")
    digits = whole + rest.ljust(places, "0")
    plain = digits.isascii() and digits.isdigit() and whole != "" and len(whole) <= 15
    if not plain or len(rest) > places:
        raise StatementMalformed("An amount cannot be read.", reason="amount", value=text[:40])
    return int(digits)


def check_balance(statement: Statement) -> None:
    """Check that opening balance and movements make the closing balance.

    Raises:
        StatementUnbalanced: they do not.
    """
    if statement.opening_minor is None or statement.closing_minor is None:
        return
    if statement.opening_minor + statement.total_minor != statement.closing_minor:
        raise StatementUnbalanced(
            "Opening balance and movements do not add up to the closing balance.",
            statement=statement.statement_id,
            currency=statement.currency,
            opening_minor=statement.opening_minor,
            movements_minor=statement.total_minor,
            closing_minor=statement.closing_minor,
            entries=len(statement.entries),
        )


def check_chain(statement: Statement, *, last_minor: int | None) -> None:
    """Check that a statement opens with what the one before closed with.

    Raises:
        StatementGap: it does not.
    """
    if last_minor is not None and statement.opening_minor != last_minor:
        raise StatementGap(
            "The opening balance is not the last closing balance.",
            statement=statement.statement_id,
            expected_minor=last_minor,
            opening_minor=statement.opening_minor,
        )


def check_own(*, custody: bool) -> None:
    """Check that an account holds the exchange's own money.

    Raises:
        CustodyMoney: a bank holds it for others.
    """
    if custody:
        raise CustodyMoney("This account holds no money of the exchange.")


def may_pay(
    *, paying_id: UUID, paying_in_custody: bool, held_id: UUID | None, held_in_custody: bool
) -> bool:
    """Tell whether an account may pay out a price that lies in another, or in itself.

    Money that a bank holds for others leaves it for its payees alone, and nobody else's does.
    """
    if held_id is None or held_id == paying_id:
        return True
    return not (paying_in_custody or held_in_custody)


def remittance(payout_id: UUID, *, custody: bool) -> str:
    """Return what a payment says to its payee, and to the bank that holds the money."""
    return f"监管账户划付 Escrow payout {payout_id}" if custody else f"Payout {payout_id}"


def return_remittance(movement_id: UUID, *, custody: bool) -> str:
    """Return what a payment says that gives a deposit back."""
    said = f"退还保证金 Deposit returned {movement_id}"
    return f"监管账户划付 Escrow: {said}" if custody else said


def end_to_end_id(item_id: UUID) -> str:
    """Return the reference that a payment carries to the statement.

    Sixteen capitals and digits: that is what an MT940's line has room for.
    """
    return _reference("P", item_id)


def descriptor(sweep_id: UUID) -> str:
    """Return the words that a payout of the provider carries to the statement."""
    return _reference("S", sweep_id)


def message_id(batch_id: UUID) -> str:
    """Return the id of a payment file's message; a bank takes each once."""
    return _reference("B", batch_id)


def check_batch_decision(
    *, state: str, prepared_by: UUID, person_id: UUID, sha256: str, seen_sha256: str
) -> None:
    """Check that this person may decide on a payment file that was read.

    Raises:
        BatchDecided: it was decided before.
        BatchSamePerson: this person prepared it.
        BatchChanged: this person read another file.
    """
    if state != PREPARED:
        raise BatchDecided(f"This payment file is {state}.", state=state)
    if person_id == prepared_by:
        raise BatchSamePerson("Another person has to decide this payment file.")
    if sha256 != seen_sha256:
        raise BatchChanged("The payment file is not the one that was looked at.", sha256=sha256)


def _reference(kind: str, id: UUID) -> str:
    digest = hashlib.sha256(id.bytes).digest()
    return kind + base64.b32encode(digest).decode()[:15]
