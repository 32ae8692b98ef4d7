"""The log of an auction over HTTP, verified alone; its events for bidders and for spectators."""

import asyncio
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from contracts import canonical
from contracts.parties.tables import Party
from exchange import clock, replaying
from exchange.auction_cli import NotExported, app
from exchange.context import Context
from exchange.db import Database
from listings.auctions import ending, export, queries, service
from listings.auctions.tables import Auction
from tests.exchange.identity_factory import signed_client
from tests.exchange.portal_site import served, turn
from tests.listings import auctions_factory


async def opened(db: Database, **sale: Any) -> tuple[Auction, list[Party]]:
    """An auction that has just opened, and three broadcasters."""
    now = clock.now() - timedelta(seconds=1)
    async with db.transaction() as session:
        seller = await auctions_factory.enrol(session, now=now, kind="rights_holder")
        bidders = [await auctions_factory.enrol(session, now=now) for _ in range(3)]
        auction = await auctions_factory.open_auction(session, seller_id=seller.id, now=now, **sale)
    return auction, bidders


async def bid(db: Database, auction: Auction, bidder: Party, amount_minor: int) -> None:
    async with db.transaction() as session:
        await auctions_factory.bid(session, auction, bidder.id, amount_minor, now=clock.now())


async def close(db: Database, auction: Auction) -> None:
    async with db.transaction() as session:
        locked = await service.locked(session, auction.id)
        await ending.close(session, locked, now=locked.closes_at)


async def sold(db: Database) -> Auction:
    """An auction with five bids of three bidders that has closed."""
    auction, bidders = await opened(db)
    for at in range(5):
        await bid(db, auction, bidders[at % 3], 100_000 + 1_000 * at)
    await close(db, auction)
    return auction


async def test_the_log_is_public_from_the_result_on_and_verifies_alone(
    client: httpx.AsyncClient, db: Database, tmp_path: Path
) -> None:
    auction, bidders = await opened(db)
    await bid(db, auction, bidders[0], 100_000)
    early = await client.get(f"/v1/auctions/{auction.id}/log")
    assert (early.status_code, early.json()["code"]) == (409, "result-awaited")
    await close(db, auction)
    answer = await client.get(f"/v1/auctions/{auction.id}/log")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/jsonl")
    log = tmp_path / "log.jsonl"
    log.write_bytes(answer.content)
    status, said = replaying.verified(log)
    assert (status, said["holds"], said["bids"]) == (0, True, 1)
    async with db.transaction() as session:
        row = await queries.get_auction(session, auction.id)
    assert row.result is not None and row.head_sha256 is not None
    assert said["result_sha256"] == canonical.sha256_hex(row.result)
    assert said["head_sha256"] == row.head_sha256.hex()


