"""Shapes of deposits (保证金): what one is, what the bank credited, what people decide about it."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field, JsonValue

from contracts.money import MOST_MINOR
from exchange.api.collecting import WireOut
from exchange.api.decisions import EXAMPLE_HASH, EXAMPLE_ID, Reason
from exchange.api.deps import Shape
from exchange.api.pledge_shapes import CardOut, GuaranteeOut

Amount = Annotated[int, Field(strict=True, ge=1, le=MOST_MINOR)]
AtLeastNothing = Annotated[int, Field(strict=True, ge=0, le=MOST_MINOR)]
Reference = Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]
_DEPOSIT: dict[str, JsonValue] = {
    "auction_id": EXAMPLE_ID,
    "party_id": EXAMPLE_ID,
    "currency": "CNY",
    "state": "frozen",
    "required_minor": 10_000_000,
    "paid_in_minor": 10_000_000,
    "held_minor": 10_000_000,
    "released_minor": 0,
    "applied_minor": 0,
    "forfeited_minor": 0,
    "until": "2026-11-30T09:00:00Z",
    "frozen_at": "2026-11-22T09:00:00Z",
    "return_by": None,
    "forfeits": ["winner-refuses", "non-payment"],
    "wire": None,
    "modes": ["wire", "charge", "card_hold", "guarantee"],
    "ends_by": "2026-11-30T10:00:00Z",
    "card_margin_h": 24,
    "guarantee_days": 30,
    "pledged_minor": 0,
    "pledged_until": None,
}


class DepositOut(Shape):
    """A deposit: `held + released + applied + forfeited` is always `paid_in`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DEPOSIT]})

    auction_id: UUID
    party_id: UUID
    currency: str
    state: Literal["required", "received", "frozen", "released", "applied", "forfeited", "partial"]
    required_minor: int
    paid_in_minor: int
    held_minor: int
    released_minor: int
    applied_minor: int
    forfeited_minor: int
    until: Annotated[AwareDatetime | None, Field(description="When it has to be in.")]
    frozen_at: Annotated[AwareDatetime | None, Field(description="By the bank's date.")]
    return_by: Annotated[date | None, Field(description="Once free: T+3 working days.")]
    forfeits: Annotated[Sequence[str], Field(description="What the notice names (没收情形).")]
    modes: Annotated[Sequence[str], Field(description="In what it may be given.")]
    ends_by: Annotated[
        AwareDatetime | None, Field(description="The longest that the auction can run.")
    ]
    card_margin_h: Annotated[int, Field(description="Hours beyond that a card has to hold.")]
    guarantee_days: Annotated[int, Field(description="Days beyond that a letter has to be valid.")]
    pledged_minor: Annotated[
        int, Field(description="What a card holds, or a letter stands for: no money yet.")
    ]
    pledged_until: Annotated[AwareDatetime | None, Field(description="When that runs out.")]
    wire: Annotated[
        WireOut | None,
        Field(description="How to wire what is missing; only where one's own deposit is read."),
    ] = None


class DepositsOut(Shape):
    """Deposits: one's own, the newest first; for staff all that are awaited or held."""

    items: Sequence[DepositOut]


class ReceiptIn(Shape):
    """A credit as the bank's statement shows it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "amount_minor": 10_000_000,
                    "currency": "CNY",
                    "reference": "ICBC-20261122-000001",
                    "credited_at": "2026-11-22T09:00:00Z",
                }
            ]
        }
    )

    amount_minor: Amount
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    reference: Reference
    credited_at: AwareDatetime


class ReceiptOut(Shape):
    """A recorded credit."""

    id: UUID
    amount_minor: int
    reference: str
    credited_at: AwareDatetime
    recorded_at: AwareDatetime
    bank_account_id: Annotated[
        UUID | None, Field(description="Where it lies, if a statement showed it by its reference.")
    ]


class MovementIn(Shape):
    """What is to be done: give back, forfeit for a named reason, distribute what was, or draw.

    To draw is to capture what a card holds, or to demand under a letter; then it is money held.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "return", "amount_minor": 10_000_000, "reason": "未成交"},
                {
                    "kind": "distribute",
                    "amount_minor": 10_000_000,
                    "reason": "再次竞价成交",
                    "fees_minor": 500_000,
                    "shortfall_minor": 4_000_000,
                },
            ]
        }
    )

    kind: Literal["return", "forfeit", "distribute", "draw"]
    amount_minor: Amount
    reason: Annotated[
        Reason,
        Field(
            description="Of a forfeiture or a drawing: a code of `forfeits`; of a card whose "
            "bidder won, also `kept`."
        ),
    ]
    fees_minor: AtLeastNothing = 0
    shortfall_minor: AtLeastNothing = 0


class MovementOut(Shape):
    """A movement; `content_sha256` is over everything that it will do."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": EXAMPLE_ID,
                    "auction_id": EXAMPLE_ID,
                    "party_id": EXAMPLE_ID,
                    "kind": "return",
                    "amount_minor": 10_000_000,
                    "reason": "未成交",
                    "fees_minor": 0,
                    "shortfall_minor": 0,
                    "claim_minor": 0,
                    "state": "prepared",
                    "content_sha256": EXAMPLE_HASH,
                    "prepared_by": EXAMPLE_ID,
                    "prepared_at": "2026-11-22T09:00:00Z",
                    "decided_by": None,
                    "decided_at": None,
                    "refused_reason": None,
                    "reference": None,
                }
            ]
        }
    )

    id: UUID
    auction_id: UUID
    party_id: UUID
    kind: Literal["return", "forfeit", "distribute", "draw"]
    amount_minor: int
    reason: str
    fees_minor: int
    shortfall_minor: int
    claim_minor: Annotated[int, Field(description="Owed beyond the deposit, where claimed.")]
    state: Literal["prepared", "approved", "refused", "done", "failed"]
    content_sha256: str
    prepared_by: UUID
    prepared_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    refused_reason: str | None
    reference: Annotated[
        str | None, Field(description="The bank's, or the card provider's, once it went back.")
    ]


class DepositFileOut(Shape):
    """A deposit with its receipts, movements, cards and letters, for staff."""

    deposit: DepositOut
    receipts: Sequence[ReceiptOut]
    movements: Sequence[MovementOut]
    cards: Sequence[CardOut]
    guarantees: Sequence[GuaranteeOut]


class ReturnIn(Shape):
    """The bank's reference of the money that went back."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reference": "ICBC-20261125-000009"}]}
    )

    reference: Reference
