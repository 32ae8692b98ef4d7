"""Approvals: another person, this content, once, in time; and no way around them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.money import Money
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from exchange.identity.tables import Person
from settlement.approvals import rules, service
from settlement.approvals.rules import (
    ApprovalExpired,
    ApprovalMissing,
    ApprovalSpent,
    ProofSpent,
    SamePerson,
    Subject,
)
from settlement.payouts import queries as payouts
from settlement.payouts import service as paying
from settlement.payouts.tables import Payout
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, person, signed_client
from tests.exchange.test_portal_pages import browser, token_in
from tests.settlement.approvals_factory import proof, proved
from tests.settlement.settlement_factory import invoiced, paid, with_accounts

SHA = "a" * 64
PROVE = (
    "INSERT INTO person_proof (id, person_id, proved_at, expires_at) "
    "VALUES (:proof, :checker, now(), now() + interval '5 minutes')"
)
APPROVE = (
    "INSERT INTO approval (id, object_type, object_id, object_hash, maker_id, checker_id, outcome, "
    "proof_id, decided_at, expires_at) VALUES (gen_random_uuid(), 'payout', :payout, :sha, :maker, "
    ":checker, 'approved', :proof, now(), now() + interval '1 hour')"
)
USE = "UPDATE approval SET used_at = now() WHERE object_id = :payout"
DECIDE = (
    "UPDATE payout SET state = 'approved', decided_by = :checker, decided_at = now() "
    "WHERE id = :payout"
)
SEND = (
    "INSERT INTO outbound (id, op, object_key, object_id, payload, payload_sha256, state, attempt, "
    "idem_key, tries, ever_unknown, next_at, created_at) VALUES (gen_random_uuid(), "
    "'transfer.create', 'transfer:' || :payout || ':' || :party, :payout, :payload, :sha, "
    "'intent', 1, gen_random_uuid()::text, 0, false, now(), now())"
)


async def someone(session: AsyncSession, role: str = "approver") -> Person:
    home = await party(session, now=NOW)
    return await person(session, party_id=home.id, role=role, now=NOW)


async def made(session: AsyncSession) -> tuple[Subject, UUID]:
    """A content that one person made, and another person who may approve it."""
    maker, checker = await someone(session), await someone(session)
    return Subject("journal", ids.new(NOW), SHA, maker.id), checker.id


async def prepared(session: AsyncSession, maker: Person) -> Payout:
    trade = await invoiced(session, price=Money(1_000_000, "CNY"), now=NOW)
    await paid(session, trade, now=NOW)
    await with_accounts(session, trade, now=NOW)
    payout, _ = await paying.prepare(
        session, ids.new(NOW), deal_id=trade.deal_id, person_id=maker.id, now=NOW
    )
    return payout


async def test_an_approval_serves_once(session: AsyncSession) -> None:
    subject, checker = await made(session)
    shown = await proof(session, checker, now=NOW)
    await service.approve(session, subject, checker_id=checker, proof_id=shown, now=NOW)
    assert (await service.use(session, subject, now=NOW)).used_at == NOW
    with pytest.raises(ApprovalSpent):
        await service.use(session, subject, now=NOW)


async def test_an_approval_ends_after_a_day_and_can_be_given_again(session: AsyncSession) -> None:
    subject, checker = await made(session)
    shown = await proof(session, checker, now=NOW)
    await service.approve(session, subject, checker_id=checker, proof_id=shown, now=NOW)
    later = NOW + rules.LASTS
    with pytest.raises(ApprovalExpired):
        await service.use(session, subject, now=later)
    fresh = await proof(session, checker, now=later)
    await service.approve(session, subject, checker_id=checker, proof_id=fresh, now=later)
    assert (await service.use(session, subject, now=later)).decided_at == later


@pytest.mark.parametrize("changed", ["object_type", "object_id", "object_hash", "maker_id"])
async def test_changing_anything_voids_an_approval(session: AsyncSession, changed: str) -> None:
    subject, checker = await made(session)
    shown = await proof(session, checker, now=NOW)
    await service.approve(session, subject, checker_id=checker, proof_id=shown, now=NOW)
    other = {
        "object_type": "refund",
        "object_id": ids.new(NOW),
        "object_hash": "b" * 64,
        "maker_id": checker,
    }
    values = {name: getattr(subject, name) for name in Subject.__slots__}
    with pytest.raises(ApprovalMissing):
        await service.use(session, Subject(**{**values, changed: other[changed]}), now=NOW)


async def test_a_refusal_is_no_approval(session: AsyncSession) -> None:
    subject, checker = await made(session)
    await service.refuse(session, subject, checker_id=checker, reason="不符", now=NOW)
    with pytest.raises(ApprovalMissing):
        await service.use(session, subject, now=NOW)


async def test_who_made_something_decides_nothing_about_it(session: AsyncSession) -> None:
    subject, _ = await made(session)
    own = await proof(session, subject.maker_id, now=NOW)
    with pytest.raises(SamePerson):
        await service.approve(session, subject, checker_id=subject.maker_id, proof_id=own, now=NOW)
    with pytest.raises(SamePerson):
        await service.refuse(session, subject, checker_id=subject.maker_id, reason="no", now=NOW)


async def test_a_proof_serves_for_one_decision(session: AsyncSession) -> None:
    subject, checker = await made(session)
    other, _ = await made(session)
    shown = await proof(session, checker, now=NOW)
    await service.approve(session, subject, checker_id=checker, proof_id=shown, now=NOW)
    with pytest.raises(ProofSpent):
        await service.approve(session, other, checker_id=checker, proof_id=shown, now=NOW)


@pytest.mark.parametrize("fault", ["another's", "old"])
async def test_the_database_takes_no_proof_of_another_or_of_before(
    session: AsyncSession, fault: str
) -> None:
    subject, checker = await made(session)
    whose = subject.maker_id if fault == "another's" else checker
    now = NOW + timedelta(minutes=5) if fault == "old" else NOW
    shown = await proof(session, whose, now=NOW)
    with pytest.raises(DBAPIError, match="is not of person"):
        await service.approve(session, subject, checker_id=checker, proof_id=shown, now=now)


@pytest.mark.parametrize("role", ["operator", "auditor", "holder"])
async def test_the_database_lets_approvers_alone_approve(session: AsyncSession, role: str) -> None:
    subject, _ = await made(session)
    who = (await someone(session, role)).id
    shown = await proof(session, who, now=NOW)
    with pytest.raises(DBAPIError, match="approves nothing"):
        await service.approve(session, subject, checker_id=who, proof_id=shown, now=NOW)


class Attack:
    """What a person with the application's role could say to the database about one payout."""

    def __init__(self, session: AsyncSession, payout: Payout, second: UUID) -> None:
        self.session = session
        self.values = {
            "payout": payout.id,
            "sha": payout.content_sha256,
            "maker": payout.prepared_by,
            "second": second,
            "proof": ids.new(NOW),
        }

    async def refused(self, *statements: str, says: str, **more: object) -> None:
        savepoint = await self.session.begin_nested()
        with pytest.raises(DBAPIError, match=says):
            for statement in statements:
                values = {**self.values, "checker": self.values["maker"], **more}
                named = {name: value for name, value in values.items() if f":{name}" in statement}
                await self.session.execute(text(statement), named)
        await savepoint.rollback()


