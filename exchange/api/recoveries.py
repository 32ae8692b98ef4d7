"""What payees give back for refunds and lost disputes, as the API tells it."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from exchange.api.deps import Shape
from exchange.identity.rules import Caller
from settlement.recoveries import queries
from settlement.recoveries.rules import Cause


class RecoveryOut(Shape):
    """What one line of the settlement gives back; `owed` and `sending` are still claims."""

    line: int
    payee_id: UUID
    kind: str
    amount_minor: int
    withheld_minor: Annotated[
        int, Field(description="Of it withheld when the payee was paid, so not asked of the payee.")
    ]
    currency: str
    state: Literal["taken", "owed", "sending", "reversed"]
    provider_id: str | None


async def given_back(
    session: AsyncSession, cause: Cause, *, caller: Caller
) -> Sequence[RecoveryOut]:
    """Return what each line of a settlement gives back: all to staff, its own to a party."""
    wanted = set(RecoveryOut.model_fields)
    found = await queries.of_cause(session, cause)
    rows = [row for row in found if caller.is_staff or row.payee_id == caller.party_id]
    return [RecoveryOut.model_validate(row.model_dump(include=wanted)) for row in rows]
