"""A certified contract whose two sides have people but no keys yet, and a served exchange."""

from dataclasses import dataclass

from contracts.deals import queries, service
from contracts.deals.tables import Deal
from contracts.parties.tables import Party
from exchange import clock
from exchange.authority import open_authority
from exchange.context import Context
from exchange.identity.tables import Person
from tests.contracts.deals_factory import PRESS, opened_deal, signatory
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import api_key, person


@dataclass
class Waiting:
    """A certified deal; each side's party, person and API key."""

    deal: Deal
    licensor: Party
    licensee: Party
    people: dict[str, Person]
    api_keys: dict[str, str]


async def waiting_deal(context: Context) -> Waiting:
    now = clock.now()
    authority = open_authority(context.settings, now=now)
    people, keys = {}, {}
    async with context.db.transaction() as session:
        licensor = await party(session, kind="rights_holder", now=now)
        licensee = await party(session, kind="broadcaster", now=now)
        deal = await opened_deal(session, licensor=licensor, licensee=licensee, now=now)
        deal = await service.certify(
            session, deal.id, press=PRESS, certifier=authority.certifier, now=now
        )
        for side, home, role in (
            ("licensor", licensor, "holder"), ("licensee", licensee, "broadcaster"),
        ):  # fmt: skip
            people[side] = await person(session, party_id=home.id, role=role, now=now)
            keys[side] = await api_key(session, person=people[side], now=now)
    return Waiting(deal, licensor, licensee, people, keys)


async def paid_deal(context: Context) -> tuple[Waiting, Party]:
    """A deal in force and paid, whose paper nobody looks at, and another broadcaster with a key."""
    waiting, now = await waiting_deal(context), clock.now()
    authority = open_authority(context.settings, now=now)
    async with context.db.transaction() as session:
        deal: Deal = await queries.get_deal(session, waiting.deal.id)
        deal.signing, deal.performance, deal.executed_at = "executed", "effective", now
        await session.flush()
        await service._execute(session, deal, policy=None, now=now)
        await service.mark_paid(session, deal.id, now=now)
        other = await signatory(session, authority, kind="broadcaster", now=now)
    return waiting, other.party
