"""Publishing the texts of contracts: each version once, for good, with a leaf in the log.

The hash of every clause and template that was ever in use is kept, and a text that changed under
the same version is refused before anything is done with it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids
from contracts.deals import library, templates
from contracts.deals.tables import PublishedText
from contracts.deals.templates import Template
from contracts.facts import service as facts
from contracts.refusal import Kind, Refusal


class TextChanged(Refusal):
    """The text of a published clause or template is not what was published under its version."""

    kind, code = Kind.CONFLICT, "published-text-changed"
    hint = "Install the texts as released; a new text of one's own needs a new version."


async def check(session: AsyncSession) -> set[str]:
    """Compare every text here with what was published; return the names published before.

    Raises:
        TextChanged: one differs, so contracts would not print as they were signed.
    """
    rows = await session.execute(select(col(PublishedText.name), col(PublishedText.sha256)))
    known = {row.name: row.sha256 for row in rows}
    changed = sorted(name for name, sha256 in _here().items() if known.get(name, sha256) != sha256)
    if changed:
        raise TextChanged(f"A published text has changed: {', '.join(changed)}.", changed=changed)
    return set(known)


async def publish(session: AsyncSession, *, now: datetime) -> int:
    """Publish what was not published yet; return how many templates that was.

    Raises:
        TextChanged: see `check`.
    """
    known = await check(session)
    rows = [
        PublishedText(name=name, id=ids.new(now), sha256=sha256, published_at=now)
        for name, sha256 in _here().items()
        if name not in known
    ]
    if not rows:
        return 0
    added = await session.execute(
        insert(PublishedText)
        .values([row.model_dump() for row in rows])
        .on_conflict_do_nothing()
        .returning(col(PublishedText.name), col(PublishedText.id))
    )
    mine = {row.name: row.id for row in added}
    published = [one for one in templates.TEMPLATES if name_of(one) in mine]
    for template in published:
        said = record_of(template)
        await facts.record(session, "template.published", mine[name_of(template)], said, now=now)
    return len(published)


def name_of(template: Template) -> str:
    """Return under which name a version is published; version 1 of the first had two forms."""
    return f"template/{template.id}/{template.version}/{template.form}"


def record_of(template: Template) -> Mapping[str, Any]:
    """Return what the log says of a template: enough to tell whether a text is that one."""
    return {
        "template": template.id,
        "version": template.version,
        "kind": template.kind,
        "sha256": template.sha256,
        "form_sha256": template.form_sha256,
        "clauses": [clause.named() for clause in template.every_clause()],
    }


def _here() -> dict[str, str]:
    clauses = {f"clause/{one.ref}/{one.version}": one.sha256 for one in library.LIBRARY}
    return {**clauses, **{name_of(one): one.sha256 for one in templates.TEMPLATES}}
