"""Sealing: giving committed facts their number, and signing the tree that holds them.

Facts are numbered here and not when they are recorded, because a number drawn before the commit can
become visible after a larger one, and a reader that follows numbers would lose it.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.facts.rules import SealedFact
from contracts.log import batches, drafts, merkle, queries, rules
from contracts.log.batches import Begun, Found, Ready
from contracts.log.gateway import CheckpointSigner
from contracts.log.rules import Entry, LogWouldFork, Mark, Waiting


class Sealer:
    """Seals batch after batch, and makes the next ready while the database writes the last.

    It remembers the right edge of the tree and facts that it has read ahead. Whether its last batch
    was committed, and whether others have sealed since, it learns from the locked log: a memory of
    another size or root is dropped, and the log is read anew.
    """

    def __init__(self, signer: CheckpointSigner, *, limit: int, ahead: int) -> None:
        """Seal at most `limit` facts in a batch, and read at least `ahead` at once."""
        self._signer = signer
        self._limit = limit
        self._ahead = max(limit, ahead)
        self._ready: Ready | None = None

    async def seal(self, session: AsyncSession, *, now: datetime) -> list[SealedFact]:
        """Number waiting facts, append their leaves, and sign a checkpoint.

        Raises:
            LogWouldFork, SealerOvertaken: as in `seal`.
        """
        ready, self._ready = self._ready, None
        begun = await self._resumed(session, ready) or await self._begun(session)
        if begun is None:
            return []
        # The mark goes to the disk while the rows go to the database and the next batch is made
        # ready; the signature follows the mark.
        draft, promise = begun.draft, begun.draft.promise
        sign = partial(self._signer.sign, promise, after=begun.mark)
        signing = asyncio.get_running_loop().run_in_executor(None, sign)
        try:
            async with batches.writing(begun):
                batches.append(begun)
                sealed = _sealed(draft.entries, draft.facts)
                following = drafts.following(draft, limit=self._limit)
                ready = batches.prepared(following) if following else None
                batches.sign(begun, await signing, at=now)
        finally:
            await asyncio.gather(signing, return_exceptions=True)
        self._ready = ready
        return sealed

    async def _resumed(self, session: AsyncSession, ready: Ready | None) -> Begun | None:
        """Begin the batch that was made ready; None when the log is not what it was made for."""
        if ready is None:
            return None
        mark = self._signer.mark()
        if not ready.draft.continues(mark):
            return None
        return await batches.resume(session, ready, mark)

    async def _begun(self, session: AsyncSession) -> Begun | None:
        """Begin a batch with what is read of the locked log; None when nothing waits."""
        found = await batches.begin(session, self._ahead)
        if found is None:
            return None
        # The mark is a small file that was just written; a thread would cost ten times more.
        mark = self._signer.mark()
        promised = rules.promised(mark, found.size)
        if promised:
            facts = await batches.promised(found, promised)
            if len(facts) != len(promised):
                raise LogWouldFork(
                    "Facts that were signed for no longer wait.", missing=len(promised)
                )
            draft = drafts.first(found.size, found.edge, facts, limit=len(facts))
            rules.check_prefix(mark, draft.root)
        else:
            await _check_signed(session, found, mark)
            if not found.facts:  # another sealer took them while the lock was awaited
                return None
            draft = drafts.first(found.size, found.edge, found.facts, limit=self._limit)
        return batches.begun(found, draft, mark)


async def seal(
    session: AsyncSession, *, signer: CheckpointSigner, limit: int, now: datetime
) -> list[SealedFact]:
    """Number at most `limit` waiting facts, append their leaves, and sign a checkpoint.

    Any number of sealers may run; the lock on `log_state` makes them take turns. The default
    isolation (READ COMMITTED) is needed: what waits is read after the lock is held. A batch that
    was signed and never committed is sealed again first, whatever `limit` says (see `rules`).

    Raises:
        LogWouldFork: the database does not continue what the key has signed.
        SealerOvertaken: another sealer, cut off from the database, has signed since.
    """
    return await Sealer(signer, limit=limit, ahead=limit).seal(session, now=now)


async def _check_signed(session: AsyncSession, found: Found, mark: Mark) -> None:
    """Refuse a log that does not begin with the tree that was signed last."""
    edge = found.edge
    if mark.size < found.size:  # an older mark: what it names must be how the log begins
        edge = await queries.nodes(session, merkle.frontier(mark.size))
    rules.check_prefix(mark, merkle.root(mark.size, edge.__getitem__))


def _sealed(entries: Sequence[Entry], facts: Sequence[Waiting]) -> list[SealedFact]:
    return [
        SealedFact(
            entry.seq,
            fact.fact_id,
            fact.kind,
            fact.subject,
            tuple(fact.parties),
            canonical.known(fact.record),
            fact.recorded_at,
        )
        for entry, fact in zip(entries, facts, strict=True)
    ]
