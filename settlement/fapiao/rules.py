"""Decisions about fapiao (发票): what their fields may hold, and how one goes on (pure).

Source: 国家税务总局公告2024年第11号 (fully digitalised fapiao: twenty digits, a sheet that
both sides confirm before a red one), by secondary texts; GB 32100-2015.
Differs from the source: fields and states are those of the interfaces that issuers publish.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from contracts.parties import rules as parties
from contracts.refusal import InvalidContent, Kind, Refusal

PRICE, COMMISSION = "price", "commission"  # what the licensor sold, and what the exchange did
RENMINBI = "CNY"
REQUESTED, ISSUED, REFUSED = "requested", "issued", "refused"
TAX_ID = re.compile(r"[0-9A-Z]{15}|[0-9A-Z]{17,20}")
ACCOUNT = re.compile(r"[0-9]{8,32}")
TAX_CODE = re.compile(r"[0-9]{19}")
USCC_LENGTH = 18
MOST_BYTES = 1_000_000  # of a file; a page of text has some 100 kB
LONGEST_REASON = 200
# The first bytes of what a file may be: a PDF; an OFD, which is a ZIP; an XML text.
MAGIC: Mapping[str, tuple[bytes, ...]] = {
    "pdf": (b"%PDF-",),
    "ofd": (b"PK\x03\x04",),
    "xml": (b"<?xml", b"\xef\xbb\xbf<?xml"),
}
MEDIA_TYPES: Mapping[str, str] = {
    "pdf": "application/pdf", "ofd": "application/ofd", "xml": "application/xml",
}  # fmt: skip
# The confirmation sheet of a red fapiao (红字确认单): what may follow each of its states. 01 none
# needed; 02 the seller's, 03 the buyer's waits for the other; 04 both confirmed; 05 to 10 void:
# denied by the buyer or the seller, 72 hours over, taken back before or after, the fapiao at fault.
NONE_NEEDED, BY_SELLER, BY_BUYER, BOTH = "01", "02", "03", "04"
FOLLOWS: Mapping[str, frozenset[str]] = {
    NONE_NEEDED: frozenset({"08", "10"}),
    BY_SELLER: frozenset({BOTH, "05", "07", "08", "10"}),
    BY_BUYER: frozenset({BOTH, "06", "07", "08", "10"}),
    BOTH: frozenset({"09", "10"}),
}
VOID = frozenset({"05", "06", "07", "08", "09", "10"})
CONFIRMED = frozenset({NONE_NEEDED, BOTH})


class BadTaxId(Refusal):
    """The tax id (纳税人识别号) has the wrong form or check character."""

    kind, code = Kind.INVALID, "bad-tax-id"
    hint = (
        "Send 15 to 20 letters and digits; one of 18 is a unified social credit code, and checks."
    )


class FapiaoDetailsMissing(Refusal):
    """The buyer, or the exchange that sells, has not said its title and tax id (开票信息)."""

    kind, code = Kind.CONFLICT, "fapiao-details-missing"
    hint = (
        "The organisation in `party` sends title and tax id with "
        "PUT /v1/parties/{id}/fapiao-details first."
    )


class FapiaoNothingLeft(Refusal):
    """Nothing of the invoice is left to make a fapiao out for, or not in renminbi."""

    kind, code = Kind.CONFLICT, "fapiao-nothing-left"
    hint = "A fapiao is made out once for what an invoice in CNY still says."


class FapiaoExists(Refusal):
    """A fapiao of this invoice, or of this red letter, is asked for or issued."""

    kind, code = Kind.CONFLICT, "fapiao-exists"
    hint = "Read the fapiao named in `fapiao`."


class FapiaoNotRed(Refusal):
    """The red letter takes nothing off a fapiao that was issued."""

    kind, code = Kind.CONFLICT, "fapiao-not-red"
    hint = "It needs a blue one that is issued, and a red letter from after that was asked for."


class FapiaoOutOfTurn(Refusal):
    """A fapiao does not go there from where it is."""

    kind, code = Kind.CONFLICT, "fapiao-out-of-turn"
    hint = "Read its `state` and `confirmation`."


class FapiaoNumberTaken(Refusal):
    """Another fapiao has this number."""

    kind, code = Kind.CONFLICT, "fapiao-number-taken"
    hint = "Copy the twenty digits from the fapiao again."


class FapiaoFileUnsupported(Refusal):
    """The file is not of the form that it is sent as, or another file of this form is kept."""

    kind, code = Kind.INVALID, "fapiao-file-unsupported"
    hint = "Send the PDF, OFD or XML as the tax authority's platform gave it; each is kept once."


class FapiaoFileTooLarge(Refusal):
    """The file is too large for a fapiao."""

    kind, code = Kind.TOO_LARGE, "fapiao-file-too-large"
    hint = "Send at most `most_bytes` bytes."


@dataclass(frozen=True, slots=True)
class Details:
    """To whom fapiao are made out (开票信息): title (抬头), tax id, what a special one prints."""

    title: str
    tax_id: str
    address: str = ""
    phone: str = ""
    bank: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Between:
    """What a fapiao is of and between whom; `sheet`: of a red one, its letter and its sheet."""

    invoice_id: UUID
    kind: str
    buyer_id: UUID
    seller_id: UUID
    sheet: tuple[UUID, str] | None = None


def checked(details: Details) -> Details:
    """Return the details in their plain form.

    Raises:
        BadTaxId: the tax id cannot be one.
        BadName: the title, the address or the bank holds what cannot be seen, or is too long.
        InvalidContent: the bank account or the phone cannot be one.
    """
    account = re.sub(r"[\s-]", "", details.account)
    if account and not ACCOUNT.fullmatch(account):
        raise InvalidContent("A bank account has 8 to 32 digits.", field="account")
    phone = details.phone.strip()
    if phone and not re.fullmatch(r"[0-9+() -]{5,20}", phone):
        raise InvalidContent("This is no telephone number.", field="phone")
    return Details(
        title=parties.clean_name(details.title, field="title", most=100),
        tax_id=tax_id(details.tax_id),
        address=_maybe(details.address, "address"),
        phone=phone,
        bank=_maybe(details.bank, "bank"),
        account=account,
    )


def tax_id(text: str) -> str:
    """Return a tax id in its plain form; one of 18 characters checks as GB 32100 says.

    Raises:
        BadTaxId: it cannot be one.
    """
    plain = text.strip().upper()
    if len(plain) == USCC_LENGTH:
        try:
            return parties.clean_uscc(plain)
        except parties.BadUscc as wrong:
            raise BadTaxId("The code does not check.", field="tax_id") from wrong
    if not TAX_ID.fullmatch(plain):
        raise BadTaxId("A tax id has 15 to 20 letters and digits.", field="tax_id")
    return plain


def rate(rate_bp: int) -> str:
    """Write a rate as a fapiao does: a decimal with three places at most, e.g. `0.06`.

    Raises:
        ValueError: it has more places (a fault of the tax rules, not a refusal).
    """
    if rate_bp % 10:
        raise ValueError("a rate on a fapiao has three places at most")
    return f"{rate_bp // 10 / 1000:.3f}".rstrip("0").rstrip(".") or "0"


def check_issue(state: str, *, confirmation: str | None, issued_on: date, today: date) -> None:
    """Check that a fapiao may be taken as issued on a day.

    Raises:
        FapiaoOutOfTurn: it is not asked for any more, or its red confirmation is not there yet.
        InvalidContent: the day has not come.
    """
    if state != REQUESTED or (confirmation is not None and confirmation not in CONFIRMED):
        raise FapiaoOutOfTurn("It cannot be issued now.", state=state, confirmation=confirmation)
    if issued_on > today:
        raise InvalidContent("A fapiao is not issued on a day to come.", field="issued_on")


def confirmed(state: str, was: str | None, then: str) -> str:
    """Return the state of a red fapiao whose confirmation sheet went on; a void one ends it.

    Raises:
        FapiaoOutOfTurn: the sheet does not go there, or there is none.
    """
    if state != REQUESTED or was is None or then not in FOLLOWS.get(was, frozenset()):
        raise FapiaoOutOfTurn("The sheet does not go there.", state=state, confirmation=was)
    return REFUSED if then in VOID else REQUESTED


def check_file(form: str, content: bytes) -> None:
    """Check that a file is what it is sent as.

    Raises:
        FapiaoFileUnsupported: its first bytes say something else.
    """
    if not content.startswith(MAGIC[form]):
        raise FapiaoFileUnsupported("This is no such file.", form=form)


def _maybe(text: str, field: str) -> str:
    return parties.clean_name(text, field=field, most=100) if text.strip() else ""