@pytest.fixture
async def attack(session: AsyncSession) -> AsyncIterator[Attack]:
    maker, second = await someone(session), await someone(session)
    yield Attack(session, await prepared(session, maker), second.id)


async def test_invariant_31_the_maker_finds_no_way_past_the_database(attack: Attack) -> None:
    second = attack.values["second"]
    await attack.refused(DECIDE, says="is not approved by person")
    await attack.refused(
        APPROVE.replace(":proof", "NULL"), checker=second, says="approval_proved_in_person"
    )
    await attack.refused(PROVE, APPROVE, says="approval_needs_two_people")
    await attack.refused(DECIDE, checker=second, says="is not approved by person")
    # an approval that names another maker is not one of this payout
    await attack.refused(
        PROVE, APPROVE.replace(":maker", ":second"), USE, DECIDE, says="is not approved by person"
    )
    await attack.refused(
        "UPDATE payout SET prepared_by = :second WHERE id = :payout", says="never changes"
    )
    await attack.refused("DELETE FROM payout WHERE id = :payout", says="stays")
    await attack.refused(
        "INSERT INTO payout (id, deal_id, state, content, content_sha256, prepared_by, prepared_at,"
        " decided_by, decided_at) SELECT gen_random_uuid(), deal_id, 'approved', content, "
        "content_sha256, :second, now(), :maker, now() FROM payout WHERE id = :payout",
        says="begins prepared",
    )


