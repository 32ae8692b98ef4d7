"""Service fees (服务费): what is charged and by which schedule, reckoned for a price. Public."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field

from contracts.money import MOST_MINOR, Money, WrongCurrency
from contracts.refusal import InvalidContent, Unknown
from exchange.api import problems
from exchange.api.deps import Now, Session, Shape
from exchange.api.once import OnceRoute
from settlement.fees import queries, rules
from settlement.fees.reading import LONGEST_TEXT, MOST_ROWS
from settlement.fees.rules import Case, Fee, Schedule
from settlement.fees.tables import FeeAnnouncement
from settlement.taxes import gateway as taxes
from settlement.taxes import rules as tax_rules

router = APIRouter(route_class=OnceRoute, tags=["fees"])

SHA256 = r"^[0-9a-f]{64}$"
Currency = Annotated[str, Query(pattern=r"^[A-Z]{3}$", description="ISO 4217.")]
On = Annotated[date | None, Query(description="The day in Shanghai; today where it is left out.")]
Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
Amount = Annotated[int, Field(ge=0, le=MOST_MINOR, strict=True)]


class RowShape(Shape):
    """A tier: `rate_bp` of what lies above `above_minor`, up to `up_to_minor` (null: no end)."""

    side: Annotated[Literal["seller", "buyer"], Field(description="Who pays it.")]
    sale: Annotated[
        Literal["bid", "negotiated", "any"],
        Field(description="Whether the price was bid for (竞价) or agreed (协议)."),
    ]
    basis: Annotated[
        Literal["listed", "deal", "uplift"],
        Field(description="Of the listed price, the deal price, or what it is above the listed."),
    ]
    above_minor: Amount
    up_to_minor: Amount | None = None
    rate_bp: Annotated[int, Field(ge=0, le=10_000, strict=True)]
    verified: Annotated[
        bool, Field(description="Whether somebody has read the official text.", strict=True)
    ]
    legal_basis: Text
    source: Text


class ScheduleShape(Shape):
    """A schedule of fees; the SHA-256 of its RFC 8785 bytes with `typ` names it in a sale."""

    id: Text
    name_zh: Text
    name_en: Text
    currency: Annotated[
        str | None, Field(pattern=r"^[A-Z]{3}$", description="Null: it serves every currency.")
    ] = None
    seller_minimum_minor: Amount
    buyer_minimum_minor: Amount
    rows: Annotated[Sequence[RowShape], Field(min_length=1, max_length=MOST_ROWS)]


class AnnouncementOut(Shape):
    """A schedule that is announced for everything published from a day on."""

    id: UUID
    schedule: str
    sha256: str
    valid_from: date


class FeesOut(Shape):
    """The fees in force on a day for prices in a currency, and what is announced."""

    on: date
    currency: str
    sha256: str
    valid_from: date
    schedule: ScheduleShape
    announced: Sequence[AnnouncementOut]


class StepOut(Shape):
    """What one tier brings: the part of the basis that lies in it, and its rate."""

    basis: Literal["listed", "deal", "uplift"]
    amount_minor: int
    rate_bp: int
    verified: bool
    legal_basis: str


class FeeOut(Shape):
    """What a side pays, VAT included; `is_minimum` where the tiers would bring less."""

    amount_minor: int
    tax_minor: Annotated[int, Field(description="The VAT that the fee holds.")]
    is_minimum: bool
    steps: Sequence[StepOut]


class QuoteOut(Shape):
    """What a price would cost both sides; nothing is agreed by asking."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "schedule": "uhdx-2026", "sha256": "0" * 64, "sale": "bid",
                    "currency": "CNY", "listed_minor": 100000000, "price_minor": 100000000,
                    "seller": {"amount_minor": 5000000, "tax_minor": 283019, "is_minimum": False,
                               "steps": []},
                    "buyer": {"amount_minor": 0, "tax_minor": 0, "is_minimum": False,
                              "steps": []},
                    "seller_receives_minor": 95000000, "buyer_pays_minor": 100000000,
                }
            ]
        }
    )  # fmt: skip

    schedule: str
    sha256: str
    sale: Literal["bid", "negotiated"]
    currency: str
    listed_minor: int
    price_minor: int
    seller: FeeOut
    buyer: FeeOut
    seller_receives_minor: int
    buyer_pays_minor: int


