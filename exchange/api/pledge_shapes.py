"""Shapes of what stands for a deposit besides money: cards that hold, letters of guarantee."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field, JsonValue
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import MOST_MINOR
from exchange.api.decisions import EXAMPLE_HASH, EXAMPLE_ID
from exchange.api.deps import Shape
from settlement.cardholds import queries as cards
from settlement.cardholds import rules as card_rules
from settlement.cardholds.tables import CardHold
from settlement.guarantees import queries, rules
from settlement.guarantees.tables import Guarantee

LONGEST_SCAN = (rules.MOST_SCAN_BYTES + 2) // 3 * 4
_LETTER: dict[str, JsonValue] = {
    "form": "letter-of-guarantee",
    "issuer": "中国工商银行北京分行",
    "issuer_bic": "ICBKCNBJBJM",
    "issuer_cnaps": "102100099996",
    "number": "LG-2026-0001",
    "amount_minor": 20_000_000,
    "currency": "CNY",
    "valid_until": "2027-02-28",
    "demand_terms": "见索即付：凭受益人书面索赔声明付款 (on first written demand)",
    "beneficiary": "exchange",
}
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Reference = Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]


class CardIn(Shape):
    """A deposit on a card: held until the auction has ended, or charged at once.

    With `payment_method`, an id that the provider gave for a card, the exchange confirms it.
    Without, the payer confirms at the provider with the `client_secret` that is answered later.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"mode": "card_hold", "payment_method": "pm_card_visa"}]}
    )

    mode: Literal["card_hold", "charge"]
    payment_method: Annotated[str | None, Field(pattern=r"^pm_[A-Za-z0-9_]{1,250}$")] = None


class CardOut(Shape):
    """A deposit on a card. It counts while it is `held` or `drawing`, and as money once `drawn`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": EXAMPLE_ID,
                    "auction_id": EXAMPLE_ID,
                    "mode": "card_hold",
                    "amount_minor": 20_000_000,
                    "captured_minor": 0,
                    "returned_minor": 0,
                    "currency": "CNY",
                    "state": "held",
                    "fault": None,
                    "needed_until": "2026-11-24T10:00:00Z",
                    "capture_before": "2026-11-29T09:00:00Z",
                    "provider_id": "pi_1",
                    "client_secret": None,
                    "publishable_key": None,
                    "requested_at": "2026-11-22T09:00:00Z",
                }
            ]
        }
    )

    id: UUID
    auction_id: UUID
    mode: Literal["card_hold", "charge"]
    amount_minor: int
    captured_minor: int
    returned_minor: Annotated[int, Field(description="What went back to the card.")]
    currency: str
    state: Literal[
        "requested", "ready", "held", "drawing", "drawn", "releasing", "released", "expired",
        "failed",
    ]  # fmt: skip
    fault: Annotated[
        Literal["card-hold-too-short", "card-declined", "provider-refused"] | None,
        Field(description="Why it does not count; charge, wire or give a letter instead."),
    ]
    needed_until: Annotated[
        AwareDatetime | None, Field(description="The auction's latest end, and the margin.")
    ]
    capture_before: Annotated[AwareDatetime | None, Field(description="Until when it holds.")]
    provider_id: str | None
    client_secret: Annotated[str | None, Field(description="While it waits to be confirmed.")]
    publishable_key: Annotated[str | None, Field(description="For Stripe.js, with the secret.")]
    requested_at: AwareDatetime


class GuaranteeIn(Shape):
    """A letter of guarantee (保函) or standby letter of credit, and its scan as a PDF."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_LETTER, "scan_base64": "JVBERi0xLjcKJSVFT0YK"}]}
    )

    form: Literal["letter-of-guarantee", "standby-letter-of-credit"]
    issuer: Text
    issuer_bic: Annotated[str | None, Field(max_length=11)] = None
    issuer_cnaps: Annotated[str | None, Field(max_length=12, description="联行号")] = None
    number: Reference
    amount_minor: Annotated[int, Field(strict=True, ge=1, le=MOST_MINOR)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    valid_until: Annotated[date, Field(description="The last day of a demand, in Beijing.")]
    demand_terms: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]
    beneficiary: Literal["exchange", "seller"] = "exchange"
    scan_base64: Annotated[str, Field(min_length=8, max_length=LONGEST_SCAN)]


class GuaranteeOut(Shape):
    """A letter of guarantee. It counts as the deposit while it is `accepted` or `demanded`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_LETTER,
                    "id": EXAMPLE_ID,
                    "auction_id": EXAMPLE_ID,
                    "party_id": EXAMPLE_ID,
                    "state": "offered",
                    "scan_sha256": EXAMPLE_HASH,
                    "content_sha256": EXAMPLE_HASH,
                    "offered_by": EXAMPLE_ID,
                    "offered_at": "2026-11-22T09:00:00Z",
                    "decided_by": None,
                    "decided_at": None,
                    "refused_reason": None,
                    "demanded_minor": 0,
                    "paid_reference": None,
                    "ended_at": None,
                }
            ]
        }
    )

    id: UUID
    auction_id: UUID
    party_id: UUID
    form: Literal["letter-of-guarantee", "standby-letter-of-credit"]
    issuer: str
    issuer_bic: str | None
    issuer_cnaps: str | None
    number: str
    amount_minor: int
    currency: str
    valid_until: date
    demand_terms: str
    beneficiary: Literal["exchange", "seller"]
    state: Literal["offered", "accepted", "refused", "released", "demanded", "paid", "expired"]
    scan_sha256: str
    content_sha256: Annotated[str, Field(description="Of what is accepted or refused.")]
    offered_by: UUID
    offered_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    refused_reason: str | None
    demanded_minor: int
    paid_reference: Annotated[str | None, Field(description="Where the bank paid the seller.")]
    ended_at: AwareDatetime | None


class GuaranteePaidIn(Shape):
    """The bank's reference of what it paid to the seller under a letter."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reference": "ICBC-LG-000009"}]})

    reference: Reference


def card_out(row: CardHold, *, publishable_key: str) -> CardOut:
    """Return a deposit on a card as its payer reads it; the secret only while it serves."""
    is_ready = row.state == card_rules.READY
    said = row.model_dump(include=set(CardOut.model_fields) - {"client_secret"})
    return CardOut(
        **said,
        client_secret=row.client_secret if is_ready else None,
        publishable_key=publishable_key or None if is_ready else None,
    )


def guarantee_out(row: Guarantee) -> GuaranteeOut:
    """Return a letter as the wire carries it."""
    return GuaranteeOut(**row.model_dump(include=set(GuaranteeOut.model_fields)))


async def given(
    session: AsyncSession, auction_id: UUID, party_id: UUID
) -> tuple[list[CardOut], list[GuaranteeOut]]:
    """Return the cards and letters that were given for a deposit, as staff read them."""
    held = await cards.of_deposit(session, auction_id, party_id)
    letters = await queries.of_deposit(session, auction_id, party_id)
    shown = [card_out(one, publishable_key="") for one in held]
    hidden = [one.model_copy(update={"client_secret": None}) for one in shown]
    return hidden, [guarantee_out(one) for one in letters]
