"""The form that says how something is sold: what each way of selling asks, and what was typed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts import rfc3339
from contracts.deals.pricing import GUARANTEE_SHARE, INSTALMENTS
from contracts.refusal import InvalidContent
from exchange.portal.forms import Form
from exchange.portal.language import Language, mark

FURTHER_CRITERIA = 3
PRICE = "price"
ONCE = "once"  # one sum, due as the contract says: the terms of sale are silent
PAYMENTS: Mapping[str, str] = {
    ONCE: mark("in one sum"),
    INSTALMENTS: mark("in instalments"),
    GUARANTEE_SHARE: mark("as a guarantee, with a share of receipts beyond it"),
}


@dataclass(frozen=True, slots=True)
class Way:
    """A way of selling as the form offers it; `asks` names the groups of fields it shows."""

    method: str
    label: str
    hint: str
    asks: frozenset[str]
    preset: str | None = None


_SEALED = frozenset({"secrecy", "reserve", "tie"})
WAYS: Mapping[str, Way] = {
    "english": Way(
        "english",
        mark("Ascending auction"),
        mark("Everybody sees the price; each bid is higher; a late bid moves the close."),
        frozenset({"step", "soft", "reserve"}),
    ),
    "timed": Way(
        "english",
        mark("Ascending auction with timed cycles"),
        mark("A free period, then a countdown that every bid starts again."),
        frozenset({"step", "timed", "reserve"}),
        preset="multi-round",
    ),
    "proxy": Way(
        "proxy",
        mark("Ascending auction with maximum bids"),
        mark("Bidders name their maximum; the price rises only as far as it must."),
        frozenset({"step", "soft", "reserve"}),
        preset="maximum-bids",
    ),
    "fixed": Way(
        "fixed",
        mark("Fixed price"),
        mark("The first qualified bidder who takes the price gets it."),
        frozenset(),
        preset="listed-price",
    ),
    "sealed": Way(
        "sealed",
        mark("One sealed bid"),
        mark("One bid each, opened together; the highest wins and pays its bid."),
        _SEALED,
        preset="one-shot",
    ),
    "vickrey": Way(
        "vickrey",
        mark("Sealed bids, second price"),
        mark("One bid each, opened together; the highest wins and pays the second."),
        _SEALED,
        preset="second-price",
    ),
    "weighted": Way(
        "weighted",
        mark("Weighted score"),
        mark("Price and other criteria are scored by a formula that is published before."),
        frozenset({"secrecy", "tie", "criteria"}),
        preset="weighted",
    ),
    "dutch": Way(
        "dutch",
        mark("Descending price"),
        mark("The price falls step by step until somebody takes it."),
        frozenset({"start", "step"}),
        preset="descending",
    ),
    "intent": Way(
        "intent",
        mark("Quotes, then negotiation"),
        mark("Quotes bind nobody; they make the list of those you negotiate with."),
        frozenset({"secrecy"}),
        preset="negotiated",
    ),
    "package": Way(
        "package",
        mark("Package auction"),
        mark("Bidders combine rights, territories and windows; the best combination wins."),
        frozenset({"hidden", "cuts"}),
        preset="combinations",
    ),
}


def choices(spoken: Language) -> list[tuple[str, str, str]]:
    """Return (code, name, explanation) of every way of selling, in the visitor's language."""
    return [(code, spoken.say(way.label), spoken.say(way.hint)) for code, way in WAYS.items()]


def payments(chosen: Way, spoken: Language) -> list[tuple[str, str]]:
    """Return (code, name) of the ways to pay what this way of selling awards; quotes have none."""
    if chosen.method == "intent":
        return []
    return [(code, spoken.say(label)) for code, label in PAYMENTS.items()]


def way(code: str) -> Way:
    """Return a way of selling; an unknown code is the plain ascending auction."""
    return WAYS.get(code, WAYS["english"])


def read(form: Form) -> dict[str, Any]:
    """Return the terms of sale that were typed, as the API takes them.

    Raises:
        InvalidContent: a field cannot be read.
    """
    chosen, currency = way(form.text("way")), form.text("currency")
    sale: dict[str, Any] = {
        "method": chosen.method,
        "auction_id": str(form.id("auction_id")),
        "currency": currency,
        "floor_minor": form.minor("floor", currency),
        "opens_at": rfc3339.exact(form.instant("opens_at")),
        "closes_at": rfc3339.exact(form.instant("closes_at")),
    }
    if chosen.preset is not None:
        sale["preset"] = chosen.preset
    for asked in sorted(chosen.asks):
        sale |= _READERS[asked](form, currency)
    return sale | _admission(form, currency) | _payment(form)


def _step(form: Form, currency: str) -> dict[str, Any]:
    return {"step_minor": form.minor("step", currency)}


def _soft(form: Form, _currency: str) -> dict[str, Any]:
    return {
        "soft_close_s": form.whole("soft_close_s"),
        "hard_stop_at": rfc3339.exact(form.instant("hard_stop_at")),
    }


