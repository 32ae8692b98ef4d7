"""Deals that change: an early end, other rights, another price, another licensee; real database."""

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import (
    amending,
    carrying,
    ending,
    handing,
    lifecycle,
    notices,
    rows,
    rules,
    service,
    transfers,
)
from contracts.deals.amending import AmendmentWaits, PriceUnpaid
from contracts.deals.lifecycle import DealNotInForce
from contracts.deals.notices import AnswerNotPossible, NoEarlyEnd, Said
from contracts.deals.regranting import RightsInUse
from contracts.deals.restating import Change, NotAmendable, NothingAmended, PriceNotLowered
from contracts.deals.tables import Deal, DealAssignment
from contracts.deals.transfers import AssigneeNotReady, AssignmentExpired, AssignmentNotPossible
from contracts.parties.gateway import LocalAuthority
from contracts.parties.rules import KeyNotActive
from contracts.refusal import IdReused, Unknown
from contracts.runs import service as telecasts
from contracts.titles import queries as titles
from contracts.titles import service as register
from contracts.titles.rules import RightsAlreadyGranted
from exchange.demo import signer
from tests.conftest import NOW
from tests.contracts.deals_factory import RIGHTS, Signatory, signatory
from tests.contracts.parties_factory import party
from tests.contracts.test_deals_lives import (
    Pair,
    authority,
    breach,
    fire_all,
    in_force,
    logged,
    replayed,
    told,
)

__all__ = ["authority"]  # the fixture
VECTORS = Path(__file__).parents[1] / "vectors/contracts"
UNTIL = {**RIGHTS, "last_day": "2027-12-31"}
LONGER = {**RIGHTS, "last_day": "2029-12-31"}
AFTER = {**RIGHTS, "first_day": "2029-01-01", "last_day": "2029-12-31"}
LATER = {**RIGHTS, "first_day": "2028-01-01"}
SHOWN_AT = datetime.fromisoformat("2027-03-01T19:30+08:00")
PASSED_ON = {**RIGHTS, "sublicence_depth": 1}


async def executed(session: AsyncSession, deal: Deal, *signed_by: Signatory) -> None:
    """What the signatures of both sides write, without the printing."""
    deal.base_sha256 = deal.pdf_sha256 = "ab" * 32
    deal.signing, deal.performance, deal.executed_at = "executed", "effective", NOW
    hashes = {"base_sha256": "ab" * 32, "pdf_sha256": "ab" * 32}
    said: dict[str, Any] = {"terms_sha256": deal.terms_sha256, **hashes}
    await rows.tell(session, "deal.certified", deal, {"deal": str(deal.id), **said}, now=NOW)
    for role, who in zip(("licensor", "licensee"), signed_by, strict=True):
        said = {"party": str(who.party.id), "role": role, "pdf_sha256": "ab" * 32,
                "spki_sha256": who.key.spki_sha256}  # fmt: skip
        await rows.tell(session, "deal.signed", deal, {"deal": str(deal.id), **said}, now=NOW)
    await service._execute(session, deal, policy=None, now=NOW)


async def paid(session: AsyncSession, deal: Deal) -> None:
    """The price is settled, and the fact that says so is told."""
    said = {"deal": str(deal.id), "payout": str(ids.new(NOW)), "postings_sha256": "cd" * 32}
    await rows.tell(session, "settlement.booked", deal, said, now=NOW)
    await service.mark_paid(session, deal.id, now=NOW)


async def settled(session: AsyncSession, authority: LocalAuthority) -> Pair:
    pair = await in_force(session, authority)
    await paid(session, pair.deal)
    return pair


async def amended(session: AsyncSession, pair: Pair, **change: Any) -> Deal:
    deal, new = await amending.propose(
        session, pair.deal.id, ids.new(NOW),
        party_id=pair.licensee.party.id, change=Change(**change), now=NOW,
    )  # fmt: skip
    assert new
    return deal


async def reserve(session: AsyncSession, pair: Pair, right: dict[str, Any]) -> None:
    await register.reserve(
        session, pair.deal.work_id, grantor_id=pair.licensor.party.id, boxes=[right],
        source=str(ids.new(NOW)), now=NOW,
    )  # fmt: skip


async def grants(session: AsyncSession, deal: Deal) -> list[tuple[str, UUID | None, str]]:
    found = await titles.grants_of_work(session, deal.work_id)
    said = [(one.wire["last_day"], one.state, one.deal_id) for one in found]
    return [(state, deal_id, last) for last, state, deal_id in sorted(said, key=str)]


# -- an early end, where a clause allows it


