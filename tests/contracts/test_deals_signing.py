from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.deals import queries, rules, sealing, service, verification
from contracts.deals.gateway import Stamp
from contracts.deals.rules import (
    BadSignature,
    DealNotEffective,
    NotYourTurn,
    SessionExpired,
    SessionUsed,
    WrongKey,
)
from contracts.deals.tables import Deal, SigningSession
from contracts.parties import service as registry
from contracts.parties.gateway import LocalAuthority
from contracts.parties.rules import KeyNotActive
from contracts.refusal import IdReused, Refusal, Unknown
from contracts.titles import queries as titles
from exchange.demo import signer
from tests.conftest import NOW
from tests.contracts.deals_factory import (
    PRESS,
    Signatory,
    certified_deal,
    executed_deal,
    opened_deal,
    sign,
    signatory,
    with_key,
)

SOON = NOW + timedelta(minutes=1)
STAMP = Stamp("认证", "Certification", "示范", "Example", "2026-11-22T09:01:00Z", "ab" * 32)


@pytest.fixture(scope="module")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@dataclass
class Table:
    """A certified contract and the two who are to sign it."""

    session: AsyncSession
    authority: LocalAuthority
    deal: Deal
    licensor: Signatory
    licensee: Signatory

    async def begin(self, who: Signatory, *, now: datetime = NOW) -> SigningSession:
        begun, created = await service.open_session(
            self.session, self.deal.id, ids.new(now),
            party_id=who.party.id, key_id=who.key.id, press=PRESS, now=now,
        )  # fmt: skip
        assert created
        return begun

    async def complete(
        self,
        begun: SigningSession,
        signature: bytes,
        *,
        by: Signatory | None = None,
        now: datetime = SOON,
    ) -> Deal:
        party_id = by.party.id if by else begun.party_id
        return await service.complete_session(
            self.session, self.deal.id, begun.id,
            party_id=party_id, signature=signature, certifier=self.authority.certifier, now=now,
        )  # fmt: skip


@pytest.fixture
async def table(session: AsyncSession, keys_dir: Path) -> Table:
    authority = LocalAuthority.ensure(keys_dir, NOW)
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    licensee = await signatory(session, authority, kind="broadcaster", now=NOW)
    deal = await certified_deal(
        session, authority, licensor=licensor.party, licensee=licensee.party, now=NOW
    )
    return Table(session, authority, deal, licensor, licensee)


async def refused(
    table: Table, refusal: type[Refusal], attempt: Callable[[], Awaitable[object]]
) -> Refusal:
    """The attempt is refused and the contract stays as it was, byte for byte."""
    before = await queries.document(table.session, table.deal.id)
    state = (table.deal.signing, table.deal.pdf_sha256)
    with pytest.raises(refusal) as caught:
        await attempt()
    after = await queries.document(table.session, table.deal.id)
    assert (after.revision, after.pdf) == (before.revision, before.pdf)
    assert (table.deal.signing, table.deal.pdf_sha256) == state
    return caught.value


async def test_the_session_says_what_is_signed_and_upon_what(table: Table) -> None:
    begun = await table.begin(table.licensor)
    latest = await queries.document(table.session, table.deal.id)
    assert begun.on_sha256 == latest.sha256 == table.deal.pdf_sha256
    assert begun.expires_at - begun.opened_at == timedelta(minutes=10)
    assert begun.document_digest in begun.tbs


async def test_the_stored_revisions_hold_and_continue_each_other(
    session: AsyncSession, keys_dir: Path
) -> None:
    deal = await executed_deal(session, now=NOW, keys_dir=keys_dir)
    rows = await session.execute(
        text("SELECT pdf, sha256 FROM deal_document WHERE deal_id = :id ORDER BY revision"),
        {"id": deal.id},
    )
    pdfs = [bytes(row.pdf) for row in rows]
    assert len(pdfs) == 4
    for before, after in pairwise(pdfs):
        assert after.startswith(before)
    root = LocalAuthority.open(keys_dir).root_pem
    verdicts = verification.check_signatures(pdfs[-1], root)
    assert [verdict.role for verdict in verdicts] == ["exchange", "licensor", "licensee"]
    assert all(verdict.good for verdict in verdicts)
    assert verification.attachments(pdfs[-1]) == [deal.terms] * 4
    base = await queries.base_document(session, deal.id)
    assert base.sha256 == deal.base_sha256
    assert await PRESS.contract(deal.terms, frozen_at=deal.created_at) == base.pdf


