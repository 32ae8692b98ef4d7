"""Availability: what is free of a work, is exactly this free, and why not."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, model_validator
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.refusal import Malformed, Unknown
from contracts.rights import axes, notation, vocabulary
from contracts.rights import rules as rights
from contracts.rights.algebra import Exclusivity
from contracts.rights.notation import BadNotation
from contracts.rights.rules import (
    BadRuns,
    BadSublicence,
    MediumNeedsAnotherRight,
    NothingOffered,
)
from contracts.rights.vocabulary import (
    RightNotLicensable,
    UnknownBundle,
    UnknownLanguage,
    UnknownMedium,
    UnknownRight,
    UnknownTerritory,
)
from contracts.titles import availability, explaining, heat, judging
from contracts.titles import queries as titles
from contracts.titles.availability import Place, Scope
from contracts.titles.judging import Match
from contracts.titles.register import Question
from contracts.window import BadWindow, Window
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.api.listings import Code, Codes
from exchange.identity.rules import Caller, Role
from listings.catalogue import queries as catalogue

router = APIRouter(route_class=JsonRoute, tags=["availability"])

MOST_DAYS = 36_525
_AXES = (
    UnknownRight, RightNotLicensable, UnknownBundle, UnknownMedium, MediumNeedsAnotherRight,
    UnknownTerritory, UnknownLanguage, NothingOffered, BadNotation, BadWindow, BadRuns,
    BadSublicence,
)  # fmt: skip
Strictness = Literal["exclusive", "sole", "non-exclusive"]
Notation = Annotated[str, Field(max_length=notation.LONGEST)]
Zone = Annotated[str, Field(max_length=64, description="IANA time zone of the days.")]


class AskIn(Shape):
    """Rights that somebody asks for in a work, as an offer names them; is exactly this free?"""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "work_id": "01990000-0000-7000-8000-000000000004",
                    "right": "broadcasting",
                    "media": ["satellite"],
                    "territories": "+WRD -US -CA",
                    "languages": ["zh"],
                    "first_day": "2027-01-01",
                    "last_day": "2028-12-31",
                    "tz": "Asia/Shanghai",
                    "exclusivity": "exclusive",
                    "match": "any-part",
                    "minimum_days": 90,
                }
            ]
        }
    )

    work_id: UUID
    right: Annotated[Code, Field(description="Empty when `bundle` is given.")] = ""
    media: Codes = Field(default_factory=list)
    bundle: Annotated[Code | None, Field(description="`telecast` (播映权) for its rights.")] = None
    territories: Annotated[
        Codes | Notation, Field(description="Codes, or a text such as `+WRD -US -CA`.")
    ]
    excluded: Codes = Field(default_factory=list)
    languages: Codes
    first_day: date
    last_day: date
    tz: Annotated[str, Field(max_length=64)]
    exclusivity: Strictness
    runs_max: Annotated[int, Field(strict=True, ge=1, le=rights.MOST_RUNS)] | None = None
    sublicence_depth: Annotated[
        int, Field(strict=True, ge=0, le=rights.DEEPEST_SUBLICENCE, description="转授权层级")
    ] = 0
    round_no: (
        Annotated[
            int,
            Field(strict=True, ge=1, le=rights.LAST_ROUND, description="轮次; says nothing here."),
        ]
        | None
    ) = None
    grantor_id: Annotated[
        UUID | None, Field(description="Who would grant: oneself, or null for the owners.")
    ] = None
    match: Annotated[
        Literal["cover-all", "any-part"],
        Field(description="`cover-all`: all of it or nothing. `any-part`: tell what part is free."),
    ] = "any-part"
    minimum_days: Annotated[
        int, Field(strict=True, ge=0, le=MOST_DAYS, description="Shorter stretches do not count.")
    ] = 0

    @model_validator(mode="after")
    def _names_one(self) -> "AskIn":
        if bool(self.right) == bool(self.bundle) or (self.bundle and self.media):
            raise ValueError("name a right with its media, or a bundle")
        return self


class Uses(Shape):
    """Which rights a list is about: all of them unless it says less."""

    right: Annotated[Code, Field(description="A right of art. 10.")] | None = None
    medium: Codes = Field(default_factory=list, description="Repeatable.")
    language: Codes = Field(default_factory=list, description="Repeatable.")
    territory: Annotated[Notation, Field(description="In notation: `WRD -US -CA`.")] = "WRD"
    exclusivity: Strictness = "exclusive"


class Days(Uses):
    """What is free from which day to which, both included, in a zone."""

    first_day: Annotated[date, Field(alias="from")]
    last_day: Annotated[date, Field(alias="until")]
    minimum_days: Annotated[
        int, Field(ge=0, le=MOST_DAYS, description="Shorter stretches do not count.")
    ] = 0
    tz: Zone = explaining.ZONE


class Months(Uses):
    """What is free in how many months from that of a day on, by the parts of which territory."""

    first_day: Annotated[date, Field(alias="from")]
    months: Annotated[int, Field(ge=1, le=heat.MOST_MONTHS)] = 24
    within: Annotated[Code, Field(description="Its parts are the rows: CN.")] | None = None
    tz: Zone = explaining.ZONE


class PartOut(Shape):
    """A work of the tree; without its parts where only some, or none, of them are meant."""

    work_id: UUID
    title_zh: str
    title_en: str
    with_parts: bool


class UseOut(Shape):
    """A right, and the media it is meant for."""

    right: str
    media: Sequence[str]


class BoxOut(Shape):
    """A box of uses: each work by each right, territory and language, from first to last day."""

    works: Sequence[PartOut]
    rights: Sequence[UseOut]
    territories: Sequence[str]
    excluded: Sequence[str]
    languages: Sequence[str]
    start: str
    end: str
    first_day: date
    last_day: date
    tz: str


class RecordOut(Shape):
    """What a reason comes from; `id` is null for those who may not know which one it is."""

    kind: Literal["grant", "encumbrance", "share", "work"]
    id: UUID | None
    deal_id: UUID | None


class ReasonOut(Shape):
    """Why a part is not free: the code, how much it weighs, the record, and the part."""

    code: str
    severity: Literal["blocker", "unknown", "notice"]
    said_zh: str
    said_en: str
    record: RecordOut | None
    about: dict[str, Any]
    box: BoxOut


class AnswerOut(Shape):
    """What is free, in the largest boxes; what may be; and the reasons for the rest."""

    outcome: Literal["free", "partly", "no", "unknown"]
    reasons: Sequence[ReasonOut]
    more_reasons: int
    free: Sequence[BoxOut]
    more_free: int
    unknown: Sequence[BoxOut]
    more_unknown: int


class ShadesOut(Shape):
    """A territory (`*`: all others) and how free each month is."""

    territory: str
    shades: Sequence[Literal["free", "partly", "taken", "unknown"]]


class CalendarOut(Shape):
    """Territory by month: `months` are first days."""

    months: Sequence[date]
    rows: Sequence[ShadesOut]


@router.post(
    "/availability/check",
    responses=problems.signed(Malformed, Unknown, *_AXES),
)
async def check_availability(body: AskIn, session: Session, caller: Signed, now: Now) -> AnswerOut:
    """Tell whether rights in a work are free, what part of them is, and why the rest is not."""
    caller.need("read")
    place = await get_visible(session, body.work_id, caller)
    question = availability.question_of(
        rights.expand(_wire(body)), place, grantor=_grantor(body, caller), grantee=_grantee(caller)
    )
    minimum = _minimum(body.minimum_days, question.window)
    register = await availability.load(session, question, now=now)
    answer = judging.judge(register, question, match=Match(body.match), minimum=minimum)
    told = explaining.answer_out(answer, register.tree, viewer=caller.for_party, zone=body.tz)
    return AnswerOut.model_validate(told)


@router.get("/works/{work_id}/availability", responses=problems.signed(Unknown, *_AXES))
async def get_availability(
    work_id: UUID, session: Session, caller: Signed, now: Now, asked: Annotated[Days, Query()]
) -> AnswerOut:
    """Tell what the owners have free of a work and its parts, and why the rest is not."""
    caller.need("read")
    window = rights.window_of(asked.first_day, asked.last_day, asked.tz)
    question = await _question(session, work_id, asked, caller=caller, window=window)
    register = await availability.load(session, question, now=now)
    minimum = _minimum(asked.minimum_days, question.window)
    answer = judging.judge(register, question, minimum=minimum)
    told = explaining.answer_out(answer, register.tree, viewer=caller.for_party, zone=asked.tz)
    return AnswerOut.model_validate(told)


@router.get(
    "/works/{work_id}/availability/calendar",
    responses=problems.signed(Unknown, *_AXES),
)
async def get_availability_calendar(
    work_id: UUID, session: Session, caller: Signed, now: Now, asked: Annotated[Months, Query()]
) -> CalendarOut:
    """Tell territory by month how much is free: of a country's parts, or of countries."""
    caller.need("read")
    months = heat.months_from(asked.first_day, asked.months)
    edges = heat.edges_of(months, asked.tz)
    window = Window(edges[0], edges[-1])
    question = await _question(session, work_id, asked, caller=caller, window=window)
    found = await availability.calendar(
        session, question, months=months, within=asked.within, zone=asked.tz, now=now
    )
    rows = [
        ShadesOut(territory=row.code, shades=[shade.value for shade in row.shades])
        for row in found.rows
    ]
    return CalendarOut(months=found.months, rows=rows)


