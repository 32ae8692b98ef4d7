"""The rules of an auction in sentences, for people who read its rulebook (pure)."""

from listings.auctions import payment
from listings.auctions.sales import Sale

_METHOD = {
    "english": "Each bid is at least a step above the leading one; the last pays its bid.",
    "proxy": (
        "Bidders name maxima; the price is the highest losing maximum plus a step, not above the "
        "leader's own. Equal maxima: the earlier leads."
    ),
    "fixed": "The first qualified bidder who takes the price gets it.",
    "dutch": "The price falls by the clock until somebody takes the price in force.",
    "sealed": "Bids are opened together; the highest wins and pays its bid.",
    "vickrey": "Bids are opened together; the highest wins and pays the second highest.",
    "weighted": "Bids are opened together; the best score by the published criteria wins.",
    "intent": "Quotes bind nobody; the best of them are invited to negotiate.",
    "package": "Bids name combinations; the combination of highest value wins.",
}
_CLOSING = {
    "fixed": "Bidding ends at closes_at.",
    "soft": (
        "A bid that changes the top within the last window_s moves closes_at to received_at plus "
        "window_s, not past hard_stop_at; closes_at never decreases."
    ),
    "timed": (
        "From free_until on, every bid moves closes_at to received_at plus window_s; the countdown "
        "runs once in any case."
    ),
}
_TIE = {
    "sequence": "Equal bids: the earlier in sequence leads (时间优先).",
    "lottery": "Equal bids: the lot drawn by a seed committed before the first bid.",
}
_DEFAULT = {
    "next-best": "If the winner defaults, the result is taken again without its bids.",
    "none": "If the winner defaults, nothing is sold.",
}


def of(sale: Sale) -> dict[str, str]:
    """Return the sentences of a sale's rules by what they are about."""
    said = {
        "method": _METHOD[sale.method],
        "closing": _CLOSING[sale.closing.kind],
        "tie": _TIE[sale.tie_rule],
        "default": _DEFAULT[sale.default],
        "time": "The exchange's clock at the moment the bid is received.",
        "late": "A bid received at closes_at or after is refused.",
        "bidders": "Bidders without a share in the work, known by paddle (号牌).",
        "outcome": "Without a bid at or above the reserve, unsold (流标).",
    }
    if sale.holders:
        said["first_refusal"] = (
            "After the end of bidding the holders may equal the best bid (场内行权); then bidding "
            "is open once more."
        )
    if sale.payment is not None:
        said |= payment.sentences(sale.payment)
    return said
