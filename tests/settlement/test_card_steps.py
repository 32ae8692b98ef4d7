"""Confirming, capturing and canceling through the executor: lost answers, crashes, late effects.

The judge is the stand-in: how the payment stands, and what its books say was taken from the card.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts import canonical
from settlement.outbound import rules
from settlement.outbound.tables import Outbound
from tests.settlement import outbound_standin
from tests.settlement.standin import running_standin

# How a payment stands once the step took effect; a hold that ran out meanwhile is canceled too.
# Where it failed for good, the provider refused the method, or the card holds no longer.
REFUSED = {
    rules.CONFIRM_PAYMENT: {"requires_payment_method"},
    rules.CAPTURE_PAYMENT: {"canceled"},
    rules.CANCEL_PAYMENT: set[str](),
}
MEANT = {
    rules.CONFIRM_PAYMENT: {"requires_capture", "canceled"},
    rules.CAPTURE_PAYMENT: {"succeeded"},
    rules.CANCEL_PAYMENT: {"canceled"},
}


@pytest.fixture(scope="module")
def database(server_url: str) -> str:
    return outbound_standin.make_table(server_url, "card_steps")


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    with running_standin(tmp_path, extra=("--state", ":memory:")) as url:
        yield url


@pytest.mark.parametrize("op", sorted(rules.STEPS))
async def test_invariant_27_a_step_of_a_card_takes_effect_once_or_is_known_not_to(
    database: str, base: str, op: str
) -> None:
    """Cards hold for seven days: a schedule may be longer, and then the step failed for good."""
    done = failed = killed = 0
    async with outbound_standin.site(database, base) as here:
        for seed in range(15):
            intent_id, ended, deaths = await outbound_standin.play(here, seed, (op,))
            killed += deaths
            async with here.db.transaction() as session:
                row = await session.get_one(Outbound, intent_id)
            assert ended, (seed, row.state, row.fault)
            payment = canonical.loads(row.payload)["payment_intent"]
            seen = await here.gateway._client.v1.payment_intents.retrieve_async(payment)
            if row.state == rules.DONE:
                done += 1
                assert seen.status in MEANT[op], seed
            else:
                failed += 1
                assert seen.status in REFUSED[op], (seed, row.fault)
            charges = await here.gateway._client.v1.charges.list_async({"payment_intent": payment})
            assert len(charges.data) == (seen.status != "requires_payment_method"), seed
            if not charges.data:
                continue
            taken = outbound_standin.AMOUNT if seen.status == "succeeded" else 0
            assert charges.data[0].amount_captured == taken, seed
            books = (await here.desk.get("/_books")).json()["journals"]
            assert (charges.data[0].id in books) == (taken > 0), seed
    assert done >= 10, (done, failed)
    assert killed > 5
