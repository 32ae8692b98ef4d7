"""Connected accounts of the first version, and how their capabilities stand."""

import re
from collections.abc import Iterable, Mapping
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


# What an account is asked for before it may receive money.
REQUIRED = ("business_profile.url", "external_account", "tos_acceptance.date")


def create(call: Call) -> dict[str, Any]:
    """Make an account; its capabilities are active at once, unless accounts are onboarded."""
    given = call.params
    if "type" in given and "controller" in given:
        raise invalid("Give either `type` or `controller`.", param="type")
    stands = "restricted" if call.options.onboards else "active"
    account = build(new_id("account"), given, created=call.now, stands=stands)
    call.store.add("account", account)
    events.announce(call, "account.updated", account)
    return account


def build(id_: str, given: Mapping[str, Any], *, created: int, stands: str) -> dict[str, Any]:
    """Return an account whose requested capabilities stand so (`standing`)."""
    where = country(given.get("country", "US"))
    wanted = given.get("capabilities", {})
    asked = [name for name, asks in wanted.items() if asks.get("requested")]
    refused = dict.fromkeys(wanted.keys() - set(asked), "inactive")
    said = standing(asked, stands)
    return {
        "id": id_,
        "object": "account",
        "business_profile": _profile(given.get("business_profile", {})),
        "business_type": given.get("business_type"),
        "company": None,
        "controller": _controller(given),
        "country": where,
        "created": created,
        "default_currency": currency(given.get("default_currency", _HOME.get(where, "eur"))),
        "email": given.get("email"),
        "external_accounts": _nothing("/v1/accounts/external_accounts"),
        "future_requirements": _requirements(()),
        "groups": {"payments_pricing": None},
        "individual": None,
        "metadata": given.get("metadata", {}),
        "settings": None,
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": given.get("type", "none"),
        **said,
        "capabilities": {**said["capabilities"], **refused},
    }


def standing(asked: Iterable[str], stands: str) -> dict[str, Any]:
    """Return the members that say how the capabilities of an account stand.

    Args:
        asked: the capabilities.
        stands: `active`, `pending` (what was given is looked at) or `restricted` (it is missing).
    """
    state = "inactive" if stands == "restricted" else stands
    capabilities = dict.fromkeys(asked, state)
    return {
        "capabilities": capabilities,
        "charges_enabled": capabilities.get("card_payments") == "active",
        "details_submitted": stands != "restricted",
        "payouts_enabled": capabilities.get("transfers") == "active",
        "requirements": _requirements(REQUIRED if stands == "restricted" else (), stands=stands),
    }


def country(value: str) -> str:
    """Return the country in upper case.

    Raises:
        Problem: it cannot be one.
    """
    code = value.upper()
    if not re.fullmatch("[A-Z]{2}", code):
        raise invalid(f"Country '{code}' is unknown.", param="country", code="country_unsupported")
    return code


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


def _requirements(due: Iterable[str], *, stands: str = "active") -> dict[str, Any]:
    lists = ("alternatives", "currently_due", "errors", "eventually_due", "past_due",
             "pending_verification")  # fmt: skip
    reasons = {
        "restricted": "requirements.past_due",
        "pending": "requirements.pending_verification",
    }
    nothing: dict[str, Any] = {name: [] for name in lists}
    return {
        **nothing,
        "currently_due": list(due),
        "current_deadline": None,
        "disabled_reason": reasons.get(stands),
        "eventually_due": list(due),
        "pending_verification": list(REQUIRED) if stands == "pending" else [],
    }


def _nothing(url: str) -> dict[str, Any]:
    return {"object": "list", "data": [], "has_more": False, "total_count": 0, "url": url}
