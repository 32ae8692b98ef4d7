"""3-D Secure: a card's bank asks its holder, who agrees or does not, on a page or on command.

Source: docs.stripe.com/payments/3d-secure/authentication-flow; of a payment without its holder
(`off_session`) docs.stripe.com/declines/codes, `authentication_required`.
Differs from the source: a holder is asked by this stand-in's page, which anybody may answer.
"""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from exchange.standins.stripe import attempts, cards, events
from exchange.standins.stripe.call import Answer, Call
from exchange.standins.stripe.cards import Card
from exchange.standins.stripe.errors import invalid

ASKED = "requires_action"
FAILED = "payment_intent_authentication_failure"


def check_return(call: Call) -> None:
    """Check the address to which the card's holder comes back, where one is given.

    Raises:
        Problem: it is no address of a page.
    """
    check_url(call.params.get("return_url", "http://nowhere"), param="return_url")


def check_url(url: str, *, param: str) -> None:
    """Check the address of a page.

    Raises:
        Problem: `url_invalid`.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise invalid("Not a valid URL.", param=param, code="url_invalid")


def ask(call: Call, intent: dict[str, Any], used: Card) -> Answer:
    """Ask a card's holder to authenticate; nobody can be asked where none is there."""
    for name, reason in (
        ("off_session", "authentication_required"),
        ("error_on_requires_action", "authentication_not_handled"),
    ):
        if call.params.get(name):
            alone = replace(used, decline="authentication_required", reason=reason, asks=False)
            return attempts.attempt(call, intent, alone)
    back = call.params.get("return_url", "")
    intent |= {"status": ASKED, "next_action": _action(call, intent, back)}
    call.store.db.execute(
        "INSERT OR REPLACE INTO authentication VALUES (?, ?, ?)", (intent["id"], used.last4, back)
    )
    call.store.change(intent)
    events.announce(call, "payment_intent.requires_action", intent)
    return Answer(200, intent)


def answer(call: Call) -> dict[str, Any]:
    """Take the holder's answer: `{"succeeds": true}`; return the intent as it then stands.

    Raises:
        Problem: the intent waits for no authentication.
    """
    intent = call.store.get("payment_intent", call.id)
    used, _ = waiting(call, intent)
    call.store.db.execute("DELETE FROM authentication WHERE intent = ?", (intent["id"],))
    if call.params.get("succeeds", True):
        attempts.attempt(call, {**intent, "next_action": None}, used)
        return call.store.get("payment_intent", call.id)
    error = {
        "code": FAILED,
        "message": "The provided PaymentMethod has failed authentication. You can provide a new "
        "PaymentMethod to attempt to fulfill this PaymentIntent again.",
        "payment_method": attempts.method(intent),
        "type": "invalid_request_error",
    }
    return attempts.fail(call, intent, error)


def waiting(call: Call, intent: dict[str, Any]) -> tuple[Card, str]:
    """Return the card that an intent waits for, and where its holder goes afterwards.

    Raises:
        Problem: the intent waits for no authentication.
    """
    row = call.store.db.execute(
        "SELECT card, return_url FROM authentication WHERE intent = ?", (intent["id"],)
    ).fetchone()
    if row is None or intent["status"] != ASKED:
        raise invalid(f"This PaymentIntent is {intent['status']} and waits for no authentication.")
    return next(card for card in cards.CARDS.values() if card.asks and card.last4 == row[0]), row[1]


def way_back(intent: dict[str, Any], return_url: str) -> str:
    """Return where a holder goes after the answer, with what Stripe adds to the address."""
    told = {
        "payment_intent": intent["id"],
        "payment_intent_client_secret": intent["client_secret"],
        "redirect_status": "failed" if intent["last_payment_error"] else "succeeded",
    }
    return f"{return_url}{'&' if '?' in return_url else '?'}{urlencode(told)}"


def _action(call: Call, intent: dict[str, Any], return_url: str) -> dict[str, Any]:
    page = f"{call.at}/_authentications/{intent['id']}"
    if return_url and not call.params.get("use_stripe_sdk"):
        return {
            "type": "redirect_to_url",
            "redirect_to_url": {"return_url": return_url, "url": page},
        }
    return {
        "type": "use_stripe_sdk",
        "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": page},
    }
