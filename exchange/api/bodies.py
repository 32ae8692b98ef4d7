"""What a request's content may be: bounded in length and time, and JSON without two meanings.

Source: RFC 8259 §4 and RFC 7493 §2.3 (names within an object are unique), RFC 8259 §6 (no NaN).
"""

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.refusal import InvalidContent, Kind, Refusal
from exchange.api import problems

MOST_BYTES = 1024**2  # the largest sensible body, a listing with every right, is below 512 KiB
ARRIVES_WITHIN_S = 30.0  # 1 MiB at 35 kB/s; slower than that is no client of ours
# They read their own content, with bounds of their own: parts of files, files, signed events.
APART = ("/v1/uploads", "/v1/stripe/", "/v1/avails/imports/", "/v1/bank/statements")
APART_PARTS = re.compile(
    "/v1/works/[^/]+/documents/[^/]+/content|/v1/listings/[^/]+/matches"
    "|/v1/deals/[^/]+/deliveries/[^/]+/complaints"
)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class BodyTooLarge(Refusal):
    """The content is longer than any that this API reads."""

    kind, code = Kind.TOO_LARGE, "body-too-large"
    hint = "Send at most `most_bytes`; files go to /v1/uploads in parts."


class BodyTooSlow(Refusal):
    """The content did not arrive whole in time."""

    kind, code = Kind.MALFORMED, "body-too-slow"
    hint = "Send the request again with the same id over a better connection."


async def read_file(
    request: Request, *, most_bytes: int, within_s: float, too_long: Refusal
) -> bytes:
    """Read a file that a request sends as it is, bounded in length and time.

    Raises:
        Refusal: `too_long`, once it is longer than `most_bytes`.
        BodyTooSlow: it did not arrive within `within_s`.
    """
    held = bytearray()
    try:
        async with asyncio.timeout(within_s):
            async for piece in request.stream():
                held += piece
                if len(held) > most_bytes:
                    raise too_long
    except TimeoutError as late:
        raise BodyTooSlow("The file did not arrive in time.", within_s=within_s) from late
    return bytes(held)


class BodyBounds:
    """Middleware: refuse content of the API that is too long, or too long in coming."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer at once what is announced too long; count and time the rest."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith("/v1/") or _apart(path):
            await self._app(scope, receive, send)
        elif _announced(scope) > MOST_BYTES:
            refusal = BodyTooLarge("The content is too long.", most_bytes=MOST_BYTES)
            await problems.response(refusal)(scope, receive, send)
        else:
            await self._app(scope, _Bounded(receive), send)


@dataclass
class _Bounded:
    """A request's content on its way in."""

    receive: Receive
    read: int = 0
    whole: bool = False
    until: float = field(default_factory=lambda: _loop_time() + ARRIVES_WITHIN_S)

    async def __call__(self) -> Message:
        if self.whole:  # what comes now is the end of the connection, however late
            return await self.receive()
        try:
            async with asyncio.timeout_at(self.until):
                message = await self.receive()
        except TimeoutError as late:
            slow = BodyTooSlow("The content did not arrive in time.", within_s=ARRIVES_WITHIN_S)
            raise problems.RefusedOnTheWay(slow) from late
        self.read += len(message.get("body", b""))
        self.whole = not message.get("more_body", False)
        if self.read > MOST_BYTES:
            refusal = BodyTooLarge("The content is too long.", most_bytes=MOST_BYTES)
            raise problems.RefusedOnTheWay(refusal)
        return message


class JsonRoute(APIRoute):
    """A route whose JSON has one meaning: a name twice in an object, or NaN, is malformed."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Name the refusals of bodies with those of the operation."""
        super().__init__(path, endpoint, **options)
        if self.body_field is not None:
            self.responses = problems.joined(
                self.responses, problems.responses(BodyTooLarge, BodyTooSlow)
            )

    def get_route_handler(self) -> Handler:
        """Wrap the operation."""
        handle = super().get_route_handler()

        async def read_strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return read_strictly


class _Fraction(float):
    """A number that is written with a fraction or an exponent."""


class _StrictRequest(Request):
    async def json(self) -> Any:
        """Return the content; FastAPI answers the errors of this reading with `malformed`.

        Refused by the name of its field is a text with NUL, which PostgreSQL holds nowhere, and a
        number with a fraction or an exponent: all of this API are whole, and 9007199254740993.0
        would be read as another amount.
        """
        raw = await self.body()
        fractions: list[_Fraction] = []

        def fraction(written: str) -> _Fraction:
            fractions.append(_Fraction(written))
            return fractions[-1]

        found = json.loads(
            raw, object_pairs_hook=_unique, parse_constant=_not_a_number, parse_float=fraction
        )
        # Walked only if there may be something to find; UTF-16 has zeros between the letters.
        if fractions or b"u0000" in raw.replace(b"\0", b""):
            _check(found)
        return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise json.JSONDecodeError("a name stands twice in an object", "", 0)
    return found


def _not_a_number(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is no JSON", "", 0)


def _check(content: Any) -> None:
    """Refuse the first NUL or fraction, by the name of its field."""
    left: list[tuple[str, Any]] = [("body", content)]
    while left:
        where, value = left.pop()
        if isinstance(value, dict):
            left += [(f"{where}.{name}", part) for name, part in value.items()]
            left += [(where, name) for name in value]
        elif isinstance(value, list):
            left += [(f"{where}.{number}", part) for number, part in enumerate(value)]
        elif isinstance(value, str) and "\0" in value:
            raise _broken(where, "must not hold the character NUL")
        elif isinstance(value, _Fraction):
            raise _broken(where, "must be a whole number, without a fraction or an exponent")


def _broken(where: str, rule: str) -> problems.RefusedOnTheWay:
    field = where[: problems.LONGEST_FIELD].replace("\0", "")
    errors = [{"field": field, "rule": rule}]
    return problems.RefusedOnTheWay(InvalidContent("A field breaks its rule.", errors=errors))


def _apart(path: str) -> bool:
    return path.startswith(APART) or APART_PARTS.fullmatch(path) is not None


def _announced(scope: Scope) -> int:
    """Return the length that the client announced; 0 when it announced none."""
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(length) if length.isdigit() and len(length) < 20 else 0


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
