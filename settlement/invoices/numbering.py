"""Numbers without a gap: each series and year counts in a row whose lock makes others wait."""

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from settlement.fees.rules import SEAT
from settlement.invoices import rules
from settlement.invoices.tables import InvoiceSeries


async def next_number(session: AsyncSession, series: str, *, now: datetime) -> str:
    """Return the next number of a series in the year of the exchange's seat.

    A transaction that fails gives its number back: whoever waited takes it.
    """
    year = now.astimezone(SEAT).year
    counted = (
        insert(InvoiceSeries)
        .values(series=series, year=year, last_number=1)
        .on_conflict_do_update(
            index_elements=["series", "year"],
            set_={"last_number": col(InvoiceSeries.last_number) + 1},
        )
        .returning(col(InvoiceSeries.last_number))
    )
    sequence: int = (await session.execute(counted)).scalar_one()
    return rules.number(series, year, sequence)
