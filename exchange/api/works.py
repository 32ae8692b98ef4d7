"""Works (作品), and who owns which part of them."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BeforeValidator, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.deals import glyphs
from contracts.deals.terms import TextCannotBePrinted
from contracts.money import WHOLE_BP
from contracts.parties.rules import BadName, ConfusableName, PartyNotVerified
from contracts.refusal import IdReused, Malformed, Unknown
from contracts.titles import queries as titles
from contracts.titles import service as register
from contracts.titles.rules import BadShares, SharesSettled
from contracts.titles.tables import Share
from contracts.works import protection, queries, service
from contracts.works.identifiers import BadEidr, BadIsan, BadPermit
from contracts.works.protection import BadDates, DatesSettled
from contracts.works.rules import BadYear, IdentifierTaken, UnknownCountry
from contracts.works.tables import Work
from contracts.works.tree import WorkCannotNest, WorkNeedsParent, WorkTreeFull, WorkTreeTooDeep
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.identity.rules import Caller, Role

router = APIRouter(route_class=JsonRoute, tags=["works"])

Kind = Literal[
    "film",
    "series",
    "season",
    "episode",
    "edit",
    "documentary",
    "sports",
    "variety",
    "animation",
    "other",
]


def _day_as_text(value: object) -> object:
    """Let a day pass that is written as one: a number is none, though pydantic would take it."""
    if isinstance(value, date) or (isinstance(value, str) and len(value) == len("2026-01-31")):
        return value
    raise ValueError("a day is written YYYY-MM-DD")


Day = Annotated[date, BeforeValidator(_day_as_text)]
Completed = Annotated[Day | None, Field(description="创作完成日; given once")]
Published = Annotated[Day | None, Field(description="首次发表日; given once")]


class WorkIn(Shape):
    """A work's description; at least the titles, the kind, the year and the country."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title_zh": "珠江之花",
                    "title_en": "Flower of the Pearl River",
                    "kind": "documentary",
                    "year": 2026,
                    "country": "CN",
                    "eidr": "10.5240/7791-8534-2C23-9030-8610-5",
                    "isan": "0000-0000-3A8D-0000-Z-0000-0000-6",
                    "permit_no": "(粤)剧审字(2026)第001号",
                }
            ]
        }
    )

    title_zh: Annotated[str, Field(max_length=400)]
    title_en: Annotated[str, Field(max_length=400)]
    kind: Kind
    year: Annotated[int, Field(strict=True, ge=0, le=9999)]
    country: Annotated[str, Field(max_length=2, description="ISO 3166-1 alpha-2")]
    eidr: Annotated[str, Field(max_length=64)] | None = None
    isan: Annotated[str, Field(max_length=64)] | None = None
    permit_no: Annotated[str, Field(max_length=64, description="许可证号")] | None = None
    dci: Annotated[str, Field(max_length=200, description="数字版权唯一标识符")] | None = None
    registration_no: Annotated[str, Field(max_length=64, description="作品登记号")] | None = None
    parent_id: Annotated[
        UUID | None, Field(description="The work of one's own that this one is a part or edit of.")
    ] = None
    completed_on: Completed = None
    published_on: Published = None


class WorkOut(Shape):
    """A registered work; identifiers in capitals."""

    id: UUID
    party_id: UUID
    title_zh: str
    title_en: str
    kind: Kind
    year: int
    country: str
    eidr: str | None
    isan: str | None
    permit_no: str | None
    dci: str | None
    registration_no: str | None
    parent_id: UUID | None
    root_id: UUID
    completed_on: date | None
    published_on: date | None
    protection_ends_on: Annotated[
        date | None, Field(description="The last protected day that the dates tell (保护期届满日).")
    ]
    created_at: AwareDatetime


class DatesIn(Shape):
    """When a work was completed and first published; what is left out is not said."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"completed_on": "2026-03-31", "published_on": "2026-10-01"}]
        }
    )

    completed_on: Completed = None
    published_on: Published = None


class WorkPage(Shape):
    """A page of works."""

    items: Sequence[WorkOut]
    next: UUID | None


class ShareIn(Shape):
    """A co-owner's part, in basis points."""

    party_id: UUID
    share_bp: Annotated[int, Field(strict=True, ge=1, le=WHOLE_BP)]


class SharesIn(Shape):
    """The co-owners; their parts make 10000."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "shares": [
                        {"party_id": "01990000-0000-7000-8000-000000000001", "share_bp": 7000},
                        {"party_id": "01990000-0000-7000-8000-000000000003", "share_bp": 3000},
                    ]
                }
            ]
        }
    )

    shares: Annotated[list[ShareIn], Field(min_length=1, max_length=100)]


class ShareOut(Shape):
    """A co-owner's part, and when it agreed to it."""

    party_id: UUID
    share_bp: int
    consented_at: AwareDatetime | None


class SharesOut(Shape):
    """Who owns a work."""

    work_id: UUID
    shares: Sequence[ShareOut]


def work_out(work: Work) -> WorkOut:
    """Return a work as the wire carries it."""
    told = work.model_dump(exclude={"unit_first", "unit_after"})
    ends_on = protection.protection_end(work.completed_on, work.published_on)
    return WorkOut(**told, protection_ends_on=ends_on)


