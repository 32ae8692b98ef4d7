"""Bank accounts of payees decided: what an account number looks like, when it may be paid (pure).

Source: ISO 13616 (IBAN) and ISO 7064 (its check digits); 中国人民银行 支付系统行号标准 (a bank of
the Chinese national payment system has a number of twelve digits).
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from stdnum import iban

from contracts import canonical
from contracts.refusal import Kind, Refusal

IBAN, CNAPS = "iban", "cnaps"
OTHER = "other"  # of the exchange's own accounts alone: as the bank's statements name them
DECLARED, VERIFIED, REFUSED, SUPERSEDED = "declared", "verified", "refused", "superseded"
WITHDRAWN = "withdrawn"
# Who steals a mailbox changes the account first: the payee has three days to hear of a change.
COOLING_OFF = timedelta(hours=72)
MEMBER = re.compile(r"[0-9]{12}")
NUMBER = re.compile(r"[0-9]{8,32}")
NAMED = re.compile(r"[A-Z0-9/.-]{1,50}")
LONGEST_NAME, LONGEST_EVIDENCE = 70, 500


class BankAccountMalformed(Refusal):
    """The account number cannot be one."""

    kind, code = Kind.INVALID, "bank-account-malformed"
    hint = "`field` names the wrong part: an IBAN's check digits, or the twelve digits of the bank."


class HolderDiffers(Refusal):
    """The account is held under another name than the organisation's registered one."""

    kind, code = Kind.INVALID, "bank-account-holder-differs"
    hint = "Give the holder's name as registered, or say in `name_reason` why it is another."


class BankAccountWaits(Refusal):
    """Another account of this party waits for its verification."""

    kind, code = Kind.CONFLICT, "bank-account-waits"
    hint = "Have the account named in `account` verified or refused first, or withdraw it."


@dataclass(frozen=True, slots=True)
class Details:
    """An account at a bank.

    `member_id` is the bank's number in the Chinese national payment system, None with an IBAN.
    `name_reason` says why the holder has another name than the party, where it has.
    """

    scheme: str
    number: str
    holder: str
    currency: str
    bank_name: str
    member_id: str | None = None
    name_reason: str | None = None

    @property
    def code(self) -> str:
        """The account in one word, as payouts name it."""
        if self.scheme == IBAN:
            return f"{IBAN}:{self.number}"
        return f"{CNAPS}:{self.member_id}:{self.number}"


def plain_name(name: str | None) -> str:
    """Return a name without case, width, blanks and marks."""
    wide = unicodedata.normalize("NFKC", name or "").casefold()
    return "".join(letter for letter in wide if letter.isalnum())


def is_held_by(holder: str, names: Sequence[str]) -> bool:
    """Tell whether a holder has one of a party's registered names, however it is written."""
    return plain_name(holder) in {plain_name(name) for name in names}


def check_holder(details: Details, names: Sequence[str]) -> None:
    """Check that an account is the party's own, or that it says why another name holds it.

    Raises:
        HolderDiffers: it is neither.
    """
    if not is_held_by(details.holder, names) and details.name_reason is None:
        raise HolderDiffers("Another name holds this account.", registered=list(names))


def is_at_a_bank(account: str) -> bool:
    """Tell whether a payout's account is one at a bank, not at a payment provider."""
    return account.startswith((f"{IBAN}:", f"{CNAPS}:"))


def checked(details: Details) -> Details:
    """Return the details with the number in its plain form.

    Raises:
        BankAccountMalformed: the number or the bank's number cannot be one.
    """
    plain = re.sub(r"[\s-]", "", details.number).upper()
    if details.scheme == IBAN:
        if not iban.is_valid(plain, check_country=False):
            raise BankAccountMalformed(
                "An IBAN has other digits or another length.", field="number"
            )
        if details.member_id is not None:
            raise BankAccountMalformed("An IBAN names its bank.", field="member_id")
    else:
        if not NUMBER.fullmatch(plain):
            raise BankAccountMalformed("The account number has 8 to 32 digits.", field="number")
        if not MEMBER.fullmatch(details.member_id or ""):
            raise BankAccountMalformed("The bank's number has twelve digits.", field="member_id")
    return replace(details, number=plain)


def checked_own(details: Details) -> Details:
    """Return the details of an account of the exchange with the number in its plain form.

    Raises:
        BankAccountMalformed: the number or the bank's number cannot be one.
    """
    if details.scheme != OTHER:
        return checked(details)
    plain = re.sub(r"\s", "", details.number)
    if not NAMED.fullmatch(plain) or details.member_id is not None:
        raise BankAccountMalformed("No statement names an account so.", field="number")
    return replace(details, number=plain)


def content(account_id: UUID, party_id: UUID, details: Details) -> bytes:
    """Return the canonical bytes of what a verification is about."""
    said = {
        "account": str(account_id),
        "party": str(party_id),
        "code": details.code,
        "holder": details.holder,
        "currency": details.currency,
        "bank": details.bank_name,
    }
    why = {} if details.name_reason is None else {"name_reason": details.name_reason}
    return canonical.dumps({**said, **why})


def usable_from(now: datetime, *, is_a_change: bool) -> datetime:
    """Return when a verified account may be paid: a first one at once, a changed one later."""
    return now + COOLING_OFF if is_a_change else now
