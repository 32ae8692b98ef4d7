"""Which texts a contract can print: asked when a name or title comes in, not when it is signed.

The press sets contracts in a child process, since they are long and take a second. Names and titles
are bounded by their own rules and are set here within the process, by a typesetter that has its
fonts open already: milliseconds, off the event loop.
"""

import functools
import json
import re
import threading
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import anyio.to_thread
import typst

from contracts.deals import library
from contracts.deals.gateway import CONTRACT_STANDARD
from contracts.deals.terms import UNPRINTABLE, TextCannotBePrinted

_PAGE = Path(__file__).with_name("glyphs.typ").read_bytes()
_NAMED = re.compile(r'the text `"(.+)"` could not be displayed')
_ESCAPE = re.compile(r"\\u\{([0-9a-f]+)\}")
# Each round sets the page once more without what was found; a text of emoji alone is told by these.
MOST_ROUNDS = 8
_one_at_a_time = threading.Lock()  # a compiler keeps the inputs of one page


async def need_printable(**texts: str) -> None:
    """Let only texts pass that a contract prints as they are; each under the name of its field.

    Raises:
        TextCannotBePrinted: a character has no glyph in the contract's fonts, or has no form.
    """
    for field, found in (await anyio.to_thread.run_sync(_unprintable, texts)).items():
        raise TextCannotBePrinted(
            f"{field} holds characters that no contract can print.", field=field, characters=found
        )


def _unprintable(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the characters that cannot be printed, as U+XXXX, by field; fine fields are absent."""
    formless = {field: {c for c in text if _is_formless(c)} for field, text in texts.items()}
    drawn = {field: _without(text, formless[field]) for field, text in texts.items()}
    if _set(list(drawn.values())) is not None:
        for field, text in drawn.items():
            formless[field] |= _without_glyph(text)
    return {
        field: [f"U+{ord(c):04X}" for c in sorted(found)]
        for field, found in formless.items()
        if found
    }


def _without_glyph(text: str) -> set[str]:
    found: set[str] = set()
    for _ in range(MOST_ROUNDS):
        named = _set([_without(text, found)])
        if not named:
            break
        found |= named
    return found


def _is_formless(sign: str) -> bool:
    return unicodedata.category(sign) in UNPRINTABLE


def _without(text: str, signs: set[str]) -> str:
    return "".join(sign for sign in text if sign not in signs)


def _set(texts: list[str]) -> set[str] | None:
    """Set the texts; return None when they print, else characters that do not.

    Raises:
        TypstError: the page failed for another reason (a bug, not a refusal).
    """
    try:
        with _one_at_a_time:
            _compiler().compile(
                input=_PAGE,
                format="pdf",
                pdf_standards=CONTRACT_STANDARD,
                timestamp=0,
                sys_inputs={"texts": json.dumps(texts)},
            )
    except typst.TypstError as error:
        named = _NAMED.search(str(error))
        if named is None:
            raise
        plain = _ESCAPE.sub(lambda code: chr(int(code[1], 16)), named[1])
        return {sign for text in texts for sign in text if sign in plain}
    return None


@functools.cache
def _compiler() -> typst.Compiler:
    return typst.Compiler(font_paths=[str(library.font_folder())], ignore_system_fonts=True)
