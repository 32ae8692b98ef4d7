"""A bank's report about a payment file: pain.002, every version; the file has one account.

Read strictly: the elements that the message defines, in its order and as often as it allows. A
status holds for a payment, for the order that it is in, or for the whole file: the nearest counts.

Source: ISO 20022 CustomerPaymentStatusReport (pain.002.001.03-.14), external code sets for payment
transaction status.
Differs from the source: a status that is not in the code set is refused; banks may agree on others.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from settlement.bank import elements, rules
from settlement.bank.rules import StatementMalformed

PREFIX = "urn:iso:std:iso:20022:tech:xsd:pain.002.001."
NAMESPACE = re.compile(re.escape(PREFIX) + r"\d\d")
ORIGINAL = re.compile(r"pain\.001(\.001\.\d\d)?")
REASON = re.compile(r"[A-Z0-9]{1,4}")
ACCEPTED = ("ACTC", "ACCP", "ACSP", "ACSC", "ACCC", "ACWC", "ACWP")
PENDING = ("RCVD", "PDNG", "PATC", "PART")
REJECTED = ("RJCT", "CANC")
TAKEN, WAITS, REFUSED = "accepted", "pending", "rejected"
# Reasons that lie in the payee's account or bank: there the payment is not tried again.
ACCOUNT_REASONS = ("AC", "BE", "RC", "AG01", "MD07")
LONGEST_ID = 35

# For each element its children in order: name, least, most.
Shape = Sequence[tuple[str, int, int]]
MANY = 20_000
_REASONS, _COUNTS = ("StsRsnInf", 0, MANY), ("NbOfTxsPerSts", 0, MANY)
SHAPES: Mapping[str, Shape] = {
    "Document": [("CstmrPmtStsRpt", 1, 1)],
    "CstmrPmtStsRpt": [
        ("GrpHdr", 1, 1), ("OrgnlGrpInfAndSts", 1, 1), ("OrgnlPmtInfAndSts", 0, MANY),
        ("SplmtryData", 0, MANY),
    ],
    "GrpHdr": [
        ("MsgId", 1, 1), ("CreDtTm", 1, 1), ("InitgPty", 0, 1), ("FwdgAgt", 0, 1),
        ("DbtrAgt", 0, 1), ("CdtrAgt", 0, 1),
    ],
    "OrgnlGrpInfAndSts": [
        ("OrgnlMsgId", 1, 1), ("OrgnlMsgNmId", 1, 1), ("OrgnlCreDtTm", 0, 1),
        ("OrgnlNbOfTxs", 0, 1), ("OrgnlCtrlSum", 0, 1), ("GrpSts", 0, 1), _REASONS, _COUNTS,
    ],
    "OrgnlPmtInfAndSts": [
        ("OrgnlPmtInfId", 1, 1), ("OrgnlNbOfTxs", 0, 1), ("OrgnlCtrlSum", 0, 1),
        ("PmtInfSts", 0, 1), _REASONS, _COUNTS, ("TxInfAndSts", 0, MANY),
    ],
    "TxInfAndSts": [
        ("StsId", 0, 1), ("OrgnlInstrId", 0, 1), ("OrgnlEndToEndId", 0, 1), ("OrgnlUETR", 0, 1),
        ("TxSts", 0, 1), _REASONS, ("ChrgsInf", 0, MANY), ("TrckrData", 0, 1),
        ("AccptncDtTm", 0, 1), ("PrcgDt", 0, 1), ("FctvIntrBkSttlmDt", 0, 1),
        ("AcctSvcrRef", 0, 1), ("ClrSysRef", 0, 1), ("OrgnlTxRef", 0, 1), ("SplmtryData", 0, MANY),
    ],
    "StsRsnInf": [("Orgtr", 0, 1), ("Rsn", 0, 1), ("AddtlInf", 0, MANY)],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Status:
    """What the bank says of a payment, an order or a file; `reason` is a code of the bank's."""

    code: str
    reason: str | None

    @property
    def outcome(self) -> str:
        """What it comes to: accepted, pending or rejected."""
        if self.code in REJECTED:
            return REFUSED
        return TAKEN if self.code in ACCEPTED else WAITS

    @property
    def blames_account(self) -> bool:
        """Whether the payee's account or bank is at fault."""
        return self.reason is not None and self.reason.startswith(ACCOUNT_REASONS)


