"""The HTTP contract: current, complete, and honest about its refusals."""

import json
from typing import Any

import pytest

from exchange import openapi
from tests.conftest import ROOT

METHODS = ("get", "put", "post", "patch", "delete", "head", "options")
DOCUMENT = openapi.document()


def operations() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def test_the_committed_contract_is_what_the_code_generates() -> None:
    committed = (ROOT / "openapi" / "exchange.json").read_text(encoding="utf-8")
    assert committed == openapi.text(), "run `make openapi` and commit the result"


def test_the_contract_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, operation in operations()]
    assert len(ids) == len(set(ids))


# They ask nothing, so they refuse nothing.
ASK_NOTHING = {
    "GET /healthz", "OPTIONS /v1/uploads", "GET /v1/auction-methods", "GET /v1/receipt-key",
    "GET /v1/templates",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "operation"), operations(), ids=[name for name, _ in operations()]
)
def test_an_operation_is_described_whole(name: str, operation: dict[str, Any]) -> None:
    assert operation["operationId"]
    assert operation["tags"]
    assert operation.get("summary") and operation.get("description"), name
    refusals = [status for status in operation["responses"] if int(status) >= 400]
    if name not in ASK_NOTHING:
        assert refusals, f"{name} names no refusal"
    for status in refusals:
        content = operation["responses"][status].get("content", {})
        assert "application/problem+json" in content, f"{name} {status}"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        assert "examples" in body or _has_example(body["schema"]), f"{name} shows no example"


def _has_example(schema: dict[str, Any]) -> bool:
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    found = DOCUMENT["components"]["schemas"].get(name, schema)
    return "examples" in found or "example" in found or "examples" in json.dumps(found)
