"""Whether the process lives and whether it is ready to serve."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import text

from exchange import migrating
from exchange.api import problems
from exchange.api.deps import Session, Shape
from exchange.db import DatabaseAway

router = APIRouter(tags=["health"])


class BidsOut(Shape):
    """How this process fares as a door for bids."""

    door: Annotated[bool, Field(description="It has joined, beats, and its clock is right.")]
    waiting: int
    last_commit_age_ms: int | None
    last_beat_age_ms: int | None


class Health(Shape):
    """A process that answers."""

    status: Literal["ok"] = "ok"
    bids: BidsOut


class Readiness(Shape):
    """A process whose database is reachable and at the schema it needs."""

    status: Literal["ready", "not-migrated"]
    revision: str


@router.get("/healthz")
async def get_health(request: Request) -> Health:
    """Say that the process lives, and how it takes bids; touches nothing else."""
    condition = request.app.state.bidding.condition()
    return Health(bids=BidsOut.model_validate(condition, from_attributes=True))


@router.get("/readyz", responses=problems.responses(DatabaseAway))
async def get_readiness(session: Session) -> Readiness:
    """Say whether the database answers and has the schema this code needs."""
    found = await session.execute(text("SELECT version_num FROM alembic_version"))
    revision = str(found.scalar_one())
    return Readiness(
        status="ready" if revision == migrating.head() else "not-migrated", revision=revision
    )
