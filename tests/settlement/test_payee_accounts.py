"""Where payees are paid: declared by them, verified in person by another, cooling off."""

import hashlib
import unicodedata
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.refusal import Unknown
from settlement.approvals.rules import (
    AlreadyDecided,
    ContentChanged,
    Decision,
    ProofSpent,
    SamePerson,
)
from settlement.payees import queries as payee_queries
from settlement.payees import service as payees
from settlement.payees.rules import (
    COOLING_OFF,
    BankAccountMalformed,
    BankAccountWaits,
    Details,
    HolderDiffers,
    is_held_by,
)
from settlement.payees.tables import PayeeBankAccount
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import iban, staff, with_bank_account


async def declared(
    session: AsyncSession, by: UUID, *, home: UUID | None = None
) -> PayeeBankAccount:
    """An account that waits for its verification."""
    whose = home or (await party(session, now=NOW)).id
    details = Details("iban", iban(), "Payee", "EUR", "Bank", None, "Trade name")
    account, new = await payees.declare(
        session, ids.new(NOW), party_id=whose, details=details, person_id=by, now=NOW
    )
    assert new
    return account


async def verified(
    session: AsyncSession, account: PayeeBankAccount, decision: Decision
) -> PayeeBankAccount:
    return await payees.verify(
        session, account.id, decision=decision, evidence="Called back.", now=NOW
    )


async def test_a_bank_account_is_verified_by_another_person_in_person(
    session: AsyncSession,
) -> None:
    one, other = await staff(session), await staff(session)
    account = await declared(session, one)
    with pytest.raises(SamePerson):
        await verified(session, account, await decided(session, one, account.sha256, now=NOW))
    with pytest.raises(ContentChanged):
        await verified(session, account, await decided(session, other, "0" * 64, now=NOW))
    with pytest.raises(BankAccountWaits):
        await declared(session, one, home=account.party_id)
    with pytest.raises(ValueError, match="needs a proof"):
        await verified(session, account, Decision(other, account.sha256))
    seen = await decided(session, other, account.sha256, now=NOW)
    done = await verified(session, account, seen)
    assert (done.state, done.decided_by, done.usable_from) == ("verified", other, NOW)
    assert await verified(session, account, seen) is done
    with pytest.raises(AlreadyDecided):
        await verified(
            session, account, await decided(session, await staff(session), done.sha256, now=NOW)
        )


async def test_the_bytes_that_the_migration_wrote_have_the_hashes_that_were_kept(
    session: AsyncSession,
) -> None:
    details = Details(
        "cnaps", "6222020200012345678", '示范"\\机构\t\x7f🎬', "CNY", "B/\u2028", "1" * 12
    )
    account, _ = await payees.declare(
        session, ids.new(NOW), party_id=(await party(session, now=NOW)).id, details=details,
        person_id=await staff(session), now=NOW,
    )  # fmt: skip
    written = import_module("migrations.versions.0062_payee_accounts").CONTENT
    query = f"SELECT {written} FROM payee_bank_account WHERE id = :id"
    assert await session.scalar(text(query), {"id": account.id}) == account.content
    assert hashlib.sha256(account.content).hexdigest() == account.sha256


async def test_a_proof_verifies_one_account(session: AsyncSession) -> None:
    one, other = await staff(session), await staff(session)
    first, second = await declared(session, one), await declared(session, one)
    seen = await decided(session, other, first.sha256, now=NOW)
    await verified(session, first, seen)
    with pytest.raises(ProofSpent):
        await verified(session, second, Decision(other, second.sha256, seen.proof_id))


async def test_an_account_is_refused_with_a_reason_and_another_can_be_declared(
    session: AsyncSession,
) -> None:
    one, other = await staff(session), await staff(session)
    account = await declared(session, one)
    seen = Decision(other, account.sha256)
    for _ in range(2):
        done = await payees.refuse(session, account.id, decision=seen, reason="户名不符", now=NOW)
        assert (done.state, done.evidence, done.usable_from) == ("refused", "户名不符", None)
    await declared(session, one, home=account.party_id)