def _timed(form: Form, _currency: str) -> dict[str, Any]:
    return {
        "closing": {
            "kind": "timed",
            "free_until": rfc3339.exact(form.instant("free_until")),
            "window_s": form.whole("window_s"),
        }
    }


def _start(form: Form, currency: str) -> dict[str, Any]:
    terms = {
        "start_minor": form.minor("start", currency),
        "interval_s": form.whole("interval_s"),
        "grace_s": form.whole("grace_s"),
    }
    return {"terms": terms}


def _reserve(form: Form, currency: str) -> dict[str, Any]:
    kind = form.text("reserve_kind") or "none"
    if kind == "none":
        return {}
    return {"reserve": {"kind": kind, "amount_minor": form.minor("reserve", currency)}}


def _tie(form: Form, _currency: str) -> dict[str, Any]:
    return {"tie": {"rule": form.text("tie") or "sequence"}}


def _secrecy(form: Form, _currency: str) -> dict[str, Any]:
    amounts = form.text("amounts") or "secret"
    secrecy: dict[str, Any] = {"bidders": "hidden", "amounts": amounts}
    if amounts != "sealed":
        return {"secrecy": secrecy}
    opening = secrecy["opening"] = _json(form, "opening")
    if not isinstance(opening, dict) or "auction" not in opening:
        return {"secrecy": secrecy}  # refused by the rules of opening keys
    # The key was made for an auction to come, under the id that this one takes.
    return {"secrecy": secrecy, "auction_id": opening["auction"]}


def _hidden(_form: Form, _currency: str) -> dict[str, Any]:
    return {"secrecy": {"bidders": "hidden", "amounts": "secret"}}


def _cuts(form: Form, currency: str) -> dict[str, Any]:
    terms: dict[str, Any] = {}
    days = form.words("cut_days")
    if days:
        terms["cuts"] = {"days": days}
    if form.text("cell_reserve"):
        terms["reserve_minor"] = form.minor("cell_reserve", currency)
    for name in ("most_cells", "least_winners"):
        if form.text(name):
            terms[name] = form.whole(name)
    return {"terms": terms} if terms else {}


def _criteria(form: Form, currency: str) -> dict[str, Any]:
    price = {
        "code": PRICE,
        "kind": "price",
        "weight_bp": form.basis_points("weight_0"),
        "worst": form.minor("floor", currency),
        "best": form.minor("best_0", currency),
        "title_zh": "报价",
        "title_en": "Price",
    }
    rows = range(1, FURTHER_CRITERIA + 1)
    further = [_criterion(form, n) for n in rows if form.text(f"criterion_zh_{n}")]
    return {"terms": {"criteria": [price, *further]}}


def _criterion(form: Form, n: int) -> dict[str, Any]:
    return {
        "code": f"criterion-{n}",
        "kind": "number",
        "weight_bp": form.basis_points(f"weight_{n}"),
        "worst": form.whole(f"worst_{n}"),
        "best": form.whole(f"best_{n}"),
        "title_zh": form.text(f"criterion_zh_{n}"),
        "title_en": form.text(f"criterion_en_{n}") or form.text(f"criterion_zh_{n}"),
    }


def _admission(form: Form, currency: str) -> dict[str, Any]:
    if form.text("admission") != "applied":
        return {}
    admission: dict[str, Any] = {"kind": "applied", "deposit_minor": 0}
    if form.text("deposit"):
        admission["deposit_minor"] = form.minor("deposit", currency)
    if form.text("admission_until"):
        admission["until"] = rfc3339.exact(form.instant("admission_until"))
    modes = form.many("deposit_modes")
    if modes and modes != ["wire"] and admission["deposit_minor"]:
        admission["deposit_modes"] = modes  # with the usual margins
    if form.text("agreement") == "signed" and admission["deposit_minor"]:
        admission["agreement"] = "signed"
    return {"admission": admission}


def _payment(form: Form) -> dict[str, Any]:
    model = form.text("payment") or ONCE
    if model == ONCE:
        return {}
    if model != INSTALMENTS:
        return {"payment": {"model": model, "share_bp": form.basis_points("share")}}
    return {
        "payment": {
            "model": model,
            "parts": form.parts("parts"),
            "rate_bp": form.basis_points("rate"),
            "security": form.text("security"),
        }
    }


def _json(form: Form, name: str) -> Any:
    try:
        return json.loads(form.text(name))
    except ValueError as error:
        fault = {"field": name, "rule": "not the JSON that `exchange sealed keygen` writes"}
        raise InvalidContent("A field breaks its rule.", errors=[fault]) from error


_READERS = {
    "step": _step,
    "soft": _soft,
    "timed": _timed,
    "start": _start,
    "reserve": _reserve,
    "tie": _tie,
    "secrecy": _secrecy,
    "hidden": _hidden,
    "cuts": _cuts,
    "criteria": _criteria,
}
