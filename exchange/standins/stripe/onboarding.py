"""Onboarding: an account gives what is required of it, and its capability becomes active."""

from typing import Any

from exchange.standins.stripe import accounts, events, recipients
from exchange.standins.stripe.call import Call
from exchange.standins.stripe.errors import invalid, missing
from exchange.standins.stripe.recipients import ACTIVE, PENDING, RESTRICTED

KINDS = ("account", recipients.KIND)
STATUSES = (ACTIVE, PENDING, RESTRICTED)


def account(call: Call, id_: str) -> dict[str, Any]:
    """Return an account of either version.

    Raises:
        Problem: 404 `resource_missing`.
    """
    found = call.store.find(id_, account="")
    if found is None or found["object"] not in KINDS:
        raise missing("account", id_)
    return found


def command(call: Call) -> dict[str, Any]:
    """Set how the capability of an account stands: `{"status": "active"}`, pending, restricted."""
    return move(call, account(call, call.id), str(call.params.get("status")))


def move(call: Call, found: dict[str, Any], to: str) -> dict[str, Any]:
    """Set how the capability of an account stands, and tell it."""
    if to not in STATUSES:
        raise invalid(f"A capability is one of {', '.join(STATUSES)}.", param="status")
    if found["object"] == recipients.KIND:
        found = recipients.move(call, found, to)
    else:
        found |= accounts.standing(list(found["capabilities"]), to)
        call.store.change(found)
    events.announce(call, "account.updated", as_v1(call, found))
    return found


def as_v1(call: Call, found: dict[str, Any]) -> dict[str, Any]:
    """Return an account of either version as the first one shows it."""
    if found["object"] == "account":
        return found
    return recipients.as_v1(found, call.store.created(found["id"]))


def retrieve_v1(call: Call) -> dict[str, Any]:
    """Show an account of either version as the first one does."""
    return as_v1(call, account(call, call.id))


def may_receive(call: Call, found: dict[str, Any]) -> bool:
    """Tell whether transfers may go to an account."""
    return bool(as_v1(call, found)["capabilities"].get("transfers") == "active")
