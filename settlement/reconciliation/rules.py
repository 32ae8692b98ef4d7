"""What a line of a bank's statement belongs to, and how unexplained money is let go (pure).

Rules in order: the reference that our payment carried, the bank's own reference that a notification
told with it, the id of the payment file, the words that a payout of the card provider carries. One
rule is sure of less: money that names the provider, of the amount and on the day that one payout
alone was announced for. Whatever is only likely is a suggestion with a score: a person proposes,
another one approves.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from contracts import calendar, canonical
from contracts.calendar import YearNotLoaded
from contracts.money import Money
from contracts.refusal import Kind, Refusal
from settlement.bank.rules import INSTRUCTED, PAID, CustodyMoney, Entry
from settlement.collecting import rules as references
from settlement.ledger import rules as accounts
from settlement.ledger.rules import Line
from settlement.payees.rules import plain_name
from settlement.sweeps import rules as sweeping
from settlement.sweeps.rules import Expected

END_TO_END, PROVIDER_ID, BATCH_ID = "end-to-end", "provider-id", "batch-id"
PROVIDER_PAYOUT, PROVIDER_ARRIVAL = "provider-payout", "provider-arrival"
DEPOSIT = "deposit-reference"  # the reference of a bidder's deposit, with its check digits
OUR_NUMBER, BY_HAND = "invoice-number", "by-hand"
PARTS = "invoice-parts"  # several wires that make the sum of one invoice
MADE, PROPOSED, APPROVED, REFUSED = "made", "proposed", "approved", "refused"
OPEN, RELEASED = "open", "released"
UNMATCHED, OPENING, OVERPAID = "unmatched", "opening", "overpaid"
CERTAIN, ARRIVAL = 100, 90
PROVIDER_NAMED = "stripe"  # in the payer's name, however it is written
WORKING_DAYS = 5  # until unexplained money has to be explained
MOST_SIDES = 100
INVOICE = re.compile(r"(?<![A-Z0-9])UHDX-\d{4}-\d{6}(?!\d)")
# Where a part of suspended money may go besides invoices and payments.
TARGETS = {
    "bank-fees": accounts.BANK_FEES,
    "opening": accounts.OPENING_MONEY,
    "card-clearing": accounts.PSP_CLEARING,
}
# And where it may go of money that a bank holds for others: nothing of it is ours.
CUSTODY_TARGETS = {"opening": accounts.CUSTODY_OPENING}


class SuspenseNotOpen(Refusal):
    """The suspended money was released before, or is part of another proposal."""

    kind, code = Kind.CONFLICT, "suspense-not-open"
    hint = "Read what is open; an item is released once."


class SuspenseUneven(Refusal):
    """What is released and what it goes to do not make the same amount."""

    kind, code = Kind.INVALID, "suspense-uneven"
    hint = "Book the difference too, for example as `bank-fees`; nothing is tolerated."


class ReleaseSamePerson(Refusal):
    """Who proposed a release may not decide it (经办与复核分离)."""

    kind, code = Kind.FORBIDDEN, "release-same-person"
    hint = "Ask another approver."


class ReleaseChanged(Refusal):
    """The release is not the one that was looked at, or what it is for has changed."""

    kind, code = Kind.CONFLICT, "release-changed"
    hint = "Read it again; refuse it and propose another if `object` is no longer as it was."


class ReleaseDecided(Refusal):
    """The release was approved or refused before."""

    kind, code = Kind.CONFLICT, "release-decided"
    hint = "A decision stands; what was refused can be proposed anew."


@dataclass(frozen=True, slots=True)
class Paying:
    """A payment of ours that a line of a statement may show."""

    item_id: UUID
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Owed:
    """An invoice that a credit may pay."""

    invoice_id: UUID
    number: str
    due_minor: int
    payers: Sequence[str] = ()
    issued_on: date | None = None


@dataclass(frozen=True, slots=True)
class Awaited:
    """A deposit that is not all in."""

    auction_id: UUID
    party_id: UUID
    missing_minor: int


@dataclass(frozen=True, slots=True)
class Known:
    """What entries of one account may belong to.

    `references` are EndToEndIds by the bank's reference, as notifications told them; `states` says
    where each payment stands, and whoever books one moves it on.
    """

    items: Mapping[str, Paying]
    batches: Mapping[str, Sequence[Paying]]
    invoices: Mapping[str, Owed]
    references: Mapping[str, str]
    states: Mapping[UUID, str]
    sweeps: Sequence[Expected] = ()
    account_id: UUID | None = None
    deposits: Mapping[str, Awaited] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """What an entry belongs to, by which rule."""

    rule: str
    items: Sequence[Paying] = ()
    invoice: Owed | None = None
    sweep: Expected | None = None
    deposit: Awaited | None = None

    @property
    def score(self) -> int:
        """How sure the rule is, of a hundred."""
        return ARRIVAL if self.rule == PROVIDER_ARRIVAL else CERTAIN


@dataclass(frozen=True, slots=True)
class Part:
    """A side of a release: `amount_minor` has the sign of a credit on the statement."""

    kind: str  # `invoice`, `payment`, `sweep` or `account`
    name: str  # the id, or a name among TARGETS
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An invoice that money may have been meant for, and how likely, of a hundred."""

    invoice_id: UUID
    number: str
    due_minor: int
    score: int


