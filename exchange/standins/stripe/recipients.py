"""Accounts of version 2 that receive money: their capability, and what it waits for.

Source: docs.stripe.com/api/v2/core/accounts; docs.stripe.com/connect/account-capabilities.
Differs from the source: of the configurations there is `recipient` alone, with the one capability
`stripe_balance.stripe_transfers`; what it requires is always the same.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from exchange.standins.stripe import accounts, thin
from exchange.standins.stripe.call import Call
from exchange.standins.stripe.store import new_id

KIND = "v2.core.account"
ACTIVE, PENDING, RESTRICTED = "active", "pending", "restricted"
INCLUDED = ("configuration.recipient", "defaults", "identity", "requirements")
_CAPABILITY = "stripe_balance.stripe_transfers"
_DETAILS = {
    ACTIVE: [],
    PENDING: [{"code": "requirements_pending_verification", "resolution": "no_resolution"}],
    RESTRICTED: [{"code": "requirements_past_due", "resolution": "provide_info"}],
}


def create(call: Call) -> dict[str, Any]:
    """Make an account; a capability that it asks for is restricted until it is onboarded."""
    given = call.params
    asked = given.get("configuration", {}).get("recipient")
    identity, defaults = given.get("identity", {}), given.get("defaults", {})
    money = defaults.get("currency")
    account = {
        "id": new_id(KIND),
        "object": KIND,
        "applied_configurations": [] if asked is None else ["recipient"],
        "closed": False,
        "configuration": {"customer": None, "merchant": None, "recipient": _recipient(asked)},
        "contact_email": given.get("contact_email"),
        "contact_phone": given.get("contact_phone"),
        "created": iso(call.now),
        "dashboard": given.get("dashboard", "none"),
        "defaults": {
            "currency": money and accounts.currency(money),
            "locales": None,
            "payout_methods": None,
            "profile": None,
            "responsibilities": {
                "fees_collector": "application",
                "losses_collector": "application",
                **defaults.get("responsibilities", {}),
                "requirements_collector": "stripe",
            },
        },
        "display_name": given.get("display_name"),
        "future_requirements": None,
        "identity": {
            "attestations": None,
            "business_details": None,
            "country": accounts.country(identity.get("country", "US")),
            "entity_type": identity.get("entity_type"),
            "individual": None,
        },
        "livemode": False,
        "metadata": given.get("metadata", {}),
        "requirements": None,
    }
    account["requirements"] = requirements(account)
    call.store.add(KIND, account, created=call.now)
    thin.announce(call, "v2.core.account.created", account)
    return presented(call, account)


def retrieve(call: Call) -> dict[str, Any]:
    """Show an account with what is asked to be included."""
    return presented(call, call.store.get(KIND, call.id))


def presented(call: Call, account: Mapping[str, Any]) -> dict[str, Any]:
    """Return an account as it is shown: what nobody asked to include is null."""
    shown, wanted = dict(account), call.params.get("include", [])
    recipient = account["configuration"]["recipient"]
    shown["configuration"] = None
    if "configuration.recipient" in wanted:
        shown["configuration"] = {"customer": None, "merchant": None, "recipient": recipient}
    for name in INCLUDED[1:]:
        if name not in wanted:
            shown[name] = None
    return shown


def status(account: Mapping[str, Any]) -> str | None:
    """Return how the capability to receive transfers stands; None when it was not asked for."""
    recipient = account["configuration"]["recipient"]
    if recipient is None or recipient["capabilities"] is None:
        return None
    return str(recipient["capabilities"]["stripe_balance"]["stripe_transfers"]["status"])


def move(call: Call, account: dict[str, Any], to: str) -> dict[str, Any]:
    """Set how the capability stands, with what is then required, and tell it."""
    if status(account) in (None, to):
        return account
    account["configuration"]["recipient"]["capabilities"] = _capabilities(to)
    account["requirements"] = requirements(account)
    call.store.change(account)
    thin.announce(call, "v2.core.account[requirements].updated", account)
    thin.announce(
        call, f"{KIND}[configuration.recipient].capability_status_updated", account,
        data={"updated_capability": _CAPABILITY},
    )  # fmt: skip
    return account


def requirements(account: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is required before the capability is active, and who has to act."""
    stands = status(account)
    if stands in (None, ACTIVE):
        return {"alternatives": [], "entries": [], "summary": None}
    said = "currently_due" if stands == RESTRICTED else "eventually_due"
    restricts = {
        "capability": _CAPABILITY,
        "configuration": "recipient",
        "deadline": {"status": said},
    }
    entries = [
        {
            "awaiting_action_from": "user" if stands == RESTRICTED else "stripe",
            "description": description,
            "errors": [],
            "impact": {"restricts_capabilities": [restricts]},
            "minimum_deadline": {"status": said},
            "reference": None,
            "requested_reasons": [{"code": "routine_onboarding"}],
        }
        for description in accounts.REQUIRED
    ]
    summary = {"minimum_deadline": {"status": said, "time": None}}
    return {"alternatives": [], "entries": entries, "summary": summary}


def as_v1(account: Mapping[str, Any], created: int) -> dict[str, Any]:
    """Return an account as the first version shows it."""
    stands = status(account)
    given = {
        "capabilities": {} if stands is None else {"transfers": {"requested": True}},
        "country": account["identity"]["country"],
        "email": account["contact_email"],
        "metadata": account["metadata"],
    }
    return accounts.build(account["id"], given, created=created, stands=stands or RESTRICTED)


def iso(instant: int) -> str:
    """Return an instant as the second version writes it (RFC 3339)."""
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%dT%H:%M:%S.000Z}"


def _recipient(asked: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if asked is None:
        return None
    wanted = asked.get("capabilities", {}).get("stripe_balance", {}).get("stripe_transfers", {})
    capabilities = _capabilities(RESTRICTED) if wanted.get("requested") else None
    return {"applied": True, "capabilities": capabilities}


def _capabilities(stands: str) -> dict[str, Any]:
    said = {"status": stands, "status_details": _DETAILS[stands]}
    return {
        "bank_accounts": None,
        "cards": None,
        "stripe_balance": {"payouts": said, "stripe_transfers": said},
    }
