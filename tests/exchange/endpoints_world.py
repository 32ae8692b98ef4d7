"""A settled trade with all its things, and clients of those who look at it."""

from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.agreements import queries as agreement_queries
from contracts.money import Money
from contracts.parties.tables import Party
from contracts.works import queries as works
from exchange import clock
from exchange.app import create_app
from exchange.context import Context
from listings.admissions.tables import AdmissionRow
from listings.auctions import ending
from listings.auctions import service as bidding
from listings.catalogue.tables import Listing
from listings.disclosures import service as disclosures
from listings.incidents import service as incidents
from listings.screeners import service as screeners
from listings.screens import service as screens
from listings.sealed import keys as sealed_keys
from settlement.deposits import service as deposits
from settlement.deposits.rules import Terms as DepositTerms
from tests.contracts.encumbrances_factory import declared, terms
from tests.exchange import agreements_factory, uploads_factory
from tests.exchange.evidence_factory import Trade
from tests.exchange.identity_factory import signed_client
from tests.listings import disclosures_factory
from tests.listings.bundles_factory import open_packages
from tests.listings.catalogue_factory import drafted_listing, published_listing
from tests.listings.offers_factory import negotiated
from tests.listings.recognition_factory import declared_of_another
from tests.listings.sealed_factory import ceremony_of
from tests.settlement import (
    bank_factory,
    batches_factory,
    fapiao_factory,
    fees_factory,
    orders_factory,
    pledges_factory,
    redletters_factory,
    returns_factory,
    sweeps_factory,
    withholding_factory,
)

STRANGERS = ("holder", "broadcaster")
AHEAD = timedelta(days=30)  # of an announcement's first day


async def files_of_a_work(licensor: httpx.AsyncClient, work_id: str) -> dict[str, str]:
    """An asset and a package of the work, by the names that paths give them."""
    asset_id, package_id = str(uuid4()), str(uuid4())
    file_id = str(
        await uploads_factory.upload(licensor, b"a part", purpose="asset", work_id=work_id)
    )
    said = {"file_id": file_id, "kind": "other", "label": "notes"}
    asset = await licensor.put(f"/v1/works/{work_id}/assets/{asset_id}", json=said)
    files = {"files": {"ASSETMAP.xml": file_id}}
    package = await licensor.put(f"/v1/works/{work_id}/packages/{package_id}", json=files)
    assert (asset.status_code, package.status_code) == (201, 201), (asset.text, package.text)
    return {"asset_id": asset_id, "package_id": package_id}


async def screener_of(
    context: Context, licensor: httpx.AsyncClient, master_id: str
) -> dict[str, str]:
    """A screener that is being watched, by the names that paths give it."""
    for name in ("poster.jpg", "sheet.jpg", "proxy.mp4"):
        context.objects.put(f"derived/{master_id}/{name}", b"taken from the master")
    where = f"/v1/masters/{master_id}/screeners/{uuid4()}"
    ends = (clock.now() + timedelta(days=1)).isoformat()
    given = await licensor.put(where, json={"viewer": "示范台", "expires_at": ends})
    assert given.status_code == 201, given.text
    screener_id, secret = given.json()["id"], given.json()["link"].rsplit("/", 1)[1]
    context.objects.put(f"derived/{master_id}/screeners/{screener_id}.mp4", b"a film")
    async with context.db.transaction() as session:
        await screeners.made(session, UUID(screener_id), good=True)
    viewing = await licensor.post(f"/v1/screeners/{secret}/viewings")
    return {"screener_id": screener_id, "secret": secret, "viewing_id": viewing.json()["id"]}


async def open_clients(
    stack: AsyncExitStack, context: Context, trade: Trade
) -> dict[str, httpx.AsyncClient]:
    async def client(role: str, of: Party | None = None) -> httpx.AsyncClient:
        opened, _ = await stack.enter_async_context(signed_client(context, role=role, of=of))
        return opened

    transport = httpx.ASGITransport(app=create_app(context), raise_app_exceptions=False)
    nobody = httpx.AsyncClient(transport=transport, base_url="http://exchange.test")
    return {
        "nobody": await stack.enter_async_context(nobody),
        "licensor": await client("holder", trade.licensor),
        "licensee": await client("broadcaster", trade.licensee),
        "auditor": await client("auditor"),
        **{role: await client(role) for role in STRANGERS},
    }


