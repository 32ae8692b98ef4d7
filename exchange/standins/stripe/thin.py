"""Events of version 2: they name what changed, and hold nothing of it; they are asked for.

Source: docs.stripe.com/api/v2/core/events. Differs from the source: none is delivered; the event of
the first version beside it (`account.updated`) is.
"""

from collections.abc import Mapping
from typing import Any

from exchange.standins.stripe.call import Call
from exchange.standins.stripe.errors import invalid
from exchange.standins.stripe.store import new_id

KIND, MOST = "v2.core.event", 100


def announce(
    call: Call, type_: str, thing: Mapping[str, Any], *, data: Mapping[str, Any] | None = None
) -> None:
    """Record an event about an object of version 2."""
    from_request = {"id": call.request, "idempotency_key": call.key or ""}
    event = {
        "id": new_id("event"),
        "object": KIND,
        "changes": None,
        "context": None,
        "created": thing["created"],
        "livemode": False,
        "reason": {"request": from_request, "type": "request"},
        "related_object": {
            "id": thing["id"],
            "type": thing["object"],
            "url": f"/v2/core/accounts/{thing['id']}",
        },
        "snapshot_event": None,
        "type": type_,
        **({} if data is None else {"data": data}),
    }
    call.store.add(KIND, event, created=call.now)


def retrieve(call: Call) -> dict[str, Any]:
    """Show an event."""
    return call.store.get(KIND, call.id)


def page(call: Call) -> dict[str, Any]:
    """List the newest events, of one object if asked, the newest first."""
    limit = call.params.get("limit", 20)
    if not 1 <= limit <= MOST:
        raise invalid(f"limit is 1 to {MOST}.", param="limit")
    about = call.params.get("object_id")
    where = "" if about is None else "AND json_extract(body, '$.related_object.id') = ? "
    values = () if about is None else (about,)
    found = call.store.select(KIND, f"{where}ORDER BY turn DESC", values)
    types = call.params.get("types")
    rows = [one for one in found if types is None or one["type"] in types]
    if len(rows) > limit:
        raise invalid("The stand-in shows one page of events; ask for fewer.", param="limit")
    return {"data": rows, "next_page_url": None, "previous_page_url": None}
