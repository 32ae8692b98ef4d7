"""What witnesses have said of the log's checkpoints, the policy in force, and what it covers.

The operator's policy becomes a row when a worker first reads it, and the newest row is in force for
every process. A checkpoint whose cosignatures meet it is noted in `log_quorum`: whatever a leaf
before its size says is then *witnessed*, and stays so under every later policy.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids
from contracts.facts import service as facts
from contracts.log import cosignature, note, policy, queries
from contracts.log.cosignature import Cosigner
from contracts.log.note import Verifier
from contracts.log.policy import Judged, Policy
from contracts.log.queries import FactProof
from contracts.log.tables import LogCheckpoint, LogCosignature, LogPolicy, LogQuorum, LogState
from contracts.refusal import Kind, Refusal


class PolicyForOthers(Refusal):
    """The policy names logs, and this exchange's is none of them."""

    kind, code = Kind.INVALID, "policy-for-others"
    hint = "Put a line `log VKEY` with this exchange's own key into it: GET /v1/log/key."


async def adopt(
    session: AsyncSession, wanted: Policy, *, log_key: Verifier, now: datetime
) -> LogPolicy:
    """Bring a policy into force, unless it is already.

    Raises:
        PolicyForOthers: it trusts other logs than this one.
    """
    if log_key not in [log.verifier for log in wanted.logs]:
        raise PolicyForOthers("The policy does not trust this log.", known=[log_key.vkey])
    state = (await session.execute(select(LogState).with_for_update())).scalar_one()
    current = await policy_in_force(session)
    if current is not None and current.sha256 == wanted.sha256:
        return current
    adopted = LogPolicy(
        number=1 if current is None else current.number + 1,
        text=wanted.text,
        sha256=wanted.sha256,
        demands=wanted.demands,
        size=state.size,
        adopted_at=now,
    )
    session.add(adopted)
    await session.flush()
    record = {
        "policy": wanted.text,
        "policy_sha256": wanted.sha256,
        "demands": wanted.demands,
    }
    await facts.record(session, "policy.adopted", ids.new(now), record, now=now)
    return adopted


async def policy_in_force(session: AsyncSession) -> LogPolicy | None:
    """Return the policy that counts now; None where none ever did."""
    found = await session.execute(select(LogPolicy).order_by(col(LogPolicy.number).desc()).limit(1))
    return found.scalar_one_or_none()


async def demanded(session: AsyncSession) -> LogPolicy | None:
    """Return the policy in force if it asks for cosignatures, else None."""
    current = await policy_in_force(session)
    return current if current is not None and current.demands else None


async def keep(
    session: AsyncSession,
    checkpoint: LogCheckpoint,
    said: str,
    *,
    cosigner: Cosigner,
    now: datetime,
) -> bool:
    """Keep a witness's cosignature of a checkpoint; the first one stays. Tells whether it is there.

    Args:
        session: the open transaction.
        checkpoint: what it was asked to cosign.
        said: its answer: signature lines. Lines of other keys are ignored.
        cosigner: the witness's key.
        now: the instant.

    Raises:
        BadNote: the answer is no signature lines.
        UntrustedNote: its line does not verify.
    """
    answered = cosignature.appended(checkpoint.note, [said])
    text, lines = note.parse(answered)
    for line in lines:
        if cosigner.made(line):
            time_s = cosigner.time_of(line, text)
            row = {
                "size": checkpoint.size,
                "vkey": cosigner.vkey,
                "line": line.text,
                "cosigned_at": datetime.fromtimestamp(time_s, UTC),
                "kept_at": now,
            }
            await session.execute(insert(LogCosignature).values(row).on_conflict_do_nothing())
            return True
    return False


async def cosigned_note(session: AsyncSession, checkpoint: LogCheckpoint) -> str:
    """Return a checkpoint with the cosignatures that came for it, in the order they were kept."""
    found = await session.execute(
        select(col(LogCosignature.line))
        .where(col(LogCosignature.size) == checkpoint.size)
        .order_by(col(LogCosignature.kept_at), col(LogCosignature.vkey))
    )
    return cosignature.appended(checkpoint.note, list(found.scalars()))


async def proof_of_fact(session: AsyncSession, fact_id: UUID) -> FactProof:
    """Return the proof that a fact is in the log, under a checkpoint with its cosignatures.

    It is the newest checkpoint that was witnessed and covers the fact; without one, the newest.

    Raises:
        Unknown: there is no such fact.
        NotSealedYet: it waits for its number.
    """
    proved = await queries.proof_of_fact(session, fact_id)
    seq = proved.entry.seq
    found = await session.execute(
        select(LogCheckpoint)
        .join(LogQuorum, col(LogQuorum.size) == col(LogCheckpoint.size))
        .where(col(LogCheckpoint.size) > seq)
        .order_by(col(LogCheckpoint.size).desc())
        .limit(1)
    )
    over = found.scalar_one_or_none() or await queries.latest_checkpoint(session)
    [proof] = await queries.proofs(session, [seq], over)
    return replace(proved, proof=replace(proof, checkpoint=await cosigned_note(session, over)))


async def last_cosigned(session: AsyncSession, cosigners: Sequence[Cosigner]) -> dict[str, int]:
    """Return the largest size that each witness has cosigned, by its vkey; absent where none."""
    found = await session.execute(
        select(col(LogCosignature.vkey), func.max(col(LogCosignature.size)))
        .where(col(LogCosignature.vkey).in_([one.vkey for one in cosigners]))
        .group_by(col(LogCosignature.vkey))
    )
    return dict(found.all())


async def judged(session: AsyncSession, checkpoint: LogCheckpoint, by: LogPolicy) -> Judged:
    """Say what a policy makes of a checkpoint and its cosignatures."""
    return policy.judge(await cosigned_note(session, checkpoint), policy.parse(by.text))


async def note_quorum(
    session: AsyncSession, checkpoint: LogCheckpoint, *, now: datetime
) -> range | None:
    """Note that the policy in force is met by a checkpoint, if it is and nobody noted it before.

    Returns the leaves that became witnessed by it: those from the last witnessed tree, or from the
    tree in which the policy came into force, up to this one.
    """
    current = await policy_in_force(session)
    if current is None or (await judged(session, checkpoint, current)).missing:
        return None
    covered = await witnessed_size(session)
    row = {"size": checkpoint.size, "policy": current.number, "met_at": now}
    added = await session.execute(
        insert(LogQuorum).values(row).on_conflict_do_nothing().returning(col(LogQuorum.size))
    )
    if added.first() is None:
        return None
    first = await _first_policy(session)
    return range(max(covered, first.size if covered == 0 else 0), checkpoint.size)


async def witnessed_size(session: AsyncSession) -> int:
    """Return how many leaves have been witnessed."""
    found = await session.execute(select(func.max(col(LogQuorum.size))))
    return found.scalar_one() or 0


async def quorum_over(session: AsyncSession, seq: int) -> LogCheckpoint | None:
    """Return the earliest witnessed checkpoint that covers the leaf `seq`; None while none does."""
    found = await session.execute(
        select(LogCheckpoint)
        .join(LogQuorum, col(LogQuorum.size) == col(LogCheckpoint.size))
        .where(col(LogCheckpoint.size) > seq)
        .order_by(col(LogCheckpoint.size))
        .limit(1)
    )
    return found.scalar_one_or_none()


async def _first_policy(session: AsyncSession) -> LogPolicy:
    found = await session.execute(select(LogPolicy).order_by(col(LogPolicy.number)).limit(1))
    return found.scalar_one()
