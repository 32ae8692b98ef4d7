"""What payees give back for refunds and lost disputes, as the API tells it."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from exchange.api.deps import Shape
from settlement.recoveries import queries
from settlement.recoveries.rules import Cause


class RecoveryOut(Shape):
    """What one line of the settlement gives back; `owed` and `sending` are still claims."""

    line: int
    payee_id: UUID
    kind: str
    amount_minor: int
    currency: str
    state: Literal["taken", "owed", "sending", "reversed"]
    provider_id: str | None


async def given_back(session: AsyncSession, cause: Cause) -> Sequence[RecoveryOut]:
    """Return what each line of a settlement gives back for one refund or dispute."""
    wanted = set(RecoveryOut.model_fields)
    rows = await queries.of_cause(session, cause)
    return [RecoveryOut.model_validate(row.model_dump(include=wanted)) for row in rows]
