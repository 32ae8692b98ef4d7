"""The press of royalty statements: sets their pages with the typesetter of the contracts.

Source: ISO 19005-3 (PDF/A-3b). What people typed reaches the form as JSON, never as source.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from contracts import canonical
from contracts.deals.gateway import CONTRACT_STANDARD, set_pages

STATEMENT = Path(__file__).parent / "forms" / "statement-1.typ"


class StatementPress(Protocol):
    """Prints royalty statements."""

    async def statement(self, page: Mapping[str, Any], *, made_at: datetime) -> bytes:
        """Return the PDF/A-3b of a page, whose data are attached to it as `statement.json`."""


class TypstStatementPress:
    """The press that sets with Typst, in a child process with limits."""

    async def statement(self, page: Mapping[str, Any], *, made_at: datetime) -> bytes:
        """Set the page of a statement.

        Raises:
            TextCannotBePrinted: a character has no glyph in the fonts.
            PressFailed: the typesetter failed or took too long.
        """
        raw = canonical.dumps(page)
        files = {"main.typ": STATEMENT.read_bytes(), "statement.json": raw}
        inputs = {"sha256": canonical.sha256_hex(raw)}
        return await set_pages(files, inputs=inputs, standard=CONTRACT_STANDARD, at=made_at)