async def ids_of(context: Context, session: AsyncSession, trade: Trade) -> dict[str, str]:
    """The ids of everything that belongs to the trade, by the names that paths give them."""
    now, deal = clock.now(), {"deal": trade.deal.id}

    async def one(query: str) -> str:
        return str((await session.execute(text(query), deal)).scalars().first())

    published = await published_listing(session, seller=trade.licensor, now=now)
    await sealed_keys.register(
        session, published.auction_id, ceremony_of(published.auction_id).wire,
        party_id=trade.licensor.id, now=now,
    )  # fmt: skip
    over = await published_listing(session, seller=trade.licensor, now=now)
    await ending.close(session, await bidding.locked(session, over.auction_id), now=now)
    packages = await open_packages(session, seller_id=trade.licensor.id, now=now)
    pledged = await applicant(session, published.auction_id, trade)
    draft = await drafted_listing(session, seller=trade.licensor, now=now)
    work = await works.get_work(session, trade.deal.work_id)
    elsewhere = terms(territories=["JP"])
    encumbrance = await declared(session, work, trade.licensor, wire=elsewhere)
    declaration = await declared_of_another(session, draft.master_id, now=now)
    offers = await negotiated(
        session, published, licensor=trade.licensor, licensee=trade.licensee, now=now
    )
    incident = await noticed(session, draft, over.auction_id, now=now)
    banked = await bank_factory.files_of_a_bank(session, now=now)
    payment_id = await one(
        "SELECT p.id FROM payment p JOIN invoice i ON i.id = p.invoice_id WHERE i.deal_id = :deal"
    )
    returned = await returns_factory.of_a_payment(session, UUID(payment_id), now=now)
    held = await batches_factory.of_one(session, now=now)
    returned |= await fapiao_factory.of_a_deal(session, trade.deal.id, now=now)
    returned |= await redletters_factory.of_a_claim(session, trade.deal.id, now=now)
    held |= await orders_factory.of_one(session, now=now)
    held |= await sweeps_factory.of_one(session, now=now)
    held |= await fees_factory.of_one(session, now=now)
    held |= await withholding_factory.of_one(session, now=now)
    announced = await fees_factory.prepared(
        session, fees_factory.own("of-the-world", 100), valid_from=(now + AHEAD).date(), now=now
    )
    return {
        **banked,
        **held,
        **pledged,
        **returned,
        **offers,
        "announcement_id": str(announced.id),
        "incident_id": incident,
        "encumbrance_id": str(encumbrance.id),
        "declaration_id": str(declaration.id),
        "deal_id": str(trade.deal.id),
        "work_id": str(trade.deal.work_id),
        "party_id": str(trade.licensor.id),
        "depositor": str(trade.licensee.id),
        "code": f"receivable:{trade.licensee.id}:CNY",
        "event": "first-broadcast",
        "auction_id": str(published.auction_id),
        "closed_auction": str(over.auction_id),
        "package_auction": str(packages.id),
        "sold_auction": await one("SELECT auction_id FROM deal WHERE id = :deal"),
        "won_bid": await one(
            "SELECT a.leading_bid FROM auction a JOIN deal d ON d.auction_id = a.id "
            "WHERE d.id = :deal"
        ),
        "listing_id": str(draft.id),
        "offered_work": str(published.work_id),
        "master_id": str(draft.master_id),
        "grant_id": await one("SELECT id FROM rights_grant WHERE deal_id = :deal"),
        "fact_id": await one("SELECT id FROM fact WHERE subject = :deal"),
        "invoice_id": await one("SELECT id FROM invoice WHERE deal_id = :deal"),
        "payout_id": await one("SELECT id FROM payout WHERE deal_id = :deal"),
        "session_id": await one("SELECT id FROM signing_session WHERE deal_id = :deal"),
        **await agreed(context, session, trade),
        "payment_id": await one(
            "SELECT p.id FROM payment p JOIN invoice i ON i.id = p.invoice_id "
            "WHERE i.deal_id = :deal"
        ),
        "key_id": await one(
            "SELECT k.id FROM party_key k JOIN deal d ON d.licensor_id = k.party_id "
            "WHERE d.id = :deal"
        ),
    }


async def noticed(session: AsyncSession, draft: Listing, auction_id: UUID, *, now: datetime) -> str:
    """A filed disclosure, a declared owner, and a proposed incident, by the last one's id."""
    await disclosures_factory.filed(session, draft, now=now)
    await disclosures.declare_ownership(
        session, draft.party_id, ownership="state", threshold_minor=None, person_id=uuid4(),
        by_exchange=True, now=now,
    )  # fmt: skip
    await screens.run(session, now=now)
    paddle = incidents.Measure("default", "不签约", paddle=1)
    over = await bidding.locked(session, auction_id)
    over.result = over.result or b"{}"
    made, _ = await incidents.report(
        session, uuid4(), auction_id=auction_id, measure=paddle, person_id=uuid4(), now=now
    )
    return str(made.id)


async def agreed(context: Context, session: AsyncSession, trade: Trade) -> dict[str, str]:
    """The licensee's deposit agreement, signed and in the log once that is sealed."""
    now = clock.now()
    auction = await agreements_factory.asking_auction(session, seller=trade.licensor, now=now)
    made = await agreements_factory.signed(context, session, auction, trade.licensee, now=now)
    [begun] = await agreement_queries.completed_sessions(session, made.id)
    return {"agreement_id": str(made.id), "agreement_session": str(begun.id)}


async def applicant(session: AsyncSession, auction_id: UUID, trade: Trade) -> dict[str, str]:
    """The licensee has applied, was asked for a deposit, and gave a card and a letter for it."""
    session.add(AdmissionRow(auction_id=auction_id, party_id=trade.licensee.id, state="applied"))
    terms_ = DepositTerms(
        auction_id=auction_id, party_id=trade.licensee.id, seller_id=trade.licensor.id,
        required=Money(1, "CNY"), until=None, forfeits=(), modes=("charge", "guarantee"),
        ends_by=clock.now(), guarantee_days=1,
    )  # fmt: skip
    await deposits.require(session, terms_, now=clock.now())
    return await pledges_factory.of_a_deposit(
        session, auction_id, trade.licensee.id, now=clock.now()
    )
