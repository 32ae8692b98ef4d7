"""Templates over HTTP and at a terminal; the deposit agreement of an auction."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from io import BytesIO

import httpx
import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from typer.testing import CliRunner

from contracts import canonical
from contracts.deals import templates, verification
from contracts.deals.deposits import FORFEITS
from contracts.parties.tables import Party
from exchange import clock
from exchange.cli import app
from exchange.context import Context
from listings.auctions import sales
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import signed_client
from tests.listings.auctions_factory import open_auction


@dataclass
class Hall:
    bidder: httpx.AsyncClient
    bidding: Party
    holder: httpx.AsyncClient
    free: str
    asking: str


@pytest.fixture
async def hall(context: Context) -> AsyncIterator[Hall]:
    async with AsyncExitStack() as stack:
        now = clock.now()
        async with context.db.transaction() as session:
            selling = await party(session, now=now)
            bidding = await party(session, kind="broadcaster", now=now)
            film = await work(session, party_id=selling.id, now=now)
            asked = {"kind": "applied", "deposit_minor": 2_000_000}
            named = ["collusion", "winner-refuses"]
            free = await open_auction(session, seller_id=selling.id, work_id=film.id, now=now)
            asking = await open_auction(
                session, seller_id=selling.id, work_id=film.id, now=now,
                admission=asked, forfeits=named,
            )  # fmt: skip

        async def client(role: str, of: Party) -> httpx.AsyncClient:
            opened, _ = await stack.enter_async_context(signed_client(context, role=role, of=of))
            return opened

        yield Hall(
            bidder=await client("broadcaster", bidding),
            bidding=bidding,
            holder=await client("holder", selling),
            free=str(free.id),
            asking=str(asking.id),
        )


async def test_anybody_reads_the_templates_with_the_heads_that_the_law_asks_for(
    hall: Hall,
) -> None:
    items = (await hall.bidder.get("/v1/templates")).json()["items"]
    assert len(items) == len(templates.TEMPLATES)
    used = {one["id"]: one for one in items if not one["retired"]}
    assert [head["item"] for head in used["assignment-zh-en"]["heads"]] == [1, 2, 3, 4, 5, 6]
    assert used["assignment-zh-en"]["article"] == 27
    assert used["deposit-zh-en"]["heads"] == []


async def test_a_template_shows_its_clauses_whose_hashes_can_be_recomputed(hall: Hall) -> None:
    current = templates.current(templates.NETWORK)
    shown = (await hall.bidder.get(f"/v1/templates/{current.id}/{current.version}")).json()
    assert shown["sha256"] == current.sha256
    for one in shown["clauses"]:
        names = ("ref", "version", "heads", "title", "zh", "en")
        said = canonical.dumps({name: one[name] for name in names})
        assert canonical.sha256_hex(said) == one["sha256"]


@pytest.mark.parametrize("name", ["network-licence-zh-en/99", "nothing/1"])
async def test_a_template_that_is_not_there_is_unknown(hall: Hall, name: str) -> None:
    answer = await hall.bidder.get(f"/v1/templates/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "template-unknown")


async def test_a_bidder_reads_the_agreement_on_its_deposit_before_paying(hall: Hall) -> None:
    answer = await hall.bidder.get(f"/v1/auctions/{hall.asking}/deposit-agreement")
    said = canonical.loads(answer.content)
    assert answer.headers["etag"] == f'"{canonical.sha256_hex(answer.content)}"'
    assert said["consideration"]["in_words"] == "人民币贰万元整"
    assert [one["code"] for one in said["forfeits"]] == ["collusion", "winner-refuses"]
    assert said["parties"][0]["legal_name"]["zh"] == hall.bidding.name_zh
    auction = (await hall.bidder.get(f"/v1/auctions/{hall.asking}")).json()
    assert said["rulebook_sha256"] == auction["rulebook_sha256"]


async def test_the_agreement_prints_the_same_bytes_at_any_time(hall: Hall) -> None:
    address = f"/v1/auctions/{hall.asking}/deposit-agreement"
    raw = (await hall.bidder.get(address)).content
    one, other = [(await hall.bidder.get(f"{address}.pdf")).content for _ in range(2)]
    assert one == other
    assert verification.attachments(one) == [raw]
    assert PdfFileReader(BytesIO(one)).root["/Pages"]["/Count"] == 2


async def test_without_a_deposit_there_is_no_agreement(hall: Hall) -> None:
    for ending in ("", ".pdf"):
        answer = await hall.bidder.get(f"/v1/auctions/{hall.free}/deposit-agreement{ending}")
        assert (answer.status_code, answer.json()["code"]) == (404, "no-deposit-asked")


async def test_a_seller_has_no_deposit_agreement(hall: Hall) -> None:
    answer = await hall.holder.get(f"/v1/auctions/{hall.asking}/deposit-agreement")
    assert answer.status_code == 403


def test_every_reason_to_lose_a_deposit_has_words_in_both_languages() -> None:
    assert set(FORFEITS) == set(sales.FORFEITS)


def test_the_command_lists_the_templates_and_shows_one() -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["templates", "--json"])
    assert listed.exit_code == 0, listed.output
    assert {one["sha256"] for one in json.loads(listed.output)} == {
        one.sha256 for one in templates.TEMPLATES
    }
    shown = runner.invoke(app, ["templates", "show", "assignment-zh-en"])
    assert "第二十九条" in shown.output
    table = runner.invoke(app, ["templates"])
    assert "assignment" in table.output
