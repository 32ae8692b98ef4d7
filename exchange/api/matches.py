"""Matches: whether a delivered file is the listed work."""

from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import ConfigDict, JsonValue

from contracts.refusal import InvalidContent, NotAllowed, Unknown
from exchange.api import deps, problems
from exchange.api.bodies import BodyTooSlow, read_file
from exchange.api.deps import Ctx, Now, Shape
from exchange.identity.rules import CsrfToken, ScopeMissing, SignInNeeded
from listings.catalogue import queries as catalogue
from listings.recognition import deliveries, delivery
from listings.recognition.delivery import BadFingerprint, FingerprintTooLarge

router = APIRouter(tags=["recognition"])

ARRIVES_WITHIN_S = 300.0
_BYTES = {"type": "string", "format": "binary"}
EXAMPLE: dict[str, JsonValue] = {
    "outcome": "changed",
    "coverage_bp": 9300,
    "confidence_bp": 9990,
    "changes": ["cut"],
    "missing": [{"from_ms": 312_000, "length_ms": 9_400}],
    "added": [],
    "segments": [
        {
            "here_ms": 0, "there_ms": 0, "length_ms": 312_000, "slope_bp": 10_000,
            "mirrored": False, "upended": False, "confidence_bp": 9_990, "sound_bp": 210,
        }
    ],
    "technical": [{"what": "height", "listed": "2160", "delivered": "1080"}],
    "fact": None,
}  # fmt: skip


class SpanOut(Shape):
    """A stretch of time."""

    from_ms: int
    length_ms: int


class StretchOut(Shape):
    """A stretch of the delivered file (here) that is a stretch of the listed one (there)."""

    here_ms: int
    there_ms: int
    length_ms: int
    slope_bp: int
    mirrored: bool
    upended: bool
    confidence_bp: int
    sound_bp: int | None


class LessOut(Shape):
    """What is technically less than listed."""

    what: str
    listed: str | None
    delivered: str | None


class MatchOut(Shape):
    """What a delivered file is to the listed work.

    `missing` are times of the listed work that the file lacks, `added` times of the file that are
    not of the work. It follows from what the asker says of the file: its hashes and its codes.
    `fact` names the record of it, which is made for the parties to a deal on the listing.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    outcome: Literal["identical", "same-picture", "same-content", "changed", "different", "unknown"]
    coverage_bp: int
    confidence_bp: int
    changes: list[Literal["cut", "added", "speed", "mirrored", "upended", "sound"]]
    missing: list[SpanOut]
    added: list[SpanOut]
    segments: list[StretchOut]
    technical: list[LessOut]
    fact: UUID | None


@router.post(
    "/listings/{listing_id}/matches",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": _BYTES}},
        }
    },
    responses=problems.responses(
        SignInNeeded, CsrfToken, ScopeMissing, NotAllowed, InvalidContent, Unknown,
        BadFingerprint, FingerprintTooLarge, BodyTooSlow,
    ),
)  # fmt: skip
async def match_delivery(listing_id: UUID, request: Request, context: Ctx, now: Now) -> MatchOut:
    """Say whether a file is the listed work; `exchange match` writes what is sent.

    Without codes the hashes alone are compared, and the outcome is `unknown` unless one is equal.
    """
    # No transaction is open while the document arrives and is compared.
    async with context.db.transaction() as session:
        caller = await deps.get_caller(await deps.find_caller(request, session, now))
        caller.need("read")
        entry = await catalogue.get_entry(session, listing_id, viewer=caller.party_id)
        listed = await deliveries.listed(session, entry.master)
    delivered = delivery.read(await _content(request))
    answer = await deliveries.compare(delivered, listed)
    async with context.db.transaction() as session:
        fact = await deliveries.record(
            session, listing_id, party_id=caller.party_id, delivered=delivered, answer=answer,
            now=now,
        )  # fmt: skip
    return MatchOut.model_validate({**answer, "fact": fact})


async def _content(request: Request) -> bytes:
    most = delivery.MOST_BYTES
    too_long = FingerprintTooLarge("The document is too long.", most_bytes=most)
    return await read_file(request, most_bytes=most, within_s=ARRIVES_WITHIN_S, too_long=too_long)
