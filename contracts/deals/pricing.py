"""How a right is paid for (计价方式): a sum, also in parts, a guarantee, by the run (pure).

What is due when the contract takes effect is planned and settled; shares above a guarantee and runs
beyond those paid for are reckoned later from statements. A price that is a share alone leaves
nothing that could be settled yet, so it can be named among the models of a right, but not offered.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.deals import instalments, tiers
from contracts.deals.instalments import Schedule
from contracts.deals.tiers import Tiers
from contracts.money import MOST_MINOR, WHOLE_BP, AmountOutOfRange, Money, percent
from contracts.refusal import Kind, Refusal

FLAT, GUARANTEE_SHARE, PER_RUN, SHARE = "flat", "guarantee-share", "per-run", "share"
INSTALMENTS, GUARANTEE_TIERS = "instalments", "guarantee-tiers"
MODELS = (FLAT, INSTALMENTS, GUARANTEE_SHARE, GUARANTEE_TIERS, PER_RUN, SHARE)
SETTLED = (FLAT, INSTALMENTS, GUARANTEE_SHARE, GUARANTEE_TIERS, PER_RUN)
FIELDS: Mapping[str, frozenset[str]] = {
    FLAT: frozenset({"model", "amount_minor"}),
    INSTALMENTS: frozenset({"model", "amount_minor", "parts", "rate_bp", "security"}),
    GUARANTEE_SHARE: frozenset({"model", "guarantee_minor", "share_bp"}),
    GUARANTEE_TIERS: frozenset({"model", "guarantee_minor"}) | tiers.FIELDS,
    PER_RUN: frozenset({"model", "per_run_minor", "runs_paid"}),
    SHARE: frozenset({"model", "share_bp"}),
}
MOST_RUNS_PAID = 10_000
STATEMENT_DAYS = 30


class BadPrice(Refusal):
    """The price does not say what its model needs, or says more."""

    kind, code = Kind.INVALID, "bad-price"
    hint = "Give the fields in `wants`: whole minor units, shares of 1 to 10000 basis points."


class UnknownPriceModel(Refusal):
    """There is no such way of reckoning a price."""

    kind, code = Kind.INVALID, "unknown-price-model"
    hint = "Use a model named in `known`."


class PriceNotSettledYet(Refusal):
    """The exchange cannot settle such a price yet, so it makes no contract with it."""

    kind, code = Kind.CONFLICT, "price-not-settled-yet"
    hint = "Use a model named in `settled`: each has a sum that is due when the contract begins."


@dataclass(frozen=True, slots=True)
class Price:
    """A price as agreed: what is due when the contract takes effect, and how the rest is reckoned.

    `share_bp` is of the licensee's net receipts; `per_run_minor` is for each run beyond
    `runs_paid`, which `due` pays for.
    """

    model: str
    due: Money
    share_bp: int | None = None
    per_run_minor: int | None = None
    runs_paid: int | None = None
    schedule: Schedule | None = None
    tiers: Tiers | None = None


def models(names: Sequence[str]) -> list[str]:
    """Return the models that a right may be sold under, each once, in the order of MODELS.

    Raises:
        UnknownPriceModel: there is none, or one that is not known.
    """
    unknown = sorted(set(names) - set(MODELS))
    if unknown or not names:
        raise UnknownPriceModel("A right is sold under known models.", known=list(MODELS))
    return [model for model in MODELS if model in names]


def common(each: Iterable[Iterable[str]]) -> list[str]:
    """Return the models that every one of some rights may be sold under."""
    sets = [set(names) for names in each]
    return [model for model in MODELS if sets and all(model in names for names in sets)]


def read(wire: Mapping[str, Any], *, currency: str) -> Price:
    """Read a price from the wire.

    Raises:
        UnknownPriceModel: there is no such model.
        PriceNotSettledYet: nothing would be due when the contract takes effect.
        BadPrice: a field is missing, unknown or out of range.
        BadInstalments: the parts do not make a plan.
        BadTiers: the steps of the share do not follow one another.
        AmountOutOfRange, WrongCurrency: the sum is not one that the exchange handles.
    """
    model = str(wire.get("model"))
    if model not in FIELDS:
        raise UnknownPriceModel(f"There is no price model {model!r}.", known=list(MODELS))
    if wire.keys() != FIELDS[model]:
        raise BadPrice("The price is incomplete or says too much.", wants=sorted(FIELDS[model]))
    share_bp = _whole(wire, "share_bp", most=WHOLE_BP)
    if model == SHARE:
        raise PriceNotSettledYet("A share alone leaves nothing to settle.", settled=list(SETTLED))
    if model == PER_RUN:
        per_run = _amount(wire, "per_run_minor")
        runs = _whole(wire, "runs_paid", most=MOST_RUNS_PAID)
        return Price(PER_RUN, _due(per_run * (runs or 1), currency), None, per_run, runs)
    if model == INSTALMENTS:
        schedule = instalments.read(wire)
        due = _due(_amount(wire, "amount_minor"), currency)
        instalments.dues(due, schedule)
        return Price(INSTALMENTS, due, schedule=schedule)
    if model == GUARANTEE_TIERS:
        due = _due(_amount(wire, "guarantee_minor"), currency)
        return Price(GUARANTEE_TIERS, due, tiers=tiers.read(wire))
    field = "amount_minor" if model == FLAT else "guarantee_minor"
    return Price(model, _due(_amount(wire, field), currency), share_bp)


def consideration(price: Price) -> dict[str, Any]:
    """Return what the terms of a contract say of the price beside the sum that is due."""
    if price.model == GUARANTEE_SHARE:
        return {"kind": GUARANTEE_SHARE, "share_bp": price.share_bp, "share_of": "net-receipts"}
    if price.model == PER_RUN and price.per_run_minor is not None:
        each = Money(price.per_run_minor, price.due.currency)
        return {"kind": PER_RUN, "per_run": each.decimal(), "runs_paid": price.runs_paid}
    if price.tiers is not None:
        said = tiers.consideration(price.tiers, price.due.currency)
        return {"kind": GUARANTEE_TIERS, **said}
    if price.schedule is not None:
        return {"kind": "fixed", **instalments.consideration(price.due, price.schedule)}
    return {"kind": "fixed"}


def parameters(price: Price) -> dict[str, Any]:
    """Return what the clause about the fee leaves open for this price."""
    said = consideration(price)
    if price.model == GUARANTEE_SHARE:
        return {"share_percent": percent(price.share_bp or 0), "statement_days": STATEMENT_DAYS}
    if price.model == PER_RUN:
        return {
            "per_run": said["per_run"], "runs_paid": price.runs_paid,
            "statement_days": STATEMENT_DAYS,
        }  # fmt: skip
    if price.tiers is not None:
        figures = tiers.parameters(price.tiers, price.due.currency)
        return {**figures, "statement_days": STATEMENT_DAYS}
    if price.schedule is not None:
        return instalments.parameters(price.due, price.schedule)
    return {}


def _due(minor: int, currency: str) -> Money:
    if not 1 <= minor <= MOST_MINOR:
        raise AmountOutOfRange("The sum is out of range.", least_minor=1, most_minor=MOST_MINOR)
    return Money(minor, currency)


def _amount(wire: Mapping[str, Any], field: str) -> int:
    return _whole(wire, field, most=MOST_MINOR) or 0


def _whole(wire: Mapping[str, Any], field: str, *, most: int) -> int | None:
    if field not in wire:
        return None
    value = wire[field]
    if type(value) is not int or not 1 <= value <= most:
        raise BadPrice("A number of the price is out of range.", field=field, least=1, most=most)
    return value
