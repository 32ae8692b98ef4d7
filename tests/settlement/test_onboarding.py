"""Payees' onboarding: who is not active yet waits for its money, and gets it by itself."""

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from contracts import ids
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from settlement.ledger import queries as books
from settlement.outbound.rules import CREATE_ACCOUNT, CREATE_TRANSFER
from settlement.payouts import onboarding, queries, rules
from settlement.payouts import service as paying
from settlement.payouts.rules import SeenAccount
from settlement.payouts.tables import PayoutAccount
from settlement.stripe import rules as provider
from settlement.stripe import service
from settlement.stripe.gateway import Gateway
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.standin import running_standin
from tests.settlement.test_stripe_service import approved, deliver, drain, fake
from tests.settlement.test_stripe_standin import (
    approve,
    asked,
    confirm,
    gateway,
    serving,
    transfers_at,
    until_paid,
    until_paid_out,
    until_ready,
)

BACK = "https://exchange.example/money"


async def account(db: Database, party_id: UUID) -> PayoutAccount:
    async with db.sessions() as session:
        return await queries.get_account(session, party_id)


async def opened(db: Database, stripe: FakeStripe) -> tuple[UUID, str]:
    """A payee whose account the provider has opened, and what it is called there."""
    async with db.transaction() as session:
        owner = await party(session, now=NOW)
        await paying.open_account(session, owner.id, country="HK", now=NOW)
    await drain(db, stripe, NOW)
    [provider_id] = stripe.of(CREATE_ACCOUNT, "party", owner.id)
    return owner.id, provider_id


async def want_link(db: Database, party_id: UUID) -> None:
    async with db.transaction() as session:
        await onboarding.ask(session, party_id, return_url=BACK, now=NOW)


async def states(db: Database, payout_id: UUID) -> list[str]:
    async with db.sessions() as session:
        return [row.state for row in await queries.transfers(session, payout_id)]


@pytest.mark.parametrize("capability", rules.CAPABILITIES)
async def test_an_opened_account_is_looked_at(db: Database, capability: str) -> None:
    stripe = fake()
    owner, provider_id = await opened(db, stripe)
    stripe.capabilities[provider_id] = capability
    await service.apply_due(db, stripe, now=NOW)
    found = await account(db, owner)
    assert (found.capability, found.seen_at) == (capability, NOW)
    assert (found.look_at is None) is (capability == rules.ACTIVE)


async def test_a_link_is_made_where_one_is_asked_for_and_something_is_missing(
    db: Database,
) -> None:
    stripe = fake()
    owner, provider_id = await opened(db, stripe)
    stripe.capabilities[provider_id] = "inactive"
    await service.apply_due(db, stripe, now=NOW)
    assert (await account(db, owner)).link_url is None
    await want_link(db, owner)
    await service.apply_due(db, stripe, now=NOW)
    first = await account(db, owner)
    assert (first.return_url, first.link_until) == (None, NOW + timedelta(minutes=5))
    assert str(first.link_url).startswith(f"https://provider.example/{provider_id}/")
    await want_link(db, owner)
    assert (await account(db, owner)).link_url is None
    await service.apply_due(db, stripe, now=NOW)
    assert (await account(db, owner)).link_url not in (None, first.link_url)
    stripe.capabilities[provider_id] = "active"
    await want_link(db, owner)
    await service.apply_due(db, stripe, now=NOW)
    done = await account(db, owner)
    assert (done.capability, done.link_url, done.return_url) == ("active", None, None)
    with pytest.raises(rules.PayoutAccountActive):
        await want_link(db, owner)


async def test_a_link_waits_for_a_provider_that_does_not_answer(db: Database) -> None:
    stripe = fake()
    owner, provider_id = await opened(db, stripe)
    stripe.capabilities[provider_id] = "inactive"
    await want_link(db, owner)
    stripe.rate = 1000.0  # every look-up is lost
    await service.apply_due(db, stripe, now=NOW)
    assert (await account(db, owner)).return_url == BACK
    stripe.rate = 0.0
    await service.apply_due(db, stripe, now=NOW + rules.LOOK_AGAIN)
    assert (await account(db, owner)).link_url is not None


async def test_an_account_that_is_not_open_has_nothing_to_onboard(db: Database) -> None:
    async with db.transaction() as session:
        owner = await party(session, now=NOW)
        await paying.open_account(session, owner.id, country="HK", now=NOW)
    with pytest.raises(rules.PayoutAccountNotReady):
        await want_link(db, owner.id)


