"""A payment provider that misbehaves, at the boundary of the gateway.

It loses answers before and after it acts, acts late, refuses, stores a 500 and repeats it, and
forgets keys after 24 hours. With a fault rate of zero it is merely a provider.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.money import Money
from settlement.clearing.rules import Entry
from settlement.disputes.rules import SeenDispute
from settlement.invoices.rules import READY, SUCCEEDED, Seen
from settlement.outbound.rules import (
    CREATE_ACCOUNT,
    CREATE_PAYMENT,
    CREATE_PAYOUT,
    CREATE_REFUND,
    CREATE_TRANSFER,
    HOLD_PAYMENT,
    REVERSE_TRANSFER,
    STEPS,
    Answer,
    Lost,
    Made,
    Rejected,
)
from settlement.payouts.rules import Link, SeenAccount
from settlement.refunds.rules import SeenRefund
from settlement.stripe.gateway import AnswerLost
from settlement.stripe.rules import History, Listed
from settlement.sweeps.rules import SeenSweep
from tests.settlement import stripe_params

KEY_LIFE = timedelta(hours=24)
PREFIX = {
    CREATE_PAYMENT: "pi", CREATE_ACCOUNT: "acct", CREATE_TRANSFER: "tr", CREATE_REFUND: "re",
    REVERSE_TRANSFER: "trr", CREATE_PAYOUT: "po", HOLD_PAYMENT: "pi",
}  # fmt: skip
# By what instructions are found again, as the provider lists its objects.
LISTED_BY = {
    CREATE_TRANSFER: "transfer_group", CREATE_REFUND: "payment_intent",
    REVERSE_TRANSFER: "transfer",
    CREATE_PAYOUT: "currency",  # of payouts there is one list
}  # fmt: skip


_FITTING: set[str] = set()


def _fits(op: str, params: Mapping[str, Any]) -> None:
    """Fail when an instruction does not fit the types; what fitted once fits again."""
    asked = f"{op} {params!r}"
    if asked not in _FITTING:
        assert stripe_params.faults_of(op, params) == []
        _FITTING.add(asked)


@dataclass
class FakeStripe:
    now: datetime
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    rate: float = 0.0
    mark: str = "fake"
    refusal: Rejected | None = None
    made: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    paid: dict[str, Money] = field(default_factory=dict)
    late: list[tuple[datetime, str, str, dict[str, Any]]] = field(default_factory=list)
    keys: dict[str, tuple[datetime, str | None]] = field(default_factory=dict)
    fees: dict[str, Money] = field(default_factory=dict)
    moved: list[Entry] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    payouts: dict[str, str] = field(default_factory=dict)
    capabilities: dict[str, str] = field(default_factory=dict)
    links: int = 0
    disputes: dict[str, list[SeenDispute]] = field(default_factory=dict)

    async def create(self, op: str, params: Mapping[str, Any], *, idem_key: str) -> Answer:
        self.calls.append((op, dict(params), idem_key))
        _fits(op, params)
        if self.refusal is not None:
            return self.refusal
        if op in STEPS:
            return Made(f"{params['payment_intent']}/{op.rpartition('.')[2]}")
        self._act_late()
        if self._happens(0.08):
            after = timedelta(seconds=self.rng.choice([1, 30, 300]))
            self.late.append((self.now + after, op, idem_key, dict(params)))
            return Lost("will act late")
        known = self._known(idem_key, self.now)
        if known is not None:
            return Lost("stored 500") if known[1] is None else self._answer(op, known[1], 0.15)
        for chance, answer in (
            (0.15, Lost("never arrived")),
            (0.10, Rejected("429", final=False)),
            (0.05, Rejected("400", final=True)),
        ):
            if self._happens(chance):
                return answer
        if self._happens(0.05):
            self.keys[idem_key] = (self.now, None)
            return Lost("500")
        return self._answer(op, self._make(op, idem_key, dict(params), self.now), 0.25)

    async def find(self, op: str, params: Mapping[str, Any], *, intent_id: str) -> str | None:
        self._act_late()
        if self._happens(0.15):
            raise AnswerLost("look-up lost")
        if op in STEPS:
            return None
        listed_by = LISTED_BY[op]
        for done, made, given in self.made:
            here = done == op and given[listed_by] == params[listed_by]
            if here and given["metadata"]["intent_id"] == intent_id:
                return made
        return None

    async def see_payment(self, provider_id: str) -> History | None:
        self._act_late()
        if self._happens(0.15):
            raise AnswerLost("look-up lost")
        for op, made, params in self.made:
            if op == CREATE_PAYMENT and made == provider_id:
                received = self.paid.get(provider_id)
                seen = Seen(
                    provider_id=provider_id,
                    state=READY if received is None else SUCCEEDED,
                    received=received,
                    charge_id=None if received is None else f"ch_{provider_id}",
                    payment_id=UUID(params["metadata"]["payment"]),
                    fee=self.fees.get(provider_id),
                )
                refunds = self._refunds(provider_id)
                return History(seen, refunds, tuple(self.disputes.get(provider_id, ())))
        return None

    async def see_payout(self, provider_id: str) -> SeenSweep | None:
        self._act_late()
        if self._happens(0.15):
            raise AnswerLost("look-up lost")
        for op, made, params in self.made:
            if op == CREATE_PAYOUT and made == provider_id:
                return SeenSweep(
                    provider_id=made,
                    status=self.payouts.get(made, "pending"),
                    amount=Money(params["amount"], params["currency"].upper()),
                    arrives_on=(self.now + timedelta(days=2)).date(),
                    fault="account_closed" if self.payouts.get(made) == "failed" else None,
                    sweep_id=UUID(params["metadata"]["sweep"]),
                )
        return None

    async def see_account(self, provider_id: str) -> SeenAccount | None:
        self._act_late()
        if self._happens(0.15):
            raise AnswerLost("look-up lost")
        for op, made, _ in self.made:
            if op == CREATE_ACCOUNT and made == provider_id:
                return SeenAccount(made, self.capabilities.get(made, "active"))
        return None

    async def link_account(self, provider_id: str, *, return_url: str) -> Link:
        self._act_late()
        if self._happens(0.15):
            raise AnswerLost("no link")
        self.links += 1
        address = f"https://provider.example/{provider_id}/{self.links}?back={return_url}"
        return Link(address, self.now + timedelta(minutes=5))

    async def movements(self, since: datetime | None) -> list[Entry]:
        return [one for one in self.moved if since is None or one.created_at >= since]

    async def balances(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for one in self.moved:
            found[one.currency] = found.get(one.currency, 0) + one.net_minor
        return found

    async def returns(
        self, *, refunds_from: datetime | None, disputes_from: datetime | None
    ) -> list[Listed]:
        if self._happens(0.15):
            raise AnswerLost("list lost")
        found = [
            Listed(provider_id, refund=refund)
            for provider_id in self.paid
            for refund in self._refunds(provider_id)
            if refunds_from is None or self.now >= refunds_from
        ]
        return found + [
            Listed(provider_id, dispute=dispute)
            for provider_id, disputes in self.disputes.items()
            for dispute in disputes
            if disputes_from is None or dispute.opened_at >= disputes_from
        ]

    def _refunds(self, provider_id: str) -> list[SeenRefund]:
        return [
            SeenRefund(
                provider_id=made,
                amount=Money(given["amount"], self.paid[provider_id].currency),
                failed=made in self.failed,
                refund_id=UUID(given["metadata"]["refund"]),
            )
            for op, made, given in self.made
            if op == CREATE_REFUND and given["payment_intent"] == provider_id
        ]

    def of(self, op: str, name: str, value: object) -> list[str]:
        """The objects that carry a name in their metadata."""
        return [
            made
            for done, made, params in self.made
            if done == op and params["metadata"].get(name) == str(value)
        ]

    def pay(self, provider_id: str, received: Money) -> None:
        self.paid[provider_id] = received

    def finish_late(self) -> None:
        self.now += timedelta(hours=1)
        self._act_late()

    def _happens(self, chance: float) -> bool:
        return self.rate > 0 and self.rng.random() < chance * self.rate

    def _known(self, key: str, at: datetime) -> tuple[datetime, str | None] | None:
        known = self.keys.get(key)
        return known if known is not None and at - known[0] < KEY_LIFE else None

    def _act_late(self) -> None:
        """Play the requests that were due since the last call, each as of its own instant.

        Not as of now: a key that was alive when the request arrived may be forgotten by now.
        """
        for due, op, key, params in sorted(self.late, key=lambda item: item[0]):
            if due <= self.now:
                self.late.remove((due, op, key, params))
                if self._known(key, due) is None:
                    self._make(op, key, params, due)

    def _make(self, op: str, key: str, params: dict[str, Any], at: datetime) -> str:
        made = f"{PREFIX[op]}_{self.mark}_{len(self.made)}"
        self.made.append((op, made, params))
        self.keys[key] = (at, made)
        return made

    def _answer(self, op: str, made: str, loss: float) -> Answer:
        if self._happens(loss):
            return Lost("answer lost")
        return Made(made, f"{made}_secret" if op in (CREATE_PAYMENT, HOLD_PAYMENT) else None)
