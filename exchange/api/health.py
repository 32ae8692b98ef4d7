"""Whether the process lives and whether it is ready to serve."""

from typing import Literal

from fastapi import APIRouter
from sqlalchemy import text

from exchange import migrating
from exchange.api import problems
from exchange.api.deps import Session, Shape
from exchange.db import DatabaseAway

router = APIRouter(tags=["health"])


class Health(Shape):
    """A process that answers."""

    status: Literal["ok"] = "ok"


class Readiness(Shape):
    """A process whose database is reachable and at the schema it needs."""

    status: Literal["ready", "not-migrated"]
    revision: str


@router.get("/healthz")
async def get_health() -> Health:
    """Say that the process lives; touches nothing else."""
    return Health()


@router.get("/readyz", responses=problems.responses(DatabaseAway))
async def get_readiness(session: Session) -> Readiness:
    """Say whether the database answers and has the schema this code needs."""
    found = await session.execute(text("SELECT version_num FROM alembic_version"))
    revision = str(found.scalar_one())
    return Readiness(
        status="ready" if revision == migrating.head() else "not-migrated", revision=revision
    )
