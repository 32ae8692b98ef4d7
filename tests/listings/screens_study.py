"""How often the screens find what was planted, and what was not: a study that follows from seeds.

`python -m tests.listings.screens_study` prints the figures that `listings/screens/data/power.json`
holds and the staff's page shows. Markets are made of whole numbers from SHA-3 alone.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from listings.screens import rules, statistics
from listings.screens.rules import Held, Placed

MARKETS, FIRST = 100, 3
BIDDERS, SELLERS = 24, 10
OPEN_EACH, SEALED_ALL, AT_ONE = 9, 60, 6
RING = ("b00", "b01", "b02")
SHILLED = "s00"
NAMES = {rules.SHILL: "shills", rules.RESIDUALS: "residuals", rules.VARIATION: "variation"}


def open_market(seed: int, *, shill: bool) -> list[Held]:
    """Ninety ascending auctions; the shill bids in eight of its seller's nine and never wins."""
    numbers = statistics.stream(b"open/%d" % seed)
    held = []
    for place in range(SELLERS * OPEN_EACH):
        seller = f"s{place % SELLERS:02d}"
        several = statistics.shuffled(range(BIDDERS), numbers, 4)
        worth = {f"b{n:02d}": 1_000_00 + statistics.below(numbers, 400_00) for n in several}
        joins = shill and seller == SHILLED and place // SELLERS != 4
        held.append(_ascending(str(place), seller, worth, numbers, joins=joins))
    return held


def sealed_market(seed: int, *, ring: bool) -> list[Held]:
    """Sixty sealed auctions of six bidders; ring members who meet agree on close losing bids."""
    numbers = statistics.stream(b"sealed/%d" % seed)
    held = []
    for place in range(SEALED_ALL):
        several = sorted(statistics.shuffled(range(BIDDERS // 2), numbers, AT_ONE))
        worth = 500_00 + statistics.below(numbers, 1_000_00)
        amounts = {
            f"b{n:02d}": worth * (80 + statistics.below(numbers, 41)) // 100 for n in several
        }
        met = [party for party in RING if party in amounts] if ring else []
        if len(met) > 1:
            lead = max(amounts[party] for party in met)
            for party in met:
                if amounts[party] != lead:
                    amounts[party] = lead * (94 + statistics.below(numbers, 5)) // 100
        bids = tuple(Placed(party, amount, 0) for party, amount in sorted(amounts.items()))
        winner = max(bids, key=lambda bid: bid.amount_minor).party
        held.append(Held(str(place), f"s{place % SELLERS:02d}", False, bids, winner))
    return held


def _ascending(
    name: str, seller: str, worth: dict[str, int], numbers: Iterator[int], *, joins: bool
) -> Held:
    """Bidders raise in turn up to their worth; the shill follows each raise below the second."""
    bids, price, at_ms, leader = [], 500_00, 0, ""
    stop = sorted(worth.values())[-2] * 9 // 10
    while True:
        able = sorted(party for party in worth if party != leader and worth[party] > price)
        if not able:
            break
        at_ms += 20_000 + statistics.below(numbers, 600_000)
        leader = able[statistics.below(numbers, len(able))]
        price = min(worth[leader], price + 10_00 + statistics.below(numbers, 60_00))
        bids.append(Placed(leader, price, at_ms))
        if joins and price < stop:
            at_ms += 2_000 + statistics.below(numbers, 10_000)
            price, leader = price + 10_00, "shill"
            bids.append(Placed("shill", price, at_ms))
    return Held(name, seller, True, tuple(bids), bids[-1].party if bids else None)


def study(markets: int) -> dict[str, Any]:
    """Return the rates over so many markets with something planted, and as many without."""
    return {
        "markets": markets,
        "false_share_bp": int(rules.FALSE_SHARE * 10_000),
        rules.SHILL: _shills(markets),
        **_rings(markets),
    }


def _shills(markets: int) -> dict[str, int]:
    found = false = honest = alarmed = 0
    for seed in range(markets):
        leads = _leads(rules.SHILL, open_market(seed, shill=True))
        found += ("shill", SHILLED) in leads[0]
        false += len(leads[0] - {("shill", SHILLED)})
        honest += leads[1] - 1
        alarmed += bool(_leads(rules.SHILL, open_market(seed, shill=False))[0])
    return _rates(found, markets, false, honest, alarmed, markets)


def _rings(markets: int) -> dict[str, dict[str, int]]:
    pairs = {(a, b) for a in RING for b in RING if a < b}
    rates = {}
    for screen in (rules.RESIDUALS, rules.VARIATION):
        found = false = honest = alarmed = 0
        for seed in range(markets):
            leads = _leads(screen, sealed_market(seed, ring=True))
            found += len(leads[0] & pairs)
            false += len(leads[0] - pairs)
            honest += leads[1] - len(pairs)
            alarmed += bool(_leads(screen, sealed_market(seed, ring=False))[0])
        rates[screen] = _rates(found, markets * len(pairs), false, honest, alarmed, markets)
    return rates


def _leads(screen: str, held: list[Held]) -> tuple[set[tuple[str, str]], int]:
    """Return the leads of one screen, and how many pairs it looked at."""
    found = rules.weighed(getattr(rules, NAMES[screen])(held))
    return {one.parties for one in found if one.is_lead}, len(found)


def _rates(
    found: int, planted: int, false: int, honest: int, alarmed: int, markets: int
) -> dict[str, int]:
    return {
        "planted": planted,
        "found": found,
        "found_bp": found * 10_000 // planted,
        "honest": honest,
        "false": false,
        "false_bp": false * 10_000 // honest,
        "markets_with_a_false_alarm_bp": alarmed * 10_000 // markets,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps({**study(MARKETS), "first": study(FIRST)}, indent=2) + "\n")
