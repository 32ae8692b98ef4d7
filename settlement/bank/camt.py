"""Statements and notifications of ISO 20022: camt.053 and camt.054, every version.

Read entry by entry, so that the elements held do not grow with the file. No DTD, no entities, no
network. Only booked entries count; one that sums up several payments is taken apart where the
payments say how much each was.

Source: ISO 20022 Bank-to-Customer Cash Management (camt.053.001.02-.14, camt.054.001.02-.14).
"""

import io
import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from lxml import etree

from settlement.bank import elements, rules
from settlement.bank.rules import NOTIFICATION, STATEMENT, Entry, Statement, StatementMalformed

NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:camt\.05[34]\.001\.\d\d")
MESSAGES = {"Stmt": STATEMENT, "Ntfctn": NOTIFICATION}
OPENING, CLOSING = ("OPBD", "PRCD"), ("CLBD",)
NOT_PROVIDED = ("NOTPROVIDED", "NONREF")

Priced = tuple[str, Entry]  # an entry with its currency


def read(raw: bytes) -> list[Statement]:
    """Return the statements and notifications of a file.

    Raises:
        StatementMalformed: it is not one, or an entry cannot be read.
    """
    try:
        found = _read(raw)
    except (etree.XMLSyntaxError, ValueError) as wrong:
        said = str(wrong)[:200]
        raise StatementMalformed("It is no XML that is read here.", reason=said) from wrong
    if not found:
        raise StatementMalformed("There is no statement in it.", reason="no statement")
    return found


def _read(raw: bytes) -> list[Statement]:
    found: list[Statement] = []
    entries: list[Priced] = []
    parsed: Any = etree.iterparse(
        io.BytesIO(raw), events=("start", "end"), resolve_entities=False, no_network=True,
        load_dtd=False, dtd_validation=False, huge_tree=False, remove_comments=True,
        remove_pis=True,
    )  # fmt: skip
    for event, element in parsed:
        if event == "start":
            if element.getparent() is None:
                _check_root(element)
            continue
        kind = elements.name(element)
        if kind == "Ntry":
            entries += _entries(element)
            _check_count(len(entries), rules.MOST_ENTRIES)
            _forget(element)
        elif kind in MESSAGES:
            found.append(_statement(element, MESSAGES[kind], entries))
            _check_count(len(found), rules.MOST_STATEMENTS)
            entries = []
            _forget(element)
    return found


def _check_root(root: Any) -> None:
    if root.getroottree().docinfo.doctype:
        raise StatementMalformed("It has a document type declaration.", reason="doctype")
    if not NAMESPACE.fullmatch(str(etree.QName(root).namespace or "")):
        raise StatementMalformed("It is no camt.053 or camt.054.", reason="namespace")


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise StatementMalformed("There are too many entries in it.", reason="entries", most=most)


def _statement(element: Any, kind: str, entries: Sequence[Priced]) -> Statement:
    account = elements.child(element, "Acct")
    balances = {
        elements.text(each, "Tp", "CdOrPrtry", "Cd"): each
        for each in elements.children(element, "Bal")
    }
    opening = next((balances[code] for code in OPENING if code in balances), None)
    closing = next((balances[code] for code in CLOSING if code in balances), None)
    statement_id = elements.text(element, "Id")
    number = elements.text(account, "Id", "IBAN") or elements.text(account, "Id", "Othr", "Id")
    if statement_id is None or number is None:
        raise StatementMalformed("A statement names no account or no id.", reason="identity")
    if kind == STATEMENT and (opening is None or closing is None):
        raise StatementMalformed("A statement has no balances.", reason="balances")
    seen = [_money(each)[0] for each in (opening,) if each is not None] or [
        currency for currency, _ in entries[:1]
    ]
    currency = elements.text(account, "Ccy") or next(iter(seen), None)
    if currency is None:
        raise StatementMalformed("A statement names no currency.", reason="currency")
    if any(other != currency for other, _ in entries):
        raise StatementMalformed("Its entries are in several currencies.", reason="currencies")
    return Statement(
        kind=kind,
        statement_id=statement_id[:100],
        account=number.replace(" ", ""),
        currency=currency,
        opening_minor=None if opening is None else _balance(opening, currency, statement_id),
        closing_minor=None if closing is None else _balance(closing, currency, statement_id),
        closed_on=_day(closing, "Dt") or _day(element, "CreDtTm"),
        entries=[entry for _, entry in entries],
    )


