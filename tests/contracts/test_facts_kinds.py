"""Who reads which kind of fact: what the public learns of a trade, and what it must not."""

from contracts import ids
from contracts.facts.kinds import KINDS
from contracts.facts.rules import Audience
from contracts.log import rules
from tests.conftest import NOW

# What is on offer and at which price it stands; bidders appear by paddle (号牌) alone.
MARKET = {
    "auction.closed", "auction.opened", "auction.paused", "auction.resumed", "auction.voided",
    "award.defaulted", "bid.placed", "bidding.ended", "bids.revealed", "disclosure.begun",
    "disclosure.changed", "disclosure.ended", "listing.ended", "listing.published",
    "result.publicised", "share.released",
}  # fmt: skip
# Whose key signs, so that a stranger can check a contract's signatures.
KEYS = {"crl.issued", "key.registered", "key.revoked"}
PEOPLE = {"licensee", "licensor", "parties", "party", "person"}


def test_the_public_reads_the_market_keys_policies_and_forms_alone() -> None:
    known = MARKET | KEYS | {"policy.adopted", "template.published", "fees.announced"}
    assert set(rules.kinds_for(Audience.PUBLIC)) == known


def test_of_those_who_trade_the_public_learns_the_seller_alone() -> None:
    for kind in MARKET - {"listing.published"}:
        assert not PEOPLE & set(KINDS[kind].fields), kind


def test_who_won_is_told_to_buyer_seller_and_staff_alone() -> None:
    sides = [ids.new(NOW), ids.new(NOW)]
    for side in sides:
        assert rules.may_read("award.made", sides, party=side, staff=False)
    assert rules.may_read("award.made", sides, party=None, staff=True)
    assert not rules.may_read("award.made", sides, party=ids.new(NOW), staff=False)
    assert not rules.may_read("award.made", sides, party=None, staff=False)
