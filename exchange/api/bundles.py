"""Package auctions (组合竞价): their cells, and who gets which for how much, with the proof."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from contracts.refusal import InvalidContent, Unknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Session, Shape
from listings.bundles import cells, queries

router = APIRouter(route_class=JsonRoute, tags=["auctions"])

_CELL: dict[str, Any] = {
    "code": "c001",
    "space": 1,
    "exclusivity": "exclusive",
    "copies": 1,
    "reserve_minor": 1_000_000,
    "right": {
        "right": "broadcasting", "media": ["terrestrial"], "territories": ["CN"], "excluded": [],
        "languages": ["zh"], "first_day": "2027-01-01", "last_day": "2027-12-31",
        "tz": "Asia/Shanghai", "exclusivity": "exclusive", "runs_max": None,
    },
    "name_zh": "广播权（地面频道） · 中国大陆 · 2027-01-01至2027-12-31 · 独占",
    "name_en": "right of broadcasting (terrestrial television) · Mainland China · "
    "2027-01-01 to 2027-12-31 · exclusive",
}  # fmt: skip


class CellOut(Shape):
    """A cell: one right, by some media, in some territories, for one span of days."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CELL]})

    code: Annotated[str, Field(description="What a package names.")]
    space: Annotated[
        int, Field(description="Of the cells of one space either the exclusive one is sold or not.")
    ]
    exclusivity: Literal["exclusive", "sole", "non-exclusive"]
    copies: Annotated[int | None, Field(description="How often it is sold at most; null: any.")]
    reserve_minor: int
    right: dict[str, Any]
    name_zh: str
    name_en: str


class CellsOut(Shape):
    """The cells of a package auction, frozen with its rulebook."""

    currency: str
    most_packages: int
    most_cells: int | None
    items: list[CellOut]


class SolutionOut(Shape):
    """How far the solver is; once the result is known, the certificate as the log holds it."""

    state: Annotated[
        Literal["waiting", "solving", "solved"],
        Field(description="`waiting` before the close, and where nobody bid."),
    ]
    stage: Annotated[
        str | None,
        Field(description="`winners`, then `vcg`, then `core`; `died`: another begins."),
    ]
    stage_at: int | None
    attempts: int
    changed_at: datetime | None
    certificate: Annotated[
        dict[str, Any] | None,
        Field(description="The rules by which it is checked: listings/bundles/RULES.md."),
    ]


@router.get("/auctions/{auction_id}/cells", responses=problems.responses(Unknown, InvalidContent))
async def get_cells(auction_id: UUID, session: Session) -> CellsOut:
    """List the cells that packages of this auction are made of. Public."""
    _, book = await queries.get_book(session, auction_id)
    terms = book.terms
    return CellsOut(
        currency=book.currency,
        most_packages=terms["most_packages"],
        most_cells=terms["most_cells"],
        items=[_cell_out(cell) for cell in terms["cells"]],
    )


@router.get(
    "/auctions/{auction_id}/solution", responses=problems.responses(Unknown, InvalidContent)
)
async def get_solution(auction_id: UUID, session: Session) -> SolutionOut:
    """Show who gets which package for how much and why, or how far that is. Public."""
    certificate = await queries.find_solution(session, auction_id)
    run = await queries.find_run(session, auction_id)
    solving = "waiting" if run is None else "solving"
    return SolutionOut(
        state="solved" if certificate is not None else solving,
        stage=run.stage if run else None,
        stage_at=run.stage_at if run else None,
        attempts=run.attempts if run else 0,
        changed_at=run.changed_at if run else None,
        certificate=dict(certificate) if certificate is not None else None,
    )


def _cell_out(cell: dict[str, Any]) -> CellOut:
    return CellOut(
        code=cell["code"],
        space=cell["space"],
        exclusivity=cell["exclusivity"],
        copies=cell["copies"],
        reserve_minor=cell["reserve_minor"],
        right=cell["right"],
        name_zh=cells.name(cell, "zh"),
        name_en=cells.name(cell, "en"),
    )
