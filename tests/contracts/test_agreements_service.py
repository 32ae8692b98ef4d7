"""Agreements with the exchange: certified, signed once by the right key, archived, kept."""

import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.agreements import lasting, queries, service
from contracts.agreements.rules import AgreementSigned
from contracts.agreements.service import Draft
from contracts.agreements.tables import Agreement
from contracts.deals import deposits, verification
from contracts.deals.rules import BadSignature, SessionExpired, SessionUsed, WrongKey
from contracts.deals.sealing import AGREEMENT_ROLES
from contracts.deals.verification import DocumentNotSound
from contracts.parties import service as registry
from contracts.parties.gateway import LocalAuthority
from contracts.parties.rules import KeyNotActive
from contracts.refusal import IdReused, Unknown
from exchange.demo import signer
from tests.conftest import NOW
from tests.contracts.deals_factory import PRESS, Signatory, signatory, with_key
from tests.contracts.templates_factory import deposit
from tests.exchange.agreements_factory import latest_pdf, sign

LATER = NOW + timedelta(days=366)


@dataclass
class Desk:
    """An agreement that waits for its bidder's signature."""

    session: AsyncSession
    authority: LocalAuthority
    bidder: Signatory
    agreement: Agreement

    async def pdf(self) -> bytes:
        return await latest_pdf(self.session, self.agreement)

    async def begun(self, who: Signatory | None = None) -> tuple[UUID, bytes]:
        by = who or self.bidder
        session_id = ids.new(NOW)
        found, _ = await service.open_session(
            self.session, self.agreement.id, session_id,
            party_id=by.party.id, key_id=by.key.id, press=PRESS, now=NOW,
        )  # fmt: skip
        return session_id, found.tbs

    async def completes(
        self, session_id: UUID, signature: bytes, *, now: datetime = NOW
    ) -> Agreement:
        return await service.complete_session(
            self.session, self.agreement.id, session_id,
            party_id=self.bidder.party.id, signature=signature,
            certifier=self.authority.certifier, now=now,
        )  # fmt: skip

    def verdicts(self, pdf: bytes) -> list[verification.SignatureVerdict]:
        root = self.authority.root_pem
        return verification.check_signatures(pdf, root, roles=AGREEMENT_ROLES)


@pytest.fixture
async def desk(session: AsyncSession, tmp_path: Path) -> AsyncIterator[Desk]:
    authority = LocalAuthority.ensure(tmp_path, NOW)
    bidder = await signatory(session, authority, kind="broadcaster", now=NOW)
    auction = ids.new(NOW)
    terms = {**deposit(is_signed=True, auction=auction)}
    terms["agreement"] = str(deposits.agreement_id(auction, bidder.party.id))
    draft = Draft(
        deposits.agreement_id(auction, bidder.party.id), "deposit", auction, bidder.party.id,
        canonical.dumps(terms), NOW,
    )  # fmt: skip
    made, new = await service.draw_up(
        session, draft, press=PRESS, certifier=authority.certifier, now=NOW
    )
    again, anew = await service.draw_up(
        session, draft, press=PRESS, certifier=authority.certifier, now=NOW
    )
    assert (new, anew, again.id) == (True, False, made.id)
    yield Desk(session, authority, bidder, made)


