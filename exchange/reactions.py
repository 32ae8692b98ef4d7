"""Who is woken by what: one table from facts to verbs.

A reaction runs as a background job until it is done. Its writes and the mark that it is done are
one transaction, so it takes effect at most once. A verb that needs long outside work (decoding a
file) does it before it first uses `session`, whose connection opens on first use.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts.rules import SealedFact
from exchange import (
    agreement_verbs,
    bundle_verbs,
    deal_verbs,
    delivery_verbs,
    deposit_verbs,
    fetching_verbs,
    lateness_verbs,
    listing_verbs,
    master_verbs,
    notice_verbs,
    offer_verbs,
    package_verbs,
    recognition_verbs,
    screener_verbs,
    settlement_verbs,
)
from exchange.context import Context

Verb = Callable[[Context, AsyncSession, SealedFact, datetime], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reaction:
    """When `kind` happens, `verb` runs; `name` is stable, it is stored with each effect.

    One that is `witnessed` waits until the witnesses' quorum has seen the fact, where there is one.
    """

    kind: str
    name: str
    verb: Verb
    witnessed: bool = False


REACTIONS: tuple[Reaction, ...] = (
    Reaction("master.referenced", "fetch-master", fetching_verbs.fetch_master),
    Reaction("asset.declared", "check-asset", package_verbs.check_asset),
    Reaction("package.declared", "check-package", package_verbs.check_package),
    Reaction("master.received", "examine-master", master_verbs.examine_master),
    Reaction("master.examined", "recognise-master", recognition_verbs.recognise_master),
    Reaction("recognition.asked", "search-again", recognition_verbs.recognise_master),
    Reaction("bidding.ended", "solve-packages", bundle_verbs.solve_packages),
    Reaction("bids.revealed", "solve-opened-packages", bundle_verbs.solve_packages),
    Reaction("auction.closed", "end-listing", listing_verbs.end_listing),
    Reaction("auction.closed", "conclude-disclosure", notice_verbs.conclude_disclosure),
    Reaction("auction.closed", "screen-bids", notice_verbs.screen_bids),
    Reaction("auction.voided", "end-voided", notice_verbs.end_voided),
    Reaction("deal.executed", "publicise-result", notice_verbs.publicise_result),
    Reaction("auction.closed", "free-deposits", deposit_verbs.free_deposits),
    Reaction("auction.voided", "free-deposits-of-void", deposit_verbs.free_deposits),
    Reaction("award.made", "keep-deposit", deposit_verbs.keep_deposit),
    Reaction("award.lapsed", "free-after-lapse", deposit_verbs.free_after_lapse),
    Reaction("deal.voided", "free-after-void", deposit_verbs.free_after_void),
    Reaction("deal.declined", "free-after-refusal", deposit_verbs.free_after_void),
    Reaction("deal.expired", "free-after-expiry", deposit_verbs.free_after_void),
    Reaction("deposit.forfeited", "bar-defaulter", deposit_verbs.bar_defaulter),
    Reaction("award.made", "open-deal", deal_verbs.open_deal),
    Reaction("deal.opened", "certify-deal", deal_verbs.certify_deal),
    Reaction("offer.accepted", "open-offered-deals", offer_verbs.open_offered_deals),
    Reaction("deal.signed", "void-overtaken-deals", offer_verbs.void_overtaken_deals),
    Reaction("deal.executed", "plan-settlement", settlement_verbs.plan_settlement, witnessed=True),
    Reaction("deal.executed", "archive-deal", deal_verbs.archive_deal),
    Reaction("agreement.signed", "admit-signer", agreement_verbs.admit_signer),
    Reaction("agreement.signed", "archive-agreement", agreement_verbs.archive_agreement),
    Reaction("refund.made", "reverse-refunded", settlement_verbs.reverse_refunded),
    Reaction("settlement.booked", "free-after-payment", deposit_verbs.free_after_payment),
    Reaction("settlement.booked", "mark-deal-paid", deal_verbs.mark_deal_paid),
    Reaction("settlement.booked", "release-keys", delivery_verbs.release_keys),
    Reaction("instalment.booked", "release-instalment-keys", delivery_verbs.release_keys),
    Reaction("payment.carried", "release-carried-keys", delivery_verbs.release_keys),
    Reaction("delivery.manifest", "release-late-keys", delivery_verbs.release_keys),
    Reaction("delivery-key.registered", "release-to-key", delivery_verbs.release_to_key),
    Reaction("payment.received", "charge-lateness", lateness_verbs.charge_lateness),
    Reaction("settlement.defaulted", "end-defaulted", lateness_verbs.end_defaulted),
    Reaction("hold.expired", "void-expired-deal", deal_verbs.void_expired_deal),
    Reaction("grant.reverted", "void-deals-under", deal_verbs.void_deals_under),
    Reaction("screener.granted", "burn-screener", screener_verbs.burn_screener),
)


def woken_by(kind: str) -> tuple[Reaction, ...]:
    """Return the reactions to a kind of fact."""
    return tuple(reaction for reaction in REACTIONS if reaction.kind == kind)


def named(name: str) -> Reaction:
    """Return the reaction of that name."""
    return next(reaction for reaction in REACTIONS if reaction.name == name)
