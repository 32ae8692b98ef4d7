"""The published log: what a crash, a race or a restore leaves of it, and what fsck finds."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from contracts import ids
from contracts.facts import service as facts
from contracts.log import checkpoint, fsck, merkle, note, publishing, queries, tiles
from contracts.log.fsck import LogFaulty, Whole
from contracts.log.gateway import LogSigner
from contracts.log.site import LogSite, PublishedOtherwise
from contracts.log.tables import LogCosignature
from contracts.log.tiles import NoSuchTile, Tile
from exchange.db import Database
from tests.conftest import NOW, ROOT
from tests.contracts.log_factory import ORIGIN, a_signer, seal_all, seal_once
from tests.databases import own_database


@pytest.fixture(scope="module")
def url(server_url: str) -> Iterator[str]:
    """A database of this module's own: one key signs the whole log."""
    with own_database(server_url, "log_site") as own:
        yield own


@pytest.fixture(scope="module")
async def log_db(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    yield database
    await database.close()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture
async def signer(keys: Path, log_db: Database) -> LogSigner:
    """The log's signer; some facts are sealed and nothing waits."""
    signer = a_signer(keys)
    await record(log_db, 3)
    await seal_all(log_db, signer)
    return signer


@pytest.fixture
def site(tmp_path: Path) -> LogSite:
    return LogSite(tmp_path / "site")


async def record(db: Database, count: int) -> None:
    """Commit facts about a few objects."""
    subjects = [ids.new(NOW) for _ in range(5)]
    several = [
        facts.happened(
            "listing.ended",
            subjects[number % 5],
            {"listing": str(subjects[number % 5]), "outcome": "unsold"},
            now=NOW,
        )
        for number in range(count)
    ]
    async with db.transaction() as session:
        await facts.record_many(session, several)


async def publish(db: Database, site: LogSite) -> int:
    async with db.transaction() as session:
        return await publishing.publish(session, site)


async def stored(db: Database, signer: LogSigner) -> Whole:
    async with db.transaction() as session:
        return await fsck.check_database(
            session, origin=ORIGIN, trusted=[signer.verifier], mark=signer.mark()
        )


def published(site: LogSite, signer: LogSigner) -> Whole:
    return fsck.check_site(site, origin=ORIGIN, trusted=[signer.verifier])


def opened(site: LogSite) -> checkpoint.Checkpoint:
    signed = site.checkpoint()
    assert signed is not None
    return checkpoint.parse(note.parse(signed)[0])


def files(site: LogSite) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(site.folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in site.folder.rglob("*")
        if path.is_file()
    }


async def test_invariant_23_database_files_and_checkpoint_have_one_root(
    log_db: Database, signer: LogSigner, site: LogSite
) -> None:
    await record(log_db, 600)
    await seal_all(log_db, signer)
    await publish(log_db, site)
    in_files, in_rows = published(site, signer), await stored(log_db, signer)
    assert (in_files.size, in_files.root) == (in_rows.size, in_rows.root)
    assert in_files.size == opened(site).size >= 603
    assert in_files.checked["tiles"] >= 4


async def test_what_is_published_is_not_written_again(
    log_db: Database, signer: LogSigner, site: LogSite
) -> None:
    assert await publish(log_db, site) > 0
    before = files(site)
    assert await publish(log_db, site) == 0
    assert files(site) == before
    await record(log_db, 1)
    await seal_all(log_db, signer)
    assert await publish(log_db, site) <= 5
    full = {path for path in before if path.startswith("tile") and ".p/" not in path}
    after = files(site)
    assert {path: before[path] for path in full} == {path: after[path] for path in full}


async def test_cosignatures_that_come_later_are_published_with_the_same_tree(
    log_db: Database, signer: LogSigner, site: LogSite
) -> None:
    await publish(log_db, site)
    before, tree = files(site), opened(site)
    vkey, line = "witness.example/w1+00000000+BA==", "— witness.example/w1 AAAAAAAAAAAA\n"
    async with log_db.sessions() as session:  # never committed
        session.add(
            LogCosignature(size=tree.size, vkey=vkey, line=line, cosigned_at=NOW, kept_at=NOW)
        )
        await session.flush()
        assert await publishing.publish(session, site) == 1
        assert (site.checkpoint() or "").endswith(line)
        assert opened(site) == tree
    assert files(site).keys() == before.keys()
    assert published(site, signer).root == tree.root


async def test_partial_files_go_when_the_full_one_is_there_and_can_still_be_read(
    log_db: Database, signer: LogSigner, site: LogSite
) -> None:
    await publish(log_db, site)
    old = opened(site)
    width = old.size % 256
    assert width, "the log ends in a partial tile"
    narrow = [Tile(level, old.size // 256, width) for level in (0, None)]
    were = [site.read(tile) for tile in narrow]
    await record(log_db, 256)
    await seal_all(log_db, signer)
    await publish(log_db, site)
    assert not any((site.folder / tile.path).exists() for tile in narrow)
    assert [site.read(tile) for tile in narrow] == were
    find = tiles.lookup(old.size, site.read)  # as a reader does that has the old checkpoint
    assert merkle.root(old.size, find) == old.root


async def test_invariant_30_the_checkpoint_comes_after_every_file_it_refers_to(
    log_db: Database, signer: LogSigner, site: LogSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def looked_at(self: LogSite, signed: str) -> None:
        size = checkpoint.parse(note.parse(signed)[0]).size
        for tile in tiles.grown(0, size):
            assert self.read(tile)
        seen.append(size)
        place(self, signed)

    place = LogSite.publish
    monkeypatch.setattr(LogSite, "publish", looked_at)
    for count in (1, 254, 3, 300):
        await record(log_db, count)
        await seal_all(log_db, signer)
        await publish(log_db, site)
    assert len(seen) == 4 and seen == sorted(set(seen))


async def test_publishers_that_race_never_take_a_checkpoint_back(
    log_db: Database, signer: LogSigner, site: LogSite
) -> None:
    sizes = []

    async def keep_publishing() -> None:
        for _ in range(12):
            await publish(log_db, site)
            sizes.append(opened(site).size)

    async def keep_sealing() -> None:
        for _ in range(12):
            await record(log_db, 2)
            await seal_once(log_db, signer)

    await asyncio.gather(keep_publishing(), keep_sealing(), keep_publishing(), keep_publishing())
    assert sizes == sorted(sizes)
    await publish(log_db, site)
    assert published(site, signer).size == (await stored(log_db, signer)).size


async def test_invariant_29_a_restored_backup_publishes_nothing(
    log_db: Database, signer: LogSigner, site: LogSite
) -> None:
    await publish(log_db, site)
    before = files(site)
    hashes = [merkle.leaf_hash(b"lost in the restore")]
    size = opened(site).size
    find = tiles.lookup(size, site.read)
    tree = {one: find(one) for one in merkle.frontier(size)}
    root = merkle.root(size + 1, (tree | merkle.grow(size, hashes, find)).__getitem__)
    ahead = checkpoint.Checkpoint(ORIGIN, size + 1, root)
    site.publish(signer._signer.sign(ahead.text))
    with pytest.raises(PublishedOtherwise, match="More is published"):
        await publish(log_db, site)
    assert opened(site) == ahead
    assert files(site).keys() == before.keys()


async def test_another_history_is_not_continued(
    log_db: Database, signer: LogSigner, site: LogSite
) -> None:
    await publish(log_db, site)
    other = checkpoint.Checkpoint(ORIGIN, opened(site).size - 1, b"\0" * 32)
    site.publish(signer._signer.sign(other.text))
    with pytest.raises(PublishedOtherwise, match="Another history"):
        await publish(log_db, site)
    with pytest.raises(PublishedOtherwise, match="would change"):
        site.write(Tile(0, 0, 255 if opened(site).size < 256 else 256), b"other")
        await publish(log_db, LogSite(site.folder))


@pytest.mark.parametrize("kind", ["bundle", "tile", "upper"])
@pytest.mark.parametrize("fault", ["missing", "flipped", "short"])
async def test_fsck_names_the_first_file_that_is_wrong(
    log_db: Database, signer: LogSigner, site: LogSite, kind: str, fault: str
) -> None:
    if (await stored(log_db, signer)).size < 256:
        await record(log_db, 256)
    await seal_all(log_db, signer)
    await publish(log_db, site)
    size = opened(site).size
    upper = Tile(1, 0, size // 256)
    path = {"bundle": Tile(None, 0), "tile": Tile(0, 0), "upper": upper}[kind].path
    file = site.folder / path
    raw = file.read_bytes()
    file.unlink()
    if fault != "missing":
        changed = bytes([raw[40] ^ 1])
        file.write_bytes(raw[:40] + changed + raw[41:] if fault == "flipped" else raw[:-1])
    with pytest.raises(LogFaulty) as found:
        published(site, signer)
    # A leaf that was changed shows where its hash is compared.
    assert found.value.data["where"] == (
        Tile(0, 0).path if (kind, fault) == ("bundle", "flipped") else path
    )


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("UPDATE log_entry SET leaf = leaf || ' ' WHERE seq = 2", "log_entry 2"),
        ("UPDATE log_entry SET leaf_hash = sha256('x') WHERE seq = 2", "log_entry 2"),
        ("UPDATE fact SET record = '{}' FROM log_entry WHERE fact_id = fact.id AND seq = 1",
         "log_entry 1"),
        ("UPDATE fact SET subject = gen_random_uuid() FROM log_entry "
         "WHERE fact_id = fact.id AND seq = 4", "log_entry 4"),
        ("UPDATE log_node SET hash = sha256('x') WHERE level = 8 AND index = 0", "log_node 8/0"),
        ("DELETE FROM log_node WHERE level = 8 AND index = 0", "log_node 8/0"),
        ("UPDATE log_checkpoint SET root = sha256('x') "
         "WHERE size = (SELECT min(size) FROM log_checkpoint)", "log_checkpoint 3"),
        ("UPDATE log_entry SET seq = seq + 1 "
         "WHERE seq = (SELECT max(seq) FROM log_entry)", None),
        ("UPDATE log_state SET size = size + 1", "log_state"),
        ("INSERT INTO log_node VALUES (8, 4000000, sha256('x'))", "log_node"),
    ],
)  # fmt: skip
async def test_invariant_32_fsck_names_the_first_row_that_is_wrong(
    url: str, log_db: Database, signer: LogSigner, change: str, where: str | None
) -> None:
    if (await stored(log_db, signer)).size < 256:
        await record(log_db, 256)
    await seal_all(log_db, signer)
    whole = await stored(log_db, signer)
    owner = Database(url, role="postgres")
    try:
        async with owner.sessions() as session:  # never committed
            await session.execute(text("SET session_replication_role = replica"))
            await session.execute(text(change))
            with pytest.raises(LogFaulty) as found:
                await fsck.check_database(
                    session, origin=ORIGIN, trusted=[signer.verifier], mark=signer.mark()
                )
            assert found.value.data["where"] == (where or f"log_entry {whole.size - 1}")
    finally:
        await owner.close()
    assert await stored(log_db, signer) == whole


STEPS = [
    f"{side} {step}"
    for step in ("mark", "rows", "commit", "file", "flush", "checkpoint", "prune", "resume")
    for side in ("before", "after")
]
# A second batch goes on with what the first has read.
RESUMED = [("after mark", 1), ("before rows", 1), ("after rows", 1), ("after commit", 1)]
PLAN = RESUMED + [
    (step, times) for step in STEPS for times in range(1 + 2 * ("SOAK_ROUND" in os.environ))
]


async def test_invariant_27_a_kill_at_any_step_leaves_one_growing_log(
    url: str, log_db: Database, keys: Path, signer: LogSigner, site: LogSite
) -> None:
    await publish(log_db, site)
    command = [sys.executable, "-m", "tests.contracts.log_crash", url, str(keys), str(site.folder)]
    roots: dict[int, bytes] = {}
    killed = 0
    with subprocess.Popen(  # noqa: ASYNC220 - its answers are awaited one by one.
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as running:  # fmt: skip
        assert running.stdin and running.stdout
        for step, times in PLAN:
            await record(log_db, 200)
            running.stdin.write(f"{step} {times}\n")
            running.stdin.flush()
            killed += int(running.stdout.readline()) == 9
            whole = published(site, signer)  # as the crash left it: every file is readable
            assert whole.size >= max(roots, default=0)
            assert roots.setdefault(whole.size, whole.root) == whole.root
            find = tiles.lookup(whole.size, site.read)
            for size, root in roots.items():
                assert merkle.root(size, find) == root
        running.stdin.close()
    assert killed == len(PLAN)
    await seal_all(log_db, signer)
    await publish(log_db, site)
    whole = await stored(log_db, signer)
    assert published(site, signer).root == whole.root
    async with log_db.transaction() as session:
        waiting = await session.execute(text("SELECT count(*) FROM fact_pending"))
        assert waiting.scalar_one() == 0
        recorded = (await session.execute(text("SELECT count(*) FROM fact"))).scalar_one()
        for size, root in roots.items():
            kept = await queries.first_checkpoint_over(session, size - 1)
            assert (kept.size, kept.root) == (size, root)
    assert whole.size == recorded


def test_a_path_outside_the_log_reads_nothing(site: LogSite) -> None:
    with pytest.raises(NoSuchTile):
        site.read(Tile(0, 5))
    assert site.checkpoint() is None
