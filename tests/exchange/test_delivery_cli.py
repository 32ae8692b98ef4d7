"""`exchange delivery` against a served exchange and a licensor's own web server."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from typer.testing import CliRunner, Result

from contracts.refusal import Refusal
from exchange import cli
from exchange.context import Context
from exchange.delivery_client import NothingOffered, PlaceSilent
from exchange.sealed_cli import ExchangeSaidNo, KeyFileUnreadable
from exchange.signing_cli import FileInTheWay
from listings.deliveries.envelopes import EnvelopeBroken
from listings.deliveries.packing import NotTheListedFile
from listings.deliveries.unpacking import CopyDamaged
from tests.exchange.deliveries_desk import Hands, hands
from tests.exchange.portal_site import served
from tests.listings.deliveries_factory import MIB, film, handed

PLAIN = film(2 * MIB + 5000)


def held(path: str) -> bytes:
    return Path(path).read_bytes()


def put(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)


@dataclass
class Terminal:
    """A person's machine: a folder, and the commands that work on it."""

    site: str
    folder: Path
    api_key: str

    async def run(self, *words: str) -> Result:
        asks = words[0] not in ("new-key", "check", "judge")
        at = ["--exchange", self.site] if asks else []
        return await anyio.to_thread.run_sync(
            lambda: CliRunner().invoke(
                cli.app, ["delivery", *words, *at], env={"EXCHANGE_KEY": self.api_key}
            )
        )

    async def good(self, *words: str) -> str:
        told = await self.run(*words)
        assert told.exit_code == 0, (told.output, told.exception)
        return told.output

    async def refused(self, *words: str) -> Refusal:
        told = await self.run(*words)
        assert isinstance(told.exception, Refusal), (told.output, told.exception)
        return told.exception

    def file(self, name: str) -> str:
        return str(self.folder / name)

    async def with_key(self) -> str:
        """Make and register a delivery key; return its file."""
        await self.good("new-key", "--no-password", "--out", self.file("delivery-key.pem"))
        await self.good("register", "--key", self.file("delivery-key.pem"))
        return self.file("delivery-key.pem")


@asynccontextmanager
async def web_server(folder: Path) -> AsyncIterator[str]:
    """The licensor's own server, which knows ranges."""
    app = Starlette(routes=[Mount("/", StaticFiles(directory=folder))])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        server.force_exit = True
        await serving


@dataclass
class Both:
    """Both sides at their terminals, and what lies between them."""

    desk: Hands
    licensor: Terminal
    licensee: Terminal
    place: str

    @property
    def deal(self) -> str:
        return str(self.desk.deal.id)

    async def sealed(self) -> str:
        """Seal the film; return the package."""
        key = await self.licensor.with_key()
        (self.licensor.folder / "film.mxf").write_bytes(PLAIN)
        await self.licensor.good(
            "seal", self.licensor.file("film.mxf"), "--key", key, "--deal", self.deal,
            "--out", str(self.licensor.folder),
        )  # fmt: skip
        return self.licensor.file("film.mxf.delivery.json")

    async def fetched(self) -> str:
        """Seal, offer and fetch; return the copy."""
        package = await self.sealed()
        await self.licensor.good(
            "offer", package, "--deal", self.deal, "--place", f"{self.place}/film.mxf.sealed"
        )
        await self.licensee.good("fetch", self.deal, "--out", self.licensee.file("in"))
        return self.licensee.file("in/film.mxf.sealed")


@pytest.fixture
async def both(context: Context, tmp_path: Path) -> AsyncIterator[Both]:
    folders = [tmp_path / "licensor", tmp_path / "licensee"]
    for folder in folders:
        folder.mkdir()
    async with (
        hands(context, PLAIN) as desk,
        served(context) as site,
        web_server(folders[0]) as place,
    ):
        said = [who.headers["authorization"].split()[1] for who in (desk.licensor, desk.licensee)]
        one, two = (Terminal(site, folder, key) for folder, key in zip(folders, said, strict=True))
        yield Both(desk, one, two, place)


async def test_a_master_goes_from_one_machine_to_the_other_against_payment(both: Both) -> None:
    copy = await both.fetched()
    assert "is what was promised" in await both.licensee.good("check", copy)
    key = await both.licensee.with_key()
    target = both.licensee.file("film.mxf")
    asked = ("open", copy, "--deal", both.deal, "--key", key, "--out", target)
    early = await both.licensee.refused(*asked)
    assert isinstance(early, ExchangeSaidNo) and "key-not-released" in str(early)
    await both.desk.pay()
    await both.desk.turn()
    await both.desk.turn()
    assert "as listed" in await both.licensee.good(*asked)
    assert held(target) == PLAIN
    assert isinstance(await both.licensee.refused(*asked), FileInTheWay)
    assert "paid" in await both.licensor.good("status", both.deal)
    assert "accepted" in await both.licensee.good("accept", both.deal)


