"""What recognition needs done in the background: a search for every master that was examined."""

from dataclasses import replace
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
    listening = replace(sight(context), listens=True)
    await service.recognise(session, fact.subject, sight=listening, now=now)


def sight(context: Context) -> Sight:
    """Return what this process searches with."""
    finder = Indexed(context.settings.index, context.settings.warehouse_url)
    return Sight(finder=finder, objects=context.objects)
