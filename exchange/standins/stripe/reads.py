"""Retrieving, listing and expanding."""

from collections.abc import Iterator, Mapping
from typing import Any

from exchange.standins.stripe.call import Call
from exchange.standins.stripe.errors import invalid, missing

MOST_PER_PAGE = 100
# Parameters that filter by a member of the object with the same name.
_FILTERS = (
    "transfer_group", "destination", "payment_intent", "charge", "currency", "source", "type",
    "status", "customer", "email",
)  # fmt: skip
_COMPARE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def retrieve(call: Call, kind: str) -> dict[str, Any]:
    """Return one object."""
    return presented(call, call.store.get(kind, call.id, account=_scope(call, kind)))


def page(call: Call, kind: str, url: str, *, of: tuple[str, str] | None = None) -> dict[str, Any]:
    """Return a page of objects, newest first; `of` names a member and the value it has."""
    limit = call.params.get("limit", 10)
    if not 1 <= limit <= MOST_PER_PAGE:
        raise invalid(
            f"limit is 1 to {MOST_PER_PAGE}.", param="limit", code="parameter_invalid_integer"
        )
    where, values = _where(call, kind)
    if of is not None:
        where, values = f"{where} AND json_extract(body, '$.{of[0]}') = ?", (*values, of[1])
    order = "ASC" if "ending_before" in call.params else "DESC"
    found = call.store.select(kind, f"{where} ORDER BY turn {order} LIMIT ?", (*values, limit + 1))
    data = found[:limit] if order == "DESC" else found[:limit][::-1]
    return {
        "object": "list",
        "data": [presented(call, body) for body in data],
        "has_more": len(found) > limit,
        "url": url,
    }


def presented(call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object as it is at this moment (money becomes available with time)."""
    if body["object"] == "balance_transaction":
        status = "available" if body["available_on"] <= call.now else "pending"
        return {**body, "status": status}
    return dict(body)


def expand(call: Call, body: dict[str, Any], paths: list[str]) -> dict[str, Any]:
    """Replace ids by objects along the paths, such as `latest_charge.balance_transaction`.

    Raises:
        Problem: a path leads to something that cannot be expanded.
    """
    for path in paths:
        _expand(call, body, path.split("."), path)
    return body


def _expand(call: Call, here: Any, path: list[str], whole: str) -> None:
    head, rest = path[0], path[1:]
    if isinstance(here, list):
        for item in here:
            _expand(call, item, path, whole)
        return
    if not isinstance(here, dict) or head not in here:
        raise invalid(f"This property cannot be expanded ({whole}).", param="expand")
    value = here[head]
    if isinstance(value, str):
        found = call.store.find(value)
        if found is None:
            raise invalid(f"This property cannot be expanded ({whole}).", param="expand")
        here[head] = presented(call, found)
    if rest and here[head] is not None:
        _expand(call, here[head], rest, whole)


def _scope(call: Call, kind: str) -> str:
    """Accounts belong to the platform; money is seen per account."""
    return "" if kind == "account" else call.account


def _where(call: Call, kind: str) -> tuple[str, tuple[Any, ...]]:
    parts, values = ["AND account = ?"], [_scope(call, kind)]
    for part, value in (*_equal(call), *_since(call), *_beyond(call, kind)):
        parts.append(part)
        values.append(value)
    if "types" in call.params:
        marks = ", ".join("?" for _ in call.params["types"])
        parts.append(f"AND json_extract(body, '$.type') IN ({marks})")
        values.extend(call.params["types"])
    return " ".join(parts), tuple(values)


def _equal(call: Call) -> Iterator[tuple[str, Any]]:
    for name in _FILTERS:
        if name in call.params:
            yield f"AND json_extract(body, '$.{name}') = ?", call.params[name]
    if "delivery_success" in call.params:
        delivered = "json_extract(body, '$.pending_webhooks') = 0"
        yield f"AND ({delivered}) = ?", call.params["delivery_success"]


def _since(call: Call) -> Iterator[tuple[str, Any]]:
    for word, instant in call.params.get("created", {}).items():
        yield f"AND created {_COMPARE[word]} ?", instant


def _beyond(call: Call, kind: str) -> Iterator[tuple[str, Any]]:
    place = "(SELECT turn FROM object WHERE id = ?)"
    for name, sign in (("starting_after", "<"), ("ending_before", ">")):
        if name in call.params:
            if call.store.find(call.params[name], account=_scope(call, kind)) is None:
                raise missing(kind, call.params[name], param=name, status=400)
            yield f"AND turn {sign} {place}", call.params[name]
