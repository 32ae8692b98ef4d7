"""The terms of a deal: one immutable RFC 8785 object that is the contract of record (pure).

Source: 著作权法 (2020) art. 26 ¶2 (heads of a licence contract).
Amounts are strings in major units, days are resolved to instants beside the days agreed.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts import canonical, rfc3339
from contracts.deals import labels, library, pricing, words
from contracts.deals.pricing import Price
from contracts.refusal import Kind, Refusal
from contracts.rights import rules as rights
from contracts.rights import wording

TYPE = "uhdx.terms/v1"
# Working terms of the trade; parties who want others agree on them before the listing is published.
PARAMETERS: Mapping[str, int] = {
    "due_days": 15, "delivery_days": 10, "accept_days": 10, "late_bp_daily": 5, "cure_days": 30,
    "notice_days": 7,
}  # fmt: skip
_ASSET = ("listing", "master", "master_sha256", "probe_sha256", "fingerprint_sha256")
# 著作权法 art. 26 ¶2, items (1) to (6).
HEADS: Mapping[str, tuple[int, str]] = {
    "right-kind": (1, "许可使用的权利种类"),
    "exclusivity": (2, "专有使用权或者非专有使用权"),
    "territory-and-term": (3, "许可使用的地域范围、期间"),
    "remuneration": (4, "付酬标准和办法"),
    "breach": (5, "违约责任"),
    "others": (6, "双方认为需要约定的其他内容"),
}
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: nothing that reads alike
# Control and format characters (bidirectional overrides, zero widths) can make a text read
# otherwise than it is; lone surrogates and private use have no meaning on paper.
UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class ContractHeadMissing(Refusal):
    """The contract lacks a head that 著作权法 art. 26 requires."""

    kind, code = Kind.INVALID, "contract-head-missing"
    hint = "Supply the head named in `missing`; see 著作权法 art. 26."


class TextCannotBePrinted(Refusal):
    """A text holds characters that no font here prints, or that do not show what they say."""

    kind, code = Kind.INVALID, "text-cannot-be-printed"
    hint = "Write it without emoji, rare signs, control, bidirectional or zero-width characters."


@dataclass(frozen=True, slots=True)
class Side:
    """A party of a contract as the register knows it."""

    role: str
    party: UUID
    name_zh: str
    name_en: str
    uscc: str

    def named(self) -> dict[str, Any]:
        """Return how terms name the side."""
        return {
            "role": self.role,
            "party": str(self.party),
            "legal_name": {"zh": self.name_zh, "en": self.name_en},
            "uscc": self.uscc,
        }


@dataclass(frozen=True, slots=True)
class Agreed:
    """What was agreed: the listing's public record, its anchor in the log, award, price, sides.

    Where there was an offer instead of an auction, `award` names its accepted version, and the
    listing and its anchor may be None inside `listing` and `anchor`. `rights` are those granted.
    """

    deal: UUID
    listing: Mapping[str, Any]
    anchor: Mapping[str, Any]
    award: Mapping[str, Any]
    price: Price
    sides: Sequence[Side]
    rights: Sequence[Mapping[str, Any]]


def contract_number(deal: UUID, now: datetime) -> str:
    """Return `UHDX-<year in Shanghai>-` and 80 bits of the deal's hash in readable groups."""
    digest = canonical.sha256_hex(b"uhdx/contract-number/v1\x00" + deal.bytes)
    value = int(digest[:20], 16)
    text = "".join(ALPHABET[value >> shift & 31] for shift in range(75, -1, -5))
    year = now.astimezone(ZoneInfo("Asia/Shanghai")).year
    return f"UHDX-{year}-{text[:4]}-{text[4:8]}-{text[8:12]}-{text[12:]}"


