"""Invariant 30, the doors: whatever moves money over the API is done once for a key."""

import inspect
import re
from typing import Any

import pytest
from fastapi.routing import APIRoute

from exchange import openapi
from exchange.api import once
from exchange.app import ROUTERS

# These POSTs reach settlement without a key, because something else makes them happen once.
BY_THEMSELVES = {
    "/bank/statements": "the same file, by its hash, is imported once",
    "/proofs": "moves nothing, and an answer kept would be a second copy of a proof",
    "/stripe/webhooks": "nobody signed in; an event's own id makes it happen once",
}
MONEY = re.compile(r'need\(\s*"money"|\bapproving\(|\brefusing\(')


def doors(method: str) -> list[APIRoute]:
    routes = [route for module in ROUTERS for route in module.router.routes]
    found = [one for one in routes if isinstance(one, APIRoute) and method in (one.methods or ())]
    return [one for one in found if moves_money(one)]


def moves_money(route: APIRoute) -> bool:
    """Whether an operation asks for the scope of money, or its module reaches settlement."""
    module = inspect.getmodule(route.endpoint)
    assert module is not None
    imported = re.search(r"^(from|import) settlement\b", inspect.getsource(module), re.M)
    return bool(imported or MONEY.search(inspect.getsource(route.endpoint)))


def path(route: APIRoute) -> str:
    return route.path.removeprefix("/v1")


DOORS, PUTS = doors("POST"), doors("PUT")


@pytest.mark.parametrize("route", DOORS, ids=path)
def test_every_door_to_money_takes_an_idempotency_key(route: APIRoute) -> None:
    if path(route) not in BY_THEMSELVES:
        assert isinstance(route, once.OnceRoute), "make its router of OnceRoute"
        calls = [dependency.call for dependency in route.dependant.dependencies]
        assert once.take_key in calls


@pytest.mark.parametrize("route", PUTS, ids=path)
def test_of_several_puts_at_once_the_others_wait(route: APIRoute) -> None:
    calls = [dependency.call for dependency in route.dependant.dependencies]
    assert once.wait_turn in calls, "make its router of OnceRoute"


def test_the_doors_are_found_and_each_exception_is_one() -> None:
    found = {path(route) for route in DOORS}
    assert set(BY_THEMSELVES) <= found
    assert {"/payouts/{payout_id}/approval", "/refunds/{refund_id}/approval"} <= found
    assert len(found - set(BY_THEMSELVES)) >= 24


def test_the_contract_tells_of_the_key_wherever_it_is_taken() -> None:
    told = {
        name.removeprefix("/v1")
        for name, item in openapi.document()["paths"].items()
        for operation in [item.get("post", {})]
        if _parameter(operation) and "409" in operation["responses"]
    }
    assert told == {path(route) for route in DOORS} - set(BY_THEMSELVES)


def _parameter(operation: dict[str, Any]) -> bool:
    return any(
        (one["in"], one["name"], one["required"]) == ("header", "Idempotency-Key", False)
        for one in operation.get("parameters", ())
    )
