"""Rows 2 and 14 of the threat model, acted out: a log with two histories; a clock that lies."""

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import metamorphic_log
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession
from typer.testing import CliRunner, Result

from contracts import ids
from contracts.deals import asking
from contracts.evidence import archive, opened
from contracts.facts import service as facts
from contracts.log import clocks, merkle, note, splitting, tiles
from contracts.log.checkpoint import Checkpoint
from contracts.log.fsck import LogFaulty
from contracts.log.merkle import Node
from contracts.log.note import BadNote, UntrustedNote
from contracts.log.proof import Proof
from contracts.log.site import LogSite
from contracts.log.splitting import LogTooShort, NotASplitView, SizesDiffer, SplitView
from contracts.log.tables import LogCheckpoint, LogEntry
from contracts.log.tiles import Tile
from contracts.parties.times import NotStamped
from exchange import clock, doctor
from exchange.cli import app
from exchange.db import Database
from tests.conftest import NOW
from tests.contracts import tsa_standin

ORIGIN = "log.uhdx.example/2026"
SIGNER = note.Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
KEY = SIGNER.verifier
SIZES = st.integers(1, 40)
runner = CliRunner()


@dataclass(frozen=True)
class View:
    """A log as one party is shown it: its leaves, and what the operator signed of them."""

    leaves: tuple[bytes, ...]

    @property
    def tree(self) -> dict[Node, bytes]:
        return merkle.grow(0, [merkle.leaf_hash(leaf) for leaf in self.leaves], lambda _: b"")

    def signed(self, size: int) -> str:
        root = merkle.root(size, self.tree.__getitem__)
        return SIGNER.sign(Checkpoint(ORIGIN, size, root).text)

    def publish(self, folder: Path) -> LogSite:
        site, tree = LogSite(folder), self.tree
        for tile in tiles.grown(0, len(self.leaves)):
            site.write(tile, self.content(tile, tree))
        site.publish(self.signed(len(self.leaves)))
        return site

    def content(self, tile: Tile, tree: dict[Node, bytes]) -> bytes:
        if tile.level is None:
            return tiles.encode(self.leaves[tile.start : tile.start + tile.width])
        return b"".join(tree[node] for node in tile.nodes)


def view(count: int, *, other_from: int | None = None) -> View:
    """The history of so many leaves, or one that parts from it at a leaf."""
    parts = count if other_from is None else other_from
    return View(
        tuple(f"leaf {one}{'' if one < parts else ', the other way'}".encode()
              for one in range(count))
    )  # fmt: skip


HONEST, OTHER = view(600), view(600, other_from=300)


def run(*arguments: object) -> Result:
    return runner.invoke(app, ["log", *map(str, arguments)])


def test_threat_02_two_trees_of_one_size_are_caught_by_two_parties_with_two_files(
    tmp_path: Path,
) -> None:
    """Licensor and licensee compare what each was given; the operator cannot deny its signature."""
    licensor, licensee, proof = (tmp_path / name for name in ("licensor", "licensee", "proof"))
    licensor.write_text(HONEST.signed(400))
    licensee.write_text(Proof(3, (b"\x00" * 32,), OTHER.signed(400)).text)  # out of their bundle
    done = run("compare", licensor, licensee, "--key", KEY.vkey, "--keep", proof)
    assert done.exit_code == 1, done.output
    assert "two histories" in done.stderr
    judge = run("split-view", proof, "--key", KEY.vkey)
    assert judge.exit_code == 0, judge.output
    assert "has signed two histories" in judge.stdout
    said = splitting.parse(proof.read_text())
    for text in (said.first, said.second):  # nothing but the key is needed to see it
        body, [line] = note.parse(text)
        assert KEY.accepts(body, line.signature)
    assert HONEST.signed(400) in proof.read_text()
    assert OTHER.signed(400) in proof.read_text()


def test_threat_02_a_log_that_goes_on_differently_is_caught_by_its_own_tiles(
    tmp_path: Path,
) -> None:
    """The licensor holds 350 leaves of a history that the published log does not go on from."""
    site = OTHER.publish(tmp_path / "site")
    held, newest = tmp_path / "held", tmp_path / "site" / "checkpoint"
    held.write_text(HONEST.signed(350))
    asked = ("compare", held, newest, "--key", KEY.vkey, "--log", site.folder)
    done = run(*asked, "--json")
    assert done.exit_code == 1, done.output
    told = json.loads(done.stdout)
    assert (told["consistent"], told["sizes"]) == (False, [350, 600])
    said = splitting.parse(told["proof"])
    small, large = splitting.check(said, key=KEY)
    assert said.begins == merkle.root(350, OTHER.tree.__getitem__) != small.root
    path = list(said.path)  # a program of others agrees that the second begins otherwise
    metamorphic_log.verify_consistency(small.size, large.size, path, said.begins, large.root)
    plain = run(*asked)
    assert plain.stdout == told["proof"]


