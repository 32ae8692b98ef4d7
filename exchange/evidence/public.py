"""What anybody may ask about a contract: is the file with this hash the executed one.

The answer rests on the sealed fact of the execution and not on the row of the deal. It tells
nothing to those who do not hold a file: a number that does not exist and a hash that is no file of
the contract get the same answer, and no answer names a party, a title or a price.
"""

from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import canonical
from contracts.deals.tables import Deal, DealDocument
from contracts.facts import queries as facts
from contracts.log import checkpoint, note, policy, witnesses


class Verdict(Enum):
    """What a file is to a contract."""

    EXECUTED = "executed"  # byte for byte the file whose execution was logged
    EARLIER = "earlier-revision"  # of an executed contract, before its last signature
    RENEWED = "later-revision"  # the executed file with archive timestamps added to it
    UNSIGNED = "not-executed"  # of a contract that is not executed
    UNKNOWN = "unknown"  # no file of a contract of that number


@dataclass(frozen=True, slots=True)
class Proved:
    """Where the log holds the execution.

    Attributes:
        index: of the leaf.
        leaf: its bytes; they commit to the record and tell nothing of it.
        leaf_hash: hex.
        proof: C2SP tlog-proof.
        size: of the tree of its checkpoint.
        witnesses: who has cosigned it, by their names in the policy in force.
    """

    index: int
    leaf: bytes
    leaf_hash: str
    proof: str
    size: int
    witnesses: tuple[str, ...]


async def look_up(
    session: AsyncSession, contract_no: str, sha256: str
) -> tuple[Verdict, Proved | None]:
    """Return what the file is, and the proof of the execution where it belongs to an executed one.

    Raises:
        NotSealedYet: the contract was executed this very moment.
    """
    held = await session.execute(
        select(col(Deal.id), col(DealDocument.revision))
        .join(DealDocument, col(DealDocument.deal_id) == col(Deal.id))
        .where(col(Deal.contract_no) == contract_no, col(DealDocument.sha256) == sha256)
    )
    found = held.first()
    if found is None:
        return Verdict.UNKNOWN, None
    deal, revision = found
    executed = await facts.find_first_of(session, deal, "deal.executed")
    if executed is None:
        return Verdict.UNSIGNED, None
    logged = canonical.loads(executed.record)["pdf_sha256"]
    proved = await _proved(session, executed.id)
    if sha256 == logged:
        return Verdict.EXECUTED, proved
    last = await session.scalar(
        select(col(DealDocument.revision)).where(
            col(DealDocument.deal_id) == deal, col(DealDocument.sha256) == logged
        )
    )
    return (Verdict.RENEWED if last is not None and revision > last else Verdict.EARLIER), proved


async def _proved(session: AsyncSession, fact_id: UUID) -> Proved:
    found = await witnesses.proof_of_fact(session, fact_id)
    signed = found.proof.checkpoint
    current = await witnesses.policy_in_force(session)
    named: tuple[str, ...] = ()
    if current is not None:
        named = tuple(sorted(policy.judge(signed, policy.parse(current.text)).cosigned))
    return Proved(
        index=found.entry.seq,
        leaf=found.entry.leaf,
        leaf_hash=found.entry.leaf_hash.hex(),
        proof=found.proof.text,
        size=checkpoint.parse(note.parse(signed)[0]).size,
        witnesses=named,
    )
