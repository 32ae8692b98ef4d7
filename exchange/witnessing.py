"""Asking witnesses to cosign the newest checkpoint, and going on with what their quorum covers.

Source: C2SP tlog-witness, the client's side.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.deals import awaiting
from contracts.deals import queries as deals
from contracts.deals.tables import Deal
from contracts.log import checkpoint as checkpoints
from contracts.log import policy, queries, witness, witnesses
from contracts.log.gateway import LogSigner
from contracts.log.policy import Policy, Witness
from contracts.log.tables import LogCheckpoint
from contracts.log.witness import Asked
from contracts.refusal import Refusal, Unknown
from exchange import clock, jobs
from exchange.context import Context
from exchange.settings import Settings

_log = logging.getLogger("exchange.witnessing")

ANSWER_S = 1.0  # how long a witness may take
FIRST_REST, LONGEST_REST = timedelta(seconds=1), timedelta(seconds=60)
MOST_BYTES = 64 * 1024


@dataclass
class Asker:
    """What one worker knows of the witnesses it asks: who is resting, and until when."""

    policy: Policy | None = None
    adopted: bool = False
    rests: dict[str, tuple[datetime, timedelta]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def may_ask(self, vkey: str, now: datetime) -> bool:
        """Tell whether a witness that failed has rested long enough."""
        return vkey not in self.rests or self.rests[vkey][0] <= now

    def rest(self, vkey: str, now: datetime) -> None:
        """Leave a witness that failed alone, each time for twice as long, a minute at most."""
        last = self.rests.get(vkey, (now, FIRST_REST / 2))[1]
        pause = min(LONGEST_REST, last * 2)
        self.rests[vkey] = (now + pause, pause)

    def answered(self, vkey: str) -> None:
        """Ask it again at once when there is something new."""
        self.rests.pop(vkey, None)


class WitnessSaidNo(Exception):
    """A witness did not cosign; the text says why."""


def read_policy(settings: Settings) -> Policy | None:
    """Return the policy that the operator has written; None where there is none.

    Raises:
        PolicyUnreadable: it is not one, or the file cannot be read.
    """
    if settings.log_policy is None:
        return None
    try:
        raw = settings.log_policy.read_bytes()
    except OSError as error:
        raise policy.PolicyUnreadable(f"{settings.log_policy} cannot be read.") from error
    return policy.parse(raw)


async def adopt_policy(context: Context, signer: LogSigner) -> None:
    """Bring the operator's policy into force; without one, what is in force stays.

    Raises:
        PolicyUnreadable: it is not one.
        PolicyForOthers: it does not trust this log.
    """
    wanted = read_policy(context.settings)
    if wanted is not None:
        async with context.db.transaction() as session:
            await witnesses.adopt(session, wanted, log_key=signer.verifier, now=clock.now())


async def watch(context: Context, signer: LogSigner, asker: Asker) -> int:
    """Bring the operator's policy into force at the first call, and ask witnesses at each."""
    if not asker.adopted:
        await adopt_policy(context, signer)
        asker.adopted = True
    return await ask_witnesses(context, asker)


async def ask_witnesses(context: Context, asker: Asker) -> int:
    """Ask whoever has not cosigned the newest checkpoint, at once and in parallel.

    Returns how many cosignatures came and quorums were met: 0 when there was nothing to do.
    """
    async with context.db.transaction() as session:
        in_force = await witnesses.policy_in_force(session)
        if in_force is None:
            return 0
        try:
            newest = await queries.latest_checkpoint(session)
        except Unknown:
            return 0
        if asker.policy is None or asker.policy.text != in_force.text:
            asker.policy = policy.parse(in_force.text)
        known = [one.cosigner for one in asker.policy.witnesses]
        sizes = await witnesses.last_cosigned(session, known)
        is_witnessed = await witnesses.witnessed_size(session) >= newest.size
    now = clock.now()
    due = [
        one
        for one in asker.policy.witnesses
        if one.url is not None
        and sizes.get(one.cosigner.vkey, 0) < newest.size
        and asker.may_ask(one.cosigner.vkey, now)
    ]
    asker.sizes = {vkey: max(size, asker.sizes.get(vkey, 0)) for vkey, size in sizes.items()} | {
        vkey: size for vkey, size in asker.sizes.items() if vkey not in sizes
    }
    if not due:
        return 0 if is_witnessed else await _go_on(context, newest)
    async with httpx.AsyncClient(timeout=ANSWER_S) as client:
        came = await asyncio.gather(*(_ask(context, client, asker, newest, one) for one in due))
    return sum(came) + await _go_on(context, newest)


