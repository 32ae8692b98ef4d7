"""The pages of the portal: every router, the static files, and the answers to errors."""

from fastapi import APIRouter, FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from exchange.console import bank as console_bank
from exchange.console import (
    bidders,
    disputes,
    ledger,
    ledger_holds,
    ledger_orders,
    limits,
    notices,
    parties,
    payout_batches,
    payouts,
    provider,
    queue,
    redletters,
    refunds,
    remittances,
    residences,
    settlements,
    sweeps,
)
from exchange.console import fapiaos as console_fapiaos
from exchange.console import fees as console_fees
from exchange.console import recognition as cases
from exchange.console import statements as bank_statements
from exchange.portal import (
    accounts,
    admission,
    auctions,
    avails,
    bundles,
    changes,
    conformance,
    deals,
    deliveries,
    disclosures,
    errors,
    fees,
    keys,
    listings,
    lives,
    market,
    masters,
    money,
    offerables,
    offers,
    packages,
    payees,
    pledges,
    posters,
    recognition,
    register,
    register_forms,
    render,
    requests,
    rights,
    royalties,
    runs,
    screeners,
    sealed,
    signing,
    taxes,
    title_documents,
    verifying,
    works,
)
from exchange.portal import books as own_books
from exchange.portal import fapiaos as my_fapiaos

# The own listings stand before the public one: /listings/new is no listing's id.
ROUTERS: tuple[APIRouter, ...] = tuple(
    module.router
    for module in (
        accounts, works, packages, rights, register, register_forms, runs, screeners, recognition,
        conformance, masters, listings, disclosures, fees, market, posters, auctions, sealed,
        offers, bundles, offerables, requests, deals, royalties, deliveries,
        lives, changes, money, payees, own_books, keys, signing, verifying,
        queue, parties, settlements, payouts, payout_batches, refunds, disputes, ledger,
        ledger_orders, ledger_holds, cases, notices, admission, bidders, limits, console_bank,
        provider, sweeps, redletters, my_fapiaos, remittances, residences, taxes,
    )
)  # fmt: skip
A_YEAR_S = 365 * 24 * 3600
# Files go to the upload endpoint; the longest form, three rights with every box ticked, is 8 KiB.
LONGEST_FORM_BYTES = 64 * 1024


class _Static(StaticFiles):
    """Static files; an address that carries the mark of its content may be kept for long."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the file with its headers."""
        answer = await super().get_response(path, scope)
        marked = b"v=" in scope.get("query_string", b"")
        answer.headers["Cache-Control"] = (
            f"public, max-age={A_YEAR_S}, immutable" if marked else "no-cache"
        )
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer


def install(app: FastAPI) -> None:
    """Add the pages to the application."""
    errors.install(app)
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False, max_body_size=LONGEST_FORM_BYTES)
    with_files = (
        avails, title_documents, pledges, bank_statements, console_fapiaos, console_fees,
    )  # fmt: skip
    for module in with_files:
        app.include_router(
            module.router, include_in_schema=False, max_body_size=module.LONGEST_FILE_BYTES
        )
    app.mount("/static", _Static(directory=render.STATIC), name="static")