def due_on(now: datetime) -> date:
    """Return the day by which what nothing explains is explained; others' facts wait for no notice.

    A year whose working days are not known yet has a week instead.
    """
    day = calendar.day_of(now)
    try:
        return calendar.add_working_days(day, WORKING_DAYS)
    except YearNotLoaded:
        return day + timedelta(days=7)


def match(entry: Entry, known: Known) -> Match | None:
    """Return what an entry surely belongs to, or None."""
    told = known.items.get(entry.end_to_end_id or "")
    if told is not None:
        return _of_item(END_TO_END, entry, told, known)
    learned = known.items.get(known.references.get(entry.bank_ref or "", ""))
    if entry.end_to_end_id is None and learned is not None:
        return _of_item(PROVIDER_ID, entry, learned, known)
    found = _of_batch(entry, known.batches.get(entry.batch_id or "", ()), known)
    found = found or _of_sweep(entry, known) or _of_deposit(entry, known.deposits)
    return found or _of_invoice(entry, known.invoices)


def numbers(entry: Entry) -> list[str]:
    """Return the numbers of the invoices that an entry names, by number or reference, each once."""
    said = f"{entry.end_to_end_id or ''} {entry.text or ''}".upper()
    return sorted({*INVOICE.findall(said), *references.invoices_named(said)})


def deposits_named(entry: Entry) -> list[str]:
    """Return the references of deposits that an entry names, each once."""
    return references.deposits_named(f"{entry.end_to_end_id or ''} {entry.text or ''}")


def is_return(entry: Entry) -> bool:
    """Tell whether an entry brings money in."""
    return entry.amount_minor > 0


def suggestions(entry: Entry, invoices: Sequence[Owed]) -> list[Suggestion]:
    """Return what a credit may have been meant for, the likeliest first."""
    scored = [
        Suggestion(owed.invoice_id, owed.number, owed.due_minor, _score(entry, owed))
        for owed in invoices
    ]
    likely = [one for one in scored if one.score >= 50]
    return sorted(likely, key=lambda one: (-one.score, one.number))[:5]


def content(release_id: UUID, items: Sequence[UUID], parts: Sequence[Part]) -> bytes:
    """Return the canonical bytes of what a release is approved for."""
    return canonical.dumps(
        {
            "release": str(release_id),
            "items": sorted(str(item) for item in items),
            "parts": [
                {"kind": part.kind, "name": part.name, "amount_minor": part.amount_minor}
                for part in parts
            ],
        }
    )


def parts_of(raw: bytes) -> list[Part]:
    """Return the parts that the bytes of a release name."""
    return [
        Part(str(one["kind"]), str(one["name"]), int(one["amount_minor"]))
        for one in canonical.loads(raw)["parts"]
    ]


def check_even(amounts: Sequence[int], parts: Sequence[Part]) -> None:
    """Check that nothing is left over.

    Raises:
        SuspenseUneven: the sums differ.
    """
    released, placed = sum(amounts), sum(part.amount_minor for part in parts)
    if released != placed:
        raise SuspenseUneven(
            "The sums differ.", released_minor=released, placed_minor=placed,
            difference_minor=released - placed,
        )  # fmt: skip


def check_custody(parts: Sequence[Part], *, custody: bool) -> None:
    """Check that no part makes money that a bank holds for others the exchange's own.

    Raises:
        CustodyMoney: one does.
    """
    own = [one.name for one in parts if one.kind == "account" and one.name not in CUSTODY_TARGETS]
    swept = [one.name for one in parts if one.kind == "sweep"]
    if custody and own + swept:
        raise CustodyMoney(
            "This account holds no money of the exchange.", named=own + swept,
            known=sorted(CUSTODY_TARGETS),
        )  # fmt: skip


def check_decision(
    *, state: str, proposed_by: UUID, person_id: UUID, sha256: str, seen_sha256: str
) -> None:
    """Check that this person may decide on a release that was read.

    Raises:
        ReleaseDecided: it was decided before.
        ReleaseSamePerson: this person proposed it.
        ReleaseChanged: this person read another one.
    """
    if state != PROPOSED:
        raise ReleaseDecided(f"This release is {state}.", state=state)
    if person_id == proposed_by:
        raise ReleaseSamePerson("Another person has to decide this release.")
    if sha256 != seen_sha256:
        raise ReleaseChanged("The release is not the one that was looked at.", sha256=sha256)