async def get_visible(session: AsyncSession, work_id: UUID, caller: Caller) -> Place:
    """Return where a work stands if the caller may ask about it.

    Those are staff, its owners, the two sides of a grant in it, and everybody who is signed in once
    a listing of a work in its tree is public.
    """
    place = await availability.locate(session, work_id)
    if caller.is_staff or await catalogue.is_published(session, place.root_id):
        return place
    if not await titles.has_to_do_with(session, place.root_id, caller.party_id):
        raise Unknown("There is no such work.", work=str(work_id))
    return place


async def _question(
    session: AsyncSession, work_id: UUID, uses: Days | Months, *, caller: Caller, window: Window
) -> Question:
    """Return the question to the owners of a work that the caller may ask about."""
    place, scope = await get_visible(session, work_id, caller), _scope(uses, on=uses.first_day)
    asked = availability.question_about(
        place, scope=scope, window=window, exclusivity=Exclusivity(uses.exclusivity)
    )
    return replace(asked, grantee=_grantee(caller))


def _minimum(days: int, window: Window) -> timedelta:
    """Return the shortest stretch that counts; one longer than the window would leave nothing."""
    minimum = timedelta(days=days)
    if minimum > window.end - window.start:
        raise BadWindow("The window is shorter than the minimum.", minimum_days=days)
    return minimum