async def test_a_signature_may_come_as_der_or_as_two_numbers(table: Table) -> None:
    first = await table.begin(table.licensor)
    raw = signer.sign_tbs(table.licensor.key_pem, first.tbs)
    r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    deal = await table.complete(first, encode_dss_signature(r, s))
    assert deal.signing == "licensor_signed"
    second = await table.begin(table.licensee)
    deal = await table.complete(second, signer.sign_tbs(table.licensee.key_pem, second.tbs))
    assert deal.signing == "executed"


async def test_the_same_session_again_is_the_same_session(table: Table) -> None:
    begun = await table.begin(table.licensor)
    again, created = await service.open_session(
        table.session, table.deal.id, begun.id,
        party_id=begun.party_id, key_id=begun.key_id, press=PRESS, now=SOON,
    )  # fmt: skip
    assert (again.tbs, created) == (begun.tbs, False)


async def test_a_session_id_with_another_key_is_refused(table: Table) -> None:
    begun = await table.begin(table.licensor)
    other = await with_key(table.session, table.authority, table.licensor.party, now=NOW)
    with pytest.raises(IdReused):
        await service.open_session(
            table.session, table.deal.id, begun.id,
            party_id=begun.party_id, key_id=other.key.id, press=PRESS, now=SOON,
        )  # fmt: skip


async def test_the_same_signature_again_gets_the_same_answer(table: Table) -> None:
    begun = await table.begin(table.licensor)
    signature = signer.sign_tbs(table.licensor.key_pem, begun.tbs)
    deal = await table.complete(begun, signature)
    sha256 = deal.pdf_sha256
    again = await table.complete(begun, signature, now=NOW + timedelta(days=1))
    assert again.pdf_sha256 == sha256


async def test_another_signature_for_a_completed_session_is_refused(table: Table) -> None:
    begun = await table.begin(table.licensor)
    await table.complete(begun, signer.sign_tbs(table.licensor.key_pem, begun.tbs))
    other = signer.sign_tbs(table.licensor.key_pem, begun.tbs)
    await refused(table, SessionUsed, lambda: table.complete(begun, other))


async def test_the_licensee_waits_for_the_licensor(table: Table) -> None:
    no = await refused(table, NotYourTurn, lambda: table.begin(table.licensee))
    assert no.data["awaited"] == "licensor"


async def test_nobody_signs_twice(table: Table) -> None:
    await sign(table.session, table.authority, table.deal, table.licensor, now=NOW)
    await refused(table, NotYourTurn, lambda: table.begin(table.licensor))
    await sign(table.session, table.authority, table.deal, table.licensee, now=NOW)
    for who in (table.licensor, table.licensee):
        no = await refused(table, NotYourTurn, lambda who=who: table.begin(who))
        assert no.data["awaited"] is None


async def test_of_two_open_sessions_one_is_completed(table: Table) -> None:
    one, other = await table.begin(table.licensor), await table.begin(table.licensor)
    await table.complete(one, signer.sign_tbs(table.licensor.key_pem, one.tbs))
    late = signer.sign_tbs(table.licensor.key_pem, other.tbs)
    await refused(table, NotYourTurn, lambda: table.complete(other, late))


async def test_nothing_is_signed_before_the_contract_is_certified(
    session: AsyncSession, keys_dir: Path
) -> None:
    authority = LocalAuthority.ensure(keys_dir, NOW)
    licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
    licensee = await signatory(session, authority, kind="broadcaster", now=NOW)
    deal = await opened_deal(session, licensor=licensor.party, licensee=licensee.party, now=NOW)
    with pytest.raises(NotYourTurn):
        await service.open_session(
            session, deal.id, ids.new(NOW),
            party_id=licensor.party.id, key_id=licensor.key.id, press=PRESS, now=NOW,
        )  # fmt: skip


