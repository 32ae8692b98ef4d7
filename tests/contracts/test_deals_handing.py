"""Contracts handed on to another licensee (合同转让), against a real database."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import (
    carrying,
    ending,
    handing,
    lifecycle,
    rules,
    transfers,
)
from contracts.deals.amending import AmendmentWaits
from contracts.deals.lifecycle import DealNotInForce
from contracts.deals.tables import Deal, DealAssignment
from contracts.deals.transfers import AssigneeNotReady, AssignmentExpired, AssignmentNotPossible
from contracts.parties.gateway import LocalAuthority
from contracts.parties.rules import KeyNotActive
from contracts.refusal import IdReused, Unknown
from contracts.titles import queries as titles
from exchange.demo import signer
from tests.conftest import NOW
from tests.contracts.changing_factory import drafted, executed, paid, settled, turns
from tests.contracts.deals_factory import signatory
from tests.contracts.lives_factory import (
    Pair,
    authority,
    breach,
    in_force,
    replayed,
    told,
)
from tests.contracts.parties_factory import party

__all__ = ["authority"]  # the fixture


async def signed(
    session: AsyncSession, pair: Pair, draft: DealAssignment, *, at: datetime = NOW
) -> Deal:
    return await transfers.sign(
        session, pair.deal.id, draft.id, party_id=pair.licensee.party.id,
        signature=signer.sign_tbs(pair.licensee.key_pem, draft.terms), now=at,
    )  # fmt: skip


async def test_a_contract_is_handed_on_when_all_three_have_signed(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await settled(session, authority)
    draft, assignee = await drafted(session, authority, pair)
    deal = await signed(session, pair, draft)
    assert (deal.licensor_id, deal.licensee_id, deal.assignor_id) == (
        pair.licensor.party.id, assignee.party.id, pair.licensee.party.id,
    )  # fmt: skip
    assert (pair.deal.ended, deal.signing) == (None, "drafted")
    await executed(session, deal, pair.licensor, assignee)
    await carrying.pay_with_base(session, deal, now=NOW)
    assert (pair.deal.ended, deal.life) == (
        "superseded", lifecycle.Life("agreed", "executed", "paid", "in_force")
    )  # fmt: skip
    (grant,) = await titles.grants_of_work(session, deal.work_id)
    assert (grant.state, grant.deal_id, grant.grantee_id) == (
        "effective", deal.id, assignee.party.id,
    )  # fmt: skip
    (assigned,) = await told(session, deal.id, "deal.assigned")
    assert (assigned["assignor"], assigned["assignee"], assigned["grants"]) == (
        str(pair.licensee.party.id), str(assignee.party.id), [str(grant.id)],
    )  # fmt: skip
    for one in (pair.deal, deal):
        assert await replayed(session, one) == one.life
    with pytest.raises(DealNotInForce):
        await drafted(session, authority, pair)


async def test_invariant_34_the_assignor_signs_the_very_terms_that_the_others_sign(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await settled(session, authority)
    draft, assignee = await drafted(session, authority, pair)
    deal = await signed(session, pair, draft)
    key = pair.licensee.key.public_key_pem.encode()
    assert handing.check_signed(deal.terms, public_key_pem=key)
    assert handing.signed_part(canonical.loads(deal.terms)) == draft.terms
    other = assignee.key.public_key_pem.encode()
    assert not handing.check_signed(deal.terms, public_key_pem=other)
    for path, value in (
        (("consideration", "amount"), "1.00"), (("assignment", "key"), "00" * 32),
        (("parties",), []), (("deal",), str(pair.deal.id)),
        (("assignment", "signature_b64"), base64.b64encode(b"\x01" * 64).decode()),
        (("assignment", "signature_b64"), "no base64"),
    ):  # fmt: skip
        assert not handing.check_signed(changed(deal.terms, path, value), public_key_pem=key)
    (said,) = await told(session, deal.id, "assignment.signed")
    assert said["signed_sha256"] == canonical.sha256_hex(draft.terms)
    assert canonical.loads(deal.terms)["assignment"]["signature_b64"] == said["signature_b64"]


def changed(terms: bytes, path: Sequence[str], value: Any) -> bytes:
    whole = canonical.loads(terms)
    inside = whole
    for name in path[:-1]:
        inside = inside[name]
    inside[path[-1]] = value
    return canonical.dumps(whole)


async def test_invariant_38_a_handed_on_contract_is_the_one_before_with_its_patch(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await settled(session, authority)
    draft, assignee = await drafted(session, authority, pair)
    deal = await signed(session, pair, draft)
    assert deal.patch is not None
    assert turns(pair.deal.terms, deal.patch, deal.terms)
    before, after = canonical.loads(pair.deal.terms), canonical.loads(deal.terms)
    for kept in ("work", "asset", "grants", "consideration", "template", "award", "wording"):
        assert after[kept] == before[kept]
    licensee = next(one for one in after["parties"] if one["role"] == "licensee")
    assert licensee["party"] == str(assignee.party.id)
    assert after["assignment"]["assignor"]["party"] == str(pair.licensee.party.id)
    assert [one["ref"] for one in after["clauses"]][-1] == "contract-assigned"
    assert after["supersedes"]["terms_sha256"] == pair.deal.terms_sha256


async def test_a_contract_is_handed_on_twice_and_names_the_last_to_leave(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await settled(session, authority)
    draft, second = await drafted(session, authority, pair)
    deal = await signed(session, pair, draft)
    await executed(session, deal, pair.licensor, second)
    await carrying.pay_with_base(session, deal, now=NOW)
    next_pair = Pair(deal, pair.licensor, second)
    draft, third = await drafted(session, authority, next_pair)
    last = await signed(session, next_pair, draft)
    said = canonical.loads(last.terms)
    assert [one["ref"] for one in said["clauses"]].count("contract-assigned") == 1
    assert said["parameters"]["assigned_contract"] == deal.contract_no
    key = second.key.public_key_pem.encode()
    assert handing.check_signed(last.terms, public_key_pem=key)
    await executed(session, last, pair.licensor, third)
    (grant,) = await titles.grants_of_work(session, last.work_id)
    assert (grant.grantee_id, grant.deal_id) == (third.party.id, last.id)


async def test_what_is_owed_or_noticed_stands_in_the_way_of_handing_on(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    with pytest.raises(AssignmentNotPossible) as unpaid:
        await drafted(session, authority, pair)
    await paid(session, pair.deal)
    draft, assignee = await drafted(session, authority, pair)
    deal = await signed(session, pair, draft)
    with pytest.raises(AmendmentWaits):
        await drafted(session, authority, pair)
    await breach(session, pair)  # while the others sign
    with pytest.raises(AssignmentNotPossible) as noticed:
        async with session.begin_nested():
            await executed(session, deal, pair.licensor, assignee)
    assert [unpaid.value.data["why"], noticed.value.data["why"]] == ["unpaid", "notice-running"]
    await session.refresh(pair.deal)
    assert pair.deal.ended is None
    with pytest.raises(AssignmentNotPossible) as by_licensor:
        await transfers.draft(
            session, pair.deal.id, ids.new(NOW), party_id=pair.licensor.party.id,
            assignee_id=assignee.party.id, key_id=pair.licensor.key.id, now=NOW,
        )  # fmt: skip
    assert by_licensor.value.data["why"] == "licensor"
    with pytest.raises(Unknown):
        await transfers.draft(
            session, pair.deal.id, ids.new(NOW), party_id=assignee.party.id,
            assignee_id=assignee.party.id, key_id=assignee.key.id, now=NOW,
        )  # fmt: skip


async def test_the_new_licensee_is_another_verified_broadcaster_with_a_key(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await settled(session, authority)
    holder = await signatory(session, authority, kind="rights_holder", now=NOW)
    keyless = await party(session, kind="broadcaster", now=NOW)
    unknown = await party(session, kind="broadcaster", verified=False, now=NOW)
    for assignee, why in (
        (holder.party.id, "kind"), (pair.licensee.party.id, "kind"), (keyless.id, "no-key"),
        (unknown.id, "not-verified"),
    ):  # fmt: skip
        with pytest.raises(AssigneeNotReady) as refusal:
            await transfers.draft(
                session, pair.deal.id, ids.new(NOW), party_id=pair.licensee.party.id,
                assignee_id=assignee, key_id=pair.licensee.key.id, now=NOW,
            )  # fmt: skip
        assert refusal.value.data["why"] == why
    ready = await signatory(session, authority, kind="broadcaster", now=NOW)
    with pytest.raises(KeyNotActive):
        await transfers.draft(
            session, pair.deal.id, ids.new(NOW), party_id=pair.licensee.party.id,
            assignee_id=ready.party.id, key_id=ready.key.id, now=NOW,
        )  # fmt: skip


async def test_only_the_key_that_was_named_signs_a_draft_once_and_in_time(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await settled(session, authority)
    draft, assignee = await drafted(session, authority, pair)
    mine: dict[str, Any] = {"party_id": pair.licensee.party.id, "now": NOW}
    for made_with, content in (
        (assignee.key_pem, draft.terms), (pair.licensee.key_pem, pair.deal.terms),
    ):  # fmt: skip
        with pytest.raises(rules.BadSignature):
            await transfers.sign(
                session, pair.deal.id, draft.id,
                signature=signer.sign_tbs(made_with, content), **mine,
            )  # fmt: skip
    good = signer.sign_tbs(pair.licensee.key_pem, draft.terms)
    with pytest.raises(Unknown):
        await transfers.sign(
            session, pair.deal.id, draft.id, party_id=assignee.party.id, signature=good, now=NOW
        )
    with pytest.raises(AssignmentExpired):
        await signed(session, pair, draft, at=draft.expires_at)
    deal = await transfers.sign(session, pair.deal.id, draft.id, signature=good, **mine)
    again = await transfers.sign(session, pair.deal.id, draft.id, signature=good, **mine)
    assert again is deal
    with pytest.raises(rules.SessionUsed):  # ECDSA signs anew each time
        await signed(session, pair, draft)
    with pytest.raises(IdReused):
        await transfers.draft(
            session, pair.deal.id, draft.id, party_id=pair.licensee.party.id,
            assignee_id=pair.licensor.party.id, key_id=pair.licensee.key.id, now=NOW,
        )  # fmt: skip
    assert (await told(session, deal.id, "deal.opened"))[0]["supersedes"] == str(pair.deal.id)


async def test_a_licensor_that_declines_keeps_the_contract_as_it_was(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await settled(session, authority)
    draft, assignee = await drafted(session, authority, pair)
    deal = await signed(session, pair, draft)
    await ending.decline(
        session, deal.id, party_id=pair.licensor.party.id, reason="不同意", now=NOW
    )
    (grant,) = await titles.grants_of_work(session, pair.deal.work_id)
    assert (pair.deal.ended, grant.grantee_id) == (None, pair.licensee.party.id)
    again, _ = await drafted(session, authority, pair, to=assignee)
    assert again.id != draft.id
    await ending.rescind(session, pair.deal.id, reason="award", by=ids.new(NOW), now=NOW)
    with pytest.raises(DealNotInForce):
        await signed(session, pair, again)


async def test_the_database_lets_nobody_hand_a_contract_to_itself(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await settled(session, authority)
    draft, _ = await drafted(session, authority, pair)
    deal = await signed(session, pair, draft)
    for change in ("assignor_id = licensee_id", "assignor_id = licensor_id"):
        with pytest.raises(IntegrityError, match="deal_assignor_is_none_of_both"):
            async with session.begin_nested():
                await session.execute(
                    text(f"UPDATE deal SET {change} WHERE id = :id"),
                    {"id": deal.id},
                )