def test_threat_02_a_log_published_for_somebody_else_is_caught_too(tmp_path: Path) -> None:
    """Both checkpoints are of one history, and what is published is another one."""
    site = OTHER.publish(tmp_path / "site")
    found = splitting.compare(HONEST.signed(310), HONEST.signed(520), key=KEY, log=site)
    assert found is not None
    small, large = splitting.check(found, key=KEY)
    assert (small.size, large.size) == (520, 600)
    assert splitting.parse(found.text) == found


def test_one_history_is_consistent_from_files_bundles_and_urls(tmp_path: Path) -> None:
    site = HONEST.publish(tmp_path / "site")
    bundle, held = tmp_path / "bundle.zip", tmp_path / "held"
    bundle.write_bytes(
        archive.pack({
            opened.CHECKPOINT: HONEST.signed(257).encode(), opened.LOG_KEY: KEY.vkey.encode(),
        })
    )  # fmt: skip
    held.write_text(HONEST.signed(600))
    done = run("compare", bundle, held, "--key", bundle, "--log", site.folder)
    assert done.exit_code == 0, done.output
    assert done.stdout == "consistent: 257 leaves begin the 600 leaves\n"
    assert run("compare", held, held, "--key", KEY.vkey).exit_code == 0
    assert run("compare", held, tmp_path / "nothing", "--key", KEY.vkey).exit_code == 1


@given(SIZES, SIZES)
def test_no_two_trees_of_one_history_are_ever_called_a_split_view(one: int, other: int) -> None:
    whole = view(40)
    site = Held(whole)
    assert splitting.compare(whole.signed(one), whole.signed(other), key=KEY, log=site) is None


@given(SIZES, SIZES, st.integers(0, 39))
def test_two_trees_of_two_histories_always_are(one: int, other: int, parts: int) -> None:
    """Both go beyond the leaf where the histories part, so neither begins with the other."""
    small, large = sorted((max(one, parts + 1), max(other, parts + 1)))
    first, second = view(40), view(40, other_from=parts)
    found = splitting.compare(first.signed(small), second.signed(large), key=KEY, log=Held(second))
    assert found is not None
    assert splitting.check(splitting.parse(found.text), key=KEY)


@given(SIZES, SIZES, st.integers(0, 6), st.binary(min_size=32, max_size=32))
def test_nobody_can_accuse_an_honest_log(one: int, other: int, place: int, lie: bytes) -> None:
    whole, (small, large) = view(40), sorted((one, other))
    path = merkle.consistency_proof(small, large, whole.tree.__getitem__)
    begins = merkle.root(small, whole.tree.__getitem__)
    forged = list(path)
    if place < len(forged):
        forged[place] = lie
    for root in (begins, lie):
        said = SplitView(KEY, whole.signed(small), whole.signed(large), root, tuple(forged))
        with pytest.raises(NotASplitView):
            splitting.check(said, key=KEY)


def test_a_comparison_never_guesses(tmp_path: Path) -> None:
    site = view(100).publish(tmp_path / "site")
    with pytest.raises(SizesDiffer):
        splitting.compare(HONEST.signed(5), HONEST.signed(9), key=KEY, log=None)
    with pytest.raises(LogTooShort):
        splitting.compare(HONEST.signed(5), HONEST.signed(101), key=KEY, log=site)
    with pytest.raises(LogTooShort):
        splitting.compare(HONEST.signed(5), HONEST.signed(6), key=KEY, log=LogSite(tmp_path / "x"))
    tile = next(one for one in tiles.grown(0, 100) if one.level == 0)
    (site.folder / tile.path).write_bytes(b"\x00" * 3_200)
    with pytest.raises(LogFaulty):
        splitting.compare(HONEST.signed(5), HONEST.signed(9), key=KEY, log=site)