async def test_an_event_about_an_account_makes_it_be_looked_at(db: Database) -> None:
    stripe = fake()
    owner, provider_id = await opened(db, stripe)
    await service.apply_due(db, stripe, now=NOW)
    assert (await account(db, owner)).capability == "active"
    stripe.capabilities[provider_id] = "pending"
    thing = f'{{"object": "account", "id": "{provider_id}"}}'
    named = f'"id": "evt_{ids.new(NOW).hex}", "type": "account.updated"'
    raw = f'{{{named}, "data": {{"object": {thing}}}}}'
    assert provider.read_event(raw.encode()).account == provider_id
    await deliver(db, raw)
    await service.apply_due(db, stripe, now=NOW)
    found = await account(db, owner)
    assert (found.capability, found.look_at) == ("pending", NOW + rules.LOOK_AGAIN)


@pytest.mark.parametrize("capability", [rules.PENDING, rules.INACTIVE])
async def test_what_is_approved_for_an_account_that_is_not_active_waits_and_goes_on_once(
    db: Database, capability: str
) -> None:
    stripe = fake()
    trade, payout_id = await approved(db, capability=capability)
    assert sorted(await states(db, payout_id)) == ["pending", "sending"]
    await drain(db, stripe, NOW)
    assert sorted(await states(db, payout_id)) == ["made", "pending"]
    for _ in range(2):  # told twice, instructed once
        found = await account(db, trade.owners[1].id)
        async with db.transaction() as session:
            seen = SeenAccount(str(found.provider_id), rules.ACTIVE)
            assert await onboarding.apply_seen(session, seen, now=NOW)
    await drain(db, stripe, NOW)
    assert await states(db, payout_id) == ["made", "made"]
    paid = {f"acct_{owner.id}" for owner in trade.owners}
    made = [params["destination"] for op, _, params in stripe.made if op == CREATE_TRANSFER]
    assert sorted(one for one in made if one in paid) == sorted(paid)
    async with db.sessions() as session:
        assert (await queries.get_payout(session, payout_id)).state == "paid"
        assert await books.check(session) == []


async def test_an_account_of_nobody_is_passed_over(db: Database) -> None:
    async with db.transaction() as session:
        seen = SeenAccount("acct_of_nobody", rules.ACTIVE)
        assert not await onboarding.apply_seen(session, seen, now=NOW)


async def onboarded(context: Context, url: str) -> None:
    """Do what a payee does behind the link."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert (await browser.get(url)).status_code == 200
        back = await browser.post(url, data={"answer": "complete"})
    assert back.headers["location"] == f"{context.settings.public_url}/money"


async def test_payees_are_onboarded_at_the_provider_and_then_paid(
    context: Context, tmp_path: Path
) -> None:
    async with serving(context) as here:
        hook = f"{here}/v1/stripe/webhooks"
        with running_standin(tmp_path, hook, extra=("--onboards",)) as base:
            async with gateway(base) as stripe:
                trade, payment = await asked(context)
                await confirm(base, await until_ready(context, stripe, payment))
                await until_paid(context, stripe, payment)
                first, second = (owner.id for owner in trade.owners)
                assert (await account(context.db, first)).capability == "inactive"
                payout = await approve(context, trade)
                await service.send_due(context.db, stripe, now=clock.now())
                assert await transfers_at(base, trade) == []
                assert await states(context.db, payout.id) == ["pending", "pending"]
                for owner in (first, second):
                    async with context.db.transaction() as session:
                        back = f"{context.settings.public_url}/money"
                        await onboarding.ask(session, owner, return_url=back, now=clock.now())
                    await service.apply_due(context.db, stripe, now=clock.now())
                    await onboarded(context, str((await account(context.db, owner)).link_url))
                await until_active(context, stripe, (first, second))
                await until_paid_out(context, stripe, trade)
                made = await transfers_at(base, trade)
    assert sorted(one["amount"] for one in made) == [34_200_000, 79_800_000]


async def until_active(context: Context, stripe: Gateway, owners: tuple[UUID, ...]) -> None:
    for _ in range(100):
        await service.apply_due(context.db, stripe, now=clock.now())
        if {(await account(context.db, owner)).capability for owner in owners} == {"active"}:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("no event told that the accounts are active")
