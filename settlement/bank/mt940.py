"""Customer statement messages of SWIFT: MT940, as banks really send them.

Messages with and without their envelope, of one or several accounts, with the German sub-fields of
:86: (?20 …), the slashed ones (/EREF/ …) or free text. A day that does not exist is left out with a
warning; an amount, an account or a balance that cannot be read is a refusal.

Source: SWIFT Standards MT Category 9, MT940; DK-Formatspezifikation (sub-fields of :86:).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from settlement.bank import rules
from settlement.bank.rules import STATEMENT, Entry, Statement, StatementMalformed

TAG = re.compile(r":(\d{2,3}[A-Z]?):(.*)")
BALANCE = re.compile(r"([CD])(\d{6})([A-Z]{3})([\d,]{1,20})")
LINE = re.compile(
    r"(?P<valued>\d{6})(?P<booked>\d{4})?(?P<mark>R?[CD])(?P<funds>[A-Z])?"
    r"(?P<amount>\d[\d,]{0,19})(?P<kind>[A-Z][A-Z0-9]{3})(?P<reference>[^\n]*)(?P<more>\n.*)?",
    re.DOTALL,
)
NOTHING = ("NONREF", "")
LONGEST = 500
# Where one remark ends and the next begins in a SEPA text (EREF+…SVWZ+…).
SEPA = re.compile(r"(EREF|KREF|MREF|CRED|DEBT|SVWZ|ABWA|ABWE|IBAN|BIC)\+")
SLASHED = re.compile(r"/(EREF|NAME|REMI|IBAN|BENM|ORDP|ISDT|CNTP|TRCD|PREF)/")

Field = tuple[str, str]  # a tag and what follows it


@dataclass
class _Message:
    reference: str
    account: str | None = None
    number: str = ""
    opening: str | None = None
    closing: str | None = None
    entries: list[Entry] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)  # (:61:, its :86:)


def read(raw: bytes) -> list[Statement]:
    """Return the statements of a file.

    Raises:
        StatementMalformed: it is not one, or a part of it cannot be read.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    messages = list(_messages(_fields(text)))
    if not messages:
        raise StatementMalformed("There is no statement in it.", reason="no statement")
    if len(messages) > rules.MOST_STATEMENTS:
        raise StatementMalformed("There are too many statements in it.", reason="statements")
    return [_statement(message) for message in messages]


def _fields(text: str) -> Iterator[Field]:
    """Split into fields; what follows a field without a tag belongs to it."""
    tag, said = "", ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        found = TAG.match(line)
        if found is not None:
            if tag:
                yield tag, said.strip()
            tag, said = found[1], found[2]
        elif line.startswith("-"):
            if tag:
                yield tag, said.strip()
            tag = ""
        elif tag:
            said += f"\n{line}"
    if tag:
        yield tag, said.strip()


def _messages(fields: Iterator[Field]) -> Iterator[_Message]:
    message: _Message | None = None
    before = ""
    for tag, said in fields:
        if tag == "20":
            if message is not None:
                yield message
            message = _Message(said)
        elif message is not None:
            _take(message, tag, said, before)
        before = tag
    if message is not None:
        yield message


def _take(message: _Message, tag: str, said: str, before: str) -> None:
    if tag == "25":
        message.account = message.account or said.split("\n")[0].replace(" ", "")
    elif tag in ("28", "28C"):
        message.number = said
    elif tag in ("60F", "60M"):
        message.opening = said
    elif tag in ("62F", "62M"):
        message.closing = said
    elif tag == "61":
        if len(message.lines) >= rules.MOST_ENTRIES:
            raise StatementMalformed("There are too many entries in it.", reason="entries")
        message.lines.append((said, ""))
    elif tag == "86" and before == "61":
        message.lines[-1] = (message.lines[-1][0], said)


def _statement(message: _Message) -> Statement:
    if not message.account or message.opening is None or message.closing is None:
        raise StatementMalformed("A statement names no account or no balance.", reason="balances")
    currency, opening_minor, _ = _balance(message.opening)
    kept, closing_minor, closed_on = _balance(message.closing)
    name = f"{message.reference}/{message.number}/{closed_on:%Y%m%d}"
    if kept != currency:
        raise rules.StatementUnbalanced(
            "Its balances are in two currencies.", statement=name, currency=currency
        )
    warnings: list[str] = []
    entries = [
        _entry(line, remark, currency, closed_on, warnings) for line, remark in message.lines
    ]
    return Statement(
        kind=STATEMENT,
        statement_id=name[:100],
        account=message.account,
        currency=currency,
        opening_minor=opening_minor,
        closing_minor=closing_minor,
        closed_on=closed_on,
        entries=entries,
        warnings=warnings,
    )


