"""Amendments of deals in force, against a real database."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import (
    amending,
    ending,
    lifecycle,
    restating,
    service,
)
from contracts.deals.amending import AmendmentWaits
from contracts.deals.lifecycle import DealNotInForce
from contracts.deals.restating import Change, NotAmendable, NothingAmended
from contracts.deals.tables import Deal
from contracts.parties.gateway import LocalAuthority
from contracts.refusal import IdReused, Unknown
from contracts.titles import queries as titles
from tests.conftest import NOW
from tests.contracts.changing_factory import turns
from tests.contracts.deals_factory import (
    PRESS,
    sign,
)
from tests.contracts.lives_factory import (
    Pair,
    authority,
    breach,
    certified,
    fire_all,
    in_force,
    logged,
    replayed,
    signed_by_all,
    states,
    told,
)

__all__ = ["authority"]  # the fixture


DAYS = [{"op": "replace", "path": "/parameters/cure_days", "value": 10}]


async def proposed(
    session: AsyncSession, pair: Pair, changes: Sequence[dict[str, Any]] = DAYS
) -> Deal:
    deal, new = await amending.propose(
        session, pair.deal.id, ids.new(NOW),
        party_id=pair.licensee.party.id, change=Change(changes), now=NOW,
    )  # fmt: skip
    assert new
    return deal


async def test_invariant_38_an_amendment_is_its_base_with_the_patch_applied(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    amendment = await proposed(session, pair)
    assert amendment.patch is not None
    assert turns(pair.deal.terms, amendment.patch, amendment.terms)
    assert not turns(amendment.terms, amendment.patch, pair.deal.terms)
    assert amending.changes_of(amendment) == DAYS
    before, after = canonical.loads(pair.deal.terms), canonical.loads(amendment.terms)
    assert after["supersedes"] == {
        "contract": pair.deal.contract_no, "terms_sha256": pair.deal.terms_sha256
    }  # fmt: skip
    assert after["contract"] == amendment.contract_no != pair.deal.contract_no
    for kept in ("parties", "work", "asset", "grants", "consideration", "clauses", "template"):
        assert after[kept] == before[kept]
    (opened,) = await told(session, amendment.id, "deal.opened")
    assert opened["supersedes"] == str(pair.deal.id)


async def test_an_amendment_takes_the_place_of_its_base_when_all_have_signed(
    session: AsyncSession, authority: LocalAuthority, tmp_path: Path
) -> None:
    pair = await signed_by_all(session, authority)
    base, amendment = pair.deal, await proposed(session, pair)
    kept = (base.pdf_sha256, base.terms_sha256)
    await service.certify(
        session, amendment.id, press=PRESS, certifier=authority.certifier, now=NOW
    )
    await sign(session, authority, amendment, pair.licensor, now=NOW)
    assert base.ended is None
    await sign(session, authority, amendment, pair.licensee, now=NOW)
    assert (base.ended, amendment.signing, amendment.ended) == ("superseded", "executed", None)
    assert (base.signing, base.pdf_sha256, base.terms_sha256) == ("executed", *kept)
    (grant,) = await titles.grants_of_work(session, base.work_id)
    assert (grant.state, grant.deal_id) == ("effective", amendment.id)
    (ended,) = await told(session, base.id, "deal.ended")
    assert ended["successor"] == str(amendment.id)
    (carried,) = await told(session, amendment.id, "grant.carried")
    assert carried["grants"] == [str(grant.id)]
    for deal in (base, amendment):
        assert await replayed(session, deal) == deal.life
    # From now on the period to cure is the amended one.
    amended = Pair(amendment, pair.licensor, pair.licensee)
    notice = await breach(session, amended)
    await logged(session, tmp_path)
    await fire_all(session, NOW)
    assert notice.cure_by == lifecycle.cure_by(NOW, days=10)
    await fire_all(session, NOW + timedelta(days=12))
    assert (amendment.end_cause, await states(session, amendment)) == ("cause", ["ended"])


async def test_an_amendment_that_is_declined_leaves_its_base_as_it_was(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    amendment = await proposed(session, pair)
    with pytest.raises(AmendmentWaits):
        await proposed(session, pair)
    await ending.decline(
        session, amendment.id, party_id=pair.licensor.party.id, reason="不同意", now=NOW
    )
    assert (pair.deal.ended, await states(session, pair.deal)) == (None, ["effective"])
    again = await proposed(session, pair)
    assert again.id != amendment.id


async def test_an_amendment_falls_with_its_base(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await in_force(session, authority)
    amendment = await proposed(session, pair)
    await ending.rescind(session, pair.deal.id, reason="award", by=ids.new(NOW), now=NOW)
    assert amendment.signing == "voided"
    (voided,) = await told(session, amendment.id, "deal.voided")
    assert voided["reason"] == "base-ended"


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [{"op": "replace", "path": "/consideration/amount", "value": 1}],
        [{"op": "replace", "path": "/grants/0/exclusivity", "value": "exclusive"}],
        [{"op": "remove", "path": "/parameters/cure_days"}],
        [{"op": "replace", "path": "/parameters/cure_days", "value": 0}],
        [{"op": "replace", "path": "/parameters/cure_days", "value": True}],
        [{"op": "replace", "path": "/parameters/cure_days", "value": "10"}],
        [{"op": "replace", "path": "/parameters/cure_days", "value": 10, "note": "x"}],
        [{"op": "add", "path": "/parameters/cure_days", "value": 10}],
    ],
)
def test_rights_price_and_nonsense_are_not_amended(changes: list[dict[str, Any]]) -> None:
    with pytest.raises(NotAmendable):
        restating.check_numbers(changes)


async def test_an_amendment_changes_something_of_a_deal_in_force_by_one_of_its_sides(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    pair = await certified(session, authority)
    with pytest.raises(DealNotInForce):
        await proposed(session, pair)
    await sign(session, authority, pair.deal, pair.licensor, now=NOW)
    await sign(session, authority, pair.deal, pair.licensee, now=NOW)
    with pytest.raises(NothingAmended):
        await proposed(session, pair, [{**DAYS[0], "value": 30}])
    with pytest.raises(Unknown):
        await amending.propose(
            session, pair.deal.id, ids.new(NOW), party_id=ids.new(NOW), change=Change(DAYS), now=NOW
        )
    made = await proposed(session, pair)
    same, new = await amending.propose(
        session,
        pair.deal.id,
        made.id,
        party_id=pair.licensor.party.id,
        change=Change(DAYS),
        now=NOW,
    )
    assert (same is made, new) == (True, False)
    with pytest.raises(IdReused):
        await amending.propose(
            session, pair.deal.id, made.id,
            party_id=pair.licensor.party.id, change=Change([{**DAYS[0], "value": 11}]), now=NOW,
        )  # fmt: skip
