"""Deliveries of a real film that was uploaded, examined and listed: the command and the API."""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest
from sqlalchemy import text

from contracts import ids
from contracts.deals.tables import Deal
from contracts.facts.rules import SealedFact
from contracts.parties.tables import Party
from exchange import clock, master_verbs, match_cli
from exchange.context import Context
from listings.catalogue import queries as catalogue
from listings.masters import queries as masters
from listings.recognition.delivery import FORMAT, Delivered
from listings.recognition.relation import Footage
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work as new_work
from tests.exchange.identity_factory import api_key, headers, person, signed_client
from tests.exchange.portal_site import served
from tests.exchange.uploads_factory import upload
from tests.listings.catalogue_factory import published_listing
from tests.listings.masters_media import FLOWER, FRIDAY, STREAM, ffmpeg

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "26", "-pix_fmt", "yuv420p")
JOIN = (
    "[0:v]scale=640:360,setsar=1,fps=25[a];[1:v]scale=640:360,setsar=1,fps=25[b];"
    "[a][b]concat=n=2[v]"
)


@dataclass(frozen=True)
class Listed:
    """A published film: its file, the listing, who sells it, and where the exchange is."""

    film: Path
    listing_id: UUID
    seller: Party
    site: str
    key: str


@pytest.fixture(scope="module")
async def listed(
    context: Context, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Listed]:
    film = tmp_path_factory.mktemp("film") / "film.mp4"
    ffmpeg("-i", str(FLOWER), "-i", str(FRIDAY), "-filter_complex", JOIN, "-map", "[v]",
           "-map", "1:a", "-c:a", "aac", *X264, str(film))  # fmt: skip
    now = clock.now()
    async with context.db.transaction() as session:
        seller = await party(session, now=now)
        work = await new_work(session, party_id=seller.id, now=now)
        buyer = await person(session, party_id=seller.id, role="holder", now=now)
        key = await api_key(session, person=buyer, scopes=["read"], now=now)
    async with signed_client(context, of=seller) as (client, _):
        master_id = await upload(client, film.read_bytes(), work_id=str(work.id))
    content = film.read_bytes()
    told = {"master": str(master_id), "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest()}  # fmt: skip
    fact = SealedFact(1, ids.new(now), "master.received", master_id, [], told, now)
    async with context.db.transaction() as session:
        await master_verbs.examine_master(context, session, fact, clock.now())
    async with context.db.transaction() as session:
        master = await masters.get_master(session, master_id)
        assert master.state == "ready", master.refusal
        listing = await published_listing(
            session, seller=seller, work=work, master=master, now=clock.now()
        )
    async with served(context) as site:
        yield Listed(film, listing.id, seller, site, key)


async def told(listed: Listed, path: Path) -> tuple[int, dict[str, Any]]:
    """Ask as `exchange match` does; return its status and the answer."""
    answer = await match_cli.match_file(
        path, listed.listing_id, exchange=listed.site, key=listed.key
    )
    return match_cli.STATUS[answer["outcome"]], answer


async def run(listed: Listed, path: Path, *options: str) -> tuple[int, str]:
    """Run the command itself; return its status and what it printed."""
    command = [sys.executable, "-m", "exchange", "match", str(path), *options]
    command += ["--listing", str(listed.listing_id), "--exchange", listed.site]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "EXCHANGE_KEY": listed.key},
    )  # fmt: skip
    said, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode() or errors.decode()


async def test_the_same_bytes_are_identical_without_decoding(listed: Listed) -> None:
    status, answer = await told(listed, listed.film)
    assert (status, answer["outcome"], answer["coverage_bp"]) == (0, "identical", 10_000)


async def test_the_same_picture_in_another_wrapper_is_the_same(
    listed: Listed, tmp_path: Path
) -> None:
    ffmpeg("-i", str(listed.film), "-c", "copy", str(tmp_path / "wrapped.mkv"))
    status, answer = await told(listed, tmp_path / "wrapped.mkv")
    assert (status, answer["outcome"]) == (0, "same-picture")


async def test_a_smaller_encode_is_the_same_content_and_less_than_listed(
    listed: Listed, tmp_path: Path
) -> None:
    small = tmp_path / "small.mp4"
    ffmpeg("-i", str(listed.film), "-vf", "scale=426:240", "-c:a", "copy", *X264, str(small))
    status, answer = await told(listed, small)
    assert (status, answer["outcome"], answer["missing"]) == (0, "same-content", [])
    assert answer["coverage_bp"] > 9_500
    assert {"what": "height", "listed": "360", "delivered": "240"} in answer["technical"]


