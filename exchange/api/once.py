"""Doors that do what they are asked once, also when they are asked at once.

A POST takes the header `Idempotency-Key`. A PUT names what it makes by an id; of several at once
the others wait for the first, and find what it made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.refusal import Refusal
from exchange import idempotency
from exchange.api import problems
from exchange.api.bodies import Handler, JsonRoute
from exchange.api.deps import Now, Session, Signed
from exchange.idempotency import IdempotencyKeyReused
from exchange.tables import IdempotencyKey

REPLAYED = "Idempotent-Replayed"
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern="^[!-~]{1,255}$",
        description="Any new value, such as a UUID, for each new request. The same request with "
        f"the same key within 30 days gets the first answer, with `{REPLAYED}: true`, and is done "
        "once; a refusal keeps no key.",
    ),
]


@dataclass(frozen=True)
class _Taken:
    """A key that was taken for the request at hand, in its transaction."""

    session: AsyncSession
    person_id: UUID
    key: str


class _Answered(Exception):
    """The request was answered before."""

    def __init__(self, known: IdempotencyKey) -> None:
        super().__init__(known.key)
        self.known = known


async def take_key(
    request: Request, session: Session, caller: Signed, now: Now, key: Key = None
) -> None:
    """Take the key that a request came with, or find what was answered.

    Raises:
        IdempotencyKeyReused: it was sent with another request.
    """
    if key is None:
        return
    sha256 = canonical.sha256_hex(
        canonical.dumps(
            {
                "method": request.method,
                "path": request.url.path,
                "query": request.url.query,
                "body": canonical.sha256_hex(await request.body()),
            }
        )
    )
    known = await idempotency.take(
        session, person_id=caller.person_id, key=key, request_sha256=sha256, now=now
    )
    if known is not None:
        raise _Answered(known)
    request.state.taken = _Taken(session, caller.person_id, key)


async def wait_turn(request: Request, session: Session, _: Signed) -> None:
    """Wait for a transaction that is making the same thing.

    The primary key keeps it from being made twice; the lock only lets the second request look when
    there is something to be found.
    """
    turn = text("SELECT pg_advisory_xact_lock(hashtextextended(:path, 0))")
    # Hashed, because a path that is none may hold what PostgreSQL takes for no text (NUL).
    named = canonical.sha256_hex(request.url.path.encode(errors="surrogatepass"))
    await session.execute(turn, {"path": named})


class OnceRoute(JsonRoute):
    """A route whose POSTs take an idempotency key; the answer is kept before the commit."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Take the key before anything else of the operation, and name what it is refused with."""
        methods = options.get("methods") or ()
        takes = "POST" in methods
        first = [take_key] if takes else [wait_turn] if "PUT" in methods else []
        options["dependencies"] = [*(options.get("dependencies") or ()), *map(Depends, first)]
        super().__init__(path, endpoint, **options)
        if takes:
            refused = problems.responses(IdempotencyKeyReused)
            self.responses = problems.joined(self.responses, refused)

    def get_route_handler(self) -> Handler:
        """Wrap the operation: its transaction is still open when it returns."""
        handle = super().get_route_handler()

        async def answer_once(request: Request) -> Response:
            try:
                response = await handle(request)
            except _Answered as answered:
                return _again(answered.known)
            except Refusal as refusal:
                if refusal.keeps:
                    await _let_go(request)
                raise
            await _keep(request, response)
            return response

        return answer_once


def _again(known: IdempotencyKey) -> Response:
    assert known.status is not None and known.answer is not None  # noqa: S101 - kept with its effect.
    headers = {REPLAYED: "true"}
    if known.content_type is not None:
        headers["Content-Type"] = known.content_type
    return Response(known.answer, known.status, headers)


async def _keep(request: Request, response: Response) -> None:
    taken: _Taken | None = getattr(request.state, "taken", None)
    if taken is not None:
        await idempotency.keep_answer(
            taken.session,
            person_id=taken.person_id,
            key=taken.key,
            status=response.status_code,
            content_type=response.headers.get("Content-Type"),
            answer=bytes(response.body),
        )


async def _let_go(request: Request) -> None:
    taken: _Taken | None = getattr(request.state, "taken", None)
    if taken is not None:
        await idempotency.let_go(taken.session, person_id=taken.person_id, key=taken.key)
