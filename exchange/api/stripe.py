"""Events from Stripe."""

from typing import Annotated

from fastapi import APIRouter, Header, Request
from pydantic import ConfigDict

from contracts.refusal import Kind, Refusal
from exchange.api import problems
from exchange.api.deps import Ctx, Now, Session, Shape
from settlement.stripe import service
from settlement.stripe.rules import LONGEST_EVENT_BYTES, BadEvent, BadWebhookSignature

router = APIRouter(tags=["stripe"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "examples": [
                        {
                            "id": "evt_1",
                            "object": "event",
                            "type": "payment_intent.succeeded",
                            "data": {"object": {"id": "pi_1", "object": "payment_intent"}},
                        }
                    ],
                }
            }
        },
    }
}


class EventTooLarge(Refusal):
    """The body is longer than any event."""

    kind, code = Kind.TOO_LARGE, "event-too-large"
    hint = "Events are at most 1 MB."


class ReceivedOut(Shape):
    """The event is stored; `new` is false when it was stored before."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"received": True, "new": True}]})

    received: bool
    new: bool


@router.post(
    "/stripe/webhooks",
    openapi_extra=_BODY,
    responses=problems.responses(BadWebhookSignature, BadEvent, EventTooLarge),
)
async def receive_stripe_event(
    request: Request,
    context: Ctx,
    session: Session,
    now: Now,
    stripe_signature: Annotated[str, Header(max_length=2000)] = "",
) -> ReceivedOut:
    """Store an event from Stripe, byte for byte and once; a worker applies it afterwards."""
    secret = context.settings.stripe_webhook_secret.get_secret_value()
    new = await service.receive(
        session, await _body(request), stripe_signature, secret=secret, now=now
    )
    return ReceivedOut(received=True, new=new)


async def _body(request: Request) -> bytes:
    """Read the raw body; the signature is over these bytes, not over what they mean."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LONGEST_EVENT_BYTES:
            raise EventTooLarge("The body is too long.", most_bytes=LONGEST_EVENT_BYTES)
    return bytes(raw)
