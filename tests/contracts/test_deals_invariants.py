"""Invariants of signing: its order, its sessions, and the terms that everybody agreed to."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import lifecycle, queries, rules, service, verification
from contracts.deals.rules import NotYourTurn, SessionExpired, SessionUsed, WrongKey
from contracts.facts import queries as facts
from contracts.parties.gateway import LocalAuthority
from exchange.demo import signer
from tests.conftest import NOW
from tests.contracts.deals_factory import PRESS, certified_deal, sign, signatory


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    return LocalAuthority.ensure(tmp_path_factory.mktemp("keys"), NOW)


def test_invariant_12_one_order_of_signatures_alone_leads_to_a_contract() -> None:
    ways, waiting = [], [("drafted", ())]
    while waiting:
        state, so_far = waiting.pop()
        if state == "executed":
            ways.append(so_far)
        waiting += [(after, (*so_far, step)) for step, after in lifecycle.SIGNING[state].items()]
    signed = {tuple(step.removesuffix("-unwitnessed") for step in way) for way in ways}
    assert signed == {("certified", "licensor-signed", "executed")}
    for state in lifecycle.SIGNING:
        for role in ("exchange", "licensor", "licensee"):
            try:
                after = rules.check_turn(state, role=role)
            except rules.Refusal:
                continue
            assert (state, role, after) in {
                ("certified", "licensor", "licensor_signed"),
                ("licensor_signed", "licensee", "executed"),
            }


async def test_invariant_16_a_session_completed_twice_late_or_with_another_key_changes_nothing(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    licensee = await signatory(session, authority, kind="broadcaster", now=NOW)
    deal = await certified_deal(
        session, authority, licensor=licensor.party, licensee=licensee.party, now=NOW
    )
    with pytest.raises(NotYourTurn):
        await sign(session, authority, deal, licensee, now=NOW)
    stored = (await queries.document(session, deal.id)).pdf
    begun, _ = await service.open_session(
        session, deal.id, ids.new(NOW),
        party_id=licensor.party.id, key_id=licensor.key.id, press=PRESS, now=NOW,
    )  # fmt: skip

    async def complete(key_pem: bytes, *, at: timedelta = timedelta(0)) -> None:
        await service.complete_session(
            session, deal.id, begun.id,
            party_id=licensor.party.id, signature=signer.sign_tbs(key_pem, begun.tbs),
            certifier=authority.certifier, now=NOW + at,
        )  # fmt: skip

    with pytest.raises(WrongKey):
        await complete(licensee.key_pem)
    with pytest.raises(SessionExpired):
        await complete(licensor.key_pem, at=rules.SESSION_LASTS)
    assert (await queries.document(session, deal.id)).pdf == stored
    await complete(licensor.key_pem)
    once = (await queries.document(session, deal.id)).pdf
    with pytest.raises(SessionUsed):
        await complete(licensor.key_pem)  # ECDSA: another signature of the same bytes
    assert (await queries.document(session, deal.id)).pdf == once
    with pytest.raises(NotYourTurn):
        await sign(session, authority, deal, licensor, now=NOW)


async def test_invariant_34_what_is_executed_is_what_everybody_agreed_to(
    session: AsyncSession, authority: LocalAuthority
) -> None:
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    licensee = await signatory(session, authority, kind="broadcaster", now=NOW)
    deal = await certified_deal(
        session, authority, licensor=licensor.party, licensee=licensee.party, now=NOW
    )
    await sign(session, authority, deal, licensor, now=NOW)
    with pytest.raises(IntegrityError, match="frozen"):
        async with session.begin_nested():
            await session.execute(
                text("UPDATE deal SET terms_sha256 = :other WHERE id = :id"),
                {"other": "00" * 32, "id": deal.id},
            )
    await sign(session, authority, deal, licensee, now=NOW)
    said = [
        canonical.loads(fact.record)["terms_sha256"]
        for kind in ("deal.opened", "deal.certified", "deal.executed")
        for fact in await facts.all_of(session, deal.id, kind)
    ]
    assert said == [canonical.sha256_hex(deal.terms)] * 3
    final = (await queries.document(session, deal.id)).pdf
    keys = {
        "exchange": authority.certifier.spki_sha256,
        "licensor": licensor.key.spki_sha256,
        "licensee": licensee.key.spki_sha256,
    }
    verification.require_sound(final, authority.certifier.root_pem, keys=keys, terms=deal.terms)
    with pytest.raises(verification.DocumentNotSound):
        other = deal.terms.replace(b'"cure_days":30', b'"cure_days":31')
        verification.require_sound(final, authority.certifier.root_pem, keys=keys, terms=other)
