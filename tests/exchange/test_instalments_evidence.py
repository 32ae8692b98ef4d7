"""A contract in instalments from the first word to the last payout: paper, page and evidence."""

from pathlib import Path

from contracts.parties.gateway import LocalAuthority
from exchange import keys
from exchange.context import Context
from exchange.evidence import bundle
from exchange.evidence.verify import verify
from listings.deliveries import queries as deliveries
from settlement.payouts import service as payouts
from settlement.plans import queries as plans
from tests.conftest import NOW
from tests.contracts.log_factory import seal_all
from tests.exchange.identity_factory import person, signed_client
from tests.exchange.instalments_desk import sold_in_parts
from tests.exchange.test_portal_deals import enter
from tests.exchange.test_portal_pages import browser
from tests.settlement.test_instalments import paid_out, pay


async def test_the_evidence_of_a_price_paid_in_parts_holds(
    context: Context, tmp_path: Path
) -> None:
    sold = await sold_in_parts(context)
    async with context.db.transaction() as session:
        owner = sold.room.licensor
        await payouts.open_account(session, owner.id, country="HK", now=NOW)
        await payouts.account_ready(session, owner.id, provider_id=f"acct_{owner.id.hex}")
        for part in await plans.parts_of(session, sold.deal.id):
            await pay(session, part.deal_id)
            await paid_out(session, part.deal_id)
    signer = keys.log_signer(context.settings)
    await seal_all(context.db, signer)
    async with context.db.transaction() as session:
        assert await deliveries.is_paid(session, sold.deal.id)
        _, raw = await bundle.assemble(
            session, sold.deal.id, party=sold.room.licensee.id, signer=signer,
            authority=LocalAuthority.ensure(context.settings.keys, NOW),
        )  # fmt: skip
    path = tmp_path / "bundle.zip"
    path.write_bytes(raw)
    report = verify(path)
    assert [(one.name, one.detail) for one in report.checks if not one.ok] == []
    said = next(one.detail for one in report.checks if one.name == "settlement")
    assert "120000001 = " in said


async def test_the_first_instalment_is_enough_for_the_keys(context: Context) -> None:
    sold = await sold_in_parts(context)
    async with context.db.transaction() as session:
        owner = sold.room.licensor
        await payouts.open_account(session, owner.id, country="HK", now=NOW)
        await payouts.account_ready(session, owner.id, provider_id=f"acct_{owner.id.hex}")
        await pay(session, sold.deal.id)
        await paid_out(session, sold.deal.id)
    await seal_all(context.db, keys.log_signer(context.settings))
    async with context.db.transaction() as session:
        assert await deliveries.is_paid(session, sold.deal.id)


async def test_both_sides_read_what_is_due_and_when_and_nobody_else(context: Context) -> None:
    sold = await sold_in_parts(context)
    path = f"/v1/deals/{sold.deal.id}/dues"
    for role, side in (("holder", sold.room.licensor), ("broadcaster", sold.room.licensee)):
        async with signed_client(context, role=role, of=side) as (client, _):
            items = (await client.get(path)).json()["items"]
        assert [(one["kind"], one["part"], one["due_minor"]) for one in items] == [
            ("price", 1, 36_000_000), ("instalment", 2, 84_000_001), ("deferral", 2, 1_242_740),
        ]  # fmt: skip
        assert {one["state"] for one in items} == {"issued"}
    async with signed_client(context, role="broadcaster") as (client, _):
        assert (await client.get(path)).status_code == 404


async def test_the_page_of_the_deal_tells_each_part_in_both_languages(context: Context) -> None:
    sold = await sold_in_parts(context)
    async with context.db.transaction() as session:
        reader = await person(session, party_id=sold.room.licensee.id, role="broadcaster", now=NOW)
    async with browser(context) as client:
        await enter(client, reader)
        told = {
            "en": ("What is due, and when", "instalment 2", "CN¥840,000.01", "5 ten-thousandths"),
            "zh-CN": ("应付款项与期限", "第 2 期", "¥840,000.01", "万分之 5"),
        }
        for spoken, texts in told.items():
            headers = {"accept-language": spoken}
            page = (await client.get(f"/deals/{sold.deal.id}", headers=headers)).text
            assert [text for text in texts if text not in page] == []
