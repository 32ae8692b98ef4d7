"""No request's number is taken from text, and no truth value for a number."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import httpx
import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel, Strict

from contracts import ids
from exchange.app import ROUTERS
from exchange.context import Context
from tests.conftest import NOW
from tests.exchange.identity_factory import signed_client

BODIES = {
    str(parameter.field_info.annotation): parameter.field_info.annotation
    for module in ROUTERS
    for route in module.router.routes
    if isinstance(route, APIRoute)
    for parameter in route.dependant.body_params
}


def lenient(shape: Any, name: str, *, strict: bool = False) -> Iterator[str]:
    """Yield the fields that would take a number or a truth value from something else."""
    if get_origin(shape) is Annotated:
        told, *notes = get_args(shape)
        notes = [note for one in notes for note in (one, *getattr(one, "metadata", ()))]
        strict = strict or any(isinstance(note, Strict) and note.strict for note in notes)
        yield from lenient(told, name, strict=strict)
    elif shape in (int, bool, float):
        if not strict:
            yield name
    elif isinstance(shape, type) and issubclass(shape, BaseModel):
        whole = bool(shape.model_config.get("strict"))
        for field, told in shape.model_fields.items():
            noted = any(isinstance(note, Strict) and note.strict for note in told.metadata)
            yield from lenient(told.annotation, f"{shape.__name__}.{field}", strict=whole or noted)
    else:
        for part in get_args(shape):
            yield from lenient(part, name, strict=strict)


def test_the_requests_are_found() -> None:
    assert len(BODIES) > 100


@pytest.mark.parametrize("shape", BODIES.values(), ids=BODIES)
def test_numbers_and_truth_values_of_a_request_are_strict(shape: Any) -> None:
    assert list(lenient(shape, str(shape))) == []


async def asked(client: httpx.AsyncClient, amount: Any) -> httpx.Response:
    wanted = {
        "payment_id": str(ids.new(NOW)),
        "amount_minor": amount,
        "currency": "CNY",
        "reason": "no broadcast",
    }
    return await client.put(f"/v1/refunds/{ids.new(NOW)}", json=wanted)


@pytest.mark.parametrize("amount", ["100", True, None, [100], 1.5])
async def test_money_is_a_number_and_nothing_else(context: Context, amount: Any) -> None:
    async with signed_client(context, role="operator") as (client, _):
        answer = await asked(client, amount)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-content")
    assert [error["field"] for error in answer.json()["errors"]] == ["body.amount_minor"]