async def test_fetching_goes_on_where_it_stopped_and_finds_a_changed_copy(both: Both) -> None:
    copy = await both.fetched()
    whole = held(copy)
    put(copy, whole[: MIB + 17])
    await both.licensee.good("fetch", both.deal, "--out", both.licensee.file("in"))
    assert held(copy) == whole
    put(copy, whole[:-1] + bytes([whole[-1] ^ 1]))
    assert isinstance(await both.licensee.refused("check", copy), CopyDamaged)
    put(copy, b"")
    (both.licensor.folder / "film.mxf.sealed").unlink()
    silent = await both.licensee.refused("fetch", both.deal, "--out", both.licensee.file("in"))
    assert isinstance(silent, PlaceSilent)


async def test_threat_18_junk_is_found_out_filed_and_judged_anywhere(both: Both) -> None:
    bad = handed(PLAIN, damaged=[1], escrow=both.desk.escrow)
    bad.laid(both.licensor.folder)
    said = both.desk.said(bad, place=f"{both.place}/film.mxf.sealed")
    path = f"{both.desk.path}/01990000-0000-7000-8000-0000000000aa"
    assert (await both.desk.licensor.put(path, json=said)).status_code == 201
    await both.licensee.good("fetch", both.deal, "--out", both.licensee.file("in"))
    key = await both.licensee.with_key()
    await both.desk.pay()
    await both.desk.turn()
    await both.desk.turn()
    copy, target = both.licensee.file("in/film.mxf.sealed"), both.licensee.file("film.mxf")
    opened = await both.licensee.run(
        "open", copy, "--deal", both.deal, "--key", key, "--out", target
    )
    assert opened.exit_code == 3 and "NOT as promised, in segment 1" in opened.output
    complaint = f"{target}.complaint.json"
    assert (both.licensee.folder / "film.mxf.complaint.json").stat().st_mode & 0o077 == 0
    judged = await both.licensee.run("judge", complaint, "--json")
    told = json.loads(judged.output)
    assert (judged.exit_code, told["verdict"], told["reason"]) == (3, "upheld", "does-not-open")
    chinese = await both.licensee.run("judge", complaint, "--lang", "zh")
    assert "投诉成立" in chinese.output
    filed = await both.licensee.good("dispute", complaint, "--deal", both.deal)
    assert filed.startswith("upheld") and "disputed" in filed
    without = json.loads(held(complaint))
    del without["key"]
    put(complaint, json.dumps(without).encode())
    assert isinstance(await both.licensee.refused("judge", complaint), KeyFileUnreadable)


async def test_threat_20_the_licensors_own_envelope_opens_without_the_exchange(both: Both) -> None:
    copy = await both.fetched()
    key = await both.licensee.with_key()
    package, own = (
        both.licensor.file("film.mxf.delivery.json"),
        both.licensor.file("delivery-key.pem"),
    )
    envelope = both.licensor.file("for-licensee.json")
    await both.licensor.good(
        "release", package, "--deal", both.deal, "--key", own, "--out", envelope
    )
    offline = Terminal("http://127.0.0.1:9", both.licensee.folder, "")
    target = both.licensee.file("film.mxf")
    await offline.good(
        "open", copy, "--deal", both.deal, "--key", key, "--out", target, "--envelope", envelope
    )
    assert held(target) == PLAIN
    wrong = await both.licensor.refused(
        "open", copy, "--deal", both.deal, "--key", own, "--out", both.licensor.file("x"),
        "--envelope", envelope,
    )  # fmt: skip
    assert isinstance(wrong, EnvelopeBroken)
    early = await both.licensor.refused("release", package, "--deal", both.deal, "--key", own)
    assert "not-paid-yet" in str(early)


async def test_another_file_is_not_sealed_and_nothing_is_written_over_a_key(both: Both) -> None:
    key = await both.licensor.with_key()
    (both.licensor.folder / "other.mxf").write_bytes(film(99))
    seal = ("seal", both.licensor.file("other.mxf"), "--key", key, "--deal", both.deal)
    refused = await both.licensor.refused(*seal, "--out", str(both.licensor.folder))
    assert isinstance(refused, NotTheListedFile)
    again = await both.licensor.refused("new-key", "--no-password", "--out", key)
    assert isinstance(again, FileInTheWay)
    nothing = await both.licensee.refused("fetch", both.deal, "--out", both.licensee.file("in"))
    assert isinstance(nothing, NothingOffered)
