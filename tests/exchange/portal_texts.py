"""Every text that the pages can show, as their sources say it."""

from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract_from_file

import exchange.app  # every refusal that a page can show is known once the application is imported
from contracts.refusal import Refusal
from exchange.portal import language, render

EXCHANGE = Path(exchange.app.__file__).parent
PACKAGES = ("contracts.", "exchange.", "listings.", "settlement.")
OPTIONS = {"extensions": "jinja2.ext.i18n", "silent": "false", "trim_blocks": "true"}


def texts_of_templates() -> set[str]:
    """Texts in {% trans %} and _()."""
    found: set[str] = set()
    for folder in render.TEMPLATES:
        for path in sorted(folder.glob("*.html")):
            messages = extract_from_file("jinja2.ext:babel_extract", path, options=OPTIONS)
            found |= _texts(message for _, message, _, _ in messages)
    return found


def texts_of_modules() -> set[str]:
    """Texts that Python marks for translation."""
    found: set[str] = set()
    for name in ("portal", "console"):
        for path in sorted((EXCHANGE / name).glob("*.py")):
            messages = extract_from_file("python", path, keywords={"mark": None})
            found |= _texts(message for _, message, _, _ in messages)
    return found


def keys_of_refusals() -> set[str]:
    """Under which keys the product's refusals are translated."""
    found: set[str] = set()
    for refusal in _subclasses(Refusal):
        if refusal.__module__.startswith(PACKAGES):
            found |= {f"{refusal.code}.title"} | (
                {f"{refusal.code}.hint"} if refusal.hint else set()
            )
    return found


def translated(path: Path) -> set[str]:
    """Texts or keys that a Chinese catalogue has, with something in them."""
    catalogue = language.read_catalogue(path)
    return _texts(message.id for message in catalogue if message.id and message.string)


def _texts(messages: Iterator[object]) -> set[str]:
    found: set[str] = set()
    for message in messages:
        parts = message if isinstance(message, (tuple, list)) else (message,)
        found |= {str(part) for part in parts if part}
    return found


def _subclasses(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)
