"""The life of a deposit on a card, for replays: held, drawn on and forfeited by two people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from exchange.db import Database
from settlement.cardholds.rules import Ask, SeenHold
from settlement.deposits import carding, moving
from settlement.deposits.rules import DRAW, FORFEIT, Move
from settlement.invoices.rules import READY, Seen
from settlement.outbound.rules import STEPS, Answer, Made
from settlement.stripe.rules import History
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.lives import Step
from tests.settlement.pledges_factory import CARD_HOLDS, REQUIRED, asked
from tests.settlement.returns_factory import Staff

NOTHING = Money(0, "CNY")


@dataclass
class CardStripe(FakeStripe):
    """A provider that holds deposits on cards too."""

    cards: dict[str, SeenHold] = field(default_factory=dict)

    async def create(self, op: str, params: Mapping[str, Any], *, idem_key: str) -> Answer:
        """Steps of a payment are instructions too, that a replay has to give again."""
        answer = await super().create(op, params, idem_key=idem_key)
        if op in STEPS and isinstance(answer, Made):
            self.made.append((op, answer.provider_id, {**params, "metadata": {}}))
        return answer

    async def see_payment(self, provider_id: str) -> History | None:
        if provider_id in self.cards:
            return History(Seen(provider_id, READY, None, None, None), hold=self.cards[provider_id])
        return await super().see_payment(provider_id)

    def stands(self, provider_id: str, hold_id: UUID, status: str, *, received: Money) -> None:
        """Show a card's payment at this status from now on."""
        held = Money(REQUIRED, "CNY") if status == "requires_capture" else NOTHING
        until = NOW + CARD_HOLDS
        self.cards[provider_id] = SeenHold(provider_id, hold_id, status, held, received, until)


async def on_card(session: AsyncSession, people: Staff) -> list[Step]:
    """A card holds a deposit; two people draw on it, and then forfeit what came."""
    deposit = await asked(session, now=NOW)
    whose, hold_id = (deposit.auction_id, deposit.party_id), ids.new(NOW)

    async def gives(db: Database) -> None:
        async with db.transaction() as session:
            await carding.give_card(
                session, hold_id, *whose, ask=Ask("card_hold"), person_id=people.maker, now=NOW
            )

    def holds(gateway: FakeStripe, provider_id: str) -> None:
        assert isinstance(gateway, CardStripe)
        gateway.stands(provider_id, hold_id, "requires_capture", received=NOTHING)

    def pays(gateway: FakeStripe, provider_id: str) -> None:
        assert isinstance(gateway, CardStripe)
        gateway.stands(provider_id, hold_id, "succeeded", received=Money(REQUIRED, "CNY"))

    return [
        Step(hold_id, gives),
        Step(hold_id, happens=holds, types=["payment_intent.amount_capturable_updated"]),
        _moves(hold_id, whose, DRAW, people),
        Step(hold_id, happens=pays, types=["charge.captured", "payment_intent.succeeded"]),
        _moves(hold_id, whose, FORFEIT, people),
    ]


def _moves(hold_id: UUID, whose: tuple[UUID, UUID], kind: str, people: Staff) -> Step:
    movement_id = ids.new(NOW)

    async def decide(db: Database) -> None:
        async with db.transaction() as session:
            movement, _ = await moving.prepare(
                session, movement_id, *whose, move=Move(kind, REQUIRED, "non-payment"),
                person_id=people.maker, now=NOW,
            )  # fmt: skip
            decision = await decided(session, people.checker, movement.content_sha256, now=NOW)
            await moving.approve(session, movement.id, decision=decision, now=NOW)

    return Step(hold_id, decide)
