"""The one order in which a document keeps what has none of its own, so that equals are equal."""

from dataclasses import replace

from contracts.avails.model import Asset, Avail, Transaction


def settled(avail: Avail) -> Avail:
    """Return the avail with its terms, facts, languages and territories sorted, doubles dropped.

    The order of assets and transactions stays: rows and elements are told by it.
    """
    return replace(
        avail,
        assets=tuple(_asset(asset) for asset in avail.assets),
        transactions=tuple(_offer(offer) for offer in avail.transactions),
        entitlements=tuple(sorted(set(avail.entitlements))),
    )


def _asset(asset: Asset) -> Asset:
    return replace(asset, facts=tuple(sorted(set(asset.facts))))


def _offer(offer: Transaction) -> Transaction:
    def by_tag(one: object) -> str:
        return repr(one)

    return replace(
        offer,
        territories=tuple(sorted(set(offer.territories))),
        excluded=tuple(sorted(set(offer.excluded))),
        allowed=tuple(sorted(set(offer.allowed), key=by_tag)),
        assets=tuple(sorted(set(offer.assets), key=by_tag)),
        holdback=tuple(sorted(set(offer.holdback), key=by_tag)),
        terms=tuple(sorted(set(offer.terms), key=by_tag)),
    )
