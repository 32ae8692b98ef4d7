"""The deposit agreement (竞买保证金协议) of an auction: terms as data, like those of a deal (pure).

Source: 国资发产权规〔2025〕17号 (deposits and when they are lost, as the notice names them);
电子签名法 arts. 13-14. It is concluded by applying and paying or, where the rules of the auction
ask for that, by the bidder's signature (`contracts.agreements`); it grants nothing, so arts. 26-27
of 著作权法 ask nothing of it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts import rfc3339
from contracts.deals import templates, terms, words
from contracts.deals.templates import Template
from contracts.deals.terms import Side
from contracts.money import Money

TYPE = "uhdx.deposit/v1"
RETURN_DAYS = 3  # working days after the result is known (T+3)
FORFEITS: Mapping[str, Mapping[str, str]] = {
    "winner-refuses": {
        "zh": "竞得方拒绝签署合同",
        "en": "The winner refuses to sign the contract.",
    },
    "non-payment": {"zh": "未按期支付价款", "en": "The price is not paid in time."},
    "false-statements": {"zh": "提交虚假材料", "en": "The application makes false statements."},
    "collusion": {"zh": "串通竞价", "en": "Bidders collude."},
    "withdrawal": {"zh": "取得资格后退出", "en": "The Bidder withdraws after admission."},
    "seal-not-opened": {"zh": "密封报价无法开启", "en": "A sealed bid cannot be opened."},
    "no-bid": {"zh": "唯一竞买人未报价", "en": "The only Bidder does not bid."},
    "claim-beyond-deposit": {
        "zh": "保证金不足以弥补损失的，不足部分仍应赔偿",
        "en": "What the deposit does not cover is owed besides.",
    },
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What the rules of an auction say about its deposit, and of what the auction is."""

    auction: UUID
    rulebook_sha256: str
    title: Mapping[str, str]
    opens_at: datetime
    closes_at: datetime
    until: datetime
    deposit: Money
    forfeits: Sequence[str]
    log: str


def build(notice: Notice, *, bidder: Side, exchange: Side) -> dict[str, Any]:
    """Return the terms of one bidder's agreement; the same notice gives the same bytes.

    Raises:
        TextCannotBePrinted: a name or title would not show on paper what it says.
    """
    template = templates.current(templates.DEPOSIT)
    return _built(notice, template=template, parties=(bidder, exchange))


def build_signed(notice: Notice, *, bidder: Side, exchange: Side) -> dict[str, Any]:
    """Return the terms of an agreement that its bidder signs: it has an id, and a place to sign.

    Raises:
        TextCannotBePrinted: a name or title would not show on paper what it says.
    """
    template = templates.current(templates.SIGNED_DEPOSIT)
    made = _built(notice, template=template, parties=(bidder, exchange))
    return {**made, "agreement": str(agreement_id(notice.auction, bidder.party))}


def agreement_id(auction: UUID, bidder: UUID) -> UUID:
    """Return the id of one bidder's agreement in an auction: there is one, whoever asks when.

    A UUIDv8 (RFC 9562 §5.8) with the time of the auction's own id.
    """
    digest = hashlib.sha256(
        b"uhdx/deposit-agreement/v1\x00" + auction.bytes + bidder.bytes
    ).digest()
    value = (auction.int >> 80) << 80 | int.from_bytes(digest[:10])
    return UUID(int=value & ~(0xF << 76) & ~(0b11 << 62) | 0x8 << 76 | 0b10 << 62)


def _built(notice: Notice, *, template: Template, parties: Sequence[Side]) -> dict[str, Any]:
    clauses = template.clauses_for(None)
    made = {
        "typ": TYPE,
        "auction": str(notice.auction),
        "rulebook_sha256": notice.rulebook_sha256,
        "frozen_at": rfc3339.to_the_second(notice.opens_at),
        "closes_at": rfc3339.to_the_second(notice.closes_at),
        "until": rfc3339.to_the_second(notice.until),
        "template": template.named(),
        "parties": [side.named() for side in parties],
        "work": {"title": dict(notice.title)},
        "consideration": {
            "kind": "deposit",
            "currency": notice.deposit.currency,
            "amount": notice.deposit.decimal(),
            "in_words": words.in_chinese(notice.deposit),
        },
        "forfeits": [{"code": code, **FORFEITS[code]} for code in notice.forfeits],
        "parameters": {
            **terms.PARAMETERS, **template.parameters, "return_days": RETURN_DAYS,
            "log_origin": notice.log,
        },
        "clauses": [clause.named() for clause in clauses],
        "language": {"prevailing": template.prevailing},
        "law": "CN",
        "forum": {"kind": "arbitration", "body": "CIETAC"},
    }  # fmt: skip
    terms.check(made, clauses, article=template.article)
    return made