async def test_an_agreement_is_certified_then_signed_then_archived(
    desk: Desk, tmp_path: Path
) -> None:
    certified = await desk.pdf()
    assert [one.role for one in desk.verdicts(certified) if one.good] == ["exchange"]
    signed = await sign(desk.session, desk.authority, desk.agreement, desk.bidder, now=NOW)
    pdf = await desk.pdf()
    assert (signed.state, signed.signed_at, signed.pdf_sha256) == (
        "signed", NOW, canonical.sha256_hex(pdf),
    )  # fmt: skip
    assert pdf.startswith(certified)
    assert [(one.role, one.level, one.good) for one in desk.verdicts(pdf)] == [
        ("exchange", "B-T", True), ("bidder", "B-T", True),
    ]  # fmt: skip
    assert await lasting.archive(desk.session, signed.id, authority=desk.authority, now=NOW)
    assert not await lasting.archive(desk.session, signed.id, authority=desk.authority, now=NOW)
    archived = await desk.pdf()
    assert {one.level for one in desk.verdicts(archived) if one.good} == {"B-LTA"}
    assert await lasting.archive(desk.session, signed.id, authority=desk.authority, now=LATER)
    assert {one.level for one in desk.verdicts(await desk.pdf()) if one.good} == {"B-LTA"}
    assert _pdfsig(archived, desk.authority.root_pem, tmp_path) == 2


def _pdfsig(pdf: bytes, root_pem: bytes, folder: Path) -> int:
    """How many signatures a program that nobody here wrote calls valid and trusted."""
    file, root, store = folder / "agreement.pdf", folder / "root.pem", f"sql:{folder / 'nss'}"
    file.write_bytes(pdf)
    root.write_bytes(root_pem)
    (folder / "nss").mkdir()
    for words in (
        ["-N", "-d", store, "--empty-password"],
        ["-A", "-d", store, "-n", "root", "-t", "CT,C,C", "-i", str(root)],
    ):
        subprocess.run(["certutil", *words], check=True, capture_output=True)
    seen = subprocess.run(
        ["pdfsig", "-nssdir", store, str(file)], capture_output=True, text=True, check=False
    ).stdout
    assert seen.count("Signature is Valid") == seen.count("Certificate is Trusted"), seen
    return seen.count("Signature is Valid")


async def test_the_same_signature_again_changes_nothing_and_another_is_refused(desk: Desk) -> None:
    session_id, tbs = await desk.begun()
    signature = signer.sign_tbs(desk.bidder.key_pem, tbs)
    first = await desk.completes(session_id, signature)
    kept = await desk.pdf()
    assert (await desk.completes(session_id, signature)).id == first.id
    with pytest.raises(SessionUsed):
        await desk.completes(session_id, signer.sign_tbs(desk.bidder.key_pem, tbs))
    with pytest.raises(AgreementSigned):
        await desk.begun()
    assert await desk.pdf() == kept


async def test_of_two_sessions_one_signs(desk: Desk) -> None:
    begun = [await desk.begun() for _ in range(2)]
    (one, first), (other, second) = begun
    await desk.completes(one, signer.sign_tbs(desk.bidder.key_pem, first))
    with pytest.raises(AgreementSigned):
        await desk.completes(other, signer.sign_tbs(desk.bidder.key_pem, second))


async def test_a_signature_over_other_bytes_or_by_another_key_is_refused(desk: Desk) -> None:
    before = await desk.pdf()
    session_id, tbs = await desk.begun()
    for wrong in (signer.sign_tbs(desk.bidder.key_pem, tbs + b"\0"), b"x" * 64, b""):
        with pytest.raises(BadSignature):
            await desk.completes(session_id, wrong)
    other = await with_key(desk.session, desk.authority, desk.bidder.party, now=NOW)
    with pytest.raises(WrongKey):
        await desk.completes(session_id, signer.sign_tbs(other.key_pem, tbs))
    stranger, _ = signer.make_key_and_csr("x")
    with pytest.raises(BadSignature):
        await desk.completes(session_id, signer.sign_tbs(stranger, tbs))
    assert await desk.pdf() == before
    assert desk.agreement.signed_at is None