async def test_a_session_expires_after_ten_minutes(table: Table) -> None:
    begun = await table.begin(table.licensor)
    signature = signer.sign_tbs(table.licensor.key_pem, begun.tbs)
    late = NOW + timedelta(minutes=10)
    await refused(table, SessionExpired, lambda: table.complete(begun, signature, now=late))
    with pytest.raises(SessionExpired):
        await service.open_session(
            table.session, table.deal.id, begun.id,
            party_id=begun.party_id, key_id=begun.key_id, press=PRESS, now=late,
        )  # fmt: skip
    just = late - timedelta(microseconds=1)
    assert (await table.complete(begun, signature, now=just)).signing == "licensor_signed"


async def test_a_signature_by_the_other_party_is_refused(table: Table) -> None:
    begun = await table.begin(table.licensor)
    foreign = signer.sign_tbs(table.licensee.key_pem, begun.tbs)
    await refused(table, WrongKey, lambda: table.complete(begun, foreign))


async def test_a_signature_by_another_key_of_the_party_is_refused(table: Table) -> None:
    other = await with_key(table.session, table.authority, table.licensor.party, now=NOW)
    begun = await table.begin(table.licensor)
    foreign = signer.sign_tbs(other.key_pem, begun.tbs)
    await refused(table, WrongKey, lambda: table.complete(begun, foreign))


@pytest.mark.parametrize(
    "signature", [b"", b"\x30", b"\x00" * 64, b"\xff" * 64, b"\x01" * 64, b"\x01" * 63]
)
async def test_a_signature_that_does_not_fit_is_refused(table: Table, signature: bytes) -> None:
    begun = await table.begin(table.licensor)
    await refused(table, BadSignature, lambda: table.complete(begun, signature))


async def test_a_signature_of_other_bytes_is_refused(table: Table) -> None:
    begun = await table.begin(table.licensor)
    other = signer.sign_tbs(table.licensor.key_pem, begun.tbs + b"\x00")
    await refused(table, BadSignature, lambda: table.complete(begun, other))


async def test_anothers_session_is_unknown(table: Table) -> None:
    begun = await table.begin(table.licensor)
    signature = signer.sign_tbs(table.licensor.key_pem, begun.tbs)
    await refused(table, Unknown, lambda: table.complete(begun, signature, by=table.licensee))


async def test_a_stranger_sees_no_deal(table: Table) -> None:
    stranger = await signatory(table.session, table.authority, kind="broadcaster", now=NOW)
    await refused(table, Unknown, lambda: table.begin(stranger))
    with pytest.raises(Unknown):
        await queries.get_deal_of(table.session, table.deal.id, stranger.party.id)
    assert await queries.deals_of(table.session, stranger.party.id) == []
    for side in (table.licensor, table.licensee):
        assert await queries.deals_of(table.session, side.party.id) == [table.deal]


async def test_a_key_of_somebody_else_prepares_nothing(table: Table) -> None:
    with pytest.raises(KeyNotActive):
        await service.open_session(
            table.session, table.deal.id, ids.new(NOW),
            party_id=table.licensor.party.id, key_id=table.licensee.key.id, press=PRESS, now=NOW,
        )  # fmt: skip


async def test_a_key_revoked_while_signing_does_not_sign(table: Table) -> None:
    begun = await table.begin(table.licensor)
    await registry.revoke_key(
        table.session, table.licensor.party.id, table.licensor.key.id, now=NOW
    )
    signature = signer.sign_tbs(table.licensor.key_pem, begun.tbs)
    await refused(table, KeyNotActive, lambda: table.complete(begun, signature))


async def test_a_prepared_file_that_was_tampered_with_is_not_signed(table: Table) -> None:
    begun = await table.begin(table.licensor)
    head, found, tail = begun.prepared.rpartition(b"D:2026")
    assert found
    begun.prepared = head + b"D:2016" + tail
    signature = signer.sign_tbs(table.licensor.key_pem, begun.tbs)
    await refused(table, verification.DocumentNotSound, lambda: table.complete(begun, signature))