@router.get("/fees", responses=problems.responses(InvalidContent, WrongCurrency))
async def get_fees(
    *, session: Session, now: Now, currency: Currency = "CNY", on: On = None
) -> FeesOut:
    """Return the fee schedule in force for prices in a currency, and what is announced."""
    day = on or rules.day_of(now)
    since, schedule = await _in_force(session, currency, day)
    return FeesOut(
        on=day,
        currency=currency,
        sha256=schedule.sha256,
        valid_from=since,
        schedule=shape_of(schedule),
        announced=[_announced(row) for row in await queries.announcements(session)],
    )


@router.get("/fees/quote", responses=problems.responses(InvalidContent, Unknown, WrongCurrency))
async def quote_fees(  # noqa: PLR0913 - each argument is one word of the question
    *,
    session: Session,
    now: Now,
    price_minor: Annotated[int, Query(ge=1, le=MOST_MINOR)],
    listed_minor: Annotated[
        int | None, Query(ge=1, le=MOST_MINOR, description="The price where left out.")
    ] = None,
    sale: Annotated[Literal["bid", "negotiated"], Query()] = "bid",
    currency: Currency = "CNY",
    schedule: Annotated[
        str | None, Query(pattern=SHA256, description="By its hash; the one in force without.")
    ] = None,
    on: On = None,
) -> QuoteOut:
    """Reckon what a price would cost both sides, tier by tier."""
    if schedule is None:
        _, found = await _in_force(session, currency, on or rules.day_of(now))
    else:
        found = await queries.named(session, schedule)
    if not found.serves(currency):
        raise WrongCurrency("This schedule is in another currency.", wanted=found.currency)
    listed = Money(listed_minor or price_minor, currency)
    case = Case(sale, listed, Money(price_minor, currency))
    return quote_of(found, case, on=on or rules.day_of(now))


@router.get("/fees/schedules/{sha256}", responses=problems.responses(InvalidContent, Unknown))
async def get_fee_schedule(
    sha256: Annotated[str, Path(pattern=SHA256)], session: Session
) -> ScheduleShape:
    """Return the schedule that a sale or a contract names, in force or not."""
    return shape_of(await queries.named(session, sha256))


def quote_of(schedule: Schedule, case: Case, *, on: date) -> QuoteOut:
    """Return what a price costs both sides by a schedule; `on` is the day of its VAT."""
    price = case.deal
    seller, buyer = (rules.fee(schedule, side, case) for side in rules.SIDES)
    return QuoteOut(
        schedule=schedule.id,
        sha256=schedule.sha256,
        sale=case.sale,
        currency=price.currency,
        listed_minor=case.listed.amount_minor,
        price_minor=price.amount_minor,
        seller=_fee(seller, on=on),
        buyer=_fee(buyer, on=on),
        seller_receives_minor=(price - seller.amount).amount_minor,
        buyer_pays_minor=(price + buyer.amount).amount_minor,
    )


def shape_of(schedule: Schedule) -> ScheduleShape:
    """Return a schedule as the wire carries it."""
    return ScheduleShape.model_validate(schedule.wire())


async def _in_force(session: Session, currency: str, day: date) -> tuple[date, Schedule]:
    Money(0, currency)  # refuses a currency that is not handled
    found = rules.find_in_force(await queries.dated(session), on=day, currency=currency)
    if found is None:
        raise InvalidContent("No schedule is known for this day.", fields=["on"])
    return found


def _fee(found: Fee, *, on: date) -> FeeOut:
    return FeeOut(
        amount_minor=found.amount.amount_minor,
        tax_minor=tax_rules.vat_within(taxes.shipped(), found.amount, on=on).tax.amount_minor,
        is_minimum=found.is_minimum,
        steps=[
            StepOut(
                basis=step.row.basis,
                amount_minor=step.amount_minor,
                rate_bp=step.row.rate_bp,
                verified=step.row.verified,
                legal_basis=step.row.legal_basis,
            )
            for step in found.steps
        ],
    )


def _announced(row: FeeAnnouncement) -> AnnouncementOut:
    return AnnouncementOut(
        id=row.id, schedule=row.schedule, sha256=row.sha256, valid_from=row.valid_from
    )
