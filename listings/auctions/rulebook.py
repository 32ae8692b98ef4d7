"""The rulebook (规则书) of one auction: written once, hashed, parsed for the rules (pure)."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from contracts import canonical, rfc3339
from contracts.money import EXPONENTS
from listings.auctions import presets, texts
from listings.auctions.mechanisms import METHODS
from listings.auctions.model import Book, BrokenLog, Closing, instant, maybe_instant, written
from listings.auctions.sales import Sale, read_sale

__all__ = ["Book", "Sale", "read", "read_sale", "reserve_commitment", "rulebook", "seed_commitment"]

VERSION = 2
SECRET_BYTES = 32
TIMES = ("opens_at", "closes_at", "hard_stop_at")


def read(rulebook: Mapping[str, Any], *, reserve_minor: int | None = None) -> Book:
    """Parse a rulebook; a hidden reserve is passed in by whoever knows it.

    Raises:
        BrokenLog: it is of no version or method that is known.
    """
    known = rulebook if rulebook.get("version") == VERSION else _of_version_1(rulebook)
    if known["method"] not in METHODS:
        raise BrokenLog(f"unknown method {known['method']!r}")
    closing = dict(known["closing"])
    closing["free_until"] = maybe_instant(closing["free_until"])
    is_open = known["reserve"]["kind"] == "open"
    read_here = {"version", "auction", "listing", "work", "supersedes", "closing", *TIMES}
    plain = {name: value for name, value in known.items() if name not in read_here}
    return Book(
        **plain,
        opens_at=instant(known["opens_at"]),
        closes_at=instant(known["closes_at"]),
        hard_stop_at=maybe_instant(known["hard_stop_at"]),
        auction=UUID(known["auction"]),
        listing=UUID(known["listing"]),
        work=UUID(known["work"]),
        supersedes=UUID(known["supersedes"]) if known["supersedes"] else None,
        closing=Closing(**closing),
        sha256=canonical.sha256_hex(canonical.dumps(rulebook)),
        reserve_minor=known["reserve"]["amount_minor"] if is_open else reserve_minor,
        mechanism=METHODS[known["method"]],
    )


def rulebook(  # noqa: PLR0913 - each argument is a member of the document.
    sale: Sale,
    *,
    auction: UUID,
    listing: UUID,
    work: UUID,
    supersedes: UUID | None = None,
    seed_commitment: str | None = None,
    reserve_commitment: str | None = None,
    holders: Sequence[int] = (),
    more_terms: Mapping[str, Any] | None = None,
    fees: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the whole rules of one auction as plain JSON; its RFC 8785 bytes are hashed.

    Commitments are given exactly where ties are drawn and the reserve is hidden, `holders` are the
    paddles set aside for `sale.holders`, and `more_terms` is what the method's terms gain at the
    opening (the cells of a package auction). `fees` names the schedule that both sides pay by.

    Raises:
        ValueError: a commitment or the paddles do not go with the sale (a bug, no refusal).
    """
    _check(sale, seed_commitment, reserve_commitment, holders)
    match = {"holders": list(holders), "window_s": sale.match_window_s} if holders else None
    return {
        "version": VERSION,
        "auction": str(auction),
        "listing": str(listing),
        "work": str(work),
        "supersedes": str(supersedes) if supersedes else None,
        **_named(sale),
        "currency": sale.currency,
        "exponent": EXPONENTS[sale.currency],
        "opens_at": rfc3339.exact(sale.opens_at),
        "closes_at": rfc3339.exact(sale.closes_at),
        "hard_stop_at": written(sale.hard_stop_at),
        "terms": {**sale.terms, **(more_terms or {})},
        "closing": _closing(sale.closing),
        "reserve": {**sale.reserve, "commitment": reserve_commitment},
        "tie": {"rule": sale.tie_rule, "seed_commitment": seed_commitment},
        "first_refusal": match,
        "admission": dict(sale.admission),
        "secrecy": dict(sale.secrecy),
        "opening": sale.opening,
        "forfeits": list(sale.forfeits),
        "default": sale.default,
        "texts": texts.of(sale),
        # Absent where the price is one sum: rulebooks of old say nothing else.
        **_given(payment=sale.payment, fees=fees),
    }


def reserve_commitment(auction: UUID, amount_minor: int, nonce: bytes) -> str:
    """Return the commitment to a hidden reserve; the nonce has 32 bytes."""
    return _commitment(b"uhdx/reserve/v1\x00", auction, amount_minor.to_bytes(8), nonce)


def seed_commitment(auction: UUID, seed: bytes) -> str:
    """Return the commitment to the lottery's seed of 32 bytes."""
    return _commitment(b"uhdx/lottery/v1\x00", auction, b"", seed)


def _commitment(tag: bytes, auction: UUID, what: bytes, secret: bytes) -> str:
    if len(secret) != SECRET_BYTES:
        raise ValueError("a secret has 32 bytes")
    return hashlib.sha256(tag + auction.bytes + what + secret).hexdigest()


def _check(sale: Sale, seed: str | None, reserve: str | None, holders: Sequence[int]) -> None:
    if (sale.tie_rule == "lottery") != (seed is not None):
        raise ValueError("a seed is committed exactly when ties are drawn")
    if (sale.reserve["kind"] == "hidden") != (reserve is not None):
        raise ValueError("a reserve is committed exactly when it is hidden")
    if len(holders) != len(sale.holders):
        raise ValueError("each holder of a right of first refusal has a paddle")


def _given(**members: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: dict(value) for name, value in members.items() if value is not None}


def _named(sale: Sale) -> dict[str, Any]:
    preset = presets.PRESETS.get(sale.preset or "")
    return {
        "method": sale.method,
        "method_zh": preset.zh if preset else sale.mechanism.zh,
        "preset": sale.preset,
        "legal_basis": [
            dict(basis) for basis in (preset.basis if preset else presets.BASIS[sale.method])
        ],
    }


def _closing(closing: Closing) -> dict[str, Any]:
    return {
        "kind": closing.kind,
        "window_s": closing.window_s,
        "top_k": closing.top_k,
        "most_extensions": closing.most_extensions,
        "free_until": written(closing.free_until),
    }


def _of_version_1(old: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a rulebook of the first version says, in the words of the second."""
    if old.get("version") != 1:
        raise BrokenLog("unknown version of the rulebook")
    same = ("auction", "listing", "work", "method", "method_zh", "currency", "exponent")
    step = {"kind": "fixed", "minor": old["step_minor"]}
    return {
        **{name: old[name] for name in (*same, *TIMES)},
        "supersedes": None,
        "preset": None,
        "legal_basis": [{"source": "", "article": "", "note": old["legal_basis"]}],
        "terms": {"floor_minor": old["floor_minor"], "step": step, "multiples": False,
                  "needs_free_bid": False},
        "closing": {"kind": "soft", "window_s": old["soft_close_s"], "top_k": 1,
                    "most_extensions": None, "free_until": None},
        "reserve": {"kind": "none", "amount_minor": None, "commitment": None},
        "tie": {"rule": "sequence", "seed_commitment": None},
        "first_refusal": None,
        "admission": {"kind": "verified", "deposit_minor": 0, "until": None, "most_bidders": None,
                      "cap_minor": None},
        "secrecy": {"bidders": "alias", "amounts": "open"},
        "opening": None,
        "forfeits": [],
        "default": "next-best",
        "texts": {},
    }  # fmt: skip
