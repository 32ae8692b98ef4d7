"""What the rules of auctions say no with."""

from contracts.refusal import Kind, Refusal


class BadSale(Refusal):
    """The terms of sale contradict themselves or are incomplete."""

    kind, code = Kind.INVALID, "bad-sale"
    hint = "Give opens_at < closes_at <= hard_stop_at in UTC, and a floor and step of at least 1."


class BidTooLow(Refusal):
    """The bid would not lead."""

    kind, code = Kind.CONFLICT, "bid-too-low"
    hint = "Bid `least_minor` or more under a new bid id."


class BidNotAStep(Refusal):
    """The bid lies between two steps of an auction that knows only whole ones."""

    kind, code = Kind.CONFLICT, "bid-not-a-step"
    hint = "Bid `least_minor`, or any number of whole steps above it, under a new bid id."


class AuctionClosed(Refusal):
    """The auction has closed; the bid came too late."""

    kind, code = Kind.CONFLICT, "auction-closed"
    hint = "No bid counts any more; `least_minor` is what would have led."


class AuctionNotOpen(Refusal):
    """The auction has not opened yet."""

    kind, code = Kind.CONFLICT, "auction-not-open"
    hint = "Bid again with the same id once `opens_at` has come."


class AuctionPaused(Refusal):
    """The auction is paused (暂停); its end moves by the length of the pause."""

    kind, code = Kind.CONFLICT, "auction-paused"
    hint = "Bid again with the same id once the auction goes on."


class AlreadyTaken(Refusal):
    """Somebody took it at the price asked (一口价, 降价式)."""

    kind, code = Kind.CONFLICT, "already-taken"
    hint = "No bid counts any more; the result follows at once."


class WrongPrice(Refusal):
    """The amount is not the price asked."""

    kind, code = Kind.CONFLICT, "wrong-price"
    hint = "Bid exactly `price_minor` under a new bid id."


class StaleTick(Refusal):
    """The price that was seen is no longer, or not yet, the price asked (降价式)."""

    kind, code = Kind.CONFLICT, "stale-tick"
    hint = "Bid `price_minor` with `tick` under a new bid id."


class AlreadyBid(Refusal):
    """Each bidder bids once here (一次报价); the first bid binds."""

    kind, code = Kind.CONFLICT, "already-bid"
    hint = "The first bid stands; wait for the opening."


class BidNotSealed(Refusal):
    """This auction takes sealed bids alone; an amount in clear is refused and not kept."""

    kind, code = Kind.INVALID, "bid-not-sealed"
    hint = "Seal the bid to the auction's opening key before it leaves your machine."


class NoFreeBid(Refusal):
    """Only who bid in the free period (自由报价期) bids on in the timed one (限时报价期)."""

    kind, code = Kind.FORBIDDEN, "no-free-bid"
    hint = "This auction goes on among those who bid before `free_until`."


class MatchingOnly(Refusal):
    """Bidding has ended; the holders of the right of first refusal may match (场内行权)."""

    kind, code = Kind.CONFLICT, "matching-only"
    hint = "Wait: if the right is exercised, bidding opens once more."


class NothingToMatch(Refusal):
    """There is nothing to match now: bidding goes on, nobody leads, or a holder leads already."""

    kind, code = Kind.CONFLICT, "nothing-to-match"
    hint = "Match between the end of bidding and the close, while somebody without the right leads."


class NoFirstRefusal(Refusal):
    """The bidder has no right of first refusal (优先购买权) here."""

    kind, code = Kind.FORBIDDEN, "no-first-refusal"
    hint = "Bid an amount."
