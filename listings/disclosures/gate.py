"""Which methods of sale the operator's licence allows, and how early an auction house gives notice.

Source: 拍卖法 (2015) arts. 10-11 (a licence to auction), 45 (notice seven days before), 48 (on view
for two days and more); 国发〔2011〕38号, 国办发〔2012〕37号 (no order book and no fractions for
anybody). An auction house raises prices openly or opens sealed bids; descending, weighted,
second-price and package bidding are rules of a property exchange (产权交易机构).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from contracts import calendar, rfc3339
from contracts.refusal import Kind, Refusal

PROPERTY_EXCHANGE, AUCTION_HOUSE, NONE = "property_exchange", "auction_house", "none"
_UNLICENSED = frozenset({"fixed", "intent"})
METHODS: Mapping[str, frozenset[str]] = {
    PROPERTY_EXCHANGE: frozenset(
        {"english", "proxy", "fixed", "intent", "sealed", "vickrey", "weighted", "dutch", "package"}
    ),
    AUCTION_HOUSE: _UNLICENSED | {"english", "proxy", "sealed"},
    NONE: _UNLICENSED,
}
_AUCTIONS = frozenset({"english", "proxy", "sealed"})
NOTICE_DAYS, VIEWING_DAYS = 7, 2


class MethodNotLicensed(Refusal):
    """The operator's licence does not cover this way of selling."""

    kind, code = Kind.CONFLICT, "method-not-licensed"
    hint = "Choose one of `allowed`, or hand the sale to an exchange whose licence covers it."


class NoticeTooShort(Refusal):
    """An auction house announces an auction seven days before it (拍卖法 art. 45)."""

    kind, code = Kind.CONFLICT, "notice-too-short"
    hint = "Open the auction at `lawful_from` or later."


def check_method(licence: str, method: str) -> None:
    """Check that a method may be offered under a licence.

    Raises:
        MethodNotLicensed: it may not; licence, method and what is allowed are named.
    """
    allowed = METHODS[licence]
    if method not in allowed:
        raise MethodNotLicensed(
            f"The method {method} is not covered by the operator's licence ({licence}).",
            licence=licence,
            method=method,
            allowed=sorted(allowed),
        )


def check_notice(licence: str, method: str, *, opens_at: datetime, now: datetime) -> None:
    """Check that an auction house's notice, and the viewing from it on, are long enough.

    The lot can be viewed from its notice on, by screener: seven days of notice are more than the
    two days of viewing that art. 48 asks for.

    Raises:
        NoticeTooShort: it is not; the first lawful opening is named.
    """
    if licence != AUCTION_HOUSE or method not in _AUCTIONS:
        return
    lawful = calendar.start_of(calendar.day_of(now) + timedelta(days=NOTICE_DAYS))
    if opens_at < lawful:
        raise NoticeTooShort(
            f"An auction is announced {NOTICE_DAYS} days before it opens.",
            lawful_from=rfc3339.exact(lawful),
            notice_days=NOTICE_DAYS,
            viewing_days=VIEWING_DAYS,
        )
