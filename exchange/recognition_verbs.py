"""What recognition needs done in the background: a search for every master that was examined."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts.rules import SealedFact
from exchange.context import Context
from listings.recognition import service
from listings.recognition.finding import Indexed
from listings.recognition.gateway import Sight


async def recognise_master(
    context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `master.examined` and `recognition.asked`: search everything that is protected."""
    await service.recognise(session, fact.subject, sight=sight(context), now=now)


def sight(context: Context) -> Sight:
    """Return what this process searches with."""
    finder = Indexed(context.settings.objects / "index")
    return Sight(finder=finder, objects=context.objects)
