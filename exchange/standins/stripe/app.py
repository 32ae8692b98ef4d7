"""The HTTP side: the API under `/v1`, and under `/_…` what only a stand-in has."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exchange.standins.stripe import controls, events, faults, visits
from exchange.standins.stripe.call import Answer
from exchange.standins.stripe.desk import Desk, Request
from exchange.standins.stripe.errors import Problem
from exchange.standins.stripe.operations import OPERATIONS, Operation

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "authorization, content-type, stripe-version, idempotency-key",
    "Access-Control-Allow-Methods": "GET, POST",
}
TICK_S = 0.05


def create_app(desk: Desk) -> Starlette:
    """Build the application over one desk."""
    reception = Reception(desk)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        courier = asyncio.create_task(_courier(desk))
        yield
        courier.cancel()

    paths = dict.fromkeys(operation.path for operation in OPERATIONS)
    routes = [
        Route(path, reception.endpoint(path), methods=["GET", "POST", "OPTIONS"]) for path in paths
    ]
    handlers: dict[Any, Any] = {404: _no_route, 405: _no_route, Exception: _broken}
    return Starlette(
        routes=[*routes, *controls.routes(desk), *visits.routes(desk)],
        exception_handlers=handlers,
        lifespan=lifespan,
    )


class Reception:
    """Reads HTTP requests, applies ordered faults, writes answers."""

    def __init__(self, desk: Desk) -> None:
        """Receive for `desk`."""
        self.desk = desk

    def endpoint(self, path: str) -> Callable[[HttpRequest], Awaitable[Response]]:
        """Return the handler of a path."""
        by_method = {op.method: op for op in OPERATIONS if op.path == path}

        async def handle(request: HttpRequest) -> Response:
            if request.method == "OPTIONS":
                return Response(headers=CORS)
            if request.method not in by_method:
                return await _no_route(request, None)
            return await self.receive(request, by_method[request.method])

        return handle

    async def receive(self, http: HttpRequest, operation: Operation) -> Response:
        """Take one call, with the fault that was ordered for it."""
        body = (await http.body()).decode("utf-8", "replace")
        raw = body if operation.method == "POST" else http.url.query
        id_ = http.path_params.get("id", "")
        request = Request(operation, http.url.path, id_, raw, http.headers)
        self.desk.catch_up()
        fault = faults.take(self.desk.store, operation=operation.name, method=operation.method)
        if fault is None:
            return _response(*self.desk.take(request))
        return await self._faulty(http, request, fault)

    async def _faulty(self, http: HttpRequest, request: Request, fault: faults.Fault) -> Response:
        if fault.kind == "429":
            error = {"message": "Too many requests.", "type": "invalid_request_error",
                     "code": "rate_limit"}  # fmt: skip
            return _response(Answer(429, {"error": error}), {})
        if fault.kind in faults.STORED:
            return self._stored(request, faults.STORED[fault.kind])
        if fault.kind == "slow":
            return _response(*await self._after(request, fault.seconds))
        if fault.kind in ("drop_after", "duplicate"):
            self.desk.take(request)
        if fault.kind in faults.PUT_OFF:
            self._put_off(request, fault)
        await http.scope["hang_up"]()
        return Response()

    def _stored(self, request: Request, status: int) -> Response:
        try:
            return _response(*self.desk.keep_error(request, status))
        except Problem as problem:
            return _response(Answer(problem.status, problem.body), {})

    def _put_off(self, request: Request, fault: faults.Fault) -> None:
        """Carry a request out later, also if the clock is only let run."""
        if fault.kind == "late":
            self.desk.busy.add(request.key or "")
        self.desk.put_off(request, fault.seconds)
        asyncio.get_running_loop().call_later(fault.seconds + TICK_S, self.desk.catch_up)

    async def _after(self, request: Request, seconds: float) -> tuple[Answer, dict[str, str]]:
        """Carry the request out later; its key is in use until then."""
        key = request.key or ""
        self.desk.busy.add(key)
        try:
            await asyncio.sleep(seconds)
            return self.desk.take(request, holds_key=True)
        finally:
            self.desk.busy.discard(key)


async def _courier(desk: Desk) -> None:
    """Deliver events until the server ends."""
    if desk.options.webhook_url is None:
        return
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        while True:
            desk.end_holds()
            await events.deliver_due(desk.store, desk.options, client)
            await asyncio.sleep(TICK_S)


def _response(answer: Answer, headers: dict[str, str]) -> Response:
    body = json.dumps(answer.body, indent=2)
    return Response(
        body, answer.status, media_type="application/json",
        headers={**headers, **CORS, "X-Standin": "not Stripe"},
    )  # fmt: skip


async def _broken(_request: HttpRequest, _error: Any) -> Response:
    error = {"message": "The stand-in failed; see its output.", "type": "api_error"}
    return JSONResponse({"error": error}, 500)


async def _no_route(request: HttpRequest, _error: Any) -> Response:
    message = f"Unrecognized request URL ({request.method}: {request.url.path})."
    error = {"message": message, "type": "invalid_request_error"}
    return JSONResponse({"error": error}, 404, headers={"X-Standin": "not Stripe"})
