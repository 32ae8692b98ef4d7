"""Holds every request that leaves through the `stripe` package against the package's own types.

A test that means to send something wrong says so with `meant_to_be_wrong`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from unittest import mock

from stripe._api_requestor import _APIRequestor

from tests.settlement import stripe_params

_WRONG: ContextVar[bool] = ContextVar("meant_to_be_wrong", default=False)
seen: dict[str, int] = {}


@contextmanager
def meant_to_be_wrong() -> Iterator[None]:
    """Let requests pass that do not fit; the other side is expected to refuse them."""
    before = _WRONG.set(True)
    try:
        yield
    finally:
        _WRONG.reset(before)


@contextmanager
def watching() -> Iterator[None]:
    """Check every asynchronous request; count them by operation."""
    real = _APIRequestor.request_async

    async def checked(
        self: Any,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        *more: Any,
        **by: Any,
    ) -> Any:
        if not _WRONG.get():
            stripe_params.check_request(method, url, params)
            name = stripe_params.operation(method, url)
            seen[name] = seen.get(name, 0) + 1
        return await real(self, method, url, params, *more, **by)

    with mock.patch.object(_APIRequestor, "request_async", checked):
        yield