async def test_every_line_of_the_export_is_canonical_and_pages_join(
    client: httpx.AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    auction = await sold(db)
    whole = (await client.get(f"/v1/auctions/{auction.id}/log")).content
    monkeypatch.setattr("exchange.api.auction_log.PAGE", 2)
    assert (await client.get(f"/v1/auctions/{auction.id}/log")).content == whole
    for line in whole.splitlines():
        assert canonical.dumps(json.loads(line)) == line


async def test_the_last_hash_and_the_results_stand_in_the_public_fact(
    client: httpx.AsyncClient, context: Context, db: Database
) -> None:
    auction = await sold(db)
    await turn(context)
    facts = (await client.get("/v1/facts", params={"subject": str(auction.id)})).json()["items"]
    closed = next(fact["record"] for fact in facts if fact["kind"] == "auction.closed")
    raw = (await client.get(f"/v1/auctions/{auction.id}/log")).content
    last = json.loads(raw.splitlines()[-1])
    assert closed["log_head"] == last["hash"]
    result = hashlib.sha256(canonical.dumps(last["body"])).hexdigest()
    assert closed["result_sha256"] == result


async def test_an_auction_is_decided_again_by_both_programs(db: Database) -> None:
    auction = await sold(db)
    async with db.transaction() as session:
        replayed = await replaying.replay(session, auction.id)
    assert replayed.agrees
    assert replayed.stored_sha256 == replayed.rules_sha256 == replayed.verifier_sha256
    waiting, _ = await opened(db)
    with pytest.raises(export.ResultAwaited):
        async with db.transaction() as session:
            await replaying.replay(session, waiting.id)


async def test_the_command_names_the_first_event_that_does_not_hold(
    client: httpx.AsyncClient, db: Database, tmp_path: Path
) -> None:
    auction = await sold(db)
    raw = (await client.get(f"/v1/auctions/{auction.id}/log")).content
    log = tmp_path / "log.jsonl"
    log.write_bytes(raw)
    runner = CliRunner()
    good = await asyncio.to_thread(runner.invoke, app, ["verify", str(log)])
    assert (good.exit_code, "holds" in good.stdout) == (0, True)
    log.write_bytes(raw.replace(b'"amount_minor":101000', b'"amount_minor":101001', 1))
    bad = await asyncio.to_thread(runner.invoke, app, ["verify", str(log)])
    assert (bad.exit_code, "at event 2" in bad.stdout) == (1, True)
    told = await asyncio.to_thread(runner.invoke, app, ["verify", str(log), "--json"])
    assert json.loads(told.stdout)["seq"] == 2


async def test_the_commands_fetch_a_log_and_decide_an_auction_again(
    context: Context, db: Database, tmp_path: Path
) -> None:
    auction, waiting = await sold(db), (await opened(db))[0]
    log, runner = tmp_path / "log.jsonl", CliRunner()

    async def run(*words: str) -> Result:
        url = db.url.replace("postgresql+psycopg://", "postgresql://", 1)
        env = {"EXCHANGE_DATABASE_URL": url}
        return await asyncio.to_thread(runner.invoke, app, list(words), env=env)

    async with served(context) as site:
        where = ("--exchange", site, "--out", str(log))
        fetched = await run("export", str(auction.id), *where)
        assert fetched.exit_code == 0, fetched.output
        assert replaying.verified(log)[0] == 0
        early = await run("export", str(waiting.id), *where)
        assert isinstance(early.exception, NotExported)
        assert early.exception.data["status"] == 409
    again = await run("replay", str(auction.id), "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["agrees"] is True


def kinds(stream: str) -> list[str]:
    return [line[7:] for line in stream.splitlines() if line.startswith("event: ")]


async def test_bidders_get_every_bid_and_spectators_the_latest_state(
    client: httpx.AsyncClient, context: Context, db: Database
) -> None:
    auction = await sold(db)
    await turn(context)
    where = f"/v1/auctions/{auction.id}/events"
    watching = (await client.get(where, params={"idle_s": 0})).text
    async with signed_client(context, role="broadcaster") as (bidder, _):
        bidding = (await bidder.get(where, params={"idle_s": 0})).text
    assert kinds(bidding) == ["clock", "auction.opened", *["bid.placed"] * 5, "auction.closed"]
    assert kinds(watching) == ["clock", "auction.opened", "bid.placed", "auction.closed"]
    last = next(line for line in watching.splitlines() if '"bid.placed"' in line)
    assert json.loads(last[6:])["record"]["amount_minor"] == 104_000


async def test_while_bidders_are_hidden_nobody_can_count_the_bids(
    context: Context, db: Database
) -> None:
    auction, bidders = await opened(db, secrecy={"bidders": "hidden", "amounts": "open"})
    for at in range(4):
        await bid(db, auction, bidders[at % 3], 100_000 + 1_000 * at)
    await turn(context)
    where = f"/v1/auctions/{auction.id}/events"
    async with signed_client(context, role="broadcaster") as (bidder, _):
        before = (await bidder.get(where, params={"idle_s": 0})).text
    assert kinds(before).count("bid.placed") == 1
    assert not any(f'"sequence":{number}' in before for number in range(10))
    assert '"paddle":null' in before


async def test_an_account_follows_what_names_its_party(
    client: httpx.AsyncClient, context: Context, db: Database
) -> None:
    async with signed_client(context, role="broadcaster") as (bidder, person):
        auction, _ = await opened(db)
        async with db.transaction() as session:
            party = await session.get(Party, person.party_id)
        assert party is not None
        await bid(db, auction, party, 100_000)
        await close(db, auction)
        await turn(context)
        mine = (await bidder.get("/v1/me/events", params={"idle_s": 0})).text
    async with signed_client(context, role="broadcaster") as (other, _):
        theirs = (await other.get("/v1/me/events", params={"idle_s": 0})).text
    assert "award.made" in kinds(mine)
    assert "bid.placed" not in kinds(mine)
    assert str(auction.id) not in theirs
    nobody = await client.get("/v1/me/events", params={"idle_s": 0})
    assert (nobody.status_code, nobody.json()["code"]) == (401, "sign-in-needed")