def _balance(said: str) -> tuple[str, int, date]:
    found = BALANCE.fullmatch(said)
    day = None if found is None else _day(found[2])
    if found is None or day is None:
        raise StatementMalformed("A balance cannot be read.", reason="balance", value=said[:40])
    value = rules.minor(found[4], found[3], point=",")
    return found[3], value if found[1] == "C" else -value, day


def _entry(said: str, remark: str, currency: str, closed_on: date, warnings: list[str]) -> Entry:
    found = LINE.fullmatch(said)
    if found is None:
        raise StatementMalformed("An entry cannot be read.", reason="entry", value=said[:60])
    value = rules.minor(found["amount"], currency, point=",")
    credit = found["mark"] in ("C", "RD")  # the reversal of a debit brings money back
    valued_on = _day(found["valued"])
    if valued_on is None:
        warnings.append(f"The value date {found['valued']} does not exist.")
    booked_on = _booked_on(found["booked"], valued_on or closed_on)
    own, _, banks = found["reference"].partition("//")
    told = _remark(remark)
    return Entry(
        amount_minor=value if credit else -value,
        booked_on=booked_on or valued_on or closed_on,
        valued_on=valued_on,
        bank_ref=_known(banks),
        end_to_end_id=_known(told.get("EREF", "")) or _known(own),
        batch_id=_known(told.get("KREF", "")),
        name=told.get("NAME"),
        account=told.get("IBAN"),
        text=told.get("TEXT"),
        return_reason=None,
    )


def _booked_on(said: str | None, near: date) -> date | None:
    """Return the booking day, which has no year: the one nearest to the other day."""
    if said is None:
        return None
    days = [_made(year, said) for year in (near.year - 1, near.year, near.year + 1)]
    known = [day for day in days if day is not None]
    return min(known, key=lambda day: abs(day - near), default=None)


def _made(year: int, said: str) -> date | None:
    try:
        return date(year, int(said[:2]), int(said[2:]))
    except ValueError:
        return None


def _day(said: str) -> date | None:
    year = int(said[:2])
    return _made(2000 + year if year < 80 else 1900 + year, said[2:])


def _remark(said: str) -> dict[str, str]:
    """Return what :86: tells: the payer's reference, name, account and text, where they are."""
    parts = _numbered(said) if re.match(r"\s*\d{3}\?", said) else None
    if parts is not None:
        told = _sepa(parts.pop("TEXT", ""))
        return {key: value[:LONGEST] for key, value in {**parts, **told}.items() if value}
    flat = said.replace("\n", "")
    found = SLASHED.split(flat)
    told = {
        key: value.strip("/")
        for key, value in zip(found[1::2], found[2::2], strict=True)
        if value.strip("/")
    }
    return {key: value[:LONGEST] for key, value in {"TEXT": flat, **told}.items() if value}


def _numbered(said: str) -> dict[str, str]:
    """Return the sub-fields ?20-?29 and ?60-?63 (text), ?31 (account), ?32 and ?33 (name)."""
    found = re.split(r"\?(\d{2})", said.replace("\n", ""))
    pairs: Sequence[tuple[str, str]] = list(zip(found[1::2], found[2::2], strict=True))
    return {
        "TEXT": "".join(value for key, value in pairs if key[0] == "2" or "60" <= key <= "63"),
        "IBAN": "".join(value for key, value in pairs if key == "31").replace(" ", ""),
        "NAME": "".join(value for key, value in pairs if key in ("32", "33")).strip(),
    }


def _sepa(text: str) -> dict[str, str]:
    found = SEPA.split(text)
    told = {key: value.strip() for key, value in zip(found[1::2], found[2::2], strict=True)}
    told.pop("IBAN", None)
    return {"TEXT": told.get("SVWZ", text), **told}


def _known(reference: str) -> str | None:
    plain = reference.strip()
    return None if plain in NOTHING else plain[:100]
