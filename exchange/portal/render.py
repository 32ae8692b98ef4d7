"""Pages: templates to answers, with the headers that keep a page to itself."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from exchange.portal import language, refusals, said, tables, wording
from exchange.portal.language import Language
from settlement.ledger import names as accounts

HERE = Path(__file__).parent
STATIC = HERE / "static"
TEMPLATES = (HERE / "templates", HERE.parent / "console" / "templates")
LANGUAGE_COOKIE = "exchange_lang"
A_YEAR_S = 365 * 24 * 3600
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; object-src 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


def speaks(request: Request) -> Language:
    """Return the language to answer in."""
    return language.choose(
        request.query_params.get("lang"),
        request.cookies.get(LANGUAGE_COOKIE),
        request.headers.get("accept-language", ""),
    )


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Answer with a template; a choice of language in the address is kept for a year."""
    spoken = speaks(request)
    answer = HTMLResponse(_text(request, template, spoken, values), status, headers=HEADERS)
    if request.query_params.get("lang") == spoken.code:
        answer.set_cookie(LANGUAGE_COOKIE, spoken.code, max_age=A_YEAR_S, samesite="lax")
    return answer


def see(request: Request, address: str) -> Response:
    """Send the browser on after something was done (POST, redirect, GET)."""
    if request.headers.get("HX-Request"):
        return Response(status_code=200, headers={**HEADERS, "HX-Redirect": address})
    return RedirectResponse(address, 303, headers=HEADERS)


def _text(request: Request, template: str, spoken: Language, values: dict[str, Any]) -> str:
    visitor = getattr(request.state, "visitor", None)
    context = request.app.state.context
    known = {
        "visitor": visitor,
        "path": request.url.path,
        "here": _address_in(request),
        "standin": context.settings.stripe_is_standin,
    }
    page = _environment(spoken).get_template(template).render({**known, **values})
    return tables.with_labels(page)


def _address_in(request: Request) -> dict[str, str]:
    """Return this address once per language, for the language switch."""
    others = [(key, value) for key, value in request.query_params.multi_items() if key != "lang"]
    return {
        code: f"{request.url.path}?{urlencode([*others, ('lang', code)])}"
        for code in language.CODES
    }


@cache
def _environment(spoken: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # the extension brings it
        spoken.say, spoken.say_count, newstyle=True
    )
    environment.globals.update(asset=asset, speaks=spoken, languages=language.CODES)
    environment.filters.update(
        moment=spoken.moment,
        size=spoken.size,
        number=spoken.number,
        word=lambda code: spoken.say(word(str(code))),
        rights=lambda wire: said.rights(wire, spoken),
        payment=lambda wire: said.payment(wire, spoken),
        technical=lambda probe: said.technical(probe, spoken),
        finding=lambda code: spoken.say(said.FINDINGS.get(code, code)),
        fingerprint=said.fingerprint,
        bank_account=said.bank_account,
        account=lambda code: spoken.pick(*accounts.name(code)),
        journal=lambda kind: spoken.pick(*accounts.journal(kind)),
        territory=lambda code: said.territory(code, spoken),
        say=spoken.say,
        title=lambda refusal: refusals.title(refusal, spoken),
        detail=lambda refusal: refusals.detail(refusal, spoken),
        hint=lambda refusal: refusals.hint_of(refusal, spoken),
        said_code=spoken.say_code,
        reasons=lambda refusal: refusals.reasons(refusal, spoken),
    )
    return environment


def word(code: str) -> str:
    """Return the English word for a code of the API; the code itself when there is none."""
    return wording.WORDS.get(code, code)


@cache
def asset(name: str) -> str:
    """Return the address of a static file, with a mark of its content so that it can be kept."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"
