"""The evidence of a deal negotiated in private carries the version that was accepted."""

from pathlib import Path
from uuid import UUID

import pytest

from contracts import canonical, ids
from contracts.deals import queries as deals
from contracts.deals import service as contracts_service
from contracts.evidence import archive, manifest
from contracts.evidence.checking import Report
from contracts.evidence.opened import AUCTION, LISTING, OFFER
from contracts.facts import queries as facts
from contracts.facts.rules import SealedFact
from contracts.parties.gateway import LocalAuthority
from exchange import keys, offer_verbs
from exchange.context import Context
from exchange.db import Database
from exchange.evidence import bundle
from exchange.evidence.verify import verify
from exchange.settings import Settings
from listings.offers import service as offers
from tests.conftest import NOW
from tests.contracts.deals_factory import PRESS, sign, with_key
from tests.contracts.log_factory import seal_all
from tests.listings.offers_factory import a_room, say


@pytest.fixture(scope="module")
async def whole(db: Database, settings: Settings) -> tuple[UUID, bytes]:
    """The evidence of a deal from the first word to the last signature."""
    authority, offer_id = LocalAuthority.ensure(settings.keys, NOW), ids.new(NOW)
    context = Context(settings, db)
    async with db.transaction() as session:
        room = await a_room(session)
        licensor = await with_key(session, authority, room.licensor, now=NOW)
        licensee = await with_key(session, authority, room.licensee, now=NOW)
        said = await say(session, offer_id, room, "licensee")
        await offers.accept(
            session, offer_id, party_id=room.licensor.id, version_id=said.id, sha256=said.sha256,
            now=NOW,
        )  # fmt: skip
        told = await facts.find_first_of(session, offer_id, "offer.accepted")
        assert told is not None
        record = canonical.loads(told.record)
        fact = SealedFact(1, told.id, told.kind, told.subject, told.parties, record, NOW)
        await offer_verbs.open_offered_deals(context, session, fact, NOW)
        (deal,) = await deals.deals_of(session, room.licensee.id)
        deal = await contracts_service.certify(
            session, deal.id, press=PRESS, certifier=authority.certifier, now=NOW
        )
        await sign(session, authority, deal, licensor, now=NOW)
        await sign(session, authority, deal, licensee, now=NOW)
    await seal_all(db, keys.log_signer(settings))
    async with db.transaction() as session:
        _, raw = await bundle.assemble(
            session, deal.id, party=room.licensee.id, signer=keys.log_signer(settings),
            authority=authority,
        )  # fmt: skip
    return deal.id, raw


def checked(raw: bytes, tmp_path: Path) -> Report:
    path = tmp_path / "bundle.zip"
    path.write_bytes(raw)
    return verify(path)


def test_the_evidence_of_a_negotiated_deal_holds(whole: tuple[UUID, bytes], tmp_path: Path) -> None:
    report = checked(whole[1], tmp_path)
    assert [(one.name, one.detail) for one in report.checks if not one.ok] == []
    files = archive.unpack(whole[1]).files
    assert OFFER in files
    assert {AUCTION, LISTING}.isdisjoint(files)


def test_another_version_than_was_accepted_is_found(
    whole: tuple[UUID, bytes], settings: Settings, tmp_path: Path
) -> None:
    deal_id, raw = whole
    files = dict(archive.unpack(raw).files)
    said = canonical.loads(files[OFFER])
    files[OFFER] = canonical.dumps({**said, "message": "another"})
    del files[manifest.FILE]
    forged = bundle.sign_and_pack(
        files, deal=deal_id, stage=manifest.EXECUTED, signer=keys.log_signer(settings)
    )
    failed = [one.name for one in checked(forged, tmp_path).checks if not one.ok]
    assert failed == ["award"]
