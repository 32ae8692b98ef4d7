"""What a sealer remembers from batch to batch: right when the log is its own, dropped otherwise."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from contracts import ids
from contracts.facts import service as facts
from contracts.facts.rules import SealedFact
from contracts.log import batches, drafts, merkle, queries, rules
from contracts.log.drafts import Draft
from contracts.log.gateway import LogSigner
from contracts.log.merkle import Node
from contracts.log.rules import LogWouldFork, Waiting
from contracts.log.service import Sealer
from exchange.db import Database
from tests.conftest import NOW
from tests.contracts.log_factory import a_fact, a_signer, seal_all, seal_once


@pytest.fixture
async def signer(tmp_path: Path, db: Database) -> LogSigner:
    """A signer whose log has nothing waiting."""
    signer = a_signer(tmp_path)
    await seal_all(db, signer)
    return signer


def a_sealer(signer: LogSigner) -> Sealer:
    return Sealer(signer, limit=2, ahead=100)


async def seal(db: Database, sealer: Sealer) -> list[SealedFact]:
    async with db.transaction() as session:
        return await sealer.seal(session, now=NOW)


async def check(db: Database, signer: LogSigner) -> None:
    """Hold every leaf to its place and its chain, and what was signed to the tree of them all."""
    async with db.transaction() as session:
        entries = await queries.leaves(session, after=-1, limit=100_000)
        newest = await queries.latest_checkpoint(session)
    assert [entry.seq for entry in entries] == list(range(newest.size))
    heads: dict[UUID, str] = {}
    for entry in entries:
        assert json.loads(entry.leaf)["prev"] == heads.get(entry.subject)
        heads[entry.subject] = merkle.leaf_hash(entry.leaf).hex()
        assert entry.leaf_hash.hex() == heads[entry.subject]
    grown = merkle.grow(0, [entry.leaf_hash for entry in entries], lambda _: b"")
    assert newest.root == merkle.root(newest.size, grown.__getitem__)
    assert (signer.mark().size, signer.mark().root) == (newest.size, newest.root)


def waiting(place: int, subject: int) -> Waiting:
    """A fact of one of a few subjects; the first of them has a leaf in the log already."""
    head = hashlib.sha256(b"head").digest() if subject == 0 else None
    blind = hashlib.sha256(place.to_bytes(4)).digest()
    about = UUID(int=subject)
    return Waiting(UUID(int=place), "listing.ended", about, (), b"{}", blind, NOW, place, head)


def tree(size: int) -> tuple[list[bytes], dict[Node, bytes]]:
    leaves = [hashlib.sha256(place.to_bytes(4)).digest() for place in range(size)]
    return leaves, merkle.grow(0, leaves, lambda _: b"")


@given(
    size=st.integers(0, 40),
    subjects=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    limit=st.integers(1, 9),
)
def test_drafts_one_after_another_make_the_tree_that_one_batch_would(
    size: int, subjects: Sequence[int], limit: int
) -> None:
    facts_read = [waiting(place, subject) for place, subject in enumerate(subjects)]
    leaves, known = tree(size)
    edge = {node: known[node] for node in merkle.frontier(size)}
    made: list[Draft] = []
    draft: Draft | None = drafts.first(size, edge, facts_read, limit=limit)
    while draft is not None:
        assert draft.base == (made[-1].size if made else size)
        assert draft.base_root == (made[-1].root if made else merkle.root(size, edge.__getitem__))
        leaves += [entry.leaf_hash for entry in draft.entries]
        whole = merkle.grow(0, leaves, lambda _: b"")
        assert draft.root == merkle.root(draft.size, whole.__getitem__)
        made.append(draft)
        draft = drafts.following(draft, limit=limit)
    entries = [entry for one in made for entry in one.entries]
    assert entries == rules.chain(size, facts_read)[: len(entries)]
    left = len(facts_read) - len(entries)
    assert left < limit
    assert len(made[-1].ahead) == left


async def test_a_chain_goes_on_over_batches_that_were_read_at_once(
    db: Database, signer: LogSigner
) -> None:
    subject, sealer = ids.new(NOW), a_sealer(signer)
    recorded = [await a_fact(db, subject) for _ in range(7)]
    done = [await seal(db, sealer) for _ in range(5)]
    assert [len(batch) for batch in done] == [2, 2, 2, 1, 0]
    assert [fact.id for batch in done for fact in batch] == recorded
    await check(db, signer)


async def test_two_sealers_in_turns_leave_no_gap_and_no_fork(
    db: Database, signer: LogSigner, tmp_path: Path
) -> None:
    sealers = [a_sealer(signer), a_sealer(a_signer(tmp_path))]
    recorded = [await a_fact(db) for _ in range(12)]
    sealed = []
    for number in (0, 0, 1, 1, 0, 1):  # each remembers facts that the other has sealed since
        sealed += await seal(db, sealers[number])
    assert [fact.id for fact in sealed] == recorded
    assert [fact.seq - sealed[0].seq for fact in sealed] == list(range(12))
    await check(db, signer)


async def test_a_fact_that_is_late_is_sealed_after_what_was_read_before(
    db: Database, signer: LogSigner
) -> None:
    sealer, subject = a_sealer(signer), ids.new(NOW)
    async with db.transaction() as slow:
        content = {"listing": str(subject), "outcome": "unsold"}
        late = await facts.record(slow, "listing.ended", subject, content, now=NOW)
        early = [await a_fact(db) for _ in range(4)]
        first = await seal(db, sealer)
    then = [fact for _ in range(3) for fact in await seal(db, sealer)]
    assert [fact.id for fact in [*first, *then]] == [*early, late]
    await check(db, signer)


async def test_a_batch_that_was_rolled_back_is_sealed_again_first(
    db: Database, signer: LogSigner
) -> None:
    sealer = a_sealer(signer)
    recorded = [await a_fact(db) for _ in range(6)]
    first = await seal(db, sealer)
    async with db.sessions() as session:
        lost = await sealer.seal(session, now=NOW)
        await session.rollback()
    again = [await seal(db, sealer) for _ in range(2)]
    assert again[0] == lost
    assert [fact.id for batch in (first, *again) for fact in batch] == recorded
    await check(db, signer)


async def test_another_log_of_the_same_size_is_not_gone_on_with(
    db: Database, signer: LogSigner
) -> None:
    for _ in range(4):
        await a_fact(db)
    async with db.sessions() as session:
        found = await batches.begin(session, 100)
        assert found is not None
        draft = drafts.first(found.size, found.edge, found.facts, limit=2)
        mark = signer.mark()
        for other in (replace(draft, base_root=bytes(32)), replace(draft, base=draft.base + 1)):
            assert await batches.resume(session, batches.prepared(other), mark) is None
        assert await batches.resume(session, batches.prepared(draft), mark) is not None
        await session.rollback()
    assert len(await seal_all(db, signer)) == 4
    await check(db, signer)


async def test_a_restored_database_is_refused_by_a_sealer_that_remembers_more(
    db: Database, signer: LogSigner
) -> None:
    sealer = a_sealer(signer)
    async with db.sessions() as session:
        for _ in range(6):
            subject = ids.new(NOW)
            content = {"listing": str(subject), "outcome": "unsold"}
            await facts.record(session, "listing.ended", subject, content, now=NOW)
        await sealer.seal(session, now=NOW)
        await session.rollback()  # facts and leaves are gone, as after a restore
    signed = signer.mark()
    await a_fact(db)
    for _ in range(2):
        with pytest.raises(LogWouldFork):
            await seal(db, sealer)
    assert signer.mark() == signed


async def test_facts_that_are_gone_are_found_out_before_anything_is_signed(
    server_url: str, db: Database, signer: LogSigner
) -> None:
    sealer = a_sealer(signer)
    recorded = [await a_fact(db) for _ in range(4)]
    await seal(db, sealer)
    signed, owner = signer.mark(), Database(server_url, role="postgres")
    gone = {"gone": recorded[3]}
    try:
        async with owner.transaction() as session:
            await session.execute(text("DELETE FROM fact_pending WHERE fact_id = :gone"), gone)
        with pytest.raises(LogWouldFork):
            await seal(db, sealer)
        assert signer.mark() == signed
        async with owner.transaction() as session:
            await session.execute(text("INSERT INTO fact_pending (fact_id) VALUES (:gone)"), gone)
    finally:
        await owner.close()
    assert [fact.id for fact in await seal_once(db, signer)] == recorded[2:]
    async with db.transaction() as session:
        assert await queries.size(session) == signed.size + 2
    await check(db, signer)
