"""The test cards, and the charge that one confirmed payment makes.

Source: docs.stripe.com/testing and docs.stripe.com/payments/3d-secure, the names of the payment
methods and what each does; docs.stripe.com/declines/codes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exchange.standins.stripe import charges, events
from exchange.standins.stripe.call import Call
from exchange.standins.stripe.errors import missing


@dataclass(frozen=True, slots=True)
class Card:
    """How a test card behaves; `decline` and `reason` are Stripe's code and decline code."""

    brand: str
    last4: str
    decline: str | None = None
    reason: str | None = None
    is_pending: bool = True  # the money is available only after some days
    asks: bool = False  # its bank wants its holder to authenticate (3-D Secure)


CARDS: Mapping[str, Card] = {
    "pm_card_visa": Card("visa", "4242"),
    "pm_card_mastercard": Card("mastercard", "4444"),
    "pm_card_unionpay": Card("unionpay", "0005"),
    "pm_card_bypassPending": Card("visa", "0077", is_pending=False),
    "pm_card_chargeDeclined": Card("visa", "0002", "card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclined": Card("visa", "0002", "card_declined", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": Card(
        "visa", "9995", "card_declined", "insufficient_funds"
    ),
    "pm_card_visa_chargeDeclinedInsufficientFunds": Card(
        "visa", "9995", "card_declined", "insufficient_funds"
    ),
    "pm_card_visa_chargeDeclinedLostCard": Card("visa", "9987", "card_declined", "lost_card"),
    "pm_card_visa_chargeDeclinedStolenCard": Card("visa", "9979", "card_declined", "stolen_card"),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": Card(
        "visa", "6975", "card_declined", "card_velocity_exceeded"
    ),
    "pm_card_chargeDeclinedExpiredCard": Card("visa", "0069", "expired_card", None),
    "pm_card_chargeDeclinedIncorrectCvc": Card("visa", "0127", "incorrect_cvc", None),
    "pm_card_chargeDeclinedProcessingError": Card("visa", "0119", "processing_error", None),
    "pm_card_authenticationRequired": Card("visa", "3184", asks=True),
    "pm_card_threeDSecure2Required": Card("visa", "3220", asks=True),
    "pm_card_threeDSecureRequiredChargeDeclined": Card(
        "visa", "1629", "card_declined", "generic_decline", asks=True
    ),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": Card(
        "visa", "3178", "card_declined", "insufficient_funds", asks=True
    ),
}
DECLINED = "Your card was declined."
_MESSAGES = {
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": f"{DECLINED} This transaction requires authentication.",
    "authentication_not_handled": "This payment required an authentication action to complete, "
    "but `error_on_requires_action` was set.",
}


def card(name: str) -> Card:
    """Return a test card.

    Raises:
        Problem: there is none of that name.
    """
    if name not in CARDS:
        raise missing("PaymentMethod", name, param="payment_method", status=400)
    return CARDS[name]


def message(used: Card) -> str:
    """Say in Stripe's words why a card is declined."""
    return _MESSAGES.get(used.reason or used.decline or "", DECLINED)


def charge(call: Call, intent: Mapping[str, Any], used: Card) -> dict[str, Any]:
    """Make the charge of a payment intent: paid, held, or declined; with its books and its event.

    What a card only holds moves no money: its books are written when it is captured. A card that
    asks for it was authenticated before.
    """
    thing = _shape(call, intent, used)
    if used.decline is None and intent["capture_method"] == "manual":
        thing |= {"captured": False, "amount_captured": 0}
        details = thing["payment_method_details"]["card"]
        details["capture_before"] = call.now + call.options.hold_s
    elif used.decline is None:
        charges.take(call, thing, thing["amount"], is_pending=used.is_pending)
    call.store.add("charge", thing)
    events.announce(call, "charge.failed" if used.decline else "charge.succeeded", thing)
    return thing


def _shape(call: Call, intent: Mapping[str, Any], used: Card) -> dict[str, Any]:
    details = {"type": "card", "card": _details(used, intent["amount"])}
    thing = {**charges.shape(call, intent, details), "outcome": _outcome(used)}
    if used.decline is None:
        return thing
    return {
        **thing,
        "amount_captured": 0,
        "captured": False,
        "failure_code": used.decline,
        "failure_message": message(used),
        "paid": False,
        "status": "failed",
    }


def _outcome(used: Card) -> dict[str, Any]:
    paid = used.decline is None
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None if paid else "05",
        "network_status": "approved_by_network" if paid else "declined_by_network",
        "reason": None if paid else used.reason or used.decline,
        "risk_level": "normal",
        "risk_score": 5,
        "rule": None,
        "seller_message": "Payment complete." if paid else "The bank declined the card.",
        "type": "authorized" if paid else "issuer_declined",
    }


def _details(used: Card, amount: int) -> dict[str, Any]:
    return {
        "amount_authorized": amount if used.decline is None else None,
        "authorization_code": None,
        "brand": used.brand,
        "checks": dict.fromkeys(("address_line1_check", "address_postal_code_check", "cvc_check")),
        "country": "US",
        "exp_month": 12,
        "exp_year": 2040,
        "fingerprint": f"standin{used.last4}",
        "funding": "credit",
        "installments": None,
        "last4": used.last4,
        "mandate": None,
        "network": used.brand,
        "network_token": {"used": False},
        "network_transaction_id": None,
        "regulated_status": "unregulated",
        "three_d_secure": _authenticated() if used.asks else None,
        "wallet": None,
    }


def _authenticated() -> dict[str, Any]:
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "exemption_indicator_applied": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": None,
        "version": "2.2.0",
    }
