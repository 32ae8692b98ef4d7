"""Who may do what: each operation of the API asks for one scope, and for roles where it matters."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from contracts import ids
from exchange.api import deps
from exchange.app import create_app
from exchange.context import Context
from exchange.identity.rules import Caller, Role, ScopeMissing
from tests.conftest import NOW
from tests.exchange.needed_scopes import NEEDS

# Places in a path that hold no id.
TYPED = {"form": "pdf", "at_ms": 0, "picture": "poster", "holder": "seller", "currency": "CNY",
         "authority_code": "CN", "number": 1}  # fmt: skip
DAYS = {"from": "2027-01-01", "until": "2027-12-31"}  # what lists by day cannot do without
# Changes that no scope covers: for nobody signed in, for a browser's session alone, for the key
# itself, for the payment provider, whose signature is looked at instead, and for whoever has the
# link of a screener.
WITHOUT_SCOPE = {
    "create_api_key", "create_session", "end_session", "receive_stripe_event", "register_party",
    "revoke_api_key", "open_screener",
}  # fmt: skip


@dataclass(frozen=True)
class Asked(Caller):
    """A caller that says what it was asked for, and is then refused."""

    asked: list[tuple[str, frozenset[Role]]] = field(default_factory=list)

    def need(self, scope: str, *roles: Role) -> None:
        self.asked.append((scope, frozenset(roles)))
        raise ScopeMissing("Asked.", needed=scope)


@pytest.fixture(scope="module")
def caller() -> Asked:
    return Asked(ids.new(NOW), ids.new(NOW), Role.HOLDER, frozenset())


@pytest.fixture(scope="module")
def app(context: Context, caller: Asked) -> Iterator[FastAPI]:
    made = create_app(context)

    async def find(request: Request) -> Caller:  # noqa: ARG001 - FastAPI passes it.
        return caller

    async def find_late(*_: Any) -> Caller:
        return caller

    made.dependency_overrides[deps.find_caller] = find
    with pytest.MonkeyPatch.context() as patched:
        # Operations that read a long body look for their caller themselves.
        patched.setattr(deps, "find_caller", find_late)
        yield made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange.test") as opened:
        yield opened


def operations(app: FastAPI) -> dict[str, tuple[str, str, dict[str, Any]]]:
    return {
        said["operationId"]: (method.upper(), path, said)
        for path, methods in app.openapi()["paths"].items()
        for method, said in methods.items()
    }


def example(app: FastAPI, said: dict[str, Any]) -> Any:
    """The first example of an operation's body, as the contract publishes it."""
    content = said.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    name = content["schema"]["$ref"].rpartition("/")[2]
    return app.openapi()["components"]["schemas"][name]["examples"][0]


@pytest.mark.parametrize("operation", NEEDS)
async def test_an_operation_asks_for_its_scope_and_roles(
    operation: str, app: FastAPI, client: httpx.AsyncClient, caller: Asked
) -> None:
    caller.asked.clear()
    method, path, said = operations(app)[operation]
    places = {
        place["name"]: {"party_id": caller.party_id, **TYPED}.get(place["name"], ids.new(NOW))
        for place in said.get("parameters", [])
        if place["in"] == "path"
    }
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
    queries = {place["name"] for place in said.get("parameters", []) if place["in"] == "query"}
    params = {name: day for name, day in DAYS.items() if name in queries}
    answer = await client.request(
        method, path.format(**places), json=example(app, said), headers=headers, params=params
    )
    assert caller.asked == [NEEDS[operation]]
    assert answer.status_code == 403


def test_every_change_is_asked_for_or_named_here(app: FastAPI) -> None:
    changes = {
        name
        for name, (method, _, _) in operations(app).items()
        if method not in ("GET", "HEAD", "OPTIONS")
    }
    assert changes - NEEDS.keys() == WITHOUT_SCOPE
