"""The texts of contracts at the start of a process: compared with those published, or published."""

from contextlib import suppress

from sqlalchemy.exc import DBAPIError

from contracts.deals import publishing
from exchange import clock
from exchange.context import Context


async def check_texts(context: Context) -> None:
    """Compare the texts here with those published, where the database can be asked.

    Raises:
        TextChanged: one differs; the process does not start.
    """
    with suppress(DBAPIError):
        async with context.db.transaction() as session:
            await publishing.check(session)


async def publish_texts(context: Context) -> int:
    """Publish the templates that are new in this release."""
    async with context.db.transaction() as session:
        return await publishing.publish(session, now=clock.now())
