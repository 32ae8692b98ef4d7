"""A refused form shown again on its own page, with what was typed into it.

With script, the box of a refusal is put into the page and nothing is lost. Without, the browser
has left the page: it is read again as the visitor sees it, gets the box, and its form what was
typed. Passwords and hidden fields stay as the page has them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from urllib.parse import urlsplit

from fastapi import Request
from starlette.types import Message

Sent = Mapping[str, Sequence[str]]
PLACE = '<div id="refusal" aria-live="assertive">'
_NEVER = ("hidden", "password", "file", "submit", "button")
_TICKED = ("checkbox", "radio")
_OF_THE_BODY = (b"content-type", b"content-length", b"content-encoding", b"transfer-encoding")


def page_before(request: Request) -> str | None:
    """Return the address here from which a form was sent, or None."""
    came = urlsplit(request.headers.get("referer", ""))
    if came.netloc != request.headers.get("host") or not came.path.startswith("/"):
        return None
    return f"{came.path}?{came.query}" if came.query else came.path


async def read(request: Request, address: str) -> str | None:
    """Return a page as this visitor sees it, or None where it does not answer with one."""
    path, _, query = address.partition("?")
    kept = ("type", "asgi", "http_version", "scheme", "client", "server", "root_path")
    scope = {name: request.scope[name] for name in kept if name in request.scope} | {
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [pair for pair in request.headers.raw if pair[0] not in _OF_THE_BODY],
        "state": {},
    }
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    await request.app(scope, receive, send)
    start, *rest = said
    if start["status"] != 200 or b"text/html" not in dict(start["headers"])[b"content-type"]:
        return None
    return b"".join(one.get("body", b"") for one in rest).decode()


def again(page: str, box: str, *, action: str, sent: Sent) -> str | None:
    """Return a page with the box of a refusal and a form filled in; None where it has neither.

    Args:
        page: the page on which the form is.
        box: the refusal, as HTML.
        action: the path that the form sends to; of several such, the one whose hidden fields agree.
        sent: what was typed, by the names of the fields.
    """
    seen = _Seen(action)
    seen.feed(page)
    if PLACE not in page or not seen.forms:
        return None
    best = max(seen.forms, key=lambda number: _agreeing(seen.forms[number], sent))
    filled = _Filled(best, sent)
    filled.feed(page)
    filled.close()
    return "".join(filled.parts).replace(PLACE, PLACE + box, 1)


def _agreeing(hidden: Mapping[str, str], sent: Sent) -> int:
    return sum(1 for name, value in hidden.items() if value in sent.get(name, ()))


class _Seen(HTMLParser):
    """Finds the forms that send to an address, by their number, with their hidden fields."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.forms: dict[int, dict[str, str]] = {}
        self._action, self._number, self._inside = action, -1, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._number += 1
            self._inside = given.get("action") == self._action
            if self._inside:
                self.forms[self._number] = {}
        elif tag == "input" and self._inside and given.get("type") == "hidden":
            self.forms[self._number][str(given.get("name"))] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


@dataclass(slots=True)
class _At:
    """Where the writer is: in the form, in which select, in a text whose content is replaced."""

    form: int = -1
    inside: bool = False
    select: str | None = None
    silent: bool = False
    taken: dict[str, int] = field(default_factory=dict)


class _Filled(HTMLParser):
    """Writes the page again, with one form filled in."""

    def __init__(self, number: int, sent: Sent) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self._number, self._sent, self._at = number, sent, _At()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "form":
            self._at.form += 1
            self._at.inside = self._at.form == self._number
        given = dict(attrs)
        fill = {"input": self._input, "select": self._select, "option": self._option}.get(tag)
        changed = fill(given) if fill is not None and self._at.inside else None
        self.parts.append(self.get_starttag_text() or "" if changed is None else changed)
        if tag == "textarea" and self._at.inside and given.get("name") in self._sent:
            self.parts.append(escape(self._sent[str(given["name"])][0]))
            self._at.silent = True

    def handle_endtag(self, tag: str) -> None:
        self._at.silent = False
        if tag == "form":
            self._at.inside = False
        elif tag == "select":
            self._at.select = None
        self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self._say(data)

    def handle_entityref(self, name: str) -> None:
        self._say(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._say(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self._say(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self._say(f"<!{decl}>")

    def _say(self, text: str) -> None:
        if not self._at.silent:
            self.parts.append(text)

    def _input(self, given: dict[str, str | None]) -> str | None:
        kind, name = given.get("type") or "text", str(given.get("name"))
        if kind in _NEVER:
            return None
        values = self._sent.get(name, ())
        if kind in _TICKED:
            ticked = (given.get("value") or "on") in values
            return _tag("input", _marked(given, "checked", on=ticked))
        if not values:
            return None
        turn = self._at.taken.get(name, 0)  # several fields of one name are filled in their order
        self._at.taken[name] = turn + 1
        return _tag("input", {**given, "value": values[min(turn, len(values) - 1)]})

    def _select(self, given: dict[str, str | None]) -> None:
        name = str(given.get("name"))
        self._at.select = name if name in self._sent else None

    def _option(self, given: dict[str, str | None]) -> str | None:
        if self._at.select is None:
            return None
        chosen = (given.get("value") or "") in self._sent[self._at.select]
        return _tag("option", _marked(given, "selected", on=chosen))


def _marked(given: dict[str, str | None], name: str, *, on: bool) -> dict[str, str | None]:
    """Return attributes with a mark like `checked`, or without it."""
    plain: dict[str, str | None] = {key: said for key, said in given.items() if key != name}
    return {**plain, name: None} if on else plain


def _tag(name: str, given: Mapping[str, str | None]) -> str:
    said = "".join(
        f" {key}" if value is None else f' {key}="{escape(value)}"' for key, value in given.items()
    )
    return f"<{name}{said}>"
