"""The web application: API, portal and console in one process."""

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from exchange import door
from exchange.api import (
    admissions,
    agreements,
    auction_log,
    auctions,
    authorities,
    availability,
    avails,
    bank,
    barring,
    bids,
    bodies,
    books,
    bundles,
    changes,
    clearing,
    collecting,
    complaints,
    conformance,
    deals,
    declarations,
    deliveries,
    delivery_keys,
    deposit_agreements,
    deposits,
    disclosures,
    disputes,
    documents,
    dues,
    encumbrances,
    events,
    exports,
    facts,
    fapiaos,
    fee_announcements,
    fees,
    grants,
    health,
    incidents,
    invoices,
    keys,
    ledger,
    ledger_holds,
    ledger_orders,
    listings,
    lives,
    log,
    log_site,
    masters,
    matches,
    methods,
    odrl,
    offerables,
    offers,
    packages,
    parties,
    payees,
    payout_batches,
    payouts,
    pictures,
    pledges,
    problems,
    proofs,
    provider_suspense,
    recognition,
    redletters,
    references,
    refunds,
    remittances,
    requests,
    royalties,
    royalty_statements,
    runs,
    screeners,
    screens,
    sealed,
    sessions,
    signing,
    statements,
    streams,
    stripe,
    suspense,
    sweeps,
    templates,
    thumbs,
    timelines,
    verification,
    withholding,
    works,
)
from exchange.bidding import Bidding
from exchange.context import Context
from exchange.feed import Feed, Sealed
from exchange.portal import pages
from exchange.signing import Signing

ROUTERS = (
    sessions, keys, parties, works, grants, documents, masters, references, packages, listings,
    auctions, methods, fees, fee_announcements,
    bids, auction_log, streams, facts, log, deals, invoices, payouts,
    ledger, proofs, timelines, exports, stripe, avails, availability, odrl, conformance,
    encumbrances, events, runs, screeners, sealed,
    pictures, recognition, declarations, matches, thumbs, disclosures, incidents, screens,
    admissions, deposits, pledges, deposit_agreements, agreements, templates, barring, offerables,
    offers, requests, bundles, lives, changes, verification, signing, deliveries, delivery_keys,
    complaints, payees, bank, collecting, statements, suspense, books, royalties, dues,
    royalty_statements,
    refunds, disputes, payout_batches, clearing, provider_suspense, sweeps, redletters,
    fapiaos, withholding, remittances,
    ledger_orders, ledger_holds,
)  # fmt: skip
DESCRIPTION = (
    "List, bid for, contract and settle rights in UHD works. "
    "Clients name what they create (PUT with a UUID): the same id with the same content gets the "
    "first answer again; with other content it is refused (`id-reused`). Every no is an RFC 9457 "
    "problem document with a stable `code` and a `hint`. Amounts are whole minor units of an "
    "ISO 4217 currency; times are RFC 3339 in UTC."
)


class Exchange(FastAPI):
    """The application, with the door for bids before everything else."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a bid at the door, anything else as the framework does."""
        if scope["type"] == "http" and scope["method"] == "PUT":
            found = door.PATH.fullmatch(scope["path"])
            if found is not None:
                scope["app"] = self
                await self.state.door.answer(found, scope, receive, send)
                return
        await super().__call__(scope, receive, send)


def create_app(context: Context | None) -> FastAPI:
    """Build the application; without a context it can only describe itself (OpenAPI)."""
    app = Exchange(
        title="UHD Rights Exchange",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,  # a redirect would name the host that the client claims
        generate_unique_id_function=_operation_id,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    app.state.context = context
    app.state.bidding = Bidding(context.db) if context else None
    app.state.door = door.BidDoor()
    app.state.signing = Signing(context.db) if context else None
    app.state.feed = Feed(Sealed(context.db)) if context else None
    problems.install(app)
    app.add_middleware(bodies.BodyBounds)
    for module in ROUTERS:
        app.include_router(module.router, prefix="/v1")
    app.include_router(health.router)
    app.include_router(log_site.router)
    app.include_router(authorities.router)
    pages.install(app)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