@pytest.mark.parametrize(
    ("attack", "why"),
    [
        (
            "state = 'verified', decided_by = declared_by, decided_at = now(), usable_from = now()",
            "needs_two_people|not decided by",
        ),
        (
            "state = 'verified', decided_by = :other, decided_at = now(), usable_from = now()",
            "72 hours from its approval|not decided by",
        ),
        ("state = 'refused', decided_by = :other, decided_at = now()", "not decided by"),
        ("number = 'X'", "never changes"),
        ("holder = 'Somebody Else'", "never changes"),
        ("content = 'x'", "never changes"),
        (
            "state = 'superseded', decided_by = :other, decided_at = now(), usable_from = now()",
            "does not become|not decided by",
        ),
    ],
    ids=["own", "another", "refused", "number", "holder", "content", "superseded"],
)
async def test_no_account_is_verified_or_changed_in_sql(
    session: AsyncSession, attack: str, why: str
) -> None:
    account, other = await declared(session, await staff(session)), await staff(session)
    await session.execute(text("SET LOCAL ROLE exchange_app"))
    update = f"UPDATE payee_bank_account SET {attack} WHERE id = :id"
    values = {"id": account.id, **({"other": other} if ":other" in attack else {})}
    with pytest.raises(DBAPIError, match=why):
        await session.execute(text(update), values)


@pytest.mark.parametrize(
    "attack",
    [
        "usable_from = now() - interval '1 day'",
        "decided_at = decided_at - interval '1 day'",
        "evidence = 'x'",
        "state = 'declared', decided_by = NULL, decided_at = NULL",
    ],
    ids=["sooner", "earlier", "evidence", "again"],
)
async def test_a_verified_account_stays_what_it_is(session: AsyncSession, attack: str) -> None:
    account = await with_bank_account(session, (await party(session, now=NOW)).id)
    await session.execute(text("SET LOCAL ROLE exchange_app"))
    update = f"UPDATE payee_bank_account SET {attack} WHERE id = :id"
    with pytest.raises(DBAPIError, match="never changes"):
        await session.execute(text(update), {"id": account.id})


async def test_an_account_that_two_people_approved_still_cools_off_in_sql(
    session: AsyncSession,
) -> None:
    home = (await party(session, now=NOW)).id
    before = await with_bank_account(session, home)
    account, other = await declared(session, await staff(session), home=home), await staff(session)
    proof = (await decided(session, other, account.sha256, now=NOW)).proof_id
    await session.execute(text("SET LOCAL ROLE exchange_app"))
    values = {"id": account.id, "other": other, "proof": proof, "now": NOW, "before": before.id}
    for statement in (
        "INSERT INTO approval (id, object_type, object_id, object_hash, maker_id, checker_id, "
        "outcome, proof_id, decided_at, expires_at) SELECT gen_random_uuid(), 'payee-account', id, "
        "sha256, declared_by, :other, 'approved', :proof, :now, :now + interval '1 hour' "
        "FROM payee_bank_account WHERE id = :id",
        "UPDATE approval SET used_at = :now WHERE object_id = :id",
        "UPDATE payee_bank_account SET state = 'superseded' WHERE id = :before",
    ):
        used = {name: value for name, value in values.items() if f":{name}" in statement}
        await session.execute(text(statement), used)
    verify = (
        "UPDATE payee_bank_account SET state = 'verified', decided_by = :other, "
        "decided_at = :now, usable_from = :now + :wait * interval '1 hour' WHERE id = :id"
    )
    said = {"id": account.id, "other": other, "now": NOW}
    with pytest.raises(DBAPIError, match="cools off"):
        async with session.begin_nested():
            await session.execute(text(verify), {**said, "wait": 71})
    await session.execute(text(verify), {**said, "wait": 72})


