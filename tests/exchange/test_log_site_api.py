"""The published log over HTTP and at the command line, as an outside C2SP client meets it."""

import gzip
import json
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from contracts.log import checkpoint, fsck, merkle, note, publishing, tiles
from contracts.log.gateway import LogSigner
from contracts.log.site import LogSite
from contracts.log.tiles import NoSuchTile, Tile
from exchange.app import create_app
from exchange.cli import app
from exchange.context import Context
from exchange.db import Database
from exchange.log_remote import LogAway, RemoteSite
from exchange.settings import Settings
from tests.contracts.log_factory import ORIGIN, a_fact, a_signer, seal_all

runner = CliRunner()


@pytest.fixture
async def signer(tmp_path: Path, db: Database) -> LogSigner:
    """The signer of a log that is published under `tmp_path`."""
    signer = a_signer(tmp_path / "keys")
    await a_fact(db)
    await seal_all(db, signer)
    async with db.transaction() as session:
        await publishing.publish(session, LogSite(tmp_path / "site"))
    return signer


@pytest.fixture
def own(tmp_path: Path, db: Database) -> Context:
    settings = Settings(
        home=tmp_path, log_site_dir=tmp_path / "site", keys_dir=tmp_path / "keys", log_origin=ORIGIN
    )
    return Context(settings, db)


@pytest.fixture
def outsider(own: Context) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=create_app(own))
    return httpx.AsyncClient(transport=transport, base_url="http://exchange.test")


async def test_an_outsider_rebuilds_the_root_from_what_is_served(
    outsider: httpx.AsyncClient, signer: LogSigner
) -> None:
    answer = await outsider.get("/log/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=1"
    said = checkpoint.open_checkpoint(answer.text, origin=ORIGIN, trusted=[signer.verifier])
    tree = fsck.Tree()
    for tile in tiles.grown(0, said.size):
        got = await outsider.get(f"/log/{tile.path}")
        assert got.status_code == 200, got.text
        assert got.headers["content-type"] == "application/octet-stream"
        assert "immutable" in got.headers["cache-control"]
        if tile.level is None:
            tree.append([merkle.leaf_hash(one) for one in tiles.decode(got.content, tile.width)])
    assert (tree.size, tree.root) == (said.size, said.root)


@pytest.mark.usefixtures("signer")
async def test_bundles_come_compressed_to_those_who_take_it(outsider: httpx.AsyncClient) -> None:
    bundle = next(tiles.grown(0, 1 << 20))
    plain = await outsider.get(f"/log/{bundle.path}", headers={"Accept-Encoding": "identity"})
    if plain.status_code == 404:  # fewer than 256 leaves yet
        bundle = Tile(None, 0, 1)
        plain = await outsider.get("/log/checkpoint")
        width = checkpoint.parse(note.parse(plain.text)[0]).size
        bundle = Tile(None, 0, width)
        plain = await outsider.get(f"/log/{bundle.path}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    async with outsider.stream("GET", f"/log/{bundle.path}") as packed:
        raw = b"".join([part async for part in packed.aiter_raw()])
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content


@pytest.mark.parametrize(
    "path",
    ["0/x999/999", "0/1", "entries/x999/000", "%2e%2e%2fcheckpoint", "0/000.p/256", "64/000"],
)
@pytest.mark.usefixtures("signer")
async def test_what_is_no_tile_is_unknown(outsider: httpx.AsyncClient, path: str) -> None:
    answer = await outsider.get(f"/log/tile/{path}")
    assert answer.status_code == 404


async def test_before_the_first_checkpoint_there_is_none(client: httpx.AsyncClient) -> None:
    answer = await client.get("/log/checkpoint")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown")


def served(site: LogSite) -> httpx.Client:
    """A plain web server over the folder."""

    def answer(asked: httpx.Request) -> httpx.Response:
        file = site.folder / asked.url.path.removeprefix("/log/")
        return (
            httpx.Response(200, content=file.read_bytes())
            if file.is_file()
            else (httpx.Response(404))
        )

    return httpx.Client(transport=httpx.MockTransport(answer))


async def test_fsck_reads_a_log_from_any_web_server(tmp_path: Path, signer: LogSigner) -> None:
    site = LogSite(tmp_path / "site")
    with served(site) as client:
        remote = RemoteSite("https://log.example/log/", client)
        whole = fsck.check_site(remote, origin=ORIGIN, trusted=[signer.verifier])
        assert whole == fsck.check_site(site, origin=ORIGIN, trusted=[signer.verifier])
        with pytest.raises(NoSuchTile):
            remote.read(Tile(0, 1 << 40))
    down = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(502)))
    with down as client, pytest.raises(LogAway):
        RemoteSite("https://log.example/log", client).checkpoint()


async def test_fsck_tells_a_whole_folder_from_a_damaged_one(
    tmp_path: Path, signer: LogSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXCHANGE_HOME", str(tmp_path))
    command = ["log", "fsck", "--site", str(tmp_path / "site"), "--key", signer.verifier.vkey]
    done = runner.invoke(app, [*command, "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)[str(tmp_path / "site")]
    assert said["size"] > 0 and len(said["root"]) == 64
    assert "nothing wrong" in runner.invoke(app, command).output
    (tmp_path / "site" / next(tiles.grown(0, said["size"])).path).unlink()
    broken = runner.invoke(app, command)
    assert broken.exit_code == 1
    assert isinstance(broken.exception, fsck.LogFaulty)