def test_a_proof_says_nothing_under_another_key_or_in_another_form() -> None:
    found = splitting.compare(HONEST.signed(400), OTHER.signed(400), key=KEY, log=None)
    assert found is not None
    stranger = note.Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)).verifier
    with pytest.raises(UntrustedNote):
        splitting.check(found, key=stranger)
    for text in (
        "", found.text + "\n", found.text.replace("400", "401", 1), HONEST.signed(400),
        found.text.replace(base64.b64encode(found.begins).decode(), "AAAA", 1),
    ):  # fmt: skip
        with pytest.raises((BadNote, UntrustedNote, NotASplitView)):
            splitting.check(splitting.parse(text), key=KEY)


@dataclass(frozen=True)
class Held:
    """A published log in memory."""

    view: View

    def checkpoint(self) -> str | None:
        return self.view.signed(len(self.view.leaves))

    def read(self, tile: Tile) -> bytes:
        return self.view.content(tile, self.view.tree)


class RollBack(Exception):
    """Ends a transaction that was only for looking."""


FAR = 1 << 60  # beyond every leaf that there is


async def a_checkpoint(session: AsyncSession, size: int, signed_at: datetime) -> None:
    """Add a checkpoint as a sealer with such a clock would have."""
    session.add(LogCheckpoint(size=size, root=b"\x01" * 32, note="", signed_at=signed_at))
    await session.flush()


async def told(session: AsyncSession, now: datetime) -> list[tuple[bool, str]]:
    return [(one.is_present, one.detail) for one in await clocks.alarms(session, now=now)]


async def test_threat_14_a_clock_that_was_put_back_is_told(db: Database) -> None:
    now = clock.now()
    with pytest.raises(RollBack):
        async with db.transaction() as session:
            await a_checkpoint(session, FAR, now)
            assert [detail for at_once, detail in await told(session, now) if at_once] == []
            near = await told(session, now - timedelta(seconds=5))
            assert [detail for at_once, detail in near if at_once] == []
            behind = await told(session, now - timedelta(hours=2))
            assert (True, "this machine's clock is 2:00:00 behind the newest checkpoint") in behind
            assert any("the database are" in detail for at_once, detail in behind if at_once)
            finding = await doctor._clock(session)
            assert "behind" not in finding.detail
            await a_checkpoint(session, FAR + 1, now + timedelta(days=1))
            finding = await doctor._clock(session)
            assert (finding.part, finding.state) == ("clock", "fault")
            assert "behind the newest checkpoint" in finding.detail
            raise RollBack


async def test_threat_14_checkpoints_out_of_the_order_of_time_are_named(db: Database) -> None:
    now = clock.now()
    with pytest.raises(RollBack):
        async with db.transaction() as session:
            await a_checkpoint(session, FAR, now)
            await a_checkpoint(session, FAR + 7, now - timedelta(hours=1))
            found = await told(session, now)
            assert (
                False,
                f"the checkpoint of {FAR + 7} leaves was signed 1:00:00 before the one it follows",
            ) in found
            raise RollBack


async def test_threat_14_a_fact_from_after_its_seal_is_named(db: Database) -> None:
    """Back-dating is what the seal makes visible: a leaf cannot tell of a later time than it."""
    now = clock.now()
    with pytest.raises(RollBack):
        async with db.transaction() as session:
            subject = ids.new(now)
            fact = await facts.record(
                session, "listing.ended", subject,
                {"listing": str(subject), "outcome": "unsold"}, now=now + timedelta(minutes=3),
            )  # fmt: skip
            session.add(
                LogEntry(seq=FAR, fact_id=fact, subject=subject, leaf=b"", leaf_hash=b"\x02" * 32)
            )
            await a_checkpoint(session, FAR + 1, now)
            found = await told(session, now)
            assert (False, f"leaf {FAR} tells of 0:03:00 after it was sealed") in found
            raise RollBack


@pytest.mark.parametrize("off", [timedelta(seconds=61), timedelta(hours=-9)])
async def test_threat_14_a_time_stamp_whose_time_is_not_the_exchanges_is_refused(
    off: timedelta,
) -> None:
    """The next authority is asked then; without any, the signature is at a lower level."""
    digest, tsa = hashlib.sha256(b"a signature").digest(), tsa_standin.make()
    answer = tsa.answer(asking.request(digest, nonce=7))
    told = {"digest": digest, "nonce": 7, "roots_pem": tsa.root_pem}
    await asking.checked(answer, **told, at=NOW + off / abs(off) * timedelta(seconds=59))
    with pytest.raises(NotStamped, match="its clock says"):
        await asking.checked(answer, **told, at=NOW + off)
