"""Account links: an address that is opened once, behind which an account is onboarded.

Source: docs.stripe.com/api/account_links and docs.stripe.com/api/v2/core/account-links: a link is
used up by opening it, and is good for some minutes; later it leads to `refresh_url`, which makes
another.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exchange.standins.stripe import authentications, onboarding, recipients, thin
from exchange.standins.stripe.call import Call
from exchange.standins.stripe.errors import invalid, missing

LASTS_S = 300
NEW, OPENED, DONE = "new", "opened", "done"


@dataclass(frozen=True, slots=True)
class Link:
    """A link as the stand-in keeps it; `until` in Unix seconds."""

    token: str
    account: str
    purpose: str
    until: int
    refresh_url: str
    return_url: str
    state: str


def create(call: Call) -> dict[str, Any]:
    """Make a link of the first version."""
    given = call.params
    for name in ("refresh_url", "return_url"):
        if name not in given:
            raise invalid(f"{name} is needed.", param=name, code="parameter_missing")
    link = _kept(call, given["type"], given)
    return {
        "object": "account_link",
        "created": call.now,
        "expires_at": link.until,
        "url": _url(call, link),
    }


def create_v2(call: Call) -> dict[str, Any]:
    """Make a link of the second version."""
    case = call.params["use_case"]
    name = case["type"]
    if name not in case:
        raise invalid(f"use_case[{name}] is needed.", param=f"use_case[{name}]")
    given = case[name]
    if "refresh_url" not in given:
        raise invalid("refresh_url is needed.", param=f"use_case[{name}][refresh_url]")
    link = _kept(call, name, given)
    told: dict[str, Any] = {"account_onboarding": None, "account_update": None, "type": name}
    collected = given.get("collection_options", {})
    told[name] = {
        "collection_options": {
            "fields": collected.get("fields", "currently_due"),
            "future_requirements": collected.get("future_requirements", "omit"),
        },
        "refresh_url": link.refresh_url,
        "return_url": link.return_url or None,
    }
    return {
        "object": "v2.core.account_link",
        "account": link.account,
        "created": recipients.iso(call.now),
        "expires_at": recipients.iso(link.until),
        "livemode": False,
        "url": _url(call, link),
        "use_case": told,
    }


def find(call: Call) -> Link | None:
    """Return the link of an address, or None."""
    row = call.store.db.execute(
        "SELECT token, account, purpose, until, refresh_url, return_url, state FROM link "
        "WHERE token = ?",
        (call.id,),
    ).fetchone()
    return None if row is None else Link(*row)


def open_once(call: Call) -> dict[str, Any]:
    """Open a link, which uses it up; return its account, or nothing where it is no longer good."""
    link = find(call)
    if link is None or link.state != NEW or link.until <= call.now:
        return {}
    _set(call, OPENED)
    return onboarding.account(call, link.account)


def answer(call: Call) -> dict[str, Any]:
    """Take what was done behind an open link; return its account, or nothing if none is open."""
    link = find(call)
    if link is None or link.state != OPENED:
        return {}
    _set(call, DONE)
    account = onboarding.account(call, link.account)
    to = call.params.get("status")
    if to is not None:
        account = onboarding.move(call, account, to)
    if account["object"] == recipients.KIND:
        thin.announce(call, "v2.core.account_link.returned", account, data=_returned(link))
    return account


def _returned(link: Link) -> dict[str, Any]:
    return {
        "account_id": link.account,
        "configurations": ["recipient"],
        "use_case": link.purpose,
    }


def _kept(call: Call, purpose: str, given: Mapping[str, Any]) -> Link:
    id_ = call.params["account"]
    found = call.store.find(id_)
    if found is None or found["object"] not in onboarding.KINDS:
        raise missing("account", id_, param="account", status=400)
    for name in ("refresh_url", "return_url"):
        if name in given:
            authentications.check_url(given[name], param=name)
    link = Link(
        secrets.token_urlsafe(18), id_, purpose, call.now + LASTS_S, given["refresh_url"],
        given.get("return_url", ""), NEW,
    )  # fmt: skip
    call.store.db.execute(
        "INSERT INTO link VALUES (?, ?, ?, ?, ?, ?, ?)",
        (link.token, link.account, link.purpose, link.until, link.refresh_url, link.return_url,
         link.state),
    )  # fmt: skip
    return link


def _url(call: Call, link: Link) -> str:
    return f"{call.at}/_onboarding/{link.token}"


def _set(call: Call, state: str) -> None:
    call.store.db.execute("UPDATE link SET state = ? WHERE token = ?", (state, call.id))