def _balance(element: Any, currency: str, statement_id: str) -> int:
    kept, amount_minor = _money(element)
    if kept != currency:
        raise rules.StatementUnbalanced(
            "A balance is in another currency than the account.",
            statement=statement_id,
            currency=currency,
            balance_currency=kept,
            balance_minor=amount_minor,
        )
    return amount_minor


def _entries(element: Any) -> list[Priced]:
    """Return an entry, or its payments where each says its amount and they make the whole."""
    status = elements.text(element, "Sts", "Cd") or elements.text(element, "Sts")
    if status != "BOOK":
        return []
    currency, amount_minor = _money(element)
    details = [
        one
        for each in elements.children(element, "NtryDtls")
        for one in elements.children(each, "TxDtls")
    ]
    sign = 1 if amount_minor >= 0 else -1
    parts = [_part(each, currency) for each in details]
    if len(parts) > 1 and None not in parts:
        amounts = [sign * part for part in parts if part is not None]
        if sum(amounts) == amount_minor:
            return [
                (currency, _entry(element, each, part))
                for each, part in zip(details, amounts, strict=True)
            ]
    only = details[0] if len(details) == 1 else None
    return [(currency, _entry(element, only, amount_minor))]


def _part(details: Any, currency: str) -> int | None:
    """Return how much one of several payments was, in the entry's currency, without a sign."""
    amount = elements.child(details, "Amt")
    if amount is None:
        found = elements.child(details, "AmtDtls")
        amount = elements.child(elements.child(found, "TxAmt"), "Amt")
    if amount is None or amount.get("Ccy") != currency:
        return None
    return rules.minor((amount.text or "").strip(), currency, point=".")


def _entry(element: Any, details: Any, amount_minor: int) -> Entry:
    refs, parties = elements.child(details, "Refs"), elements.child(details, "RltdPties")
    whose, where = ("Dbtr", "DbtrAcct") if amount_minor >= 0 else ("Cdtr", "CdtrAcct")
    batch = elements.child(elements.child(element, "NtryDtls"), "Btch")
    return Entry(
        amount_minor=amount_minor,
        booked_on=_day(element, "BookgDt"),
        valued_on=_day(element, "ValDt"),
        bank_ref=_known(
            elements.text(refs, "AcctSvcrRef") or elements.text(element, "AcctSvcrRef")
        ),
        end_to_end_id=_known(elements.text(refs, "EndToEndId")),
        batch_id=_known(
            elements.text(batch, "PmtInfId")
            or elements.text(batch, "MsgId")
            or elements.text(refs, "PmtInfId")
            or elements.text(refs, "MsgId")
        ),
        name=elements.text(parties, whose, "Nm") or elements.text(parties, whose, "Pty", "Nm"),
        account=elements.text(parties, where, "Id", "IBAN")
        or elements.text(parties, where, "Id", "Othr", "Id"),
        text=_remittance(details) or elements.text(element, "AddtlNtryInf"),
        return_reason=elements.text(details, "RtrInf", "Rsn", "Cd"),
    )


def _remittance(details: Any) -> str | None:
    found = elements.child(details, "RmtInf")
    said = [(each.text or "").strip() for each in elements.children(found, "Ustrd")]
    for each in elements.children(found, "Strd"):
        said.append(elements.text(each, "CdtrRefInf", "Ref") or "")
        said.append(elements.text(each, "RfrdDocInf", "Nb") or "")
    return " ".join(word for word in said if word)[: elements.LONGEST] or None


def _money(element: Any) -> tuple[str, int]:
    """Return the currency and the signed minor units of a balance or an entry."""
    amount, side = elements.child(element, "Amt"), elements.text(element, "CdtDbtInd")
    if amount is None or side not in ("CRDT", "DBIT"):
        raise StatementMalformed("An amount or its side is missing.", reason="amount")
    currency = str(amount.get("Ccy") or "")
    value = rules.minor((amount.text or "").strip(), currency, point=".")
    return currency, value if side == "CRDT" else -value


def _day(element: Any, wanted: str) -> date | None:
    said = (
        elements.text(element, wanted, "Dt")
        or elements.text(element, wanted, "DtTm")
        or elements.text(element, wanted)
    )
    if said is None:
        return None
    try:
        return date.fromisoformat(said[:10])
    except ValueError as wrong:
        raise StatementMalformed("A day does not exist.", reason="day", value=said[:20]) from wrong


def _known(reference: str | None) -> str | None:
    return None if reference is None or reference in NOT_PROVIDED else reference[:100]


def _forget(element: Any) -> None:
    """Drop an element that was read."""
    parent = element.getparent()
    element.clear()
    if parent is not None:
        parent.remove(element)