async def test_a_changed_account_cools_off_and_the_old_one_is_paid_no_more(
    session: AsyncSession,
) -> None:
    home = await party(session, now=NOW)

    async def usable(at_h: int) -> UUID | None:
        there = await payee_queries.in_force(
            session, [home.id], currency="EUR", now=NOW + timedelta(hours=at_h)
        )
        return there[home.id].id if there else None

    first = await with_bank_account(session, home.id)
    assert await usable(0) == first.id
    second = await with_bank_account(session, home.id)
    assert (await usable(0), await usable(71), await usable(72)) == (None, None, second.id)
    assert timedelta(hours=72) == COOLING_OFF


@pytest.mark.parametrize(
    ("details", "field"),
    [
        (Details("iban", "DE89370400440532013001", "A", "EUR", "B"), "number"),
        (Details("iban", iban(), "A", "EUR", "B", "102100099996"), "member_id"),
        (Details("cnaps", "6222020200012345678", "A", "CNY", "B"), "member_id"),
        (Details("cnaps", "6222020200012345678", "A", "CNY", "B", "10210009999"), "member_id"),
        (Details("cnaps", "6222-X", "A", "CNY", "B", "102100099996"), "number"),
    ],
)
async def test_a_number_that_cannot_be_one_is_refused(
    session: AsyncSession, details: Details, field: str
) -> None:
    home = await party(session, now=NOW)
    with pytest.raises(BankAccountMalformed) as refused:
        await payees.declare(
            session, ids.new(NOW), party_id=home.id, details=details,
            person_id=await staff(session), now=NOW,
        )  # fmt: skip
    assert refused.value.data["field"] == field


async def test_an_account_of_another_name_says_why(session: AsyncSession) -> None:
    home, one = await party(session, now=NOW), await staff(session, "holder")
    odd = Details("iban", iban(), "Somebody Else Ltd", "EUR", "Bank")
    with pytest.raises(HolderDiffers):
        await payees.declare(
            session, ids.new(NOW), party_id=home.id, details=odd, person_id=one, now=NOW
        )
    same = Details("iban", iban(), f"  {home.name_en.upper()}. ", "EUR", "Bank")
    account, _ = await payees.declare(
        session, ids.new(NOW), party_id=home.id, details=same, person_id=one, now=NOW
    )
    assert account.name_reason is None
    why = replace(odd, name_reason="Renamed in 2025; the bank has the old name.", currency="GBP")
    other, _ = await payees.declare(
        session, ids.new(NOW), party_id=home.id, details=why, person_id=one, now=NOW
    )
    assert b"Renamed in 2025" in other.content and other.sha256 != account.sha256
    with pytest.raises(DBAPIError, match="never changes"):
        async with session.begin_nested():
            await session.execute(
                text("UPDATE payee_bank_account SET name_reason = 'x' WHERE id = :id"),
                {"id": other.id},
            )


async def test_a_wrong_account_is_withdrawn_and_the_right_one_declared(
    session: AsyncSession,
) -> None:
    one = await staff(session, "holder")
    wrong = await declared(session, one)
    with pytest.raises(Unknown):
        await payees.withdraw(session, wrong.id, party_id=ids.new(NOW), now=NOW)
    for _ in range(2):
        gone = await payees.withdraw(session, wrong.id, party_id=wrong.party_id, now=NOW)
        assert (gone.state, gone.withdrawn_at) == ("withdrawn", NOW)
    decision = await decided(session, await staff(session), wrong.sha256, now=NOW)
    with pytest.raises(AlreadyDecided):
        await verified(session, wrong, decision)
    right = await declared(session, one, home=wrong.party_id)
    done = await verified(
        session, right, await decided(session, await staff(session), right.sha256, now=NOW)
    )
    with pytest.raises(AlreadyDecided):
        await payees.withdraw(session, done.id, party_id=done.party_id, now=NOW)


@given(st.text(min_size=1, max_size=20), st.sampled_from(["", " ", ".", "（", "-"]))
def test_a_name_is_the_same_however_it_is_written(name: str, mark: str) -> None:
    wide = unicodedata.normalize("NFKC", name)
    assert is_held_by(wide + mark, [name, "other"])
    assert is_held_by(name + mark, [wide])