def _grantor(body: AskIn, caller: Caller) -> UUID | None:
    """Return who would grant; what another party holds is nobody's business but staff's."""
    if body.grantor_id in (None, caller.party_id) or caller.is_staff:
        return body.grantor_id
    raise Unknown("There is no such party.", party=str(body.grantor_id))


def _grantee(caller: Caller) -> UUID | None:
    """Return who would be granted: a broadcaster asks for itself, and what serves it lets it in."""
    return caller.party_id if caller.role is Role.BROADCASTER else None


def _wire(body: AskIn) -> dict[str, Any]:
    """Return the question as the wire of an offer, territories in notation as codes."""
    left_out = {"work_id", "grantor_id", "match", "minimum_days"}
    told = body.model_dump(exclude=left_out)
    told |= {"first_day": body.first_day.isoformat(), "last_day": body.last_day.isoformat()}
    if isinstance(body.territories, str):
        mask = notation.territories(body.territories, on=body.first_day)
        included, excluded = axes.TERRITORIES.said(mask)
        without = [*excluded, *body.excluded]
        told |= {"territories": list(included), "excluded": without}
    return told


def _scope(uses: Uses, *, on: date) -> Scope:
    media = axes.MEDIA.mask(uses.medium, on=on) if uses.medium else axes.MEDIA.all
    codes = [vocabulary.right(uses.right).code] if uses.right else list(vocabulary.RIGHTS)
    mask = 0
    for code in codes:
        mask |= axes.uses(code, media)
    if not mask:
        raise NothingOffered("The right is not used by these media.", axis="medium")
    tongues = axes.LANGUAGES.mask(uses.language, on=on) if uses.language else axes.LANGUAGES.all
    return Scope(mask, notation.territories(uses.territory, on=on), tongues)
