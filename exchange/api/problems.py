"""Problem documents (RFC 9457): one table from a refusal's kind to its status."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from contracts.refusal import InvalidContent, Kind, Malformed, Refusal, Unknown

STATUS = {
    Kind.MALFORMED: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.UNKNOWN: 404,
    Kind.CONFLICT: 409,
    Kind.GONE: 410,
    Kind.TOO_LARGE: 413,
    Kind.UNSUPPORTED: 415,
    Kind.INVALID: 422,
    Kind.LIMITED: 429,
    Kind.UNAVAILABLE: 503,
}
MEDIA_TYPE = "application/problem+json"


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
    headers = {"Retry-After": "1"} if refusal.kind is Kind.UNAVAILABLE else {}
    if refusal.kind is Kind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        document(refusal), STATUS[refusal.kind], headers=headers, media_type=MEDIA_TYPE
    )


def responses(*refusals: type[Refusal]) -> dict[int | str, dict[str, Any]]:
    """Describe the refusals of an operation for its OpenAPI document, one example per code."""
    by_status: dict[int | str, dict[str, Any]] = {}
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


def install(app: FastAPI) -> None:
    """Make every no of the application a problem document."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)  # noqa: S101 - registered for this type alone.
    return response(error)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type alone.
    errors = [
        {"field": ".".join(str(part) for part in item["loc"]), "rule": item["msg"]}
        for item in error.errors()
    ]
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return response(Malformed("The body is not well-formed JSON.", errors=errors))
    return response(InvalidContent("A field breaks its rule.", errors=errors))


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type alone.
    if error.status_code == 404:
        return response(Unknown("There is nothing at this address."))
    code = "method-not-allowed" if error.status_code == 405 else f"http-{error.status_code}"
    body = {
        "type": f"/problems/{code}",
        "title": str(error.detail),
        "status": error.status_code,
        "detail": str(error.detail),
        "code": code,
        "hint": "",
    }
    return JSONResponse(body, error.status_code, headers=error.headers, media_type=MEDIA_TYPE)
