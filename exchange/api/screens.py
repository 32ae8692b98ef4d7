"""Screens for shills and rings: leads for the staff, with how often such leads are right."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from contracts.refusal import CommitUnknown, Unknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.identity.rules import STAFF, Role
from listings.screens import power, queries, rules, service
from listings.screens.tables import ScreenRun

router = APIRouter(route_class=JsonRoute, tags=["screens"])

Screen = Literal["shill", "residuals", "variation"]
CAVEAT = (
    "Leads, not verdicts. A bidder who cares for one seller's works scores like a shill; bidders "
    "who price after the same costs move together like a ring. Nothing is voided by a screen."
)


class FindingOut(Shape):
    """What a screen found for a bidder and a seller (`shill`), or for two bidders."""

    screen: Screen
    parties: list[UUID]
    auctions: list[UUID]
    statistic: dict[str, int]
    p_ppm: Annotated[int, Field(description="Chance of this or more, were there nothing to see.")]
    q_ppm: Annotated[int, Field(description="Share of false leads if this and rarer are taken.")]
    is_lead: bool


class PowerOut(Shape):
    """What a screen found of what a study planted, and what it called that was honest."""

    planted: int
    found: int
    found_bp: int
    honest: int
    false: int
    false_bp: int
    markets_with_a_false_alarm_bp: int


class ScreensOut(Shape):
    """The latest run over all auctions that are over, with the power of each screen."""

    id: UUID
    ran_at: datetime
    auctions: int
    leads: int
    findings_sha256: str
    findings: list[FindingOut]
    power: dict[Screen, PowerOut]
    study_markets: int
    ticino_rejected_bp: int
    ticino_pairs: int
    caveat: str


@router.get("/screens", responses=problems.signed(Unknown))
async def get_screens(session: Session, caller: Signed) -> ScreensOut:
    """Show what the screens found last: for the staff, to look into."""
    caller.need("read", *STAFF)
    row = await queries.latest(session)
    if row is None:
        raise Unknown("The screens have not run yet.")
    return out(row)


@router.post("/screens/runs", responses=problems.signed(CommitUnknown))
async def run_screens(now: Now, session: Session, caller: Signed) -> ScreensOut:
    """Run the screens now; they also run after each result."""
    caller.need("list", Role.OPERATOR)
    return out(await service.run(session, now=now))


def out(row: ScreenRun) -> ScreensOut:
    """Return a run as the staff sees it."""
    told = power.measured()
    return ScreensOut(
        id=row.id,
        ran_at=row.ran_at,
        auctions=row.auctions,
        leads=row.leads,
        findings_sha256=row.findings_sha256,
        findings=[FindingOut.model_validate(one) for one in row.findings],
        power={screen: PowerOut.model_validate(told[screen]) for screen in rules.SCREENS},
        study_markets=told["markets"],
        ticino_rejected_bp=power.TICINO["rejected_bp"],
        ticino_pairs=power.TICINO["pairs"],
        caveat=CAVEAT,
    )