async def test_what_was_cut_out_is_named(
    listed: Listed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.mp4"
    keep = "select='lt(t,3)+gt(t,6)',setpts=N/25/TB"
    ffmpeg("-i", str(listed.film), "-an", "-vf", keep, *X264, str(cut))
    status, answer = await told(listed, cut)
    assert (status, answer["outcome"], answer["changes"]) == (3, "changed", ["cut"])
    (missing,) = answer["missing"]
    assert abs(missing["from_ms"] - 3000) <= 400 and abs(missing["length_ms"] - 3000) <= 600
    match_cli.show(answer, "zh")
    said = capsys.readouterr().out
    assert "作品缺失的部分" in said and "有缺失" in said and "0:00:0" in said


async def test_a_mirrored_copy_is_changed(listed: Listed, tmp_path: Path) -> None:
    ffmpeg("-i", str(listed.film), "-an", "-vf", "hflip", *X264, str(tmp_path / "turned.mp4"))
    status, answer = await told(listed, tmp_path / "turned.mp4")
    assert (status, answer["changes"]) == (3, ["mirrored"])


async def test_another_film_is_different(listed: Listed, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    ffmpeg("-stream_loop", "2", "-i", str(STREAM), "-an", *X264, str(other))
    status, answer = await told(listed, other)
    assert (status, answer["outcome"], answer["segments"]) == (3, "different", [])


async def test_of_black_nothing_can_be_told(listed: Listed, tmp_path: Path) -> None:
    black = tmp_path / "black.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=black:s=640x360:r=25:d=4", *X264, str(black))
    status, answer = await told(listed, black)
    assert (status, answer["outcome"]) == (4, "unknown")


async def test_the_command_ends_with_the_status_of_its_answer(listed: Listed) -> None:
    status, said = await run(listed, listed.film)
    assert status == 0 and "Identical" in said
    other = replace(listed, listing_id=ids.new(clock.now()))
    status, said = await run(other, listed.film)
    assert status == 1 and "exchange-refused" in said and "unknown" in said


async def test_an_exchange_that_is_away_is_told(listed: Listed) -> None:
    with pytest.raises(match_cli.ExchangeRefused):
        await told(replace(listed, site="http://127.0.0.1:9"), listed.film)


def document(**changes: Any) -> bytes:
    clip = Footage(video=np.full((20, 40), 7, np.uint8), query=np.full((40, 3, 40), 7, np.uint8))
    line, _, codes = Delivered("ab" * 32, {"width": 1}, clip).written().partition(b"\n")
    return json.dumps({**json.loads(line), **changes}).encode() + b"\n" + codes


@pytest.mark.parametrize(
    "sent",
    [
        b"", b"{}\n", b"[]\n", b"\xff\n", document(format=FORMAT + "0"), document(version="u0"),
        document(codes=21), document(windows=-1), document(windows=10**6), document(looks=True),
        document(sha256="ab"), document(essence=4), document(video=None), document() + b"0000",
        b"x" * 70_000,
    ],
)  # fmt: skip
async def test_what_is_no_fingerprint_is_refused(listed: Listed, sent: bytes) -> None:
    async with httpx.AsyncClient(base_url=listed.site, headers=headers(listed.key)) as client:
        answer = await client.post(f"/v1/listings/{listed.listing_id}/matches", content=sent)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-fingerprint")


async def test_a_match_is_recorded_for_the_parties_to_a_deal_and_once(
    listed: Listed, context: Context
) -> None:
    async with context.db.transaction() as session:
        buyer = await party(session, kind="broadcaster", now=clock.now())
        listing = await catalogue.get_published(session, listed.listing_id)
        deal = Deal(
            id=ids.new(clock.now()), work_id=listing.work_id, contract_no=str(listing.id),
            listing_id=listing.id, auction_id=listing.auction_id, licensor_id=listed.seller.id,
            licensee_id=buyer.id, terms=b"{}", terms_sha256="ab" * 32, amount_minor=100,
            currency="CNY", created_at=clock.now(),
        )  # fmt: skip
        session.add(deal)
    where = f"/v1/listings/{listed.listing_id}/matches"
    async with signed_client(context, role="broadcaster", of=buyer) as (client, _):
        first, again = [(await client.post(where, content=document())).json() for _ in "ab"]
        assert first["outcome"] == "different" and first["fact"] == again["fact"]
    async with signed_client(context, role="broadcaster") as (stranger, _):
        assert (await stranger.post(where, content=document())).json()["fact"] is None
    async with context.db.transaction() as session:
        kinds = await session.scalars(
            text("SELECT kind FROM fact WHERE subject = :deal"), {"deal": deal.id}
        )
        assert kinds.all() == ["delivery.matched"]