@dataclass(frozen=True, slots=True)
class Report:
    """A report: of which message, what of all of it, and what of single payments.

    `payments` are by EndToEndId; `rest` holds for every payment that the report does not name.
    """

    report_id: str
    message_id: str
    rest: Status | None
    payments: Mapping[str, Status]
    count: int | None
    sum_text: str | None


def is_report(raw: bytes) -> bool:
    """Tell whether a file says that it is such a report."""
    return PREFIX.encode() in raw[:4096]


def read(raw: bytes) -> Report:
    """Return a report.

    Raises:
        StatementTooLarge: it has more than 32 MiB.
        StatementMalformed: it is none, or breaks the order of the message.
    """
    if len(raw) > rules.MOST_BYTES:
        raise rules.StatementTooLarge("The file is too large.", most_bytes=rules.MOST_BYTES)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False,
        huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root: Any = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError) as wrong:
        said = str(wrong)[:200]
        raise StatementMalformed("It is no XML that is read here.", reason=said) from wrong
    if root.getroottree().docinfo.doctype:
        raise StatementMalformed("It has a document type declaration.", reason="doctype")
    if not NAMESPACE.fullmatch(str(etree.QName(root).namespace or "")):
        raise StatementMalformed("It is no pain.002.", reason="namespace")
    _check(root)
    return _report(root[0])


def _check(element: Any) -> None:
    """Check the children of an element, as deep as the shapes go."""
    shape = SHAPES.get(elements.name(element))
    if shape is None:
        return
    found, at = list(element), 0
    for wanted, least, most in shape:
        begun = at
        while at < len(found) and elements.name(found[at]) == wanted:
            _check(found[at])
            at += 1
        if not least <= at - begun <= most:
            raise StatementMalformed("An element is missing or repeated.", reason=wanted)
    if at < len(found):
        raise StatementMalformed("An element is not expected.", reason=elements.name(found[at]))


def _report(message: Any) -> Report:
    group = elements.child(message, "OrgnlGrpInfAndSts")
    original = elements.text(group, "OrgnlMsgNmId") or ""
    if not ORIGINAL.fullmatch(original):
        raise StatementMalformed("It is about no pain.001.", reason="OrgnlMsgNmId")
    rest = _status(group, "GrpSts")
    payments: dict[str, Status] = {}
    for order in elements.children(message, "OrgnlPmtInfAndSts"):
        of_order = _status(order, "PmtInfSts")
        rest = of_order or rest
        for one in elements.children(order, "TxInfAndSts"):
            told = _status(one, "TxSts") or rest
            named = elements.text(one, "OrgnlEndToEndId")
            if named is None or told is None or named in payments:
                raise StatementMalformed("A payment has no name, or no status.", reason="payment")
            payments[named] = told
    if rest is None and not payments:
        raise StatementMalformed("It says nothing.", reason="status")
    count = elements.text(group, "OrgnlNbOfTxs")
    return Report(
        report_id=_id(elements.text(message, "GrpHdr", "MsgId")),
        message_id=_id(elements.text(group, "OrgnlMsgId")),
        rest=rest,
        payments=payments,
        count=None if count is None else _count(count),
        sum_text=elements.text(group, "OrgnlCtrlSum"),
    )


def _status(element: Any, wanted: str) -> Status | None:
    code = elements.text(element, wanted)
    if code is None:
        return None
    if code not in (*ACCEPTED, *PENDING, *REJECTED):
        raise StatementMalformed("A status is unknown.", reason="status", value=code[:20])
    reason = elements.text(elements.child(element, "StsRsnInf"), "Rsn", "Cd")
    if reason is not None and not REASON.fullmatch(reason):
        raise StatementMalformed("A reason is no code.", reason="reason", value=reason[:20])
    return Status(code, reason)


def _id(said: str | None) -> str:
    if said is None or len(said) > LONGEST_ID:
        raise StatementMalformed("A message has no id, or one too long.", reason="identity")
    return said


def _count(said: str) -> int:
    if not (said.isascii() and said.isdigit() and len(said) <= 15):
        raise StatementMalformed("A number of payments cannot be read.", reason="OrgnlNbOfTxs")
    return int(said)