async def test_invariant_31_an_approval_is_of_what_is_sent_to_the_unit(attack: Attack) -> None:
    session, second = attack.session, attack.values["second"]
    transfer = (await payouts.transfers(session, attack.values["payout"]))[0]
    right = {
        "amount": transfer.amount_minor,
        "currency": "cny",
        "destination": transfer.account,
    }
    change = "UPDATE payout_transfer SET account = 'acct_thief' WHERE payout_id = :payout"
    await attack.refused(change, says="stays what was prepared")
    send = {"payload": canonical.dumps(right), "party": str(transfer.party_id), "sha": SHA}
    plain = SEND.replace(":payout ||", "CAST(:payout AS text) ||").replace(
        "|| :party", "|| CAST(:party AS text)"
    )
    await attack.refused(plain, says="was not approved to make this transfer", **send)
    for statement in (PROVE, APPROVE, USE, DECIDE):
        values = {**attack.values, "checker": second}
        await session.execute(
            text(statement), {name: one for name, one in values.items() if f":{name}" in statement}
        )
    wrong = (
        {"amount": transfer.amount_minor + 1},
        {"destination": "acct_thief"},
        {"currency": "usd"},
    )
    for one in wrong:
        send["payload"] = canonical.dumps({**right, **one})
        await attack.refused(plain, says="was not approved to make this transfer", **send)
    for late in (change, USE, "DELETE FROM approval WHERE object_id = :payout"):
        await attack.refused(late, says="stays|never changes")
    await session.execute(
        text(plain), {**send, "payload": canonical.dumps(right), "payout": attack.values["payout"]}
    )


async def test_invariant_31_a_payout_is_approved_with_the_transfers_it_says(
    attack: Attack,
) -> None:
    more = (
        "INSERT INTO payout_transfer (payout_id, party_id, account, amount_minor, currency, state) "
        "SELECT :payout, party_id, 'acct_thief', 1, 'CNY', 'pending' FROM person WHERE id = :maker"
    )
    await attack.refused(
        more,
        PROVE,
        APPROVE,
        USE,
        DECIDE,
        checker=attack.values["second"],
        says="has other transfers",
    )


async def test_invariant_31_the_maker_is_refused_on_page_and_api_and_a_second_person_is_not(
    context: Context, db: Database
) -> None:
    async with signed_client(context, role="approver") as (api, maker):
        now = clock.now()
        async with db.transaction() as session:
            payout = await prepared(session, maker)
            second = await person(session, party_id=maker.party_id, role="approver", now=now)
        seen = {"content_sha256": payout.content_sha256}
        own = await api.post(f"/v1/payouts/{payout.id}/approval", json=await proved(api, **seen))
        assert (own.status_code, own.json()["code"]) == (403, "same-person")
        page = f"/console/payouts/{payout.id}"
        async with browser(context) as client:
            await client.post("/sign-in", data={"email": maker.email, "password": PASSWORD})
            shown = (await client.get(page)).text
            form = {**seen, "csrf_token": token_in(shown), "password": PASSWORD}
            forced = await client.post(f"{page}/approval", data=form)
            assert forced.status_code == 403 and "same-person" in forced.text
            await client.post("/sign-out", data=form)
        async with browser(context) as client:
            await client.post("/sign-in", data={"email": second.email, "password": PASSWORD})
            form["csrf_token"] = token_in((await client.get(page)).text)
            wrong = await client.post(f"{page}/approval", data={**form, "password": "not mine"})
            assert wrong.status_code == 403 and "password-wrong" in wrong.text
            assert (await client.post(f"{page}/approval", data=form)).status_code == 303
    async with db.transaction() as session:
        assert (await payouts.get_payout(session, payout.id)).decided_by == second.id


async def test_an_api_key_alone_approves_nothing(context: Context, db: Database) -> None:
    async with (
        signed_client(context, role="approver") as (api, _),
        signed_client(context, role="approver") as (other, maker),
    ):
        async with db.transaction() as session:
            payout = await prepared(session, maker)
        path, seen = f"/v1/payouts/{payout.id}/approval", {"content_sha256": payout.content_sha256}
        assert (await api.post(path, json=seen)).status_code == 422
        for shown in (str(ids.new(NOW)), (await proved(other, **seen))["proof"]):
            answer = await api.post(path, json={**seen, "proof": shown})
            assert (answer.status_code, answer.json()["code"]) == (403, "proof-needed")
        wrong = await api.post("/v1/proofs", json={"password": "not mine"})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "password-wrong")


async def test_guesses_of_a_password_are_counted_though_they_are_refused(
    context: Context,
) -> None:
    async with signed_client(context, role="approver") as (api, _):
        for _ in range(10):
            answer = await api.post("/v1/proofs", json={"password": "not mine"})
            assert answer.status_code == 403
        last = await api.post("/v1/proofs", json={"password": PASSWORD})
        assert (last.status_code, last.json()["code"]) == (429, "too-many-attempts")