def suspended_lines(account: str, amounts: Sequence[int], currency: str) -> list[Line]:
    """Return the journal of what nothing explains: in and out stand apart, never netted."""
    come = sum(amount for amount in amounts if amount > 0)
    gone = sum(amount for amount in amounts if amount < 0)
    return [
        line
        for amount in (come, gone)
        for line in (
            (account, Money(amount, currency)),
            (accounts.SUSPENSE_BANK, Money(-amount, currency)),
        )
    ]


def whose(payout_id: UUID | None, party_id: UUID | None) -> tuple[UUID, UUID]:
    """Return the payout and the payee of a payment that is no remittance.

    Raises:
        ValueError: it has none (a bug, not a refusal: the database asks for both).
    """
    if payout_id is None or party_id is None:
        raise ValueError("a payment is of a transfer or of a remittance")
    return payout_id, party_id


def returned_lines(account: str, party_id: UUID, amount: Money) -> list[Line]:
    """Return the journal of a payment that came back: it is on its way to the payee again."""
    owed = Money(-amount.amount_minor, amount.currency)
    return [(account, amount), (accounts.payee_in_transit(party_id), owed)]


def paid_again_lines(account: str, party_id: UUID, amount: Money) -> list[Line]:
    """Return the journal of a payment made once more after it had come back."""
    gone = Money(-amount.amount_minor, amount.currency)
    return [(accounts.payee_in_transit(party_id), amount), (account, gone)]


def placed_lines(part: Part, currency: str, *, custody: bool) -> list[Line]:
    """Return the journal of suspended money that goes to an account of ours, or of others."""
    targets = CUSTODY_TARGETS if custody else TARGETS
    amount = Money(part.amount_minor, currency)
    back = Money(-part.amount_minor, currency)
    return [(accounts.SUSPENSE_BANK, amount), (targets[part.name], back)]


def _of_item(rule: str, entry: Entry, item: Paying, known: Known) -> Match | None:
    if abs(entry.amount_minor) != item.amount_minor:
        return None
    wanted = PAID if is_return(entry) else INSTRUCTED
    return Match(rule, items=[item]) if known.states[item.item_id] == wanted else None


def _of_batch(entry: Entry, items: Sequence[Paying], known: Known) -> Match | None:
    total = sum(item.amount_minor for item in items)
    whole = bool(items) and all(known.states[item.item_id] == INSTRUCTED for item in items)
    return Match(BATCH_ID, items=items) if whole and entry.amount_minor == -total else None


def _of_sweep(entry: Entry, known: Known) -> Match | None:
    """Return the provider's payout that a credit names, or the only one that it can be."""
    fitting = [one for one in known.sweeps if one.amount_minor == entry.amount_minor]
    said = " ".join(filter(None, (entry.end_to_end_id, entry.bank_ref, entry.batch_id, entry.text)))
    named = [one for one in fitting if sweeping.named_in(said, one)]
    if len(named) == 1:
        return Match(PROVIDER_PAYOUT, sweep=named[0])
    due = [
        one
        for one in fitting
        if one.account_id == known.account_id and sweeping.is_due(one, entry.booked_on)
    ]
    if len(due) == 1 and PROVIDER_NAMED in plain_name(entry.name):
        return Match(PROVIDER_ARRIVAL, sweep=due[0])
    return None


def _of_deposit(entry: Entry, deposits: Mapping[str, Awaited]) -> Match | None:
    """Return the deposit that a credit alone names and is a part of; all else people decide."""
    named = deposits_named(entry)
    one = deposits.get(named[0]) if len(named) == 1 and not numbers(entry) else None
    if one is None or not 0 < entry.amount_minor <= one.missing_minor:
        return None
    return Match(DEPOSIT, deposit=one)


def invoice_named(entry: Entry, invoices: Mapping[str, Owed]) -> Owed | None:
    """Return the one open invoice that an entry names, or None."""
    named = numbers(entry)
    return invoices.get(named[0]) if len(named) == 1 else None


def _of_invoice(entry: Entry, invoices: Mapping[str, Owed]) -> Match | None:
    owed = invoice_named(entry, invoices)
    if owed is None or owed.due_minor != entry.amount_minor:
        return None
    return Match(OUR_NUMBER, invoice=owed)


def _score(entry: Entry, owed: Owed) -> int:
    score = 60 if entry.amount_minor == owed.due_minor else 0
    score += 50 if owed.number in numbers(entry) else 0
    named = plain_name(entry.name)
    score += 30 if named and named in {plain_name(payer) for payer in owed.payers} else 0
    if entry.booked_on is not None and owed.issued_on is not None:
        score += 5 if 0 <= (entry.booked_on - owed.issued_on).days <= 30 else 0
    return min(score, 99)