async def test_a_signature_is_good_for_one_agreement_alone(desk: Desk) -> None:
    """A replay: what was signed for one auction does not fit the agreement of the next."""
    _, tbs = await desk.begun()
    signature = signer.sign_tbs(desk.bidder.key_pem, tbs)
    auction = ids.new(NOW)
    terms = {**deposit(is_signed=True, auction=auction)}
    id = deposits.agreement_id(auction, desk.bidder.party.id)
    terms["agreement"] = str(id)
    draft = Draft(id, "deposit", auction, desk.bidder.party.id, canonical.dumps(terms), NOW)
    made, _ = await service.draw_up(
        desk.session, draft, press=PRESS, certifier=desk.authority.certifier, now=NOW
    )
    other = Desk(desk.session, desk.authority, desk.bidder, made)
    session_id, _ = await other.begun()
    with pytest.raises(BadSignature):
        await other.completes(session_id, signature)


async def test_nobody_opens_or_completes_a_session_for_another_party(desk: Desk) -> None:
    stranger = await signatory(desk.session, desk.authority, kind="broadcaster", now=NOW)
    with pytest.raises(Unknown):
        await desk.begun(stranger)
    with pytest.raises(Unknown):
        await queries.get_agreement_of(desk.session, desk.agreement.id, stranger.party.id)
    mixed = Signatory(desk.bidder.party, stranger.key, stranger.key_pem)
    with pytest.raises(KeyNotActive):
        await desk.begun(mixed)


async def test_a_session_ends_after_ten_minutes_and_its_id_is_for_one_key(desk: Desk) -> None:
    session_id, tbs = await desk.begun()
    signature = signer.sign_tbs(desk.bidder.key_pem, tbs)
    with pytest.raises(SessionExpired):
        await desk.completes(session_id, signature, now=NOW + timedelta(minutes=10))
    other = await with_key(desk.session, desk.authority, desk.bidder.party, now=NOW)
    with pytest.raises(IdReused):
        await service.open_session(
            desk.session, desk.agreement.id, session_id,
            party_id=desk.bidder.party.id, key_id=other.key.id, press=PRESS, now=NOW,
        )  # fmt: skip


async def test_a_key_revoked_between_the_two_calls_does_not_sign(desk: Desk) -> None:
    session_id, tbs = await desk.begun()
    await registry.revoke_key(desk.session, desk.bidder.party.id, desk.bidder.key.id, now=NOW)
    with pytest.raises(KeyNotActive):
        await desk.completes(session_id, signer.sign_tbs(desk.bidder.key_pem, tbs))


@pytest.mark.parametrize(
    ("name", "value"),
    [("terms", "'x'"), ("subject_id", "gen_random_uuid()"), ("state", "'certified'")],
    ids=["terms", "auction", "state"],
)
async def test_a_signed_agreement_never_changes(desk: Desk, name: str, value: str) -> None:
    await sign(desk.session, desk.authority, desk.agreement, desk.bidder, now=NOW)
    with pytest.raises(DBAPIError, match="agreement"):
        async with desk.session.begin_nested():
            await desk.session.execute(
                text(f"UPDATE agreement SET {name} = {value} WHERE id = :id"),
                {"id": desk.agreement.id},
            )


async def test_a_contracts_roles_do_not_pass_for_an_agreements(desk: Desk) -> None:
    """A file is judged by who has to sign it: two signatures are no contract of three."""
    await sign(desk.session, desk.authority, desk.agreement, desk.bidder, now=NOW)
    pdf, root = await desk.pdf(), desk.authority.root_pem
    assert not all(one.good for one in verification.check_signatures(pdf, root))
    keys = {one.role: one.spki_sha256 for one in desk.verdicts(pdf)}
    with pytest.raises(DocumentNotSound):
        verification.require_sound(pdf, root, keys=keys, terms=desk.agreement.terms)


async def test_bytes_added_to_a_signed_agreement_are_found(desk: Desk) -> None:
    await sign(desk.session, desk.authority, desk.agreement, desk.bidder, now=NOW)
    pdf = await desk.pdf()
    for changed in (pdf + b"\n% more", pdf.replace(b"/Type", b"/Tipe", 1)):
        try:
            good = all(one.good for one in desk.verdicts(changed))
        except DocumentNotSound:
            good = False
        assert not good
