"""A report of conformance as a file: canonical JSON, or PDF with curves and pictures."""

from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals.terms import TextCannotBePrinted
from exchange import recognition_verbs
from exchange.context import Context
from listings.masters.conformance import press, queries
from listings.masters.conformance.tables import ConformanceReport
from listings.masters.tables import Master

MOST_PICTURES = 200  # of a film that a report draws from


def as_json(report: ConformanceReport) -> bytes:
    """Return the canonical bytes of a report; their SHA-256 is the report's."""
    return canonical.dumps(report.document)


async def as_pdf(
    context: Context, session: AsyncSession, master: Master, report: ConformanceReport, *,
    pictures: bool,
) -> bytes:  # fmt: skip
    """Return a report as PDF/A.

    Args:
        context: of the process; it knows where thumbnails are kept.
        session: where the master was loaded.
        master: what was judged.
        report: how.
        pictures: whether the reader may see pictures of the master.

    Raises:
        PressFailed: the typesetter failed or took too long.
    """
    measured = await queries.find_measures(session, master.id)
    sums = [("SHA-256", master.sha256 or "–")]
    pressed = partial(
        press.press,
        report.document,
        measures=None if measured is None else measured.content,
        duration_ms=(master.probe or {}).get("duration_ms") or 0,
        thumbnails=await _thumbnails(context, master, report) if pictures else (),
        at=report.judged_at,
    )
    try:
        return await pressed(subject=[("文件 File", master.filename), *sums])
    except TextCannotBePrinted:  # a name may hold what no font here has
        return await pressed(subject=sums)


async def _thumbnails(
    context: Context, master: Master, report: ConformanceReport
) -> list[press.Thumbnail]:
    """Return the pictures nearest to what was found, in order of time."""
    sight = recognition_verbs.sight(context)
    kept = await sight.instants(master.id)
    middles = [
        (start + end) // 2 for each in report.document["findings"] for start, end in each["where"]
    ]
    near = {min(kept, key=lambda at: abs(at - middle)) for middle in middles} if kept else set()
    return [(at, await sight.thumbnail(master.id, at)) for at in sorted(near)[:MOST_PICTURES]]
