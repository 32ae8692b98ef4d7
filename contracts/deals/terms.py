"""The terms of a deal: one immutable RFC 8785 object that is the contract of record (pure).

Source: 著作权法 (2020) art. 26 (licence contracts); assignments are in `assignments.py`, packages
of several works in `packages.py`.
Amounts are strings in major units, days are resolved to instants beside the days agreed.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts import canonical, rfc3339
from contracts.deals import heads, labels, library, pricing, qr, templates, words
from contracts.deals.pricing import Price
from contracts.deals.templates import Template
from contracts.parties import confusables
from contracts.refusal import Kind, Refusal
from contracts.rights import rules as rights
from contracts.rights import wording

TYPE = "uhdx.terms/v1"
# Working terms of the trade; parties who want others agree on them before the listing is published.
PARAMETERS: Mapping[str, int] = {
    "due_days": 15, "delivery_days": 10, "accept_days": 10, "late_bp_daily": 5, "cure_days": 30,
    "notice_days": 7,
}  # fmt: skip
ASSET = ("listing", "master", "master_sha256", "probe_sha256", "fingerprint_sha256")
SERVICE_FEES = "service-fees/1"  # the clause about what the exchange charges
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: nothing that reads alike
# Control and format characters (bidirectional overrides, zero widths) can make a text read
# otherwise than it is; lone surrogates and private use have no meaning on paper.
UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


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
    listing and its anchor may be None inside `listing` and `anchor`. `rights` are those granted,
    `fees` what the exchange charges both sides, by the schedule that the sale named.
    """

    deal: UUID
    listing: Mapping[str, Any]
    anchor: Mapping[str, Any]
    award: Mapping[str, Any]
    price: Price
    sides: Sequence[Side]
    rights: Sequence[Mapping[str, Any]]
    fees: Mapping[str, Any] | None = None


def contract_number(deal: UUID, now: datetime) -> str:
    """Return `UHDX-<year in Shanghai>-` and 80 bits of the deal's hash in readable groups."""
    digest = canonical.sha256_hex(b"uhdx/contract-number/v1\x00" + deal.bytes)
    value = int(digest[:20], 16)
    text = "".join(ALPHABET[value >> shift & 31] for shift in range(75, -1, -5))
    year = now.astimezone(ZoneInfo("Asia/Shanghai")).year
    return f"UHDX-{year}-{text[:4]}-{text[4:8]}-{text[8:12]}-{text[12:]}"


def build(agreed: Agreed, *, template: Template, now: datetime) -> dict[str, Any]:
    """Return the terms of a licence.

    Raises:
        ContractHeadMissing: a head that art. 26 requires is not covered.
        TextCannotBePrinted: a name or title would not show on paper what it says.
        ParameterMissing: a clause leaves something open that the terms do not give.
        PriceNotInTemplate: the template has no clause for such a price.
    """
    listing, price = agreed.listing, agreed.price
    clauses = clauses_of(agreed, template)
    terms = {
        **frame(agreed, template=template, now=now),
        "work": {"work": listing["work"], "title": dict(listing["title"])},
        "asset": {"fact": agreed.anchor["fact"], **{name: listing[name] for name in ASSET}},
        "award": origin_of(agreed.award),
        "grants": [granted(wire) for wire in agreed.rights],
        "wording": [worded(wire) for wire in agreed.rights],
        "consideration": considered(price),
        "clauses": [clause.named() for clause in clauses],
    }
    check(terms, clauses, article=template.article)
    return terms


def frame(agreed: Agreed, *, template: Template, now: datetime) -> dict[str, Any]:
    """Return what the terms of every contract between two parties say, whatever it is about."""
    number = contract_number(agreed.deal, now)
    site = agreed.anchor.get("site")
    evidence = {"log": agreed.anchor["log"]}
    if site:
        evidence["verify"] = f"{site}/verify/{number}"
    return {
        "typ": TYPE,
        "contract": number,
        "deal": str(agreed.deal),
        "supersedes": None,
        "frozen_at": rfc3339.to_the_second(now),
        "template": template.named(),
        "parties": [side.named() for side in agreed.sides],
        "parameters": {
            **PARAMETERS, **template.parameters, "log_origin": agreed.anchor["log"],
            **pricing.parameters(agreed.price), **_fee_parameters(agreed),
        },
        **({} if agreed.fees is None else {"fees": dict(agreed.fees)}),
        "language": {"prevailing": template.prevailing},
        "law": "CN",
        "forum": {"kind": "arbitration", "body": "CIETAC"},
        "evidence": evidence,
    }  # fmt: skip


