import asyncio
import itertools
import json
import re
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.facts import queries as fact_queries
from contracts.facts import rules as fact_rules
from contracts.facts import service as facts
from contracts.facts.kinds import KINDS
from contracts.log import checkpoint, merkle, proof, queries
from contracts.log import service as log
from contracts.log.gateway import LogSigner
from contracts.log.rules import LogWouldFork, NotSealedYet
from contracts.log.tables import LogCheckpoint, LogEntry
from contracts.refusal import Unknown
from exchange.db import Database
from tests.conftest import NOW
from tests.contracts.log_factory import (
    ORIGIN,
    a_fact,
    a_private_fact,
    a_signer,
    seal_all,
    seal_once,
)


@pytest.fixture
async def signer(tmp_path: Path, db: Database) -> LogSigner:
    """A signer whose log has nothing waiting."""
    signer = a_signer(tmp_path)
    await seal_all(db, signer)
    return signer


async def size_of(db: Database) -> int:
    async with db.transaction() as session:
        return await queries.size(session)


async def entry_of(db: Database, fact_id: UUID) -> LogEntry:
    async with db.transaction() as session:
        return (await queries.proof_of_fact(session, fact_id)).entry


async def record(session: AsyncSession, subject: UUID) -> UUID:
    content = {"listing": str(subject), "outcome": "unsold"}
    return await facts.record(session, "listing.ended", subject, content, now=NOW)


async def test_facts_get_the_next_numbers_in_the_order_of_their_turn(
    db: Database, signer: LogSigner
) -> None:
    start = await size_of(db)
    recorded = [await a_fact(db) for _ in range(7)]
    sealed = await seal_all(db, signer)
    assert [(fact.seq, fact.id) for fact in sealed] == list(enumerate(recorded, start))
    assert await size_of(db) == start + 7


async def test_a_batch_takes_no_more_than_its_limit(db: Database, signer: LogSigner) -> None:
    recorded = [await a_fact(db) for _ in range(5)]
    batches = [await seal_once(db, signer, limit=2) for _ in range(4)]
    assert [len(batch) for batch in batches] == [2, 2, 1, 0]
    assert [fact.id for batch in batches for fact in batch] == recorded


async def test_a_leaf_commits_to_the_record_and_links_to_the_subjects_last(
    db: Database, signer: LogSigner
) -> None:
    subject = ids.new(NOW)
    first, second = await a_fact(db, subject), await a_fact(db, subject)
    await seal_all(db, signer)
    third = await a_fact(db, subject)
    await seal_all(db, signer)
    entries = [await entry_of(db, fact) for fact in (first, second, third)]
    leaves = [json.loads(entry.leaf) for entry in entries]
    assert [leaf["prev"] for leaf in leaves] == [None, *(e.leaf_hash.hex() for e in entries[:2])]
    async with db.transaction() as session:
        fact = await fact_queries.get_fact(session, third)
    assert leaves[2]["c"] == fact_rules.commitment(fact.blind, fact.record)
    assert (leaves[2]["t"], leaves[2]["n"]) == ("listing.ended", str(third))
    assert str(subject).encode() not in entries[2].leaf


async def test_invariant_33_no_leaf_holds_a_word_of_its_record(
    db: Database, signer: LogSigner
) -> None:
    """Every leaf has six fields, and none but the commitment depends on the record."""
    for _ in range(3):
        await a_private_fact(db, ids.new(NOW))
    await seal_all(db, signer)
    form = (
        r'{"c":"[0-9a-f]{64}","n":"[0-9a-f-]{36}","prev":(null|"[0-9a-f]{64}"),'
        r'"t":"[a-z_]+\.[a-z_]+","ts":"[0-9-]{10}T[0-9:]{8}Z","v":1}'
    )
    async with db.transaction() as session:
        leaves = await queries.leaves(session, after=-1, limit=100_000)
        for entry in leaves:
            assert re.fullmatch(form, entry.leaf.decode()), entry.leaf
            assert json.loads(entry.leaf)["t"] in KINDS
            assert str(entry.subject).encode() not in entry.leaf


