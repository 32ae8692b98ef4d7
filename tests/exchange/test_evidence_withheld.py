"""What other bidders did in the auction stays theirs: the evidence of a deal withholds it."""

from pathlib import Path

from contracts import ids
from contracts.evidence import archive
from contracts.evidence.opened import AUCTION, EVENTS, read_events
from contracts.facts import service as facts
from exchange import keys
from exchange.db import Database
from exchange.evidence.verify import verify
from exchange.settings import Settings
from tests.conftest import NOW
from tests.contracts.log_factory import seal_all
from tests.exchange.evidence_factory import settled_trade
from tests.exchange.test_evidence import assembled


async def test_a_fact_of_another_bidder_is_a_leaf_without_its_record(
    db: Database, settings: Settings, tmp_path: Path
) -> None:
    trade = await settled_trade(db, settings)
    stranger, auction = ids.new(NOW), trade.deal.auction_id
    assert auction is not None
    told = {
        "auction": str(auction),
        "listing": str(trade.deal.listing_id),
        "bid": str(ids.new(NOW)),
    }
    told |= {"party": str(stranger), "reason": "does-not-decrypt"}
    async with db.transaction() as session:
        await facts.record(session, "seal.failed", auction, told, parties=[stranger], now=NOW)
    signer = keys.log_signer(settings)
    await seal_all(db, signer)
    whole = await assembled(db, settings, trade)
    path = tmp_path / "bundle.zip"
    path.write_bytes(whole)
    report = verify(path, trusted_vkey=signer.verifier.vkey)
    assert [(one.name, one.detail) for one in report.checks if not one.ok] == []
    files = archive.unpack(whole).files
    events = read_events(files[EVENTS])
    withheld = [event for event in events if event.is_withheld]
    assert [event.kind for event in withheld] == ["seal.failed"]
    assert withheld[0].record == {}
    assert str(stranger).encode() not in files[EVENTS]
    assert str(trade.licensee.id).encode() not in files[AUCTION]  # the log knows paddles alone
