"""Payment files of ISO 20022: pain.001.001.09, into accounts with an IBAN or with a bank's number
of the Chinese national payment system.

The bytes are made once, approved as they are and given out as they are: a bank that gets the file
twice knows it by its MsgId.

Source: ISO 20022 CustomerCreditTransferInitiationV09; ISO 20022 external code sets (clearing system
CNAPS, purposes ROYA, REFU and WHLD).
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from lxml import etree

from contracts import rfc3339
from contracts.money import Money
from settlement.bank.rules import Account, Payment

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
CLEARING = "CNAPS"
IBAN = "iban"


def write(
    payments: Sequence[Payment],
    *,
    message_id: str,
    payer: Account,
    execute_on: date,
    made_at: datetime,
) -> bytes:
    """Return the file that asks a bank to make payments of one currency out of one account.

    Args:
        payments: what is to be paid, at least one.
        message_id: the message's id, at most 35 characters; a bank takes each once.
        payer: the account that pays.
        execute_on: the day on which the bank is to pay.
        made_at: the instant that the file names.
    """
    total = Money(
        sum(payment.amount.amount_minor for payment in payments), payments[0].amount.currency
    )
    names: Any = {None: NAMESPACE}
    root = etree.Element(f"{{{NAMESPACE}}}Document", nsmap=names)
    message = _add(root, "CstmrCdtTrfInitn")
    header = _add(message, "GrpHdr")
    _add(header, "MsgId", message_id)
    _add(header, "CreDtTm", rfc3339.to_the_second(made_at))
    _add_sums(header, payments, total)
    _add(_add(header, "InitgPty"), "Nm", payer.holder)
    order = _add(message, "PmtInf")
    _add(order, "PmtInfId", message_id)
    _add(order, "PmtMtd", "TRF")
    _add_sums(order, payments, total)
    _add(_add(order, "ReqdExctnDt"), "Dt", execute_on.isoformat())
    _add(_add(order, "Dbtr"), "Nm", payer.holder)
    _add_account(order, "DbtrAcct", payer, currency=total.currency)
    _add_agent(order, "DbtrAgt", payer)
    for payment in payments:
        _add_payment(order, payment)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return written


def _add_payment(order: Any, payment: Payment) -> None:
    one = _add(order, "CdtTrfTxInf")
    _add(_add(one, "PmtId"), "EndToEndId", payment.end_to_end_id)
    amount = _add(_add(one, "Amt"), "InstdAmt", payment.amount.decimal())
    amount.set("Ccy", payment.amount.currency)
    if payment.payee.scheme != IBAN or payment.payee.bic is not None:
        _add_agent(one, "CdtrAgt", payment.payee)
    _add(_add(one, "Cdtr"), "Nm", payment.payee.holder)
    _add_account(one, "CdtrAcct", payment.payee, currency=None)
    _add(_add(one, "Purp"), "Cd", payment.purpose)
    _add(_add(one, "RmtInf"), "Ustrd", payment.text)


def _add_sums(parent: Any, payments: Sequence[Payment], total: Money) -> None:
    _add(parent, "NbOfTxs", str(len(payments)))
    _add(parent, "CtrlSum", total.decimal())


def _add_account(parent: Any, name: str, account: Account, *, currency: str | None) -> None:
    made = _add(parent, name)
    number = _add(made, "Id")
    if account.scheme == IBAN:
        _add(number, "IBAN", account.number)
    else:
        _add(_add(number, "Othr"), "Id", account.number)
    if currency is not None:
        _add(made, "Ccy", currency)


def _add_agent(parent: Any, name: str, account: Account) -> None:
    bank = _add(_add(parent, name), "FinInstnId")
    if account.bic is not None:
        _add(bank, "BICFI", account.bic)
    elif account.member_id is not None:
        member = _add(bank, "ClrSysMmbId")
        _add(_add(member, "ClrSysId"), "Cd", CLEARING)
        _add(member, "MmbId", account.member_id)
    else:
        _add(_add(bank, "Othr"), "Id", "NOTPROVIDED")


def _add(parent: Any, name: str, said: str | None = None) -> Any:
    made = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    made.text = said
    return made
