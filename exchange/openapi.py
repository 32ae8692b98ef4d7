"""The HTTP contract as text: OpenAPI 3.1, generated, committed, checked byte for byte."""

import json
from typing import Any

from exchange.api.problems import Problem
from exchange.app import create_app


def document() -> dict[str, Any]:
    """Return the OpenAPI document of the API (pages are not part of it)."""
    app = create_app(None)
    found = app.openapi()
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    for path in found["paths"].values():
        for operation in path.values():
            _promise_problems(operation)
    return found


def text() -> str:
    """Return the document as it stands in `openapi/exchange.json`."""
    return json.dumps(document(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _promise_problems(operation: dict[str, Any]) -> None:
    """Replace FastAPI's own 422 shape by the problem document that is really sent."""
    answer = operation.get("responses", {}).get("422")
    if answer and "application/json" in answer.get("content", {}):
        answer["content"].pop("application/json")
        answer["content"].setdefault(
            "application/problem+json", {"schema": {"$ref": "#/components/schemas/Problem"}}
        )
        answer["description"] = answer.get("description") or "`invalid-content`"
