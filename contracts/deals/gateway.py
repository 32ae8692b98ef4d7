"""The press: typesets a contract from its terms, in a child process with limits.

Source: ISO 19005-3 (PDF/A-3b); the same terms, form and font give the same bytes on any machine.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import anyio.to_thread
from anyio import CapacityLimiter
from anyio.lowlevel import RunVar

from contracts import canonical
from contracts.deals import library, templates
from contracts.deals.terms import TextCannotBePrinted, view
from contracts.refusal import Kind, Refusal

CONTRACT_STANDARD: Final = "a-3b"
TIME_LIMIT_S = 60  # a contract takes about one second; a shared machine may need more
CPU_LIMIT_S = 60
MEMORY_BYTES = 2 * 1024**3  # of addresses; a contract takes some 200 MB, a runaway page ends here
# Threads reserve addresses that they do not use; a page needs few, on machines of many cores too.
FEW = {"MALLOC_ARENA_MAX": "2", "RAYON_NUM_THREADS": "2"}
MOST_AT_ONCE = 2  # children; whoever comes when as many are at work waits
CHILD = Path(__file__).with_name("typeset.py")
STAMP = Path(__file__).with_name("stamp.typ")
_limiter: RunVar[CapacityLimiter] = RunVar("children of the press")


class PressFailed(Refusal):
    """The typesetter did not finish."""

    kind, code = Kind.UNAVAILABLE, "press-failed"
    hint = "Try again; if it stays so, the operator looks at the contract's terms."


class FontDiffers(Refusal):
    """The font here is not the one that the terms name."""

    kind, code = Kind.UNAVAILABLE, "font-differs"
    hint = "Install the font whose SHA-256 is `wants`; then the contract prints to the byte."


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a signature shows in its field."""

    title_zh: str
    title_en: str
    name_zh: str
    name_en: str
    time: str
    key: str


class Press(Protocol):
    """Prints contracts and the stamps of signatures."""

    async def contract(self, terms: bytes, *, frozen_at: datetime) -> bytes:
        """Return the PDF/A-3b of the terms, which are attached to it as `terms.json`."""

    async def stamp(self, stamp: Stamp, *, at: datetime) -> bytes:
        """Return a one-page PDF that shows a signature."""


class TypstPress:
    """The press that sets with Typst; data reaches it as JSON only, never as source."""

    async def contract(self, terms: bytes, *, frozen_at: datetime) -> bytes:
        """Set the contract.

        Raises:
            TextCannotBePrinted: a character has no glyph in the contract's fonts.
            PressFailed: the typesetter failed or took too long.
            FontDiffers, TemplateUnknown: what the terms name is not here, so no byte would agree.
        """
        content = canonical.loads(terms)
        named = content["template"]
        if named["font_sha256"] != templates.font_sha256():
            raise FontDiffers(
                "The font is not the one of this contract.", wants=named["font_sha256"]
            )
        shown = view(content)
        files = {
            "main.typ": templates.of(named).form_bytes(),
            "terms.json": terms,
            "view.json": json.dumps(shown, ensure_ascii=False).encode(),
        }
        inputs = {"terms_sha256": canonical.sha256_hex(terms)}
        return await set_pages(files, inputs=inputs, standard=CONTRACT_STANDARD, at=frozen_at)

    async def stamp(self, stamp: Stamp, *, at: datetime) -> bytes:
        """Set a stamp.

        Raises:
            TextCannotBePrinted: a character has no glyph in the contract's fonts.
            PressFailed: the typesetter failed or took too long.
        """
        shown = {
            "title": {"zh": stamp.title_zh, "en": stamp.title_en},
            "name": {"zh": _short(stamp.name_zh, 30), "en": _short(stamp.name_en, 50)},
            "time": stamp.time,
            "key": stamp.key,
        }
        files = {
            "main.typ": STAMP.read_bytes(),
            "stamp.json": json.dumps(shown, ensure_ascii=False).encode(),
        }
        return await set_pages(files, inputs={}, standard=CONTRACT_STANDARD, at=at)


@dataclass(frozen=True, slots=True)
class Form:
    """A form of other papers, and the name under which what a page says is attached to it."""

    source: Path
    attached: str

    async def print(self, page: Mapping[str, Any], *, at: datetime) -> bytes:
        """Return the PDF/A-3b of a page; its data reach the form as JSON only, never as source.

        Raises:
            TextCannotBePrinted: a character has no glyph in the fonts.
            PressFailed: the typesetter failed or took too long.
        """
        raw = canonical.dumps(page)
        files = {"main.typ": self.source.read_bytes(), self.attached: raw}
        inputs = {"sha256": canonical.sha256_hex(raw)}
        return await set_pages(files, inputs=inputs, standard=CONTRACT_STANDARD, at=at)


async def set_pages(
    files: Mapping[str, bytes], *, inputs: Mapping[str, str], standard: str, at: datetime
) -> bytes:
    """Set the pages of `main.typ`; data reaches it as files beside it, never as source.

    Args:
        files: every file of the job by name.
        inputs: texts that the form knows as `sys.inputs`.
        standard: the PDF standard, e.g. `a-3b`.
        at: the instant that the PDF carries.

    Raises:
        TextCannotBePrinted: a character has no glyph in the fonts.
        PressFailed: the typesetter failed or took too long.
    """
    job: dict[str, Any] = {
        "main": "main.typ",
        "inputs": dict(inputs),
        "standard": standard,
        "timestamp": int(at.timestamp()),
        "fonts": str(library.font_folder()),
        "memory_bytes": MEMORY_BYTES,
        "cpu_s": CPU_LIMIT_S,
    }
    everything = {**files, "job.json": json.dumps(job).encode()}
    return await anyio.to_thread.run_sync(_run, everything, limiter=_at_once())


def _at_once() -> CapacityLimiter:
    """Return what bounds the children at work; one for each event loop."""
    try:
        return _limiter.get()
    except LookupError:
        made = CapacityLimiter(MOST_AT_ONCE)
        _limiter.set(made)
        return made


def _short(name: str, most: int) -> str:
    """Cut a name for a stamp; the page prints it whole beside the stamp."""
    return name if len(name) <= most else name[: most - 1] + "…"


def _run(files: Mapping[str, bytes]) -> bytes:
    folder = Path(tempfile.mkdtemp(prefix="uhdx-press-"))
    try:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        command = [sys.executable, "-I", str(CHILD), str(folder)]
        done = subprocess.run(  # noqa: S603 - our own script, with our own folder as argument.
            command, capture_output=True, timeout=TIME_LIMIT_S, check=False, cwd=folder, env=FEW
        )
        if done.returncode == 0:
            return (folder / "out.pdf").read_bytes()
        raise _refusal(folder / "error.json", done.returncode)
    except subprocess.TimeoutExpired as late:
        raise PressFailed("The typesetter took too long.") from late
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _refusal(report: Path, status: int) -> Refusal:
    message = json.loads(report.read_text("utf-8"))["message"] if report.exists() else ""
    if "could not be displayed" in message:
        return TextCannotBePrinted(message.splitlines()[0])
    return PressFailed("The typesetter failed.", status=status, message=message[:500])
