"""A certified contract whose two sides have people but no keys yet, and a served exchange."""

from dataclasses import dataclass

from contracts.deals import service
from contracts.deals.tables import Deal
from contracts.parties.tables import Party
from exchange import clock
from exchange.authority import open_authority
from exchange.context import Context
from exchange.identity.tables import Person
from tests.contracts.deals_factory import PRESS, opened_deal
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
