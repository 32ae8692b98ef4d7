"""Fixed price (一口价): the first qualified bidder who takes the price asked gets it."""

from collections.abc import Mapping
from typing import Any

from contracts.money import Money
from listings.auctions import awarding, closing, steps
from listings.auctions.awarding import Ranked
from listings.auctions.model import Bid, Book, Case, Change, Method, Outcome, Standing
from listings.auctions.refusals import AlreadyTaken, BadSale, WrongPrice


def read_terms(sale: Mapping[str, Any]) -> dict[str, Any]:
    """Read the price asked."""
    if sale.get("terms"):
        raise BadSale("A fixed price has no further terms.", fields=sorted(sale["terms"]))
    return {"price_minor": steps.whole(sale["floor_minor"])}


def propose(book: Book, standing: Standing, bid: Bid) -> Change:
    """Take the price, or be told what it is."""
    check_free(standing)
    check(book, bid.content)
    return take(standing, bid, int(book.terms["price_minor"]))


def check_free(standing: Standing) -> None:
    """Check that nobody has taken it.

    Raises:
        AlreadyTaken: somebody has.
    """
    if standing.leading_bid is not None:
        raise AlreadyTaken("Somebody has taken it.")


def take(standing: Standing, bid: Bid, price_minor: int) -> Change:
    """Return what a take changes: it ends the auction at the next instant."""
    end = closing.take_at(bid.received_at)
    return Change(price_minor, bid.bid_id, bid.paddle, standing.own, ends_at=end)


def least_minor(book: Book, standing: Standing) -> int | None:
    """Return the price asked, until somebody takes it."""
    return int(book.terms["price_minor"]) if standing.leading_bid is None else None


def exposure(_book: Book, standing: Standing) -> Mapping[int, int]:
    """Return the taker with the price."""
    if standing.leading_paddle is None or standing.price_minor is None:
        return {}
    return {standing.leading_paddle: standing.price_minor}


def check(book: Book, content: Mapping[str, Any]) -> None:
    """Refuse every amount but the price."""
    price = int(book.terms["price_minor"])
    if content["amount_minor"] != price:
        raise wrong_price(book, price)


def wrong_price(book: Book, price_minor: int) -> WrongPrice:
    """Return the refusal that names the price."""
    return WrongPrice(
        f"The price is {Money(price_minor, book.currency).decimal()} {book.currency}.",
        price_minor=price_minor,
        currency=book.currency,
    )


def decide(book: Book, case: Case) -> Outcome:
    """Sell to the taker."""
    takers = [entry for entry in case.entries if entry.bid.paddle not in case.out][:1]
    price = int(book.terms["price_minor"])
    return awarding.sell(
        book, case, [Ranked(entry, price) for entry in takers], awarding.own_amount
    )


METHOD = Method(
    code="fixed",
    zh="一口价",
    en="Fixed price",
    amounts=("open",),
    closings=("fixed",),
    has_reserve=False,
    ties=("sequence",),
    defaults=("next-best", "none"),
    keys=frozenset(),
    read_terms=read_terms,
    propose=propose,
    least_minor=least_minor,
    exposure=exposure,
    check=check,
    decide=decide,
    takes=True,
)
