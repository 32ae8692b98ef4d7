"""The terms of sale as the wire carries them, read and given their defaults (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import rfc3339
from contracts.money import EXPONENTS, WrongCurrency
from listings.auctions import deposit_terms, payment, presets, steps
from listings.auctions.mechanisms import METHODS
from listings.auctions.model import Closing, Method, written
from listings.auctions.refusals import BadSale
from listings.sealed import opening as openings

# An extension longer than an hour would no longer be a soft close; practice is two to five minutes.
MOST_WINDOW_S = 3_600
MOST_TOP, MOST_EXTENSIONS, MOST_HOLDERS, MOST_MATCH_S = 10, 10_000, 20, 86_400
LEAST_MATCH_S = 60
NEEDED = frozenset({"method", "auction_id", "currency", "floor_minor", "opens_at", "closes_at"})
OPTIONS = frozenset(
    {"preset", "terms", "closing", "hard_stop_at", "reserve", "tie", "admission", "secrecy",
     "opening", "forfeits", "default", "payment"}
)  # fmt: skip
# What a deposit (保证金) may be lost for; the last one is no trigger but a claim beyond it.
FORFEITS = (
    "winner-refuses", "non-payment", "false-statements", "collusion", "withdrawal",
    "seal-not-opened", "no-bid", "claim-beyond-deposit",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sale:
    """Terms of sale, checked; times are aware UTC.

    Attributes:
        public: the normalised wire, without what is secret.
        secret: {"reserve_minor": …} where the reserve is hidden, otherwise {}.
        holders: the parties with a right of first refusal.
        payment: how the award is paid where that is not one sum.
        barred: the seller and the co-owners.
        ends_by: the last instant a bid can be accepted at, as far as the terms bound it.
    """

    method: str
    mechanism: Method
    auction_id: UUID
    preset: str | None
    currency: str
    opens_at: datetime
    closes_at: datetime
    hard_stop_at: datetime | None
    terms: Mapping[str, Any]
    closing: Closing
    reserve: Mapping[str, Any]
    tie_rule: str
    holders: Sequence[UUID]
    match_window_s: int
    admission: Mapping[str, Any]
    secrecy: Mapping[str, Any]
    opening: Mapping[str, Any] | None
    forfeits: Sequence[str]
    default: str
    payment: Mapping[str, Any] | None
    floor_minor: int
    step_minor: int | None
    public: Mapping[str, Any]
    secret: Mapping[str, Any]
    barred: frozenset[UUID]

    @property
    def ends_by(self) -> datetime:
        """Return the hard stop, or the announced close where there is none."""
        match = timedelta(seconds=self.match_window_s)
        return self.hard_stop_at or self.closes_at + match


def read_sale(sale: Mapping[str, Any], *, barred: frozenset[UUID], now: datetime) -> Sale:
    """Read the terms of sale; what is absent is the default.

    Raises:
        BadSale: a field is missing, unknown or contradicts another, or the close is in the past.
        WrongCurrency: the currency is not handled.
        AmountOutOfRange: an amount is below 1 or leaves no room for a raise.
        BadInstalments, BadPrice: see `payment.read`.
        BadOpeningKey: sealed bids have no key that would open them.
    """
    wire = _flat(sale)
    method = _method(wire)
    _check_keys(wire, method)
    preset = _preset(wire)
    if wire["currency"] not in EXPONENTS:
        raise WrongCurrency("This currency is not handled.", known=sorted(EXPONENTS))
    auction_id = ident(wire["auction_id"], "auction_id")
    reserve, secret = _reserve(wire, method)
    holders, match_s = _first_refusal(wire)
    secrecy = _secrecy(wire, method)
    read = Sale(
        method=method.code,
        mechanism=method,
        auction_id=auction_id,
        preset=preset.code if preset else None,
        currency=wire["currency"],
        opens_at=instant(wire["opens_at"]),
        closes_at=instant(wire["closes_at"]),
        hard_stop_at=instant(wire["hard_stop_at"]) if "hard_stop_at" in wire else None,
        terms=method.read_terms(wire),
        closing=_closing(wire, method),
        reserve=reserve,
        tie_rule=_tie(wire, method),
        holders=holders,
        match_window_s=match_s,
        admission=_admission(wire),
        secrecy=secrecy,
        opening=_opening(wire, secrecy, auction_id),
        forfeits=_forfeits(wire),
        default=_one_of(wire, "default", method.defaults),
        payment=payment.read(wire),
        floor_minor=steps.whole(wire["floor_minor"]),
        step_minor=wire.get("step_minor"),
        public={},
        secret=secret,
        barred=barred,
    )
    _check_times(read, now)
    return replace(read, public=_public(wire, read))


def instant(text: Any) -> datetime:
    """Read an instant of the wire.

    Raises:
        BadSale: it is none, or names no zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise BadSale(f"{text!r} is not a time.") from error
    if moment.tzinfo is None:
        raise BadSale(f"{text!r} names no zone.")
    return moment.astimezone(UTC)


