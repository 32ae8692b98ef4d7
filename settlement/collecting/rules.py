"""References of wires with check digits, and decisions on the account they go to (pure).

A reference is a creditor reference: `RF`, two check digits, and what the money is for. Whoever
mistypes one of its letters gets another remainder, so that no wire is taken for another's.

Source: ISO 11649 (creditor reference) and ISO 7064 MOD 97-10 (its check digits).
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from stdnum.iso7064 import mod_97_10

from contracts import canonical
from contracts.refusal import Kind, Refusal

PROPOSED, APPROVED, REFUSED, ENDED = "proposed", "approved", "refused", "ended"
OTHER = "other"  # a number that no bank's form takes
SERIES = "UHDX"
_BREAK = r"[\s/-]?"  # banks and people break a reference anywhere
INVOICE = re.compile(
    r"(?<![A-Z0-9])" + _BREAK.join([*"RF", *[r"\d"] * 2, *SERIES, *[r"\d"] * 10]) + r"(?!\d)"
)
DEPOSIT = re.compile(
    r"(?<![A-Z0-9])" + _BREAK.join([*"RF", *[r"\d"] * 2, "D", *["[A-Z2-7]"] * 15]) + r"(?![A-Z0-9])"
)
_CORE = re.compile(r"UHDX(\d{4})(\d{6})")


class CollectingWaits(Refusal):
    """Another account in this currency waits for its decision."""

    kind, code = Kind.CONFLICT, "collecting-waits"
    hint = "Decide the proposal named in `proposal` first."


class AccountCannotCollect(Refusal):
    """Nobody can wire into the account as it is known: its bank or its number is missing."""

    kind, code = Kind.CONFLICT, "account-cannot-collect"
    hint = "Follow an account with an IBAN or a CNAPS number, and with the name of its bank."


@dataclass(frozen=True, slots=True)
class Wire:
    """All that a payer writes into a transfer, and until when; `custody`: a bank holds the money.

    `name` is what the account is called (监管账户); `holder` is the beneficiary that the form asks
    for.
    """

    holder: str
    name: str
    scheme: str
    number: str
    member_id: str | None
    bic: str | None
    bank_name: str
    custody: bool
    reference: str
    amount_minor: int
    currency: str
    until: datetime | None

    @property
    def last_instant(self) -> datetime | None:
        """The last instant that is in time: `until` is the first that is late."""
        return None if self.until is None else self.until - timedelta(microseconds=1)


def of_invoice(number: str) -> str:
    """Return the reference of an invoice, e.g. `RF79UHDX2026000001` for `UHDX-2026-000001`."""
    return _reference(number.replace("-", ""))


def of_deposit(auction_id: UUID, party_id: UUID) -> str:
    """Return the reference of one bidder's deposit in one auction; it tells neither."""
    digest = hashlib.sha256(auction_id.bytes + party_id.bytes).digest()
    return _reference("D" + base64.b32encode(digest).decode()[:15])


def spaced(reference: str) -> str:
    """Return a reference as people read it, in groups of four."""
    return " ".join(reference[at : at + 4] for at in range(0, len(reference), 4))


def invoices_named(said: str) -> list[str]:
    """Return the numbers of the invoices whose references somebody wrote, each once."""
    cores = (_CORE.fullmatch(one[4:]) for one in _valid(INVOICE, said))
    return sorted({f"{SERIES}-{core[1]}-{core[2]}" for core in cores if core})


def deposits_named(said: str) -> list[str]:
    """Return the references of deposits that somebody wrote, each once."""
    return sorted(set(_valid(DEPOSIT, said)))


def content(proposal_id: UUID, account_id: UUID, *, code: str, currency: str, bank: str) -> bytes:
    """Return the canonical bytes of what is approved: which account collects a currency."""
    said = {
        "proposal": str(proposal_id),
        "account": str(account_id),
        "code": code,
        "currency": currency,
        "bank": bank,
    }
    return canonical.dumps(said)


def _reference(core: str) -> str:
    return f"RF{mod_97_10.calc_check_digits(core + 'RF')}{core}"


def _valid(form: re.Pattern[str], said: str) -> list[str]:
    """Return what has the form and the right check digits, without breaks."""
    plain = (re.sub(_BREAK[:-1], "", found[0]) for found in form.finditer(said.upper()))
    return [one for one in plain if mod_97_10.is_valid(one[4:] + one[:4])]
