"""Signed bids, receipts, and what hidden bidders and secret amounts tell nobody."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select, text
from sqlmodel import col
from typer.testing import CliRunner

from contracts import canonical, ids, rfc3339
from contracts.facts import rules as fact_rules
from contracts.facts.tables import Fact
from contracts.log import service as log_service
from contracts.parties.tables import PartyKey
from exchange import bid_cli, clock, receipts
from exchange.app import create_app
from exchange.context import Context
from exchange.db import Database
from exchange.keys import log_signer
from listings.auctions import chain, ending, export, queries, service
from tests.exchange.identity_factory import api_key, headers, person
from tests.listings.auctions_factory import enrol, open_auction

MINUTE = timedelta(minutes=1)


@dataclass
class Desk:
    """A bidder with an API key and a registered Ed25519 key, at the HTTP door."""

    client: httpx.AsyncClient
    db: Database
    context: Context
    auction: UUID
    listing: UUID
    rulebook_sha256: str
    party: UUID
    api_key: str
    key_id: UUID
    key: Ed25519PrivateKey
    others: list[str] = field(default_factory=list)

    async def send(self, body: Any, *, bid: UUID | None = None, key: str = "") -> httpx.Response:
        return await self.client.put(
            f"/v1/auctions/{self.auction}/bids/{bid or ids.new(clock.now())}",
            json=body, headers=headers(key or self.api_key),
        )  # fmt: skip

    def signed(self, bid: UUID, amount: int, /, **changes: Any) -> dict[str, Any]:
        """Return a signed body; `changes` are made to the message before it is signed."""
        now = clock.now()
        content = {"amount_minor": amount, "currency": "CNY"}
        message = {
            "v": "uhdx/bid/v1", "auction": str(self.auction), "listing": str(self.listing),
            "rulebook_sha256": self.rulebook_sha256, "bid": str(bid), "party": str(self.party),
            "key": str(self.key_id), "content": content, "client_time": rfc3339.exact(now),
            "expires_at": rfc3339.exact(now + MINUTE),
        } | changes  # fmt: skip
        value = self.key.sign(canonical.dumps(message))
        return {
            **content,
            "rulebook_sha256": self.rulebook_sha256,
            "signature": {
                "key": str(self.key_id), "client_time": message["client_time"],
                "expires_at": message["expires_at"], "value": base64.b64encode(value).decode(),
            },
        }  # fmt: skip


async def a_desk(context: Context, db: Database, **sale: Any) -> Desk:
    now, key = clock.now(), Ed25519PrivateKey.generate()
    async with db.transaction() as session:
        seller = await enrol(session, now=now, kind="rights_holder")
        auction = await open_auction(session, seller_id=seller.id, now=now - MINUTE, **sale)
        keys, parties = [], []
        for _ in range(3):
            who = await enrol(session, now=now)
            acts = await person(session, party_id=who.id, role="broadcaster", now=now)
            keys.append(await api_key(session, person=acts, now=now))
            parties.append(who.id)
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        row = PartyKey(
            id=ids.new(now), party_id=parties[0], spki_sha256=canonical.sha256_hex(pem),
            public_key_pem=pem.decode(), certificate_pem="", registered_at=now - MINUTE,
        )  # fmt: skip
        session.add(row)
    app = create_app(context)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://exchange.test")
    return Desk(
        client, db, context, auction.id, auction.listing_id, auction.rulebook_sha256, parties[0],
        keys[0], row.id, key, keys[1:],
    )  # fmt: skip


@pytest.fixture
async def desk(context: Context, db: Database) -> AsyncIterator[Desk]:
    made = await a_desk(context, db)
    yield made
    await made.client.aclose()


async def test_a_signed_bid_is_kept_with_its_message_and_named_in_the_log(desk: Desk) -> None:
    bid = ids.new(clock.now())
    body = desk.signed(bid, 120_000)
    answer = await desk.send(body, bid=bid)
    assert answer.status_code == 201, answer.text
    async with desk.db.sessions() as session:
        row = await queries.get_bid(session, desk.auction, bid)
        event = (await queries.events(session, desk.auction))[-1]
    message = row.message or b""
    desk.key.public_key().verify(base64.b64decode(body["signature"]["value"]), message)
    assert event.body["signed"] == {
        "key": str(desk.key_id), "signature": body["signature"]["value"],
        "message_sha256": canonical.sha256_hex(message),
    }  # fmt: skip
    assert (await desk.send(body, bid=bid)).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"auction": str(UUID(int=1))}, {"listing": str(UUID(int=2))}, {"bid": str(UUID(int=3))},
        {"rulebook_sha256": "0" * 64}, {"party": str(UUID(int=4))}, {"v": "uhdx/bid/v2"},
        {"content": {"amount_minor": 119_999, "currency": "CNY"}},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
async def test_invariant_37_a_signature_is_good_for_one_bid_alone(
    desk: Desk, change: dict[str, Any]
) -> None:
    bid = ids.new(clock.now())
    answer = await desk.send(desk.signed(bid, 120_000, **change), bid=bid)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-bid-signature")


async def test_invariant_37_a_signature_expires_and_dies_with_its_key(desk: Desk) -> None:
    bid = ids.new(clock.now())
    past = rfc3339.exact(clock.now() - timedelta(seconds=1))
    expired = await desk.send(desk.signed(bid, 120_000, expires_at=past), bid=bid)
    assert (expired.status_code, expired.json()["code"]) == (409, "signature-expired")
    assert (await desk.send(desk.signed(bid, 120_000), bid=bid)).status_code == 201
    async with desk.db.transaction() as session:
        await session.execute(
            text("UPDATE party_key SET state = 'revoked', revoked_at = :at WHERE id = :id"),
            {"at": clock.now(), "id": desk.key_id},
        )
    bid = ids.new(clock.now())
    revoked = await desk.send(desk.signed(bid, 130_000), bid=bid)
    assert revoked.json()["code"] == "bad-bid-signature"


async def test_a_bid_by_other_rules_is_refused(desk: Desk) -> None:
    body = {"amount_minor": 120_000, "currency": "CNY", "rulebook_sha256": "0" * 64}
    answer = await desk.send(body)
    assert (answer.status_code, answer.json()["code"]) == (409, "other-rules")
    assert answer.json()["rulebook_sha256"] == desk.rulebook_sha256


async def test_invariant_36_a_receipt_is_checked_offline_and_found_in_the_log(desk: Desk) -> None:
    bid = ids.new(clock.now())
    answer = (await desk.send({"amount_minor": 120_000, "currency": "CNY"}, bid=bid)).json()
    key = (await desk.client.get("/v1/receipt-key")).json()
    assert key["key"] == answer["receipt"]["key"]
    said = receipts.check(answer["receipt"], key["public_key_pem"].encode())
    with pytest.raises(receipts.BadReceipt):
        receipts.check(
            {**answer["receipt"], "receipt": {**said, "sequence": 2}},
            key["public_key_pem"].encode(),
        )
    with pytest.raises(receipts.BadReceipt):
        receipts.check({"receipt": said}, key["public_key_pem"].encode())
    address = f"/v1/auctions/{desk.auction}/bids/{bid}/receipt"
    async with desk.db.transaction() as session:
        await log_service.seal(
            session, signer=log_signer(desk.context.settings), limit=100_000, now=clock.now()
        )
    again = (await desk.client.get(address, headers=headers(desk.api_key))).json()
    assert {name: again[name] for name in answer["receipt"]} == answer["receipt"]
    async with desk.db.sessions() as session:
        row = await session.execute(
            text("SELECT leaf, encode(leaf_hash, 'hex') FROM log_entry WHERE seq = :seq"),
            {"seq": again["log_index"]},
        )
        leaf, hashed = row.one()
    assert hashed == again["leaf_sha256"]
    assert (canonical.loads(leaf)["n"], canonical.loads(leaf)["c"]) == (
        said["fact"], said["commitment"],
    )  # fmt: skip
    others = await desk.client.get(address, headers=headers(desk.others[0]))
    assert (others.status_code, others.json()["code"]) == (404, "unknown")


async def test_the_command_checks_a_receipt_and_looks_it_up_in_a_log(
    desk: Desk, tmp_path: Path
) -> None:
    answer = (await desk.send({"amount_minor": 120_000, "currency": "CNY"})).json()
    key = (await desk.client.get("/v1/receipt-key")).json()
    files = {name: tmp_path / name for name in ("answer.json", "key.pem", "log", "other")}
    files["answer.json"].write_text(json.dumps(answer))
    files["key.pem"].write_text(key["public_key_pem"])
    async with desk.db.sessions() as session:
        auction = await queries.get_auction(session, desk.auction)
        events = await queries.events(session, desk.auction)
    raw = [chain.event(one.seq, one.kind, one.at, canonical.dumps(one.body)) for one in events]
    lines = list(export.lines(auction.rulebook, auction.rulebook_sha256, export.chained(raw)))
    files["log"].write_bytes(b"".join(lines))
    files["other"].write_bytes(b"".join(lines[:-1]))
    asked = ["check", str(files["answer.json"]), "--key", str(files["key.pem"]), "--log"]
    told = CliRunner().invoke(bid_cli.app, [*asked, str(files["log"])])
    assert told.exit_code == 0, told.output
    assert "under number 1" in told.output
    missed = CliRunner().invoke(bid_cli.app, [*asked, str(files["other"])])
    assert isinstance(missed.exception, receipts.NotInLog)
    answer["receipt"]["receipt"]["sequence"] = 7
    files["answer.json"].write_text(json.dumps(answer))
    forged = CliRunner().invoke(bid_cli.app, [*asked, str(files["log"])])
    assert isinstance(forged.exception, receipts.BadReceipt)


async def test_hidden_bidders_and_secret_amounts_are_told_to_nobody_before_the_close(
    context: Context, db: Database
) -> None:
    now = clock.now()
    desk = await a_desk(
        context, db, method="sealed", step_minor=None, soft_close_s=None, hard_stop_at=None,
        closes_at=(now + timedelta(seconds=30)).isoformat(),
        secrecy={"bidders": "hidden", "amounts": "secret"},
    )  # fmt: skip
    bids = [ids.new(now) for _ in range(3)]
    told = [
        (await desk.send({"amount_minor": 120_000 + n, "currency": "CNY"}, bid=bid, key=key)).json()
        for n, (bid, key) in enumerate(zip(bids, [desk.api_key, *desk.others], strict=True))
    ]
    for answer in told:
        assert (answer["paddle"], answer["sequence"], answer["leading"]) == (None, None, None)
        assert answer["receipt"]["receipt"]["sequence"] is None
    shown = (await desk.client.get(f"/v1/auctions/{desk.auction}")).json()
    assert [shown[name] for name in ("bids", "extensions", "standing", "least_minor")] == [None] * 4
    address = f"/v1/auctions/{desk.auction}/bids"
    assert (await desk.client.get(address)).json() == {"items": [], "next": None}
    mine = (await desk.client.get(address, headers=headers(desk.api_key))).json()["items"]
    assert [(row["id"], row["paddle"], row["sequence"]) for row in mine] == [
        (str(bids[0]), None, None)
    ]
    assert await facts_of(desk) == ["auction.opened"]
    async with db.transaction() as session:
        auction = await service.locked(session, desk.auction)
        await ending.close(session, auction, now=auction.closes_at)
    kinds = await facts_of(desk)
    assert sorted(kinds) == [
        "auction.closed", "auction.opened", "award.made", *["bid.received"] * 3,
    ]  # fmt: skip
    async with db.sessions() as session:
        for answer in told:
            said = answer["receipt"]["receipt"]
            fact = await session.get(Fact, UUID(said["fact"]))
            assert fact is not None
            assert fact_rules.commitment(fact.blind, fact.record) == said["commitment"]
    await desk.client.aclose()


async def facts_of(desk: Desk) -> list[str]:
    async with desk.db.sessions() as session:
        found = await session.execute(select(Fact.kind).where(col(Fact.subject) == desk.auction))
        return list(found.scalars())


async def test_health_tells_how_the_process_takes_bids(desk: Desk) -> None:
    await desk.send({"amount_minor": 120_000, "currency": "CNY"})
    said = (await desk.client.get("/healthz")).json()
    assert said["status"] == "ok"
    assert said["bids"]["waiting"] == 0
    assert said["bids"]["last_commit_age_ms"] >= 0