def build(
    agreed: Agreed, *, clauses: Sequence[library.Clause], template: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    """Return the terms object.

    Raises:
        ContractHeadMissing: a head that art. 26 requires is not covered.
        TextCannotBePrinted: a name or title would not show on paper what it says.
        ParameterMissing: a clause leaves something open that the terms do not give.
    """
    listing, price = agreed.listing, agreed.price
    parameters = {
        **PARAMETERS, "log_origin": agreed.anchor["log"], **pricing.parameters(price)
    }  # fmt: skip
    terms = {
        "typ": TYPE,
        "contract": contract_number(agreed.deal, now),
        "deal": str(agreed.deal),
        "supersedes": None,
        "frozen_at": rfc3339.to_the_second(now),
        "template": dict(template),
        "parties": [side.named() for side in agreed.sides],
        "work": {"work": listing["work"], "title": dict(listing["title"])},
        "asset": {"fact": agreed.anchor["fact"], **{name: listing[name] for name in _ASSET}},
        "award": origin_of(agreed.award),
        "grants": [_grant(wire) for wire in agreed.rights],
        "wording": [_worded(wire) for wire in agreed.rights],
        "consideration": {
            **pricing.consideration(price),
            "tax": "inclusive",
            "currency": price.due.currency,
            "amount": price.due.decimal(),
            "in_words": words.in_chinese(price.due),
        },
        "parameters": parameters,
        "clauses": [clause.named() for clause in clauses],
        "language": {"prevailing": "zh"},
        "law": "CN",
        "forum": {"kind": "arbitration", "body": "CIETAC"},
    }
    _require_heads(terms, clauses)
    _require_printable(terms)
    for clause in clauses:
        clause.filled(parameters)
    return terms


def origin_of(award: Mapping[str, Any]) -> dict[str, Any]:
    """Return how terms name where they come from: a bid in an auction, or a version of an offer."""
    kept = ("auction", "bid") if "auction" in award else ("offer", "version", "version_sha256")
    return {name: award[name] for name in kept}


def view(terms: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows beside the terms: the filled clauses, the amount with separators.

    Raises:
        ClauseUnknown: a clause is not in the library.
        ParameterMissing: the terms leave a clause's parameter open.
    """
    shown = []
    for named in terms["clauses"]:
        clause = library.clause(named["ref"], named["version"], named["sha256"])
        shown.append({"title": dict(clause.title), **clause.filled(terms["parameters"])})
    whole, point, rest = terms["consideration"]["amount"].partition(".")
    return {"clauses": shown, "amount": f"{int(whole):,}{point}{rest}"}


def missing_heads(terms: Mapping[str, Any], clauses: Iterable[library.Clause]) -> list[str]:
    """Return the heads of art. 26 ¶2 that neither the structured terms nor a clause supply."""
    grants = terms["grants"]
    written = {head for clause in clauses for head in clause.heads}
    given = {
        "right-kind": bool(grants) and all(grant.get("right") for grant in grants),
        "exclusivity": bool(grants) and all(grant.get("exclusivity") for grant in grants),
        "territory-and-term": bool(grants)
        and all(grant.get("territories") and grant.get("from") for grant in grants),
        "remuneration": bool(terms["consideration"].get("amount")),
        "breach": True,
        "others": True,
    }
    return [head for head in HEADS if head not in written or not given[head]]


def _grant(wire: Mapping[str, Any]) -> dict[str, Any]:
    window = rights.resolve(wire).window
    start, end = rfc3339.to_the_second(window.start), rfc3339.to_the_second(window.end)
    return {**wire, "from": start, "until": end}


def _worded(wire: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "zh": {"sentence": wording.wording_of(wire, "zh"), **labels.of_grant(wire, "zh")},
        "en": {"sentence": wording.wording_of(wire, "en"), **labels.of_grant(wire, "en")},
    }


def _require_heads(terms: Mapping[str, Any], clauses: Iterable[library.Clause]) -> None:
    missing = missing_heads(terms, clauses)
    if missing:
        item, name = HEADS[missing[0]]
        raise ContractHeadMissing(
            f"The contract lacks a head of 著作权法 art. 26 ¶2 ({item}): {name}.",
            missing=missing,
            article="著作权法 art. 26",
        )


def _require_printable(value: Any) -> None:
    if isinstance(value, str):
        wrong = sorted({f"U+{ord(c):04X}" for c in value if unicodedata.category(c) in UNPRINTABLE})
        if wrong:
            raise TextCannotBePrinted("A text cannot be printed as it is.", characters=wrong)
    elif isinstance(value, Mapping):
        for item in value.values():
            _require_printable(item)
    elif isinstance(value, Sequence):
        for item in value:
            _require_printable(item)