async def test_the_licensee_ends_a_contract_early_as_its_clause_says(
    session: AsyncSession, authority: LocalAuthority, tmp_path: Path
) -> None:
    pair = await in_force(session, authority)
    licensor, licensee = pair.sides
    early = Said("convenience", "频道停播")
    with pytest.raises(NoEarlyEnd):
        await notices.give(
            session, pair.deal.id, ids.new(NOW), party_id=licensor, said=early, now=NOW
        )
    notice, _ = await notices.give(
        session, pair.deal.id, ids.new(NOW), party_id=licensee, said=early, now=NOW
    )
    await logged(session, tmp_path)
    await fire_all(session, NOW)
    assert notice.cure_by == lifecycle.cure_by(NOW, days=90)
    assert notice.cure_by is not None
    for who, said in ((licensee, "withdrawn"), (licensee, "cured"), (licensor, "refused")):
        with pytest.raises(AnswerNotPossible):
            await notices.answer(session, pair.deal.id, notice.id, party_id=who, said=said, now=NOW)
    await fire_all(session, notice.cure_by - timedelta(microseconds=1))
    assert pair.deal.ended is None
    for _ in range(2):
        await fire_all(session, notice.cure_by)
    assert (pair.deal.ended, pair.deal.end_cause) == ("terminated", "convenience")
    assert notice.outcome == "terminated"
    (ended,) = await told(session, pair.deal.id, "deal.ended")
    assert (ended["cause"], ended["by"]) == ("convenience", str(licensee))
    (grant,) = await titles.grants_of_work(session, pair.deal.work_id)
    assert (grant.state, grant.ended_reason) == ("ended", "termination")
    assert await replayed(session, pair.deal) == pair.deal.life
    await reserve(session, pair, RIGHTS)


@pytest.mark.parametrize("name", ["licence-1", "licence-1-fitted", "licence-2"])
def test_a_contract_of_a_text_without_the_clause_cannot_be_ended_early(name: str) -> None:
    older = Deal(terms=(VECTORS / f"{name}.terms.json").read_bytes())
    assert notices.early_end_days(older, role="licensee") is None


