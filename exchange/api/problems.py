"""Problem documents (RFC 9457): one table from a refusal's kind to its status."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from contracts.refusal import InvalidContent, Kind, Malformed, NotAllowed, Refusal, Unknown
from exchange.identity.rules import CsrfToken, ScopeMissing, SignInNeeded

# What an operation for those who are signed in may be refused with.
SIGNED = (SignInNeeded, CsrfToken, ScopeMissing, NotAllowed, InvalidContent)
STATUS = {
    Kind.MALFORMED: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.UNKNOWN: 404,
    Kind.CONFLICT: 409,
    Kind.GONE: 410,
    Kind.PRECONDITION: 412,
    Kind.TOO_LARGE: 413,
    Kind.UNSUPPORTED: 415,
    Kind.OUTSIDE: 416,
    Kind.INVALID: 422,
    Kind.LIMITED: 429,
    Kind.UNAVAILABLE: 503,
}
MEDIA_TYPE = "application/problem+json"
# What the framework says itself, by status: code and hint.
SAID_BY_FRAMEWORK = {405: ("method-not-allowed", "Use a method that the header Allow names.")}
Responses = dict[int | str, dict[str, Any]]  # by status, as OpenAPI describes them
MOST_ERRORS, LONGEST_FIELD = 20, 100  # a body with a million wrong fields gets a short answer


class RefusedOnTheWay(HTTPException):
    """A refusal from below the framework, which lets only exceptions of its own through."""

    def __init__(self, refusal: Refusal) -> None:
        """Carry the refusal to the handler."""
        super().__init__(STATUS[refusal.kind])
        self.refusal = refusal


class Problem(BaseModel):
    """A refusal as the wire carries it; further members hold the reasons as data."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str = ""


def document(refusal: Refusal) -> dict[str, Any]:
    """Return the problem document of a refusal."""
    title = (type(refusal).__doc__ or refusal.code).strip().splitlines()[0]
    return {
        **refusal.data,
        "type": f"/problems/{refusal.code}",
        "title": title,
        "status": STATUS[refusal.kind],
        "detail": refusal.detail,
        "code": refusal.code,
        "hint": refusal.hint,
    }


def response(refusal: Refusal) -> JSONResponse:
    """Return the answer that carries a refusal."""
    headers = {}
    if refusal.kind in (Kind.UNAVAILABLE, Kind.LIMITED):
        headers["Retry-After"] = str(refusal.data.get("retry_after_s", 1))
    if refusal.kind is Kind.OUTSIDE:
        headers["Content-Range"] = f"bytes */{refusal.data['bytes']}"
    if refusal.kind is Kind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        document(refusal), STATUS[refusal.kind], headers=headers, media_type=MEDIA_TYPE
    )


def responses(*refusals: type[Refusal]) -> Responses:
    """Describe the refusals of an operation for its OpenAPI document, one example per code."""
    by_status: Responses = {}
    for refusal in refusals:
        status = STATUS[refusal.kind]
        title = (refusal.__doc__ or refusal.code).strip().splitlines()[0]
        entry = by_status.setdefault(
            status,
            {
                "description": "",
                "content": {
                    MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
                },
            },
        )
        entry["description"] = "; ".join(filter(None, [entry["description"], f"`{refusal.code}`"]))
        entry["content"][MEDIA_TYPE]["examples"][refusal.code] = {
            "summary": title,
            "value": {
                "type": f"/problems/{refusal.code}",
                "title": title,
                "status": status,
                "detail": title,
                "code": refusal.code,
                "hint": refusal.hint,
            },
        }
    return by_status


def signed(*refusals: type[Refusal]) -> Responses:
    """Describe the refusals of an operation for those who are signed in: `SIGNED`, and its own."""
    return responses(*SIGNED, *refusals)


def joined(some: Responses, more: Responses) -> Responses:
    """Return what two descriptions say together; `some` keeps what both describe."""
    both = {**more, **some}
    for status in some.keys() & more.keys():
        content = some[status]["content"][MEDIA_TYPE]
        examples = {**more[status]["content"][MEDIA_TYPE]["examples"], **content["examples"]}
        both[status] = {
            "description": "; ".join(f"`{code}`" for code in examples),
            "content": {MEDIA_TYPE: {**content, "examples": examples}},
        }
    return both


def install(app: FastAPI) -> None:
    """Make every no of the application a problem document, and a bug's answer too."""
    app.exception_handler(Refusal)(_refused)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(Exception)(_bug)


async def _refused(_request: Request, error: Refusal) -> JSONResponse:
    return response(error)


async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
    found = error.errors()
    errors = [_error(item) for item in found[:MOST_ERRORS]]
    if any(item["type"] == "json_invalid" for item in found):
        return response(Malformed("The body is not well-formed JSON.", errors=errors))
    return response(InvalidContent("A field breaks its rule.", errors=errors))


def _error(item: dict[str, Any]) -> dict[str, str]:
    field = ".".join(str(part) for part in item["loc"])
    told = item["ctx"]["error"] if item["type"] == "json_invalid" else item["msg"]
    return {"field": field[:LONGEST_FIELD], "rule": str(told)}


async def _http(_request: Request, error: HTTPException) -> JSONResponse:
    if isinstance(error, RefusedOnTheWay):
        return response(error.refusal)
    if error.status_code == 404:
        return response(Unknown("There is nothing at this address."))
    if error.status_code == 400:
        return response(Malformed("The content cannot be read."))
    code, hint = SAID_BY_FRAMEWORK.get(error.status_code, (f"http-{error.status_code}", ""))
    return _answer(error.status_code, code, hint, str(error.detail), error.headers)


async def _bug(_request: Request, _error: Exception) -> JSONResponse:
    """Say nothing of what went wrong; it is raised again behind this answer, and logged."""
    return bug()


def bug() -> JSONResponse:
    """Return the answer to a fault of ours."""
    hint = "Send it again with the same id; when it stays, tell the exchange when it happened."
    return _answer(500, "internal-error", hint, "Something went wrong on our side.")


def _answer(
    status: int, code: str, hint: str, said: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    body = {
        "type": f"/problems/{code}",
        "title": said,
        "status": status,
        "detail": said,
        "code": code,
        "hint": hint,
    }
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)