async def _ask(
    context: Context,
    client: httpx.AsyncClient,
    asker: Asker,
    newest: LogCheckpoint,
    one: Witness,
) -> int:
    """Ask one witness and keep what it says; whatever is wrong with it is told, and it rests."""
    vkey = one.cosigner.vkey
    try:
        said = await _cosigned(context, client, asker, newest, one)
        async with context.db.transaction() as session:
            if not await witnesses.keep(
                session, newest, said, cosigner=one.cosigner, now=clock.now()
            ):
                raise WitnessSaidNo("it answered without its cosignature")
    except (WitnessSaidNo, Refusal, httpx.HTTPError, TimeoutError, UnicodeDecodeError) as error:
        asker.rest(vkey, clock.now())
        _log.warning("witness %s: %s", one.name, error or type(error).__name__)
        return 0
    asker.answered(vkey)
    asker.sizes[vkey] = newest.size
    return 1


async def _cosigned(
    context: Context,
    client: httpx.AsyncClient,
    asker: Asker,
    newest: LogCheckpoint,
    one: Witness,
) -> str:
    """Return what a witness answers; when it remembers another tree, ask once more from there.

    Raises:
        WitnessSaidNo: it refuses, or it has seen a larger tree than there is.
    """
    vkey = one.cosigner.vkey
    for _attempt in range(2):
        old_size = asker.sizes.get(vkey, 0)
        if old_size > newest.size:
            raise WitnessSaidNo(
                f"it has cosigned {old_size} leaves and there are {newest.size}: another worker "
                "is ahead, or this database is older than what was signed"
            )
        body = await _asked(context, newest, old_size)
        status, media_type, said = await _post(client, f"{(one.url or '').rstrip('/')}", body)
        if status == 200:
            return said
        if status != 409 or media_type != witness.SIZE_TYPE:
            raise WitnessSaidNo(f"HTTP {status}: {said[:300].strip()}")
        if not checkpoints.SIZE.fullmatch(said.removesuffix("\n")):
            raise WitnessSaidNo("it named no size")
        asker.sizes[vkey] = int(said)
    raise WitnessSaidNo("it remembers another tree each time it is asked")


async def _asked(context: Context, newest: LogCheckpoint, old_size: int) -> bytes:
    proof: list[bytes] = []
    if 0 < old_size < newest.size:
        async with context.db.transaction() as session:
            proof = await queries.consistency(session, old_size, newest.size)
    return Asked(old_size, tuple(proof), newest.note).body


async def _post(client: httpx.AsyncClient, url: str, body: bytes) -> tuple[int, str, str]:
    """Return status, media type and text of an answer that is short and comes in time."""
    content = b""
    async with (
        asyncio.timeout(ANSWER_S),
        client.stream("POST", url + witness.PATH, content=body) as answer,
    ):
        async for part in answer.aiter_bytes():
            content += part
            if len(content) > MOST_BYTES:
                raise WitnessSaidNo("its answer is too long")
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
    return answer.status_code, media_type, content.decode()


async def _go_on(context: Context, newest: LogCheckpoint) -> int:
    """Note a quorum that is met, and queue what waited for it, in one transaction."""
    async with context.db.transaction() as session:
        covered = await witnesses.note_quorum(session, newest, now=clock.now())
        if covered is None:
            return 0
        await jobs.defer_witnessed(session, covered)
        return 1


async def of_deal(session: AsyncSession, deal_id: UUID) -> tuple[int, int] | None:
    """Return how many witnesses have seen a deal's execution, and how many it takes.

    None unless everybody has signed and the deal waits for them.

    Raises:
        Unknown: there is no such deal.
    """
    deal = await deals.get_deal(session, deal_id)
    if (deal.signing, deal.performance) != ("executed", "pending"):
        return None
    return await standing(session, await awaiting.executed_seq(session, deal))


@dataclass(frozen=True, slots=True)
class Standing:
    """Who has cosigned a leaf, by the policy in force, and how many it takes."""

    policy_sha256: str
    cosigned: tuple[str, ...]
    needed: int


async def seen(session: AsyncSession, deal: Deal) -> Standing | None:
    """Return who has seen a deal's execution; None before it, and where no policy asks for any."""
    if deal.signing != "executed":
        return None
    return await _standing(session, await awaiting.executed_seq(session, deal))


async def standing(session: AsyncSession, fact_seq: int | None) -> tuple[int, int] | None:
    """Return how many witnesses have cosigned a leaf, and how many it takes.

    None when no policy asks for any. The leaf counts as cosigned by whoever cosigned a tree that
    covers it; a leaf without a number yet, by nobody.
    """
    found = await _standing(session, fact_seq)
    return None if found is None else (len(found.cosigned), found.needed)


async def _standing(session: AsyncSession, fact_seq: int | None) -> Standing | None:
    in_force = await witnesses.demanded(session)
    if in_force is None:
        return None
    read = policy.parse(in_force.text)
    sizes = await witnesses.last_cosigned(session, [one.cosigner for one in read.witnesses])
    cosigned = tuple(
        one.name
        for one in read.witnesses
        if fact_seq is not None and sizes.get(one.cosigner.vkey, 0) > fact_seq
    )
    return Standing(in_force.sha256, cosigned, len(cosigned) + read.missing(cosigned))