@router.put(
    "/works/{work_id}",
    status_code=201,
    responses={
        200: {"model": WorkOut, "description": "It was registered before, with this content."},
        **problems.signed(
            Malformed, IdReused, PartyNotVerified, BadName, BadYear, UnknownCountry,
            BadEidr, BadIsan, BadPermit, TextCannotBePrinted, ConfusableName, Unknown,
            WorkNeedsParent,
            WorkCannotNest, WorkTreeTooDeep, WorkTreeFull, BadDates, IdentifierTaken,
        ),
    },
)  # fmt: skip
async def register_work(
    work_id: UUID, body: WorkIn, response: Response, session: Session, caller: Signed, now: Now
) -> WorkOut:
    """Register a work of one's own organisation, which must be verified."""
    caller.need("list", Role.HOLDER)
    work = await service.register(
        session,
        work_id,
        party_id=caller.party_id,
        now=now,
        **dict(body),
    )
    if work.created_at != now:
        response.status_code = 200
    else:
        await glyphs.need_printable(title_zh=work.title_zh, title_en=work.title_en)
    return work_out(work)


@router.get("/works", responses=problems.signed())
async def list_works(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> WorkPage:
    """List the works that one's own organisation registered; staff see everybody's."""
    caller.need("read")
    start = page_after(after)
    if caller.is_staff:
        rows = await queries.works_page(session, after=start, limit=limit)
    else:
        rows = await queries.works_of(session, caller.party_id, after=start, limit=limit)
    return WorkPage(items=[work_out(row) for row in rows], next=next_after(rows, limit))


@router.get("/works/{work_id}", responses=problems.signed(Unknown))
async def get_work(work_id: UUID, session: Session, caller: Signed) -> WorkOut:
    """Return a work to its registrant, its co-owners and staff."""
    work, _ = await _visible(session, work_id, caller)
    return work_out(work)


@router.put(
    "/works/{work_id}/dates",
    responses=problems.signed(Malformed, Unknown, BadDates, DatesSettled),
)
async def settle_work_dates(
    work_id: UUID, body: DatesIn, session: Session, caller: Signed, now: Now
) -> WorkOut:
    """Say when one's own work was completed or first published; each date is given once."""
    caller.need("list", Role.HOLDER)
    work = await service.settle_dates(
        session,
        work_id,
        party_id=caller.party_id,
        completed_on=body.completed_on,
        published_on=body.published_on,
        now=now,
    )
    return work_out(work)


@router.get("/works/{work_id}/children", responses=problems.signed(Unknown))
async def list_work_children(
    work_id: UUID,
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> WorkPage:
    """List what stands directly below a work (seasons, episodes, edits) as it was added."""
    await _visible(session, work_id, caller)
    rows = await queries.children(session, work_id, after=after, limit=limit)
    return WorkPage(items=[work_out(row) for row in rows], next=next_after(rows, limit))


@router.put(
    "/works/{work_id}/shares",
    responses=problems.signed(Malformed, Unknown, BadShares, SharesSettled),
)
async def declare_shares(
    work_id: UUID, body: SharesIn, session: Session, caller: Signed, now: Now
) -> SharesOut:
    """Say who owns the work; the others agree with `consent_to_share`."""
    caller.need("list", Role.HOLDER)
    table = {share.party_id: share.share_bp for share in body.shares}
    if len(table) != len(body.shares):
        raise BadShares("An owner is named twice.")
    rows = await register.declare_shares(
        session, work_id, party_id=caller.party_id, shares=table, now=now
    )
    return _shares_out(work_id, rows)


@router.post("/works/{work_id}/shares/consent", responses=problems.signed(Unknown))
async def consent_to_share(work_id: UUID, session: Session, caller: Signed, now: Now) -> SharesOut:
    """Agree to one's own part, and so to exclusive licences (著作权法 art. 14)."""
    caller.need("list", Role.HOLDER)
    await register.consent(session, work_id, party_id=caller.party_id, now=now)
    return _shares_out(work_id, await titles.shares(session, work_id))


@router.get("/works/{work_id}/shares", responses=problems.signed(Unknown))
async def get_shares(work_id: UUID, session: Session, caller: Signed) -> SharesOut:
    """Return who owns a work; where nothing was declared, its registrant owns the whole."""
    work, shares = await _visible(session, work_id, caller)
    if shares:
        return _shares_out(work_id, shares)
    whole = ShareOut(party_id=work.party_id, share_bp=WHOLE_BP, consented_at=work.created_at)
    return SharesOut(work_id=work_id, shares=[whole])


async def _visible(
    session: AsyncSession, work_id: UUID, caller: Caller
) -> tuple[Work, list[Share]]:
    caller.need("read")
    work = await queries.get_work(session, work_id)
    shares = await titles.shares(session, work_id)
    owners = {work.party_id, *(share.party_id for share in shares)}
    if not caller.is_staff and caller.party_id not in owners:
        raise Unknown("There is no such work.", work=str(work_id))
    return work, shares


def _shares_out(work_id: UUID, shares: Iterable[Share]) -> SharesOut:
    rows = [
        ShareOut(party_id=row.party_id, share_bp=row.share_bp, consented_at=row.consented_at)
        for row in shares
    ]
    return SharesOut(work_id=work_id, shares=rows)
