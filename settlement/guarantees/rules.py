"""Letters of guarantee decided: what one has to say, who may accept it, what follows (pure).

A letter is no money: it counts as the deposit from its acceptance until it is let go, and is booked
only once the bank has paid a demand under it.

Source: 最高人民法院关于审理独立保函纠纷案件若干问题的规定 arts. 1, 3 (an independent letter names
the documents and the most that is paid); ISO 9362 (BIC); URDG 758 arts. 15, 25 (demand, expiry).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from contracts import canonical
from contracts.money import Money
from contracts.refusal import InvalidContent, Kind, Refusal

GUARANTEE = "guarantee"  # the mode of a deposit
OFFERED, ACCEPTED, REFUSED, RELEASED = "offered", "accepted", "refused", "released"
DEMANDED, PAID, EXPIRED = "demanded", "paid", "expired"
LIVE = (OFFERED, ACCEPTED, DEMANDED)
PLEDGED = (ACCEPTED, DEMANDED)  # these count as the deposit
EXCHANGE, SELLER = "exchange", "seller"
BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")
CNAPS = re.compile(r"[0-9]{12}")
MOST_SCAN_BYTES = 700_000  # it travels in JSON, and ten scanned pages are smaller


class GuaranteeTooShort(Refusal):
    """The letter ends before the auction and the days after it in which it may be needed."""

    kind, code = Kind.CONFLICT, "guarantee-too-short"
    hint = "Have the bank issue a letter that is valid until `needed_until` or later."


class GuaranteeTooSmall(Refusal):
    """The letter does not cover the deposit, or is in another currency."""

    kind, code = Kind.CONFLICT, "guarantee-too-small"
    hint = "Have the bank issue a letter of at least `required_minor` in the auction's currency."


class GuaranteeDecided(Refusal):
    """The letter is not in the state that this takes."""

    kind, code = Kind.CONFLICT, "guarantee-decided"
    hint = "Read the letter's `state`; a decision stands."


class GuaranteeOtherPerson(Refusal):
    """Who handed a letter in may not accept it (经办与复核分离)."""

    kind, code = Kind.FORBIDDEN, "guarantee-other-person"
    hint = "Ask another approver."


class GuaranteeChanged(Refusal):
    """The letter is not the one that was looked at."""

    kind, code = Kind.CONFLICT, "guarantee-changed"
    hint = "Read the letter again and decide what it says."


class NoPdf(Refusal):
    """The scan of a letter is a PDF file."""

    kind, code = Kind.INVALID, "guarantee-no-pdf"
    hint = "Scan the letter to one PDF file of at most `most_bytes` bytes."


@dataclass(frozen=True, slots=True)
class Letter:
    """What a letter of guarantee says.

    Attributes:
        form: `letter-of-guarantee` or `standby-letter-of-credit`.
        issuer: the name of the bank that pays.
        issuer_bic, issuer_cnaps: which bank that is, in the one system or the other (联行号).
        number: the bank's number of the letter.
        valid_until: the last day on which a demand is in time, in the exchange's seat.
        demand_terms: what a demand has to present.
        beneficiary: who may demand: `EXCHANGE` or `SELLER`.
    """

    form: str
    issuer: str
    issuer_bic: str | None
    issuer_cnaps: str | None
    number: str
    amount: Money
    valid_until: date
    demand_terms: str
    beneficiary: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A letter as it is handed in: for whose deposit, what it says, and its scan (PDF)."""

    id: UUID
    auction_id: UUID
    party_id: UUID
    letter: Letter
    scan: bytes


def check(letter: Letter, *, required: Money, needed_until: date | None) -> None:
    """Check that a letter can stand for a deposit.

    Args:
        letter: what it says.
        required: the deposit.
        needed_until: the last day on which a demand may become necessary; None where nothing
            bounds the auction.

    Raises:
        InvalidContent: it does not say which bank issued it.
        GuaranteeTooSmall: it does not cover the deposit.
        GuaranteeTooShort: it ends too early.
    """
    for name, pattern in (("issuer_bic", BIC), ("issuer_cnaps", CNAPS)):
        value = getattr(letter, name)
        if value is not None and not pattern.fullmatch(value):
            raise InvalidContent("This is no bank's code.", field=name)
    if letter.issuer_bic is None and letter.issuer_cnaps is None:
        raise InvalidContent("Name the bank by its BIC or its CNAPS code.", field="issuer_bic")
    amount = letter.amount
    if amount.currency != required.currency or amount.amount_minor < required.amount_minor:
        raise GuaranteeTooSmall(
            "The letter does not cover the deposit.",
            required_minor=required.amount_minor,
            currency=required.currency,
        )
    if needed_until is None or letter.valid_until < needed_until:
        raise GuaranteeTooShort(
            "The letter ends too early.",
            needed_until=needed_until and needed_until.isoformat(),
        )


def check_scan(scan: bytes) -> None:
    """Check that a scan is a PDF file of a sensible size.

    Raises:
        NoPdf: it is not.
    """
    if not scan.startswith(b"%PDF-") or len(scan) > MOST_SCAN_BYTES:
        raise NoPdf("This is no PDF file that is kept.", most_bytes=MOST_SCAN_BYTES)


def check_decision(*, state: str, offered_by: UUID, decided_by: UUID, same: bool) -> None:
    """Check that a letter may be accepted or refused by this person on what they looked at.

    Raises:
        GuaranteeDecided: it was decided before.
        GuaranteeOtherPerson: the decider handed it in.
        GuaranteeChanged: they looked at something else.
    """
    check_state(state, OFFERED)
    if decided_by == offered_by:
        raise GuaranteeOtherPerson("Another person has to decide this.")
    if not same:
        raise GuaranteeChanged("This is not what was looked at.")


def check_state(state: str, *wanted: str) -> None:
    """Check that a letter is in one of the states that a verb takes.

    Raises:
        GuaranteeDecided: it is not.
    """
    if state not in wanted:
        raise GuaranteeDecided(f"This letter is {state}.", state=state)


def needed_until(ends_on: date | None, days: int) -> date | None:
    """Return the last day on which a letter may be needed: so many days after the auction."""
    return None if ends_on is None else ends_on + timedelta(days=days)


def content(offer: Offer) -> bytes:
    """Return the canonical bytes of all that is accepted: what the letter says, and its scan."""
    letter = offer.letter
    said: Mapping[str, Any] = {
        **asdict(letter),
        "amount": None,
        "amount_minor": letter.amount.amount_minor,
        "currency": letter.amount.currency,
        "valid_until": letter.valid_until.isoformat(),
        "guarantee": str(offer.id),
        "auction": str(offer.auction_id),
        "party": str(offer.party_id),
        "scan_sha256": hashlib.sha256(offer.scan).hexdigest(),
    }
    return canonical.dumps({name: value for name, value in said.items() if value is not None})
