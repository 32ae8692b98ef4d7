"""Errors in Stripe's shape: an HTTP status and `{"error": {…}}`."""

from typing import Any


class Problem(Exception):
    """A call that is answered with an error."""

    def __init__(self, status: int, **error: Any) -> None:
        """Keep the status and the members of `error`; members that are None are left out."""
        super().__init__(error.get("message"))
        self.status = status
        self.body = {"error": {name: value for name, value in error.items() if value is not None}}


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> Problem:
    """Return the 400 of a request that cannot be carried out."""
    return Problem(400, message=message, param=param, code=code, type="invalid_request_error")


def missing(kind: str, id_: str, *, param: str = "id", status: int = 404) -> Problem:
    """Return the error of an id that names nothing; 400 when it was a parameter of the body."""
    return Problem(
        status,
        message=f"No such {kind}: '{id_}'",
        param=param,
        code="resource_missing",
        type="invalid_request_error",
    )


def unauthenticated(message: str) -> Problem:
    """Return the 401 of a missing or unfit key."""
    return Problem(401, message=message, type="invalid_request_error")


def unsupported(param: str) -> Problem:
    """Return the error of a parameter that Stripe has and this stand-in does not act upon."""
    return invalid(
        f"The stand-in does not act upon '{param}', and does not pretend to.",
        param=param,
        code="standin_unsupported",
    )