async def test_a_session_upon_another_revision_is_not_completed(table: Table) -> None:
    begun = await table.begin(table.licensor)
    begun.on_sha256 = "00" * 32
    signature = signer.sign_tbs(table.licensor.key_pem, begun.tbs)
    await refused(table, NotYourTurn, lambda: table.complete(begun, signature))


async def test_a_sound_file_that_does_not_continue_the_contract_is_not_signed(
    table: Table,
) -> None:
    begun = await table.begin(table.licensor)
    other = sealing.certify(
        await PRESS.contract(table.deal.terms, frozen_at=table.deal.created_at),
        certifier=table.authority.certifier,
        stamp=await PRESS.stamp(STAMP, at=SOON),
        at=SOON,
    )
    prepared = sealing.prepare(
        other, role="licensor", certificate_pem=begun.certificate_pem.encode(),
        stamp=await PRESS.stamp(STAMP, at=SOON), at=SOON,
    )  # fmt: skip
    begun.prepared, begun.tbs = prepared.pdf, prepared.tbs
    begun.document_digest = prepared.document_digest
    begun.gap_start, begun.gap_end = prepared.gap_start, prepared.gap_end
    signature = signer.sign_tbs(table.licensor.key_pem, begun.tbs)
    refusal = await refused(
        table, verification.DocumentNotSound, lambda: table.complete(begun, signature)
    )
    assert "continue" in refusal.detail


async def test_rights_are_granted_with_the_last_signature_and_not_before(table: Table) -> None:
    await sign(table.session, table.authority, table.deal, table.licensor, now=NOW)
    held = await titles.grants_of_work(table.session, table.deal.work_id)
    assert [grant.state for grant in held] == ["held"]
    await sign(table.session, table.authority, table.deal, table.licensee, now=NOW)
    granted = await titles.grants_of_work(table.session, table.deal.work_id)
    assert [grant.state for grant in granted] == ["effective"]


async def test_certifying_again_changes_nothing(table: Table) -> None:
    before = table.deal.pdf_sha256
    again = await service.certify(
        table.session, table.deal.id,
        press=PRESS, certifier=table.authority.certifier, now=SOON,
    )  # fmt: skip
    assert (again.signing, again.pdf_sha256) == ("certified", before)


async def test_a_deal_is_paid_once_it_is_in_effect(table: Table) -> None:
    with pytest.raises(DealNotEffective):
        await service.mark_paid(table.session, table.deal.id, now=NOW)
    await sign(table.session, table.authority, table.deal, table.licensor, now=NOW)
    await sign(table.session, table.authority, table.deal, table.licensee, now=NOW)
    for _ in range(2):
        deal = await service.mark_paid(table.session, table.deal.id, now=NOW)
        assert (deal.signing, deal.performance) == ("executed", "paid")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE deal SET terms = 'x' WHERE id = :id",
        "UPDATE deal SET amount_minor = 1 WHERE id = :id",
        "UPDATE deal SET signing = 'executed' WHERE id = :id",
        "UPDATE deal SET performance = 'paid' WHERE id = :id",
        "DELETE FROM deal WHERE id = :id",
        "UPDATE deal_document SET pdf = 'x' WHERE deal_id = :id",
        "DELETE FROM deal_document WHERE deal_id = :id",
    ],
)
async def test_the_database_keeps_what_was_agreed(table: Table, change: str) -> None:
    await table.session.flush()
    with pytest.raises(DBAPIError, match=r"frozen|append-only|permission denied|violates check"):
        await table.session.execute(text(change), {"id": table.deal.id})


ROLES = st.sampled_from(["exchange", "licensor", "licensee"])


@given(st.lists(ROLES, max_size=8))
def test_no_other_order_than_licensor_then_licensee_leads_to_execution(roles: list[str]) -> None:
    state, taken = "certified", []
    for role in roles:
        try:
            state = rules.check_turn(state, role=role)
        except NotYourTurn:
            continue
        taken.append(role)
    assert taken == ["licensor", "licensee"][: len(taken)]
    assert (state == "executed") == (len(taken) == 2)
