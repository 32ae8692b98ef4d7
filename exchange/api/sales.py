"""The terms of sale as they are sent: a method, its times and money, and the rules that go with it.

Only the shape is looked at here; whether the terms hold together is decided by
`listings.auctions.rulebook`.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field

from contracts.deals import instalments
from contracts.money import MOST_MINOR, WHOLE_BP
from exchange.api.deps import Shape
from exchange.api.prices import Interest, PartIn, Security
from exchange.api.sealed import OpeningKeyIn

SALE: dict[str, Any] = {
    "method": "english",
    "auction_id": "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01",
    "currency": "CNY",
    "floor_minor": 100_000_000,
    "step_minor": 1_000_000,
    "opens_at": "2026-11-22T09:00:00Z",
    "closes_at": "2026-11-23T09:00:00Z",
    "soft_close_s": 60,
    "hard_stop_at": "2026-11-23T10:00:00Z",
}
SEALED: dict[str, Any] = {
    "method": "weighted",
    "preset": "weighted",
    "auction_id": "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a02",
    "currency": "CNY",
    "floor_minor": 50_000_000,
    "opens_at": "2026-11-22T09:00:00Z",
    "closes_at": "2026-11-29T09:00:00Z",
    "terms": {
        "criteria": [
            {
                "code": "price", "kind": "price", "weight_bp": 7000,
                "worst": 50_000_000, "best": 200_000_000,
                "title_zh": "报价", "title_en": "Price",
            },
            {
                "code": "first-telecast", "kind": "number", "weight_bp": 3000,
                "worst": 180, "best": 0,
                "title_zh": "首播前天数", "title_en": "Days before the first telecast",
            },
        ]
    },
    "secrecy": {"bidders": "hidden", "amounts": "secret"},
    "admission": {"kind": "applied", "deposit_minor": 5_000_000},
    "payment": {
        "model": "instalments",
        "parts": [{"share_bp": 3000, "due_days": 5}, {"share_bp": 7000, "due_days": 180}],
        "rate_bp": 300,
        "security": "银行保函 GC-2026-001",
    },
}  # fmt: skip


def in_reach(instant: datetime) -> datetime:
    """Refuse years that no sale reaches; return the instant in UTC."""
    if not 2000 <= instant.year <= 2199:
        raise ValueError("the time lies outside the years 2000 to 2199")
    return instant.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(in_reach)]
Amount = Annotated[int, Field(strict=True, ge=1, le=MOST_MINOR)]
Whole = Annotated[int, Field(strict=True, ge=0, le=10**9)]
Trigger = Annotated[str, Field(pattern="^[a-z][a-z-]{0,39}$")]


class ClosingIn(Shape):
    """How bidding ends: at a fixed instant, softly (延时), or in timed cycles (限时竞价)."""

    kind: Literal["fixed", "soft", "timed"]
    window_s: Annotated[Whole, Field(le=3600)] = 0
    top_k: Annotated[
        int,
        Field(strict=True, ge=1, le=10, description="Which places must change to move the close."),
    ] = 1
    most_extensions: Annotated[int, Field(strict=True, ge=0, le=10_000)] | None = None
    free_until: Annotated[
        Instant | None, Field(description="The end of the free period (自由竞价期).")
    ] = None


class ReserveIn(Shape):
    """The price below which it is not sold (保留价, 拍卖法 art. 28 and 50)."""

    kind: Literal["none", "open", "hidden"]
    amount_minor: Annotated[
        Amount | None, Field(description="A hidden one is kept apart until the close.")
    ] = None


class TieIn(Shape):
    """Who is first among equals: the earlier bid, or a lot fixed before the first bid."""

    rule: Literal["sequence", "lottery"]


class FirstRefusalIn(Shape):
    """Parties who may equal the best price after the close (优先购买权, 场内行权)."""

    holders: Annotated[list[UUID], Field(min_length=1, max_length=20)]
    window_s: Annotated[Whole, Field(ge=60, le=86_400)]


class AdmissionIn(Shape):
    """Who may bid: every verified broadcaster, or whoever applied and was admitted (资格)."""

    kind: Literal["verified", "applied"]
    deposit_minor: Annotated[
        int, Field(strict=True, ge=0, le=MOST_MINOR, description="The deposit (保证金).")
    ] = 0
    until: Instant | None = None
    most_bidders: Annotated[int, Field(strict=True, ge=2, le=1000)] | None = None
    cap_minor: Annotated[
        Amount | None, Field(description="The most that one bidder may bind itself to.")
    ] = None
    agreement: Annotated[
        Literal["applied", "signed"] | None,
        Field(
            description="How the deposit agreement (保证金协议) is made: by applying and paying, "
            "or signed with the bidder's key before it bids; absent: by applying."
        ),
    ] = None
    deposit_modes: Annotated[
        list[Literal["wire", "charge", "card_hold", "guarantee"]] | None,
        Field(
            min_length=1,
            max_length=4,
            description="In what a deposit may be given: wired, charged to a card, held on one, "
            "or by a letter of guarantee (保函); absent: wired.",
        ),
    ] = None
    card_margin_h: Annotated[
        int | None,
        Field(strict=True, ge=1, le=120, description="Hours that a card holds after the end."),
    ] = None
    guarantee_days: Annotated[
        int | None,
        Field(strict=True, ge=1, le=365, description="Days that a letter is valid after it."),
    ] = None


class SecrecyIn(Shape):
    """What nobody sees before the close: who bids and how many, and the amounts."""

    bidders: Literal["alias", "hidden"]
    amounts: Annotated[
        Literal["open", "secret", "sealed"],
        Field(description="`sealed`: not even the exchange can read them."),
    ]
    opening: Annotated[
        OpeningKeyIn | None, Field(description="With `sealed` alone: the key that opens the bids.")
    ] = None


class PaymentIn(Shape):
    """How the award is paid (付款方式): in instalments, or as a guarantee with a share on top.

    `instalments` wants `parts`, `rate_bp` and `security`; `guarantee-share` wants `share_bp`. A
    state-owned seller is held to the rules of the day on which the listing is published.
    """

    model: Literal["instalments", "guarantee-share"]
    parts: Annotated[
        list[PartIn] | None,
        Field(max_length=instalments.MOST_PARTS, description="of the award; 10000 together"),
    ] = None
    rate_bp: Interest = None
    security: Security = None
    share_bp: Annotated[
        int | None,
        Field(strict=True, ge=1, le=WHOLE_BP, description="of the licensee's net receipts"),
    ] = None


class SaleIn(Shape):
    """How it is sold, under the id that its auction will have; what is absent is the default.

    `GET /v1/auction-methods` lists the methods, their presets and the law that each rests on.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [SALE, SEALED]})

    method: Literal[
        "english", "proxy", "fixed", "intent", "sealed", "vickrey", "weighted", "dutch", "package"
    ]
    preset: Annotated[str, Field(max_length=40)] | None = None
    auction_id: UUID
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    floor_minor: Annotated[
        Amount, Field(description="The price asked (挂牌价): the least bid, in minor units.")
    ]
    step_minor: Amount | None = None
    opens_at: Instant
    closes_at: Instant
    soft_close_s: Annotated[int, Field(strict=True, ge=0, le=3600)] | None = None
    hard_stop_at: Instant | None = None
    terms: Annotated[
        dict[str, Any] | None, Field(max_length=30, description="What the method asks for itself.")
    ] = None
    closing: ClosingIn | None = None
    reserve: ReserveIn | None = None
    tie: TieIn | None = None
    first_refusal: FirstRefusalIn | None = None
    admission: AdmissionIn | None = None
    secrecy: SecrecyIn | None = None
    forfeits: Annotated[
        list[Trigger] | None, Field(max_length=12, description="What a deposit is lost for.")
    ] = None
    default: Literal["next-best", "none"] | None = None
    payment: Annotated[
        PaymentIn | None, Field(description="Absent: one sum, due as the contract says.")
    ] = None
