"""The demo's HTTP client: the public API, tried again when the server or its answer is lost.

Every request of the trade names what it creates, so repeating one is safe.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

import httpx

PATIENCE_S = 90.0  # long enough for a killed server and database to come back
REST_S = 0.2


class Refused(Exception):
    """The API said no: `code` and `problem` say what and why."""

    def __init__(self, problem: dict[str, Any]) -> None:
        """Keep the problem document."""
        super().__init__(
            f"{problem.get('code')}: {problem.get('detail')} {problem.get('hint', '')}"
        )
        self.problem = problem
        self.code = str(problem.get("code"))


class Api:
    """One caller's view of the API."""

    def __init__(self, base_url: str, *, key: str | None = None) -> None:
        """Open a client; `key` is an API key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.http = httpx.AsyncClient(
            base_url=base_url, headers=headers, timeout=30, trust_env=False
        )

    async def __aenter__(self) -> Self:
        """Enter with open connections."""
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.http.aclose()

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """Send a request until it is answered; return the JSON, raise `Refused` on a no."""
        answer = await self.send(method, path, **options)
        if answer.is_success:
            return answer.json() if answer.content else None
        raise Refused(_problem(answer))

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request until something other than "away" comes back."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_S
        while True:
            try:
                answer = await self.http.request(method, path, **options)
                if answer.status_code not in (502, 503):
                    return answer
            except httpx.TransportError:
                if loop.time() > until:
                    raise
            if loop.time() > until:
                raise TimeoutError(f"{method} {path}: no answer within {PATIENCE_S:.0f} s")
            await asyncio.sleep(REST_S)

    async def until(
        self, path: str, done: Callable[[Any], bool], *, patience_s: float = PATIENCE_S
    ) -> Any:
        """Ask again and again until the answer is as wanted; return it."""
        async for answer in self.watch(path, patience_s=patience_s):
            if done(answer):
                return answer
        raise TimeoutError(f"{path} did not come to what was awaited within {patience_s:.0f} s")

    async def watch(self, path: str, *, patience_s: float = PATIENCE_S) -> AsyncIterator[Any]:
        """Yield the answer again and again until the patience ends."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience_s
        while loop.time() < until:
            yield await self.call("GET", path)
            await asyncio.sleep(REST_S / 2)


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if isinstance(found, dict) and "code" in found:
        return found
    return {"code": f"http-{answer.status_code}", "detail": answer.text[:200]}
