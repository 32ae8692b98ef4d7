"""ODRL: grants and deals as policies for other systems, and whether two policies collide."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

import anyio
from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals import queries as deals
from contracts.deals.rules import DealNotEffective
from contracts.odrl import compare, export, queries, reading
from contracts.odrl.compare import Comparison
from contracts.odrl.export import Granting
from contracts.odrl.policy import BadPolicy
from contracts.odrl.queries import GrantIsOver, SeveralWorks
from contracts.odrl.reading import MOST_BYTES, Format
from contracts.refusal import InvalidContent, Malformed, Unknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Session, Shape, Signed
from exchange.identity.rules import Caller, CsrfToken, ScopeMissing, SignInNeeded

router = APIRouter(route_class=JsonRoute, tags=["avails"])

JSON_LD = "application/ld+json"
_READ = (SignInNeeded, ScopeMissing, InvalidContent, Unknown)
_TTL = """@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
<https://example.org/p> a odrl:Set ; odrl:permission [
  odrl:target <https://example.org/film> ; odrl:action odrl:play ] ."""
_POLICY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "An ODRL 2.2 policy as JSON-LD.",
        "content": {
            JSON_LD: {
                "schema": {"type": "object"},
                "example": {
                    "@context": "http://www.w3.org/ns/odrl.jsonld",
                    "@type": "Agreement",
                    "uid": "urn:uuid:01990000-0000-7000-8000-000000000001",
                },
            }
        },
    }
}
_KLEENE = "conflict: on every axis; compatible: apart on one; unknown: neither can be said"


class PolicyIn(Shape):
    """A policy as text in one of the forms of RDF."""

    format: Format
    text: Annotated[str, Field(max_length=MOST_BYTES)]


class CompareIn(Shape):
    """Two policies, each with exactly one ODRL policy in it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "first": {"format": "turtle", "text": _TTL},
                    "second": {"format": "turtle", "text": _TTL},
                }
            ]
        }
    )

    first: PolicyIn
    second: PolicyIn


class AxisOut(Shape):
    """One axis of two rules, and what each of them says of it."""

    axis: str
    verdict: Literal["conflict", "compatible", "unknown"]
    values: Annotated[Sequence[str], Field(min_length=2, max_length=2)]


class ReasonOut(Shape):
    """Two rules, one of each policy, and the axes that decided."""

    verdict: Literal["conflict", "compatible", "unknown"]
    rules: Annotated[Sequence[str], Field(min_length=2, max_length=2)]
    axes: Sequence[AxisOut]


class ComparisonOut(Shape):
    """Whether two policies collide, and why."""

    verdict: Annotated[Literal["conflict", "compatible", "unknown"], Field(description=_KLEENE)]
    reasons: Sequence[ReasonOut]


@router.get(
    "/deals/{deal_id}/odrl",
    response_class=Response,
    responses={**_POLICY, **problems.responses(*_READ, DealNotEffective, SeveralWorks)},
)
async def get_deal_odrl(deal_id: UUID, session: Session, caller: Signed) -> Response:
    """Return an executed deal as an ODRL Agreement, to its parties and staff."""
    caller.need("read")
    deal = await deals.get_deal_of(session, deal_id, caller.for_party)
    return _written(await queries.of_deal(session, deal))


@router.get(
    "/works/{work_id}/grants/{grant_id}/odrl",
    response_class=Response,
    responses={**_POLICY, **problems.responses(*_READ, GrantIsOver)},
)
async def get_grant_odrl(
    work_id: UUID, grant_id: UUID, session: Session, caller: Signed
) -> Response:
    """Return a grant as an ODRL Agreement; while it is not effective, as an Offer.

    Owners of the work see every grant, grantors and licensees their own, staff all.
    """
    return _written(await _granting(session, work_id, grant_id, caller))


@router.post(
    "/avails/compare",
    responses=problems.responses(
        SignInNeeded, CsrfToken, ScopeMissing, InvalidContent, Malformed, BadPolicy
    ),
)
async def compare_policies(body: CompareIn, caller: Signed) -> ComparisonOut:
    """Tell whether two ODRL policies collide. Nothing is stored, nothing is fetched."""
    caller.need("read")
    found = await anyio.to_thread.run_sync(_compared, body)
    return ComparisonOut.model_validate(found.as_dict())


def _compared(body: CompareIn) -> Comparison:
    first, second = (reading.read(one.text, form=one.format) for one in (body.first, body.second))
    return compare.compare(first, second)


async def _granting(
    session: AsyncSession, work_id: UUID, grant_id: UUID, caller: Caller
) -> Granting:
    caller.need("read")
    return await queries.of_grant(session, work_id, grant_id, viewer=caller.for_party)


def _written(granting: Granting) -> Response:
    """Return the policy as canonical JSON, so that the same grant has the same bytes."""
    headers = {"Content-Disposition": f'inline; filename="{granting.id}.jsonld"'}
    content = canonical.dumps(export.policy(granting))
    return Response(content, media_type=JSON_LD, headers=headers)
