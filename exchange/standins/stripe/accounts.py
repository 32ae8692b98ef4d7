"""Connected accounts (v1). Onboarding is done at once here; at Stripe it takes people."""

import re
from collections.abc import Mapping
from typing import Any

from exchange.standins.stripe import events
from exchange.standins.stripe.call import Call
from exchange.standins.stripe.errors import invalid
from exchange.standins.stripe.store import new_id

CURRENCIES = (
    "aud", "cad", "chf", "cny", "eur", "gbp", "hkd", "jpy", "krw", "kwd", "nzd", "sgd", "twd",
    "usd",
)  # fmt: skip
_HOME = {"CN": "cny", "HK": "hkd", "US": "usd", "GB": "gbp", "SG": "sgd", "JP": "jpy", "KR": "krw"}
_TYPES = {
    "standard": ("full", "account", "stripe", "stripe"),
    "express": ("express", "application", "application", "stripe"),
    "custom": ("none", "application", "application", "application"),
}


def create(call: Call) -> dict[str, Any]:
    """Make an account whose requested capabilities are active at once."""
    given = call.params
    country = given.get("country", "US").upper()
    if not re.fullmatch("[A-Z]{2}", country):
        raise invalid(
            f"Country '{country}' is unknown.", param="country", code="country_unsupported"
        )
    if "type" in given and "controller" in given:
        raise invalid("Give either `type` or `controller`.", param="type")
    asked = {
        name: "active" if wanted.get("requested") else "inactive"
        for name, wanted in given.get("capabilities", {}).items()
    }
    account = {
        "id": new_id("account"),
        "object": "account",
        "business_profile": _profile(given.get("business_profile", {})),
        "business_type": given.get("business_type"),
        "capabilities": asked,
        "charges_enabled": asked.get("card_payments") == "active",
        "company": None,
        "controller": _controller(given),
        "country": country,
        "created": call.now,
        "default_currency": currency(given.get("default_currency", _HOME.get(country, "eur"))),
        "details_submitted": True,
        "email": given.get("email"),
        "external_accounts": _nothing("/v1/accounts/external_accounts"),
        "future_requirements": _requirements(),
        "groups": {"payments_pricing": None},
        "individual": None,
        "metadata": given.get("metadata", {}),
        "payouts_enabled": asked.get("transfers") == "active",
        "requirements": _requirements(),
        "settings": None,
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": given.get("type", "none"),
    }
    call.store.add("account", account)
    events.announce(call, "account.updated", account)
    return account


def currency(value: str, *, param: str = "currency") -> str:
    """Return the currency in lower case, as Stripe writes it.

    Raises:
        Problem: it is unknown.
    """
    code = value.lower()
    if code not in CURRENCIES:
        raise invalid(f"Invalid currency: {value}.", param=param)
    return code


def _controller(given: Mapping[str, Any]) -> dict[str, Any]:
    dashboard, payer, losses, collection = _TYPES[given.get("type", "standard")]
    asked = given.get("controller", {})
    return {
        "fees": {"payer": asked.get("fees", {}).get("payer", payer)},
        "is_controller": True,
        "losses": {"payments": asked.get("losses", {}).get("payments", losses)},
        "requirement_collection": asked.get("requirement_collection", collection),
        "stripe_dashboard": {"type": asked.get("stripe_dashboard", {}).get("type", dashboard)},
        "type": "application",
    }


def _profile(given: Mapping[str, str]) -> dict[str, Any]:
    names = (
        "annual_revenue", "estimated_worker_count", "mcc", "minority_owned_business_designation",
        "monthly_estimated_revenue", "name", "product_description",
        "specified_commercial_transactions_act_url", "support_address", "support_email",
        "support_phone", "support_url", "url",
    )  # fmt: skip
    return {name: given.get(name) for name in names}


def _requirements() -> dict[str, Any]:
    lists = ("alternatives", "currently_due", "errors", "eventually_due", "past_due",
             "pending_verification")  # fmt: skip
    nothing: dict[str, Any] = {name: [] for name in lists}
    return {**nothing, "current_deadline": None, "disabled_reason": None}


def _nothing(url: str) -> dict[str, Any]:
    return {"object": "list", "data": [], "has_more": False, "total_count": 0, "url": url}