def clauses_of(agreed: Agreed, template: Template) -> tuple[library.Clause, ...]:
    """Return the clauses of a contract; the one about the exchange's fees follows the price.

    Raises:
        PriceNotInTemplate: the template has no clause for such a price.
    """
    clauses = template.clauses_for(agreed.price.model)
    if agreed.fees is None:
        return clauses
    place = next(at for at, one in enumerate(clauses, 1) if "remuneration" in one.heads)
    return (*clauses[:place], library.named(SERVICE_FEES), *clauses[place:])


def considered(price: Price) -> dict[str, Any]:
    """Return what is paid: the sum in figures and in words, and how the rest is reckoned."""
    return {
        **pricing.consideration(price),
        "tax": "inclusive",
        "currency": price.due.currency,
        "amount": price.due.decimal(),
        "in_words": words.in_chinese(price.due),
    }


def check(
    terms: Mapping[str, Any], clauses: Sequence[library.Clause], *, article: int | None
) -> None:
    """Check that the law's heads are there, texts show what they say, and nothing is left open.

    Raises:
        ContractHeadMissing, TextCannotBePrinted, ParameterMissing: see `build`.
    """
    if article is not None:
        heads.require(terms, clauses, article=article)
    _require_printable(terms)
    _require_unmistakable(terms)
    for clause in clauses:
        clause.filled(terms["parameters"])


def origin_of(award: Mapping[str, Any]) -> dict[str, Any]:
    """Return how terms name where they come from: a bid in an auction, or a version of an offer."""
    kept = ("auction", "bid") if "auction" in award else ("offer", "version", "version_sha256")
    return {name: award[name] for name in kept}


def view(terms: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows beside the terms: the filled clauses, the amount with separators.

    Raises:
        ClauseUnknown: a clause is not in the library.
        TemplateUnknown: the template is not here.
        ParameterMissing: the terms leave a clause's parameter open.
    """
    shown = []
    for named in terms["clauses"]:
        clause = library.clause(named["ref"], named["version"], named["sha256"])
        shown.append({"title": dict(clause.title), **clause.filled(terms["parameters"])})
    template = templates.of(terms["template"])
    address = terms.get("evidence", {}).get("verify")
    return {
        "clauses": shown,
        "amount": separated(terms["consideration"]["amount"]),
        "lines": [separated(line["amount"]) for line in terms["consideration"].get("lines", ())],
        "template": template.words,
        "qr": qr.matrix(address) if address else None,
    }


def separated(amount: str) -> str:
    """Return an amount with thousands apart, e.g. `1,200,000.00`."""
    whole, point, rest = amount.partition(".")
    return f"{int(whole):,}{point}{rest}"


def granted(wire: Mapping[str, Any]) -> dict[str, Any]:
    """Return a right as the rights engine holds it, with the instants of its days."""
    window = rights.resolve(wire).window
    start, end = rfc3339.to_the_second(window.start), rfc3339.to_the_second(window.end)
    return {**wire, "from": start, "until": end}


def worded(wire: Mapping[str, Any]) -> dict[str, Any]:
    """Return a right in words, in both languages."""
    return {
        "zh": {"sentence": wording.wording_of(wire, "zh"), **labels.of_grant(wire, "zh")},
        "en": {"sentence": wording.wording_of(wire, "en"), **labels.of_grant(wire, "en")},
    }


def _fee_parameters(agreed: Agreed) -> dict[str, Any]:
    """Return what the clause about the exchange's fees leaves open."""
    if agreed.fees is None:
        return {}
    fees, currency = agreed.fees, agreed.price.due.currency
    digest: str = fees["sha256"]
    return {
        "fee_schedule": fees["schedule"],
        # In groups, between which a line of a column may end.
        "fee_schedule_sha256": " ".join(digest[at : at + 8] for at in range(0, len(digest), 8)),
        "fee_seller": f"{currency} {separated(fees['seller'])}",
        "fee_buyer": f"{currency} {separated(fees['buyer'])}",
    }


def _require_unmistakable(terms: Mapping[str, Any]) -> None:
    """Let no name or title pass that could be taken for another (Unicode TR 39)."""
    names = [side["legal_name"] for side in terms["parties"]]
    titles = [one["title"] for one in (terms.get("work"), *terms.get("works", ())) if one]
    for text in (text for each in (*names, *titles) for text in each.values()):
        if found := confusables.found(text):
            raise TextCannotBePrinted(
                "A name can be mistaken for another.", characters=confusables.codes(found)
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