async def test_invariant_26_three_sealers_and_many_writers_leave_no_gap_and_no_duplicate(
    db: Database, signer: LogSigner
) -> None:
    start, subjects = await size_of(db), [ids.new(NOW) for _ in range(4)]
    recorded: dict[UUID, list[UUID]] = {subject: [] for subject in subjects}
    writing = True

    async def write(subject: UUID) -> None:
        for _ in range(15):
            recorded[subject].append(await a_fact(db, subject))

    async def keep_sealing() -> list[fact_rules.SealedFact]:
        sealed = []
        while writing:
            sealed += await seal_once(db, signer, limit=5)
        return sealed + await seal_all(db, signer)

    sealers = [asyncio.create_task(keep_sealing()) for _ in range(3)]
    await asyncio.gather(*(write(subject) for subject in subjects))
    writing = False
    sealed = sorted(
        (fact for batch in await asyncio.gather(*sealers) for fact in batch),
        key=lambda fact: fact.seq,
    )
    assert [fact.seq for fact in sealed] == list(range(start, start + 60))
    for subject, facts_of_subject in recorded.items():
        assert [fact.id for fact in sealed if fact.subject == subject] == facts_of_subject


async def test_a_fact_that_commits_late_is_not_lost(db: Database, signer: LogSigner) -> None:
    async with db.transaction() as slow:
        late = await record(slow, ids.new(NOW))
        early = await a_fact(db)
        assert [fact.id for fact in await seal_all(db, signer)] == [early]
    assert [fact.id for fact in await seal_all(db, signer)] == [late]


class Crash(Exception):
    """The machine stops."""


async def test_a_crash_after_the_mark_neither_forks_nor_blocks(
    db: Database, signer: LogSigner, tmp_path: Path
) -> None:
    start = await size_of(db)
    with pytest.raises(Crash):
        async with db.transaction() as slow:
            late = await record(slow, ids.new(NOW))  # an earlier turn than what is sealed next
            promised = [await a_fact(db), await a_fact(db)]
            async with db.transaction() as session:
                lost = await log.seal(session, signer=signer, limit=256, now=NOW)
                note_of_lost = (await queries.latest_checkpoint(session)).note
                await slow.commit()
                raise Crash
    assert [fact.id for fact in lost] == promised
    assert await size_of(db) == start
    assert a_signer(tmp_path).mark().size == start + 2
    again = await seal_once(db, a_signer(tmp_path), limit=1)
    async with db.transaction() as session:
        assert (await queries.first_checkpoint_over(session, start)).note == note_of_lost
    assert again == lost
    assert [fact.id for fact in await seal_once(db, signer)] == [late]


async def test_invariant_29_a_restored_backup_is_refused(db: Database, signer: LogSigner) -> None:
    async with db.sessions() as session:
        await record(session, ids.new(NOW))
        await log.seal(session, signer=signer, limit=256, now=NOW)
        await session.rollback()  # the fact itself is gone, as after a restore
    await a_fact(db)
    with pytest.raises(LogWouldFork):
        await seal_once(db, signer)


async def test_a_database_with_another_history_is_refused(
    db: Database, signer: LogSigner, tmp_path: Path
) -> None:
    await a_fact(db)
    await seal_all(db, signer)
    path = tmp_path / "log.mark"
    size, facts_of_last = signer.mark().size, [str(fact) for fact in signer.mark().facts]
    mark = {"origin": ORIGIN, "size": size, "root": "00" * 32, "base": 0, "facts": facts_of_last}
    path.write_text(json.dumps(mark))
    await a_fact(db)
    with pytest.raises(LogWouldFork):
        await seal_once(db, signer)


async def test_a_mark_that_is_behind_continues_when_the_tree_begins_with_it(
    db: Database, signer: LogSigner, tmp_path: Path
) -> None:
    await a_fact(db)
    await seal_all(db, signer)
    saved = (tmp_path / "log.mark").read_bytes()
    await a_fact(db)
    await seal_all(db, signer)
    (tmp_path / "log.mark").write_bytes(saved)
    await a_fact(db)
    assert len(await seal_all(db, signer)) == 1


async def test_the_stored_tree_is_the_tree_of_the_leaves(db: Database, signer: LogSigner) -> None:
    for _ in range(3):
        await a_fact(db)
        await seal_all(db, signer)
    async with db.transaction() as session:
        leaves = await queries.leaves(session, after=-1, limit=100_000)
        signed = (await session.execute(select(LogCheckpoint))).scalars().all()
    assert [leaf.seq for leaf in leaves] == list(range(len(leaves)))
    assert all(merkle.leaf_hash(leaf.leaf) == leaf.leaf_hash for leaf in leaves)
    tree = merkle.grow(0, [leaf.leaf_hash for leaf in leaves], lambda _: b"")
    for kept in signed:
        assert kept.root == merkle.root(kept.size, tree.__getitem__)


