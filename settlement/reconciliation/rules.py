"""What a line of a bank's statement belongs to, and how unexplained money is let go (pure).

Rules in order: the reference that our payment carried, the bank's own reference that a notification
told with it, the id of the payment file. Whatever is only likely is a suggestion with a score: a
person proposes, another one approves.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from contracts import calendar, canonical
from contracts.calendar import YearNotLoaded
from contracts.money import Money
from contracts.refusal import Kind, Refusal
from settlement.bank.rules import INSTRUCTED, PAID, Entry
from settlement.ledger import rules as accounts
from settlement.ledger.rules import Line

END_TO_END, PROVIDER_ID, BATCH_ID = "end-to-end", "provider-id", "batch-id"
OUR_NUMBER, BY_HAND = "invoice-number", "by-hand"
MADE, PROPOSED, APPROVED, REFUSED = "made", "proposed", "approved", "refused"
OPEN, RELEASED = "open", "released"
UNMATCHED, OPENING = "unmatched", "opening"
CERTAIN = 100
WORKING_DAYS = 5  # until unexplained money has to be explained
MOST_SIDES = 100
LONGEST_REASON = 500
INVOICE = re.compile(r"(?<![A-Z0-9])UHDX-\d{4}-\d{6}(?!\d)")
# Where a part of suspended money may go besides invoices and payments.
TARGETS = {
    "bank-fees": accounts.BANK_FEES,
    "opening": accounts.OPENING_MONEY,
    "card-clearing": accounts.PSP_CLEARING,
}


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


@dataclass(frozen=True, slots=True)
class Match:
    """What an entry belongs to, by which rule."""

    rule: str
    items: Sequence[Paying] = ()
    invoice: Owed | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A side of a release: `amount_minor` has the sign of a credit on the statement."""

    kind: str  # `invoice`, `payment` or `account`
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
    return found or _of_invoice(entry, known.invoices)


def numbers(entry: Entry) -> list[str]:
    """Return the invoice numbers that an entry names, each once."""
    said = f"{entry.end_to_end_id or ''} {entry.text or ''}".upper()
    return sorted(set(INVOICE.findall(said)))


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


def returned_lines(account: str, party_id: UUID, amount: Money) -> list[Line]:
    """Return the journal of a payment that came back: it is on its way to the payee again."""
    owed = Money(-amount.amount_minor, amount.currency)
    return [(account, amount), (accounts.payee_in_transit(party_id), owed)]


def paid_again_lines(account: str, party_id: UUID, amount: Money) -> list[Line]:
    """Return the journal of a payment made once more after it had come back."""
    gone = Money(-amount.amount_minor, amount.currency)
    return [(accounts.payee_in_transit(party_id), amount), (account, gone)]


def placed_lines(part: Part, currency: str) -> list[Line]:
    """Return the journal of suspended money that goes to an account of ours."""
    amount = Money(part.amount_minor, currency)
    back = Money(-part.amount_minor, currency)
    return [(accounts.SUSPENSE_BANK, amount), (TARGETS[part.name], back)]


def _of_item(rule: str, entry: Entry, item: Paying, known: Known) -> Match | None:
    if abs(entry.amount_minor) != item.amount_minor:
        return None
    wanted = PAID if is_return(entry) else INSTRUCTED
    return Match(rule, items=[item]) if known.states[item.item_id] == wanted else None


def _of_batch(entry: Entry, items: Sequence[Paying], known: Known) -> Match | None:
    total = sum(item.amount_minor for item in items)
    whole = bool(items) and all(known.states[item.item_id] == INSTRUCTED for item in items)
    return Match(BATCH_ID, items=items) if whole and entry.amount_minor == -total else None


def _of_invoice(entry: Entry, invoices: Mapping[str, Owed]) -> Match | None:
    named = numbers(entry)
    owed = invoices.get(named[0]) if len(named) == 1 else None
    if owed is None or owed.due_minor != entry.amount_minor:
        return None
    return Match(OUR_NUMBER, invoice=owed)


def _score(entry: Entry, owed: Owed) -> int:
    score = 60 if entry.amount_minor == owed.due_minor else 0
    score += 50 if owed.number in numbers(entry) else 0
    named = _plain(entry.name)
    score += 30 if named and named in {_plain(payer) for payer in owed.payers} else 0
    if entry.booked_on is not None and owed.issued_on is not None:
        score += 5 if 0 <= (entry.booked_on - owed.issued_on).days <= 30 else 0
    return min(score, 99)


def _plain(name: str | None) -> str:
    """Return a name without case, width, blanks and marks."""
    wide = unicodedata.normalize("NFKC", name or "").casefold()
    return "".join(letter for letter in wide if letter.isalnum())
