"""What each template prints: terms of every kind of contract, built from the same agreement."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from contracts.deals import assignments, deposits, packages, pricing, templates, terms
from contracts.deals.pricing import Price
from contracts.deals.tiers import Tiers
from contracts.money import Money
from tests.conftest import NOW
from tests.contracts.deals_factory import RIGHTS
from tests.contracts.test_deals_terms import AGREED, LISTING, SIDES, uuid

SITE = "https://exchange.example"
ANCHORED = replace(AGREED, anchor={**AGREED.anchor, "site": SITE})
NETWORK = {**RIGHTS, "right": "network-transmission", "media": ["web", "ott"], "runs_max": None}
NON_EXCLUSIVE = {**RIGHTS, "exclusivity": "non-exclusive"}
ASSIGNED = {"right": "network-transmission", "territories": ["CN"], "excluded": ["HK", "MO", "TW"]}


def licence(*rights: Mapping[str, Any], price: Price | None = None) -> dict[str, Any]:
    agreed = replace(ANCHORED, rights=rights, price=price or ANCHORED.price)
    return terms.build(agreed, template=templates.for_grants(rights), now=NOW)


def package(amounts: tuple[int, ...] = (80_000_000, 40_000_000)) -> dict[str, Any]:
    parts = [
        packages.Part(
            {
                **LISTING,
                "work": str(uuid(20 + at)),
                "title": {"zh": f"第{at}部", "en": f"No. {at}"},
            },
            str(uuid(30 + at)),
            [RIGHTS, NETWORK] if at else [NON_EXCLUSIVE],
            Money(amount, "CNY"),
        )
        for at, amount in enumerate(amounts)
    ]
    return packages.build(replace(ANCHORED, rights=()), parts, now=NOW)


def assignment(*rights: Mapping[str, Any]) -> dict[str, Any]:
    agreed = replace(ANCHORED, rights=rights or (ASSIGNED, {**ASSIGNED, "right": "adaptation"}))
    return assignments.build(agreed, now=NOW)


def deposit(*, is_signed: bool = False, **changes: Any) -> dict[str, Any]:
    notice = deposits.Notice(
        auction=uuid(4),
        rulebook_sha256="12" * 32,
        title={"zh": "示范作品", "en": "Demonstration Work"},
        opens_at=NOW,
        closes_at=NOW + timedelta(days=20),
        until=NOW + timedelta(days=10),
        deposit=Money(10_000_000, "CNY"),
        forfeits=("winner-refuses", "non-payment"),
        log="log.uhdx.local/2026",
    )
    bidder = replace(SIDES[1], role="bidder")
    build = deposits.build_signed if is_signed else deposits.build
    return build(replace(notice, **changes), bidder=bidder, exchange=SIDES[2])


PRICES = {
    "flat": Price(pricing.FLAT, Money(120_000_000, "CNY")),
    "guarantee-share": Price(pricing.GUARANTEE_SHARE, Money(50_000_000, "CNY"), 1250),
    "guarantee-tiers": Price(
        pricing.GUARANTEE_TIERS,
        Money(50_000_000, "CNY"),
        tiers=Tiers(2_000, 30_000_000, ((500_000_000, 3_000), (None, 5_000))),
    ),
    "per-run": Price(pricing.PER_RUN, Money(120_000, "CNY"), None, 30_000, 4),
}
EVERY: Mapping[str, Callable[[], dict[str, Any]]] = {
    templates.EXCLUSIVE: lambda: licence(RIGHTS),
    templates.NON_EXCLUSIVE: lambda: licence(NON_EXCLUSIVE),
    templates.NETWORK: lambda: licence(NETWORK),
    templates.GENERAL: lambda: licence(RIGHTS, NETWORK, price=PRICES["guarantee-share"]),
    templates.PACKAGE: package,
    templates.ASSIGNMENT: assignment,
    templates.DEPOSIT: deposit,
    templates.SIGNED_DEPOSIT: lambda: deposit(is_signed=True),
}
