"""What only a stand-in has: what it is, its books, its clock, faults and mischief on command."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exchange.standins.stripe import (
    authentications,
    books,
    disputes,
    events,
    faults,
    onboarding,
    payouts,
    refunds,
)
from exchange.standins.stripe.call import API_VERSION, Call
from exchange.standins.stripe.desk import Desk
from exchange.standins.stripe.errors import Problem
from exchange.standins.stripe.operations import OPERATIONS

DIFFERS = (
    "No money moves, no card is charged, nobody is paid.",
    "It does only the operations listed; parameters it does not act upon are refused "
    "(standin_unsupported), never ignored.",
    "Capabilities of accounts of the first version are active at once, unless it was started with "
    "--onboards. Onboarding is a page of the stand-in that asks for no papers, or is done on "
    "command (/_accounts/{id}); what it requires is always the same. Lists of accounts show those "
    "of the first version. Events of the second version are asked for and not delivered.",
    "Every country and every listed currency is taken; Stripe pays out to fewer.",
    "Amounts may have twelve digits, at Stripe eight for most currencies; start it with "
    "--most-minor 99999999 to have Stripe's limit.",
    "The fee is the same for every card and currency.",
    "3-D Secure asks on a page of the stand-in, which anybody may answer, or is answered on "
    "command (/_payment_intents/{id}/authentication).",
    "Every card holds for seven days and is captured once. Refunds of cards succeed at once, and "
    "one that the balance does not cover is refused.",
    "Bank transfers arrive by the test helper or on a page of the stand-in (EUR, GBP, JPY, USD), "
    "bear the cards' fee and are available as late; refunds of them stay in the cash balance.",
    "Disputes are opened and decided on command (/_disputes); refunds come back on command.",
    "Payouts go to one bank account that takes every currency, and arrive on the second day, "
    "holidays or not; they fail on command, and those of a schedule are made on command.",
    "Deliveries are retried for minutes, not for three days.",
)


def routes(desk: Desk) -> list[Route]:
    """Return the control endpoints."""
    controls = Controls(desk)
    return [
        Route("/_standin", controls.standin),
        Route("/_books", controls.books),
        Route("/_clock", controls.clock, methods=["POST"]),
        Route("/_faults", controls.faults, methods=["GET", "POST", "DELETE"]),
        Route("/_disputes", controls.open_dispute, methods=["POST"]),
        Route("/_disputes/{id}", controls.decide_dispute, methods=["POST"]),
        Route("/_refunds/{id}/failure", controls.fail_refund, methods=["POST"]),
        Route("/_payouts", controls.pay_out, methods=["POST"]),
        Route("/_payouts/{id}/failure", controls.fail_payout, methods=["POST"]),
        Route("/_payment_intents/{id}/authentication", controls.authenticate, methods=["POST"]),
        Route("/_accounts/{id}", controls.move_account, methods=["POST"]),
        Route("/_webhooks", controls.webhooks, methods=["GET", "POST"]),
        Route("/_webhooks/resend", controls.resend, methods=["POST"]),
    ]


class Controls:
    """The control endpoints over one desk."""

    def __init__(self, desk: Desk) -> None:
        """Control `desk`."""
        self.desk = desk

    async def standin(self, _request: Request) -> Response:
        """Say honestly what this is."""
        options = self.desk.options
        return JSONResponse(
            {
                "standin": True,
                "what": "A local stand-in for a part of Stripe's API. It is not Stripe.",
                "api_version": API_VERSION,
                "differs": DIFFERS,
                "operations": [f"{op.method} {op.path}" for op in OPERATIONS],
                "fee": {"bp": options.fee_bp, "fixed_minor": options.fee_fixed_minor},
                "most_minor": options.most_minor,
                "webhook_url": options.webhook_url,
                "now": self.desk.now(),
            }
        )

    async def books(self, _request: Request) -> Response:
        """Show the books."""
        return JSONResponse(books.show(self.desk.store, now=self.desk.now()))

    async def clock(self, request: Request) -> Response:
        """Move the clock forward: `{"advance_s": n}`; with `"still": true` it then stands still."""
        given = await _body(request)
        self.desk.set_clock(
            advance_s=int(given["advance_s"]), is_still=bool(given.get("still", False))
        )
        return JSONResponse({"now": self.desk.now()})

    async def faults(self, request: Request) -> Response:
        """Order faults: `{"kind", "count": 1, "operation": "", "seconds": 0.5}`; list; clear."""
        store = self.desk.store
        if request.method == "POST":
            given = await _body(request)
            if given.get("kind") not in faults.KINDS:
                return JSONResponse({"kinds": faults.KINDS}, 400)
            _order(self.desk, given, target="call")
        if request.method == "DELETE":
            with store.transaction():
                store.db.execute("DELETE FROM trick")
        return JSONResponse({"waiting": faults.waiting(store)})

    async def open_dispute(self, request: Request) -> Response:
        """Dispute a charge: `{"charge", "amount": all, "inquiry": false, "reason": "…"}`."""
        return self._done(disputes.open_dispute, "", await _body(request))

    async def decide_dispute(self, request: Request) -> Response:
        """Decide a dispute: `{"status": "under_review" | "won" | "lost" | "warning_closed"}`."""
        return self._done(disputes.decide, request.path_params["id"], await _body(request))

    async def fail_refund(self, request: Request) -> Response:
        """Let a refund come back."""
        return self._done(refunds.fail, request.path_params["id"], {})

    async def pay_out(self, request: Request) -> Response:
        """Pay out all that is available, as a schedule does: `{"currency"}`."""
        return self._done(payouts.sweep, "", await _body(request))

    async def fail_payout(self, request: Request) -> Response:
        """Let a payout come back from the bank."""
        return self._done(payouts.fail, request.path_params["id"], {})

    def _done(
        self, run: Callable[[Call], dict[str, Any]], id_: str, given: dict[str, Any]
    ) -> Response:
        try:
            return JSONResponse(self.desk.command(run, id_, given))
        except Problem as problem:
            return JSONResponse(problem.body, problem.status)

    async def authenticate(self, request: Request) -> Response:
        """Answer for a card's holder: `{"succeeds": true}`; false lets the authentication fail."""
        id_ = request.path_params["id"]
        return self._done(authentications.answer, id_, await _body(request))

    async def move_account(self, request: Request) -> Response:
        """Set how an account stands: `{"status": "active" | "pending" | "restricted"}`."""
        return self._done(onboarding.command, request.path_params["id"], await _body(request))

    async def webhooks(self, request: Request) -> Response:
        """Order mischief: `{"kind", "count": 1, "seconds": 0}`; list the deliveries."""
        if request.method == "POST":
            given = await _body(request)
            if given.get("kind") not in events.MISCHIEF:
                return JSONResponse({"kinds": events.MISCHIEF}, 400)
            _order(self.desk, {"seconds": 0.0, **given}, target="event")
        rows = self.desk.store.db.execute(
            "SELECT event, state, attempts, answer FROM delivery ORDER BY turn DESC LIMIT 200"
        )
        names = ("event", "state", "attempts", "answer")
        return JSONResponse({"deliveries": [dict(zip(names, row, strict=True)) for row in rows]})

    async def resend(self, request: Request) -> Response:
        """Deliver an event once more: `{"event": "evt_…"}`."""
        given = await _body(request)
        event = self.desk.store.find(str(given.get("event")))
        if event is None or event["object"] != "event":
            return JSONResponse({"error": "no such event"}, 404)
        with self.desk.store.transaction():
            events.enqueue(self.desk.store, event["id"], wait_s=0)
        return JSONResponse({"queued": event["id"]})


def _order(desk: Desk, given: dict[str, Any], *, target: str) -> None:
    faults.order(
        desk.store,
        target=target,
        kind=given["kind"],
        operation=str(given.get("operation", "")),
        count=int(given.get("count", 1)),
        seconds=float(given.get("seconds", 0.5)),
    )


async def _body(request: Request) -> dict[str, Any]:
    given: dict[str, Any] = await request.json()
    return given