def ident(text: Any, name: str) -> UUID:
    """Read an id of the wire.

    Raises:
        BadSale: it is none.
    """
    try:
        return UUID(text)
    except (AttributeError, TypeError, ValueError) as error:
        raise BadSale("This is no UUID.", fields=[name]) from error


def _flat(sale: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what is null; lift the opening key out of the secrecy, where it may also stand."""
    wire = {name: value for name, value in sale.items() if value is not None}
    for name in ("terms", "closing", "reserve", "tie", "first_refusal", "admission", "secrecy"):
        if not isinstance(wire.get(name, {}), Mapping):
            raise BadSale("This is an object.", fields=[name])
    if "opening" in wire.get("secrecy", {}):
        inner = dict(wire["secrecy"])
        wire |= {"opening": inner.pop("opening"), "secrecy": inner}
        if wire["opening"] is None:
            del wire["opening"]
    return wire


def _method(wire: Mapping[str, Any]) -> Method:
    code = wire.get("method")
    if not isinstance(code, str) or code not in METHODS:
        raise BadSale("This method of sale is not offered.", methods=sorted(METHODS))
    return METHODS[code]


def _check_keys(wire: Mapping[str, Any], method: Method) -> None:
    odd = (NEEDED - set(wire)) | (set(wire) - NEEDED - OPTIONS - method.keys)
    if "soft_close_s" in wire:
        odd |= {"hard_stop_at"} - set(wire)
    if odd:
        raise BadSale("The terms of sale are incomplete or unknown.", fields=sorted(odd))


def _preset(wire: dict[str, Any]) -> presets.Preset | None:
    if "preset" not in wire:
        return None
    preset = presets.PRESETS.get(str(wire["preset"]))
    if preset is None or preset.method != wire["method"]:
        names = [one.code for one in presets.PRESETS.values() if one.method == wire["method"]]
        raise BadSale("This preset is not of this method.", fields=["preset"], presets=names)
    given = wire.get("terms", {})
    if any(given.get(name, value) != value for name, value in preset.terms.items()):
        raise BadSale("The preset says otherwise.", fields=sorted(preset.terms))
    if preset.terms:
        wire["terms"] = {**given, **preset.terms}
    return preset


def _closing(wire: Mapping[str, Any], method: Method) -> Closing:
    given = dict(wire.get("closing", {}))
    if "soft_close_s" in wire:
        if given:
            raise BadSale("The closing is said twice.", fields=["soft_close_s", "closing"])
        given = {"kind": "soft", "window_s": wire["soft_close_s"]}
    given = {"kind": method.closings[0], **given} if method.closings == ("fixed",) else given
    wanted = presets.PRESETS[wire["preset"]].closing if "preset" in wire else given.get("kind")
    odd = set(given) - {"kind", "window_s", "top_k", "most_extensions", "free_until"}
    if odd or given.get("kind") not in method.closings or given["kind"] != wanted:
        raise BadSale(
            "This closing does not go with this method.",
            fields=sorted(odd) or ["closing"],
            kinds=list(method.closings),
        )
    return _closing_of(given)


def _closing_of(given: Mapping[str, Any]) -> Closing:
    is_timed = given["kind"] == "timed"
    if is_timed != (given.get("free_until") is not None):
        raise BadSale("A free period belongs to timed cycles.", fields=["free_until"])
    limit = given.get("most_extensions")
    return Closing(
        kind=given["kind"],
        window_s=_whole(given, "window_s", 1 if is_timed else 0, MOST_WINDOW_S, default=0),
        top_k=_whole(given, "top_k", 1, MOST_TOP, default=1),
        most_extensions=None
        if limit is None
        else _whole(given, "most_extensions", 0, MOST_EXTENSIONS),
        free_until=instant(given["free_until"]) if is_timed else None,
    )


def _reserve(wire: Mapping[str, Any], method: Method) -> tuple[dict[str, Any], dict[str, Any]]:
    given = wire.get("reserve", {})
    kind, amount = given.get("kind", "none"), given.get("amount_minor")
    if set(given) - {"kind", "amount_minor"} or kind not in ("none", "open", "hidden"):
        raise BadSale("A reserve is none, open or hidden.", fields=["reserve"])
    if (amount is None) != (kind == "none"):
        raise BadSale("A reserve has an amount.", fields=["reserve"])
    if kind == "none":
        return {"kind": kind, "amount_minor": None}, {}
    if not method.has_reserve:
        raise BadSale("This method has no reserve.", fields=["reserve"])
    least = steps.whole(amount, least=steps.whole(wire["floor_minor"]))
    if kind == "open":
        return {"kind": kind, "amount_minor": least}, {}
    return {"kind": kind, "amount_minor": None}, {"reserve_minor": least}


def _tie(wire: Mapping[str, Any], method: Method) -> str:
    given = wire.get("tie", {})
    if set(given) - {"rule"}:
        raise BadSale("A tie has a rule.", fields=["tie"])
    return _one_of(given, "rule", method.ties)


def _first_refusal(wire: Mapping[str, Any]) -> tuple[tuple[UUID, ...], int]:
    if "first_refusal" not in wire:
        return (), 0
    given = wire["first_refusal"]
    names = [name for name in ("holders", "parties") if name in given]
    if len(names) != 1 or set(given) != {names[0], "window_s"}:
        raise BadSale("A first refusal has holders and a window.", fields=["first_refusal"])
    holders = given[names[0]]
    if not isinstance(holders, list | tuple) or not 1 <= len(holders) <= MOST_HOLDERS:
        raise BadSale("Name the holders.", fields=["first_refusal"], most=MOST_HOLDERS)
    parties = tuple(ident(str(holder), "first_refusal") for holder in holders)
    if len(set(parties)) != len(parties):
        raise BadSale("Name each holder once.", fields=["first_refusal"])
    return parties, _whole(given, "window_s", LEAST_MATCH_S, MOST_MATCH_S)


def _admission(wire: Mapping[str, Any]) -> dict[str, Any]:
    given = wire.get("admission", {})
    names = {"kind", "deposit_minor", "until", "most_bidders", "cap_minor", "agreement",
             *deposit_terms.NAMES}  # fmt: skip
    if set(given) - names:
        raise BadSale("This is not about admission.", fields=sorted(set(given) - names))
    until, most, cap = (given.get(name) for name in ("until", "most_bidders", "cap_minor"))
    kind = _one_of(given, "kind", ("verified", "applied"))
    deposit_minor = steps.whole(given.get("deposit_minor") or 0, least=0)
    return {
        "kind": kind,
        "deposit_minor": deposit_minor,
        "until": None if until is None else rfc3339.exact(instant(until)),
        "most_bidders": None if most is None else _whole(given, "most_bidders", 2, 1_000),
        "cap_minor": None if cap is None else steps.whole(cap),
        **_agreement(given, is_asked=kind == "applied" and deposit_minor > 0),
        **deposit_terms.read(given, is_asked=kind == "applied" and deposit_minor > 0),
    }


def _agreement(given: Mapping[str, Any], *, is_asked: bool) -> dict[str, str]:
    """Return how the deposit agreement is made; it is named where it is signed, and only there."""
    wanted = _one_of(given, "agreement", ("applied", "signed"))
    if wanted == "applied":
        return {}
    if not is_asked:
        raise BadSale("Only who applies with a deposit has an agreement.", fields=["agreement"])
    return {"agreement": wanted}


def _secrecy(wire: Mapping[str, Any], method: Method) -> dict[str, Any]:
    given = wire.get("secrecy", {})
    if set(given) - {"bidders", "amounts"}:
        raise BadSale("Secrecy is of bidders and amounts.", fields=["secrecy"])
    amounts = _one_of(given, "amounts", method.amounts)
    bidders = ("alias", "hidden") if amounts == "open" else ("hidden", "alias")
    return {"bidders": _one_of(given, "bidders", bidders), "amounts": amounts}


def _opening(
    wire: Mapping[str, Any], secrecy: Mapping[str, Any], auction_id: UUID
) -> dict[str, Any] | None:
    if (secrecy["amounts"] == "sealed") != ("opening" in wire):
        raise BadSale("Sealed bids, and only those, have an opening key.", fields=["opening"])
    if "opening" not in wire:
        return None
    return openings.read(wire["opening"], auction=auction_id)


def _forfeits(wire: Mapping[str, Any]) -> list[str]:
    given = wire.get("forfeits", [])
    if not isinstance(given, list | tuple) or any(code not in FORFEITS for code in given):
        raise BadSale("These triggers are not known.", fields=["forfeits"], known=list(FORFEITS))
    return sorted(set(given))


def _one_of(given: Mapping[str, Any], name: str, choices: Sequence[str]) -> str:
    value = given.get(name)
    if value is None:
        return choices[0]
    if value not in choices:
        raise BadSale("This is not among the choices.", fields=[name], choices=list(choices))
    return str(value)


def _whole(
    given: Mapping[str, Any], name: str, least: int, most: int, *, default: int | None = None
) -> int:
    value = given.get(name)
    value = default if value is None else value
    if type(value) is not int or not least <= value <= most:
        raise BadSale("A number is out of range.", fields=[name], least=least, most=most)
    return value


def _check_times(sale: Sale, now: datetime) -> None:
    match = timedelta(seconds=sale.match_window_s)
    in_order = sale.opens_at < sale.closes_at
    if not in_order or (sale.hard_stop_at and sale.closes_at + match > sale.hard_stop_at):
        raise BadSale("The times do not follow one another.")
    if sale.closes_at <= now:
        raise BadSale("The close is in the past.", closes_at=rfc3339.exact(sale.closes_at))
    free = sale.closing.free_until
    window = timedelta(seconds=sale.closing.window_s)
    if free is not None and not (sale.opens_at < free and free + window == sale.closes_at):
        raise BadSale(
            "The announced close is the end of the free period plus one cycle.",
            fields=["closes_at"],
            closes_at=rfc3339.exact(free + window),
        )
    until = sale.admission["until"]
    if until is not None and instant(until) > sale.closes_at:
        raise BadSale("Who comes to bid is known before the close.", fields=["until"])


def _public(wire: Mapping[str, Any], sale: Sale) -> dict[str, Any]:
    read = {
        **wire,
        "auction_id": str(sale.auction_id),
        "opens_at": rfc3339.exact(sale.opens_at),
        "closes_at": rfc3339.exact(sale.closes_at),
    }
    if sale.hard_stop_at is not None:
        read["hard_stop_at"] = written(sale.hard_stop_at)
    if "closing" in wire and sale.closing.free_until is not None:
        read["closing"] = {**wire["closing"], "free_until": written(sale.closing.free_until)}
    for name, value in (("admission", sale.admission), ("secrecy", sale.secrecy)):
        if name in wire:
            read[name] = value
    if "reserve" in wire:
        read["reserve"] = {name: one for name, one in sale.reserve.items() if one is not None}
    if sale.opening is not None:
        read["opening"] = sale.opening
    if sale.payment is not None:
        read["payment"] = sale.payment
    return read
