"""The job queue: reactions deferred as their fact is sealed, retried until done."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import procrastinate
from procrastinate import RetryDecision
from procrastinate.jobs import Job
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts.rules import SealedFact
from contracts.log import queries as log
from contracts.log import witnesses
from exchange import clock, master_verbs, pieces, reactions
from exchange.context import Context
from exchange.db import APP_ROLE
from exchange.reactions import Reaction
from exchange.tables import ReactionDone

_log = logging.getLogger("exchange.jobs")

TASK = "exchange.react"
QUEUE = "reactions"
LONGEST_WAIT_S = 60
HEARTBEAT_S = 2.0
# Three missed heartbeats: the worker is taken for dead and its jobs run elsewhere. Should it still
# be alive, the mark in `reaction_done` lets only one of the two effects stand.
STALLED_AFTER_S = 7.0

STUCK_AFTER = 5  # failures: half a minute of retries, longer than a restart of any part takes
MOST_STUCK = 100

_STUCK = text(
    "SELECT job.id AS job_id, job.args->>'reaction' AS reaction, fact.id AS fact_id, fact.kind, "
    "fact.subject, job.attempts, fact.recorded_at AS since "
    "FROM procrastinate_jobs AS job JOIN fact ON fact.id = (job.args->>'fact_id')::uuid "
    "WHERE job.task_name = :task AND job.status IN ('todo', 'doing', 'failed') "
    "AND job.attempts >= :attempts AND NOT EXISTS (SELECT FROM reaction_done AS done "
    "WHERE done.fact_id = fact.id AND done.reaction = job.args->>'reaction') "
    "ORDER BY job.id LIMIT :most"
)
_WAITED = text(
    "SELECT entry.fact_id FROM log_entry AS entry JOIN fact ON fact.id = entry.fact_id "
    "WHERE entry.seq >= :first AND entry.seq < :beyond AND fact.kind = :kind "
    "AND NOT EXISTS (SELECT FROM reaction_done AS done "
    "WHERE done.fact_id = fact.id AND done.reaction = :reaction) ORDER BY entry.seq"
)
_DEFER = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY(SELECT ROW(:queue, :task, 0, NULL, NULL, "
    "args, NULL)::procrastinate_job_to_defer_v1 "
    "FROM jsonb_array_elements(CAST(:jobs AS jsonb)) WITH ORDINALITY AS job(args, place) "
    "ORDER BY place))"
)


@dataclass(frozen=True, slots=True)
class StuckReaction:
    """A reaction that keeps failing; the worker's log holds what it failed of."""

    job_id: int
    reaction: str
    fact_id: UUID
    kind: str
    subject: UUID
    attempts: int
    since: datetime  # when the fact was recorded


class UntilDone(procrastinate.BaseRetryStrategy):
    """Retry for ever, waiting 1, 2, 4 … at most 60 seconds."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        """Say when the job runs again."""
        wait_s = min(LONGEST_WAIT_S, 2 ** min(job.attempts, 10))
        _log.warning("job %s failed (%r); again in %s s", job.task_kwargs, exception, wait_s)
        return RetryDecision(retry_in={"seconds": wait_s})


async def defer_reactions(session: AsyncSession, sealed: Sequence[SealedFact]) -> int:
    """Queue every reaction to the sealed facts, in the transaction that sealed them.

    Where witnesses are asked for, those that wait for them stay out (`defer_witnessed`).
    """
    by_kind = {kind: reactions.woken_by(kind) for kind in {fact.kind for fact in sealed}}
    woken = [(fact.id, one) for fact in sealed for one in by_kind[fact.kind]]
    if any(one.witnessed for _, one in woken) and await witnesses.demanded(session) is not None:
        woken = [(fact_id, one) for fact_id, one in woken if not one.witnessed]
    await _defer(session, woken)
    return len(woken)


async def defer_witnessed(session: AsyncSession, covered: range) -> int:
    """Queue what waited for the witnesses of these leaves, in the transaction that notes them."""
    waited: list[tuple[UUID, Reaction]] = []
    for reaction in reactions.REACTIONS:
        if reaction.witnessed:
            asked: dict[str, str | int] = {"kind": reaction.kind, "reaction": reaction.name}
            asked |= {"first": covered.start, "beyond": covered.stop}
            found = (await session.execute(_WAITED, asked)).scalars()
            waited += [(fact_id, reaction) for fact_id in found]
    await _defer(session, waited)
    return len(waited)


async def _defer(session: AsyncSession, woken: Sequence[tuple[UUID, Reaction]]) -> None:
    """Queue a reaction to each fact, in this order, by one statement."""
    if woken:
        queued = [{"fact_id": str(fact_id), "reaction": one.name} for fact_id, one in woken]
        asked = {"queue": QUEUE, "task": TASK, "jobs": json.dumps(queued)}
        await session.execute(_DEFER, asked)


async def react(context: Context, fact_id: UUID, name: str) -> None:
    """Run one reaction to one fact; does nothing when its effect already stands."""
    async with context.db.transaction() as session:
        if await session.get(ReactionDone, (fact_id, name)):
            return
        fact = await log.get_sealed(session, fact_id)
    reaction, now = reactions.named(name), clock.now()
    async with context.db.transaction() as session:
        await reaction.verb(context, session, fact, now)
        session.add(ReactionDone(fact_id=fact_id, reaction=name, done_at=now))
        await session.flush()


async def stuck_reactions(session: AsyncSession) -> list[StuckReaction]:
    """Return the reactions that failed five times or more and have not taken effect since."""
    asked = {"task": TASK, "attempts": STUCK_AFTER, "most": MOST_STUCK}
    rows = await session.execute(_STUCK, asked)
    return [StuckReaction(**row) for row in rows.mappings()]


def open_queue(context: Context, *, connections: int) -> procrastinate.App:
    """Prepare the queue's own connections to the same database and role."""
    url = make_url(context.db.url).set(drivername="postgresql")
    connector = procrastinate.PsycopgConnector(
        conninfo=url.render_as_string(hide_password=False),
        kwargs={"options": f"-c role={APP_ROLE} -c timezone=UTC", "connect_timeout": 5},
        min_size=1,
        max_size=connections,
    )
    queue = procrastinate.App(connector=connector)

    @queue.task(name=TASK, queue=QUEUE, retry=UntilDone())
    async def run(fact_id: str, reaction: str) -> None:
        await react(context, UUID(fact_id), reaction)

    @queue.task(name=pieces.DECODE, queue=pieces.QUEUE, retry=UntilDone())
    async def decode(master_id: str, number: int) -> None:
        await master_verbs.examine_piece(context, UUID(master_id), number)

    @queue.task(name=pieces.JOIN, queue=pieces.QUEUE, retry=UntilDone())
    async def join(master_id: str) -> None:
        await master_verbs.join_pieces(context, UUID(master_id))

    return queue


async def rescue_stalled(queue: procrastinate.App) -> int:
    """Give the jobs of workers that stopped beating back to the queue."""
    stalled = list(
        await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S)
    )
    for job in stalled:
        await queue.job_manager.retry_job(job)
    await queue.job_manager.prune_stalled_workers(STALLED_AFTER_S)
    return len(stalled)
