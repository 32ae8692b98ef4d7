"""What people see when the answer is no: a page, or a box inside the page they are on."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from contracts.refusal import InvalidContent, Kind, Malformed, Refusal, Unknown
from exchange.api import problems
from exchange.portal import faults, kept, render
from exchange.portal.visitors import SignInFirst

Handler = Any  # starlette types its handlers too loosely to name them here.
# The page before is not what these are about: it is gone, another's, or the door is closed.
_ELSEWHERE = (Kind.UNAUTHENTICATED, Kind.UNKNOWN, Kind.UNAVAILABLE)
MACHINE = ("/v1/", "/v1", "/static/", "/openapi.json")


def install(app: FastAPI) -> None:
    """Answer people in HTML and leave programs the problem documents installed before."""
    for kind in (Refusal, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _for_people_or(app.exception_handlers[kind]))
    app.add_exception_handler(Exception, _for_people_or(app.exception_handlers[Exception]))
    app.exception_handler(SignInFirst)(_sign_in)


async def _sign_in(request: Request, error: SignInFirst) -> Response:
    return render.see(request, error.address)


def _for_people_or(for_programs: Handler) -> Handler:
    async def answer(request: Request, error: Exception) -> Response:
        if not _wants_html(request):
            given: Response = await for_programs(request, error)
            return given
        return await _in_place(request, _as_refusal(error))

    return answer


def refused(request: Request, refusal: Refusal) -> Response:
    """Answer with a box for the page that asked, or with a page of its own."""
    status = _STATUS.get(type(refusal), problems.STATUS[refusal.kind])
    if request.headers.get("HX-Request"):
        box = render.page(request, "refusal.html", status=status, refusal=refusal)
        box.headers["HX-Retarget"] = "#refusal"
        box.headers["HX-Reselect"] = ".note"  # the form may select a part of the page it expects
        box.headers["HX-Reswap"] = "innerHTML show:top"
        return box
    back = kept.page_before(request) if request.method == "POST" else None
    return render.page(
        request, "error.html", status=status, refusal=refusal, status_code=status, back=back
    )


async def _in_place(request: Request, refusal: Refusal) -> Response:
    """Answer a form with its own page, filled in again; with a page of its own where it cannot."""
    sent, back = getattr(request.state, "sent", None), kept.page_before(request)
    scripted = request.headers.get("HX-Request")
    if sent is None or back is None or scripted or refusal.kind in _ELSEWHERE:
        return refused(request, refusal)
    before = await kept.read(request, back)
    box = bytes(render.page(request, "refusal.html", refusal=refusal).body).decode()
    page = before and kept.again(before, box, action=request.url.path, sent=sent)
    if not page:
        return refused(request, refusal)
    status = _STATUS.get(type(refusal), problems.STATUS[refusal.kind])
    return HTMLResponse(page, status, headers=render.HEADERS)


def _wants_html(request: Request) -> bool:
    if request.url.path.startswith(MACHINE):
        return False
    return "text/html" in request.headers.get("accept", "") or "HX-Request" in request.headers


def _as_refusal(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, RequestValidationError):
        errors = faults.errors(error.errors())
        if all(item["loc"][0] == "path" for item in error.errors()):
            return Unknown("There is nothing at this address.")
        return InvalidContent("A field breaks its rule.", errors=errors)
    if not isinstance(error, HTTPException):
        return _Broken("Something went wrong on our side.")
    if error.status_code == 404:
        return Unknown("There is nothing at this address.")
    return (_OtherMethod if error.status_code == 405 else Malformed)(str(error.detail))


class _OtherMethod(Refusal):
    """The request does not fit this address."""

    kind, code = Kind.MALFORMED, "method-not-fitting"
    hint = "Go back and try again from the page."


class _Broken(Refusal):
    """Something went wrong on our side; nothing was changed."""

    kind, code = Kind.UNAVAILABLE, "internal-error"
    hint = "Try once more; when it stays, tell the exchange when it happened."


_STATUS = {_OtherMethod: 405, _Broken: 500}