async def test_a_sealed_fact_is_proved_against_the_newest_checkpoint(
    db: Database, signer: LogSigner
) -> None:
    fact_id = await a_fact(db)
    await seal_all(db, signer)
    for _ in range(3):
        await a_fact(db)
        await seal_all(db, signer)
    async with db.transaction() as session:
        proved = await queries.proof_of_fact(session, fact_id)
        newest = await queries.latest_checkpoint(session)
    read = proof.parse(proved.proof.text)
    opened = proof.check(read, proved.entry.leaf, origin=ORIGIN, trusted=[signer.verifier])
    assert opened.size == newest.size == proved.entry.seq + 4


async def test_every_checkpoint_extends_the_one_before(db: Database, signer: LogSigner) -> None:
    start = await size_of(db)
    for _ in range(5):
        await a_fact(db)
        await seal_all(db, signer)
    async with db.transaction() as session:
        marks = [await queries.first_checkpoint_over(session, start + step) for step in range(5)]
        opened = [
            checkpoint.open_checkpoint(kept.note, origin=ORIGIN, trusted=[signer.verifier])
            for kept in marks
        ]
        for old, new in itertools.pairwise(opened):
            path = await queries.consistency(session, old.size, new.size)
            assert merkle.extends(old.size, new.size, old.root, new.root, path)


async def test_what_is_not_sealed_has_no_proof_yet(db: Database, signer: LogSigner) -> None:
    fact_id = await a_fact(db)
    async with db.transaction() as session:
        with pytest.raises(NotSealedYet):
            await queries.proof_of_fact(session, fact_id)
        with pytest.raises(NotSealedYet):
            await queries.first_checkpoint_over(session, 1 << 40)
        with pytest.raises(Unknown):
            await queries.proof_of_fact(session, ids.new(NOW))
        with pytest.raises(Unknown):
            await queries.consistency(session, 0, 1)
    await seal_all(db, signer)


async def test_readers_see_what_is_theirs(db: Database, signer: LogSigner) -> None:
    start, mine, other = await size_of(db), ids.new(NOW), ids.new(NOW)
    public, private = await a_fact(db), await a_private_fact(db, mine)
    await seal_all(db, signer)

    async def seen(party: UUID | None, *, staff: bool, subject: UUID | None = None) -> list[UUID]:
        async with db.transaction() as session:
            found = await queries.sealed_facts(
                session, after=start - 1, limit=10, viewer_party=party, staff=staff, subject=subject
            )
        return [fact.id for fact in found]

    assert await seen(None, staff=False) == [public]
    assert await seen(other, staff=False) == [public]
    assert await seen(mine, staff=False) == [public, private]
    assert await seen(other, staff=True) == [public, private]
    assert await seen(mine, staff=False, subject=mine) == [private]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE log_entry SET leaf = ''",
        "DELETE FROM log_entry",
        "UPDATE log_node SET hash = hash",
        "DELETE FROM log_checkpoint",
        "TRUNCATE log_checkpoint",
        "UPDATE log_state SET size = size - 1",
        "DELETE FROM log_state",
        "INSERT INTO log_state (id, size) VALUES (2, 0)",
    ],
)
async def test_the_log_only_grows(db: Database, signer: LogSigner, change: str) -> None:
    await a_fact(db)
    await seal_all(db, signer)
    async with db.sessions() as session:
        with pytest.raises(DBAPIError, match=r"permission denied|append-only|one_row"):
            await session.execute(text(change))


async def test_not_even_the_owner_rewrites_the_log(
    server_url: str, db: Database, signer: LogSigner
) -> None:
    await a_fact(db)
    await seal_all(db, signer)
    owner = Database(server_url, role="postgres")
    try:
        for change in (
            "UPDATE log_entry SET leaf = ''",
            "DELETE FROM log_checkpoint",
            "TRUNCATE log_node",
            "TRUNCATE log_entry CASCADE",
        ):
            async with owner.sessions() as session:
                with pytest.raises(DBAPIError, match="append-only"):
                    await session.execute(text(change))
    finally:
        await owner.close()