async def test_the_days_of_an_early_end_are_amended_like_any_number(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    days = [{"op": "replace", "path": "/parameters/convenience_days", "value": 60}]
    deal = await amended(session, pair, numbers=days)
    assert notices.early_end_days(deal, role="licensee") == 60
    assert notices.early_end_days(deal, role="licensor") is None


# -- other rights


async def test_rights_that_are_narrowed_are_free_for_others_once_all_have_signed(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    with pytest.raises(RightsAlreadyGranted):
        await reserve(session, pair, LATER)
    deal = await amended(session, pair, rights=[UNTIL])
    with pytest.raises(RightsAlreadyGranted):  # nobody has signed yet
        await reserve(session, pair, LATER)
    await executed(session, deal, pair.licensor, pair.licensee)
    assert await grants(session, deal) == [
        ("effective", deal.id, "2027-12-31"), ("ended", pair.deal.id, "2028-12-31"),
    ]  # fmt: skip
    await reserve(session, pair, LATER)
    with pytest.raises(RightsAlreadyGranted):
        await reserve(session, pair, UNTIL)
    for one in (pair.deal, deal):
        assert await replayed(session, one) == one.life


async def test_invariant_36_a_widened_right_is_judged_like_a_sale(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    await reserve(session, pair, AFTER)
    with pytest.raises(RightsAlreadyGranted):
        await amended(session, pair, rights=[LONGER])
    assert await grants(session, pair.deal) == [
        ("effective", pair.deal.id, "2028-12-31"), ("reserved", None, "2029-12-31"),
    ]  # fmt: skip


async def test_invariant_36_what_is_sold_while_an_amendment_is_signed_refuses_its_last_signature(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    deal = await amended(session, pair, rights=[LONGER])
    await reserve(session, pair, AFTER)
    with pytest.raises(RightsAlreadyGranted):
        async with session.begin_nested():
            await executed(session, deal, pair.licensor, pair.licensee)
    await session.refresh(pair.deal)
    await session.refresh(deal)
    assert (pair.deal.ended, deal.signing) == (None, "drafted")
    assert ("effective", pair.deal.id, "2028-12-31") in await grants(session, deal)


async def test_rights_are_widened_where_they_are_free_and_last_as_long_as_they_say(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    deal = await amended(session, pair, rights=[LONGER])
    await executed(session, deal, pair.licensor, pair.licensee)
    with pytest.raises(RightsAlreadyGranted):
        await reserve(session, pair, AFTER)
    await fire_all(session, datetime.fromisoformat("2028-12-31T16:00:00+00:00"))
    assert deal.ended is None
    await fire_all(session, datetime.fromisoformat("2029-12-31T16:00:00+00:00"))
    assert deal.ended == "expired"


async def test_a_right_that_is_licensed_on_or_counted_is_not_replaced(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    counted = await titles.grants_of_work(session, pair.deal.work_id)
    await telecasts.log_telecast(
        session, counted[0].work_id, counted[0].id, ids.new(NOW), by=pair.licensee.party.id,
        now=SHOWN_AT, channel="示范卫视", started_at=SHOWN_AT, zone="Asia/Shanghai",
    )  # fmt: skip
    with pytest.raises(RightsInUse) as refusal:
        await amended(session, pair, rights=[UNTIL])
    assert (refusal.value.data["why"], refusal.value.data["runs"]) == ("runs", 1)
    free = await in_force(session, authority)
    onward = await amended(session, free, rights=[{**PASSED_ON, "runs_max": None}])
    await executed(session, onward, free.licensor, free.licensee)
    await register.reserve(
        session, onward.work_id, grantor_id=free.licensee.party.id,
        boxes=[{**RIGHTS, "runs_max": None}], source=str(ids.new(NOW)), now=NOW,
    )  # fmt: skip
    second = Pair(onward, free.licensor, free.licensee)
    with pytest.raises(RightsInUse) as refusal:
        await amended(session, second, rights=[UNTIL])
    assert refusal.value.data["why"] == "licensed-on"
    await paid(session, free.deal)
    with pytest.raises(AssignmentNotPossible) as told_why:
        await drafted(session, authority, second)
    assert told_why.value.data["why"] == "licensed-on"


@pytest.mark.parametrize(
    "rights",
    [
        [],
        [{**RIGHTS, "exclusivity": "non-exclusive"}],
        [{**RIGHTS, "right": "network-transmission", "media": ["svod"]}],
    ],
)
async def test_rights_of_another_kind_of_contract_are_not_amended(
    session: AsyncSession, authority: LocalAuthority, rights: list[dict[str, Any]]
) -> None:
    pair = await in_force(session, authority)
    with pytest.raises(NotAmendable):
        await amended(session, pair, rights=rights)


async def test_the_same_rights_and_the_same_price_amend_nothing(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await settled(session, authority)
    for change in ({"rights": [RIGHTS]}, {"amount_minor": pair.deal.amount_minor}):
        with pytest.raises(NothingAmended):
            await amended(session, pair, **change)
    with pytest.raises(NotAmendable):
        await amended(session, pair)


# -- another price


async def test_a_price_is_raised_once_it_is_paid_and_never_lowered(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    more = pair.deal.amount_minor + 5_000_000
    with pytest.raises(PriceUnpaid):
        await amended(session, pair, amount_minor=more)
    await paid(session, pair.deal)
    with pytest.raises(PriceNotLowered):
        await amended(session, pair, amount_minor=pair.deal.amount_minor - 1)
    deal = await amended(session, pair, amount_minor=more)
    said = canonical.loads(deal.terms)["consideration"]
    assert (said["amount"], said["in_words"]) == ("1250000.00", "人民币壹佰贰拾伍万元整")
    assert deal.patch is not None
    assert amending.check_law(pair.deal.terms, deal.patch, deal.terms)
    await executed(session, deal, pair.licensor, pair.licensee)
    (changed,) = await told(session, deal.id, "price.changed")
    assert (changed["before_minor"], changed["amount_minor"], changed["due_minor"]) == (
        120_000_000, 125_000_000, 5_000_000,
    )  # fmt: skip
    await carrying.pay_with_base(session, deal, now=NOW)
    assert deal.performance == "effective"  # the difference is not paid yet
    await paid(session, deal)
    assert await replayed(session, deal) == deal.life == lifecycle.Life(
        "agreed", "executed", "paid", "in_force"
    )  # fmt: skip


async def test_an_amendment_without_a_price_of_its_own_is_paid_with_its_base(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    early, late = await settled(session, authority), await in_force(session, authority)
    for pair in (early, late):
        deal = await amended(session, pair, rights=[UNTIL])
        await executed(session, deal, pair.licensor, pair.licensee)
        await carrying.pay_with_base(session, deal, now=NOW)
        if pair is late:
            assert deal.performance == "effective"
            await paid(session, pair.deal)
        for _ in range(2):
            await carrying.pay_with_base(session, deal, now=NOW)
        assert deal.performance == "paid"
        assert len(await told(session, deal.id, "payment.carried")) == 1
        assert await replayed(session, deal) == deal.life


# -- another licensee


async def drafted(
    session: AsyncSession, authority: LocalAuthority, pair: Pair, *, to: Signatory | None = None
) -> tuple[DealAssignment, Signatory]:
    assignee = to or await signatory(session, authority, kind="broadcaster", now=NOW)
    draft, new = await transfers.draft(
        session, pair.deal.id, ids.new(NOW), party_id=pair.licensee.party.id,
        assignee_id=assignee.party.id, key_id=pair.licensee.key.id, now=NOW,
    )  # fmt: skip
    assert new
    return draft, assignee


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
    assert amending.check_law(pair.deal.terms, deal.patch, deal.terms)
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
                    text(f"UPDATE deal SET {change} WHERE id = :id"),  # noqa: S608 - from above
                    {"id": deal.id},
                )
