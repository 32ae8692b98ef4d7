"""What the page of a royalty statement (分成结算单) says, and a row of the table of them (pure).

A statement is about all periods to date. The page says what was stated and never what came of it,
so the same statement prints the same bytes for the same reader at any time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from contracts import rfc3339
from contracts.deals import pricing, tiers
from contracts.deals.terms import Side, separated
from contracts.money import Money, percent
from settlement.exports.rules import Cell, decimal
from settlement.fees.rules import SEAT
from settlement.royalties.rules import Reported

TYPE = "uhdx.royalty-statement/v1"
FIGURES = (
    "receipts", "earned", "recouped", "unrecouped", "payable", "before", "due", "carried",
)  # fmt: skip
COLUMNS = (
    "statement", "contract_no", "made_at", "first_day", "last_day", "version", "runs", *FIGURES,
    "currency", "due_on", "invoice", "payee", "kind", "rate_bp", "amount",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Got:
    """What one payee gets of what a statement asks for."""

    payee: Side
    kind: str
    basis: Money
    rate_bp: int
    amount: Money


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement as it was made, with all that its page names; `got` is what the reader may see.

    `figures` are in minor units by the names of FIGURES; `period` is the report that it answers,
    `periods` are the reports that counted then.
    """

    report: UUID
    number: int
    made_at: datetime
    due_on: date
    contract_no: str
    title: Mapping[str, str]
    licensor: Side
    licensee: Side
    considered: Mapping[str, Any]  # what the terms say of the price
    currency: str
    figures: Mapping[str, int]
    runs: int
    period: Reported
    periods: Sequence[Reported]
    invoice: str | None
    got: Sequence[Got]

    @property
    def name(self) -> str:
        """Return the number under which it is filed."""
        return f"{self.contract_no}-R{self.number}"


def page(one: Stated) -> dict[str, Any]:
    """Return everything that the page of a statement shows, as JSON holds it."""
    made_on = one.made_at.astimezone(SEAT).date()
    return {
        "typ": TYPE,
        "report": str(one.report),
        "number": one.name,
        "made_at": rfc3339.to_the_second(one.made_at),
        "made_on": made_on.isoformat(),
        "due_on": one.due_on.isoformat() if one.figures["due"] else None,
        "contract_no": one.contract_no,
        "title": dict(one.title),
        "licensor": one.licensor.named(),
        "licensee": one.licensee.named(),
        "reckoned": reckoned(one.considered),
        "currency": one.currency,
        "periods": [_period(each, one.currency) for each in one.periods],
        "runs": one.runs,
        "figures": {name: _signed(one.figures[name], one.currency) for name in FIGURES},
        "invoice": one.invoice,
        "got": [_got(each) for each in one.got],
    }


def reckoned(said: Mapping[str, Any]) -> dict[str, str]:
    """Return how the figures are reckoned by the terms' consideration, in both languages."""
    currency = said["currency"]
    if said["kind"] == pricing.PER_RUN:
        each, paid = separated(said["per_run"]), said["runs_paid"]
        return {
            "zh": f"超出已付{paid}次的每次播出，{currency} {each}。",
            "en": f"{currency} {each} for each run beyond the {paid} paid for.",
        }
    advance = f"{currency} {separated(said['amount'])}"
    if said["kind"] == pricing.GUARANTEE_TIERS:
        agreed = tiers.of_terms(said)
        fee, costs = percent(agreed.fee_bp), separated(said["costs"])
        ladder = tiers.ladder(agreed, currency)
        return {
            "zh": f"净收入先扣发行费{fee}%，再扣发行成本至多{costs}；其余按档归许可方：{ladder}。"
            f"保底许可费{advance}先行抵扣。",
            "en": f"Of net receipts {fee} % are the distribution fee, then costs up to {costs}; of "
            f"the rest to the licensor by steps: {ladder}. The guarantee of {advance} is set off "
            "first.",
        }
    share = percent(said["share_bp"])
    return {
        "zh": f"净收入的{share}%归许可方，保底许可费{advance}先行抵扣。",
        "en": f"{share} % of net receipts; the guarantee of {advance} is set off first.",
    }


def rows(one: Stated) -> list[tuple[Cell, ...]]:
    """Return a statement as rows of COLUMNS: one for each payee whom the reader may see, or one."""
    first, last = one.period.period
    said: tuple[Cell, ...] = (
        one.number, one.contract_no, one.made_at, first.isoformat(), last.isoformat(),
        one.period.version, one.runs,
        *(decimal(one.figures[name], one.currency) for name in FIGURES),
        one.currency, one.due_on.isoformat() if one.figures["due"] else None, one.invoice,
    )  # fmt: skip
    got = [
        (
            each.payee.name_zh,
            each.kind,
            each.rate_bp,
            decimal(each.amount.amount_minor, one.currency),
        )
        for each in one.got
    ]
    return [(*said, *each) for each in got] or [(*said, None, None, None, None)]


def of_share(kind: str) -> dict[str, str]:
    """Return what a part of the sum is called, in both languages."""
    if kind == "commission":
        return {"zh": "交易服务费", "en": "Commission"}
    return {"zh": "份额", "en": "Share"}


def _period(one: Reported, currency: str) -> dict[str, Any]:
    first, last = one.period
    return {
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "version": one.version,
        "receipts": _signed(one.receipts_minor, currency),
        "runs": one.runs,
    }


def _signed(minor: int, currency: str) -> str:
    """Return an amount with thousands apart; net receipts may be below nothing."""
    text = separated(Money(abs(minor), currency).decimal())
    return f"−{text}" if minor < 0 else text


def _got(one: Got) -> dict[str, Any]:
    return {
        "payee": one.payee.named(),
        "kind": of_share(one.kind),
        "basis": separated(one.basis.decimal()),
        "rate": percent(one.rate_bp),
        "amount": separated(one.amount.decimal()),
    }
