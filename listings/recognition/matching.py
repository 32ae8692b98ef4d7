"""The close look: loads the codes of two masters and relates them, away from the event loop."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

import anyio.to_thread
import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from listings.masters import queries as masters
from listings.masters import sound
from listings.masters.fingerprint import CODE_BYTES, PHASES, Luma
from listings.masters.tables import Master
from listings.recognition import queries, relation
from listings.recognition.gateway import Sight
from listings.recognition.relation import Footage, Near, Related, Relation

# Of so few that came after the last search, every one is looked at closely; the engine is asked
# when there are more.
FEW = 32


async def search(
    session: AsyncSession, master: Master, *, since: int, sight: Sight
) -> dict[UUID, Relation]:
    """Return how a master is related to each master protected after an epoch that it resembles."""
    here = await asked(session, master, sight=sight)
    places = await _candidates(session, master, here, since=since, sight=sight)
    if sight.listens:
        heard = await _heard(session, master, here, since=since, but=places)
        places = {**dict.fromkeys(heard, ()), **places}
    found = {}
    for other_id, near in places.items():
        there = await stored(session, await masters.get_master(session, other_id))
        compare = partial(relation.relate, here, there, near=near)
        related = await anyio.to_thread.run_sync(compare)
        if related.kind is not Related.UNRELATED:
            found[other_id] = related
    return found


async def _heard(
    session: AsyncSession, master: Master, here: Footage, *, since: int, but: Collection[UUID]
) -> list[UUID]:
    """Return the masters, beside those that are looked at anyway, that sound alike somewhere."""
    found = []
    for other in await queries.protected_since(session, since, but=master.id):
        audio = b"" if other in but else await masters.codes(session, other, "audio")
        if not audio or not here.audio:
            continue
        listen = partial(sound.stretches, here.audio, audio, pitched=tuple(here.pitched.items()))
        if await anyio.to_thread.run_sync(listen):
            found.append(other)
    return found


async def stored(session: AsyncSession, master: Master) -> Footage:
    """Load what a master is compared with when it is the listed one."""
    video = np.frombuffer(await masters.codes(session, master.id, "video"), np.uint8)
    return Footage(
        video=video.reshape(-1, CODE_BYTES),
        audio=await masters.codes(session, master.id, "audio"),
        sha256=master.sha256,
        essence=essence_of(master),
    )


async def asked(session: AsyncSession, master: Master, *, sight: Sight) -> Footage:
    """Load what a master is compared by when it is the one in question: through every window."""
    known = await stored(session, master)
    query = await _query(session, master.id, sight, frames=len(known.video))
    return replace(known, query=query, pitched=await sight.pitched(master.id))


def essence_of(master: Master) -> str | None:
    """Return the SHA-256 of the coded picture, where the examination took it."""
    essence = (master.fingerprint or {}).get("essence")
    return essence.get("video") if isinstance(essence, dict) else None


async def _query(
    session: AsyncSession, master_id: UUID, sight: Sight, *, frames: int
) -> Luma | None:
    """Return the codes through every window; how many windows there were tells their number."""
    raw = await masters.codes(session, master_id, "query") or await sight.windows(master_id)
    codes = len(raw) // CODE_BYTES
    for looks in (PHASES * frames, PHASES * frames - 1):
        if codes and looks > 0 and codes % looks == 0:
            return np.frombuffer(raw, np.uint8).reshape(looks, -1, CODE_BYTES)
    return None


async def _candidates(
    session: AsyncSession, master: Master, here: Footage, *, since: int, sight: Sight
) -> Mapping[UUID, Sequence[Near]]:
    """Return which masters to look at, and where; those of the same bytes are always among them."""
    most = None if sight.finder is None else FEW + 1
    after = await queries.protected_since(session, since, but=master.id, limit=most)
    if sight.finder is None or len(after) <= FEW:
        return dict.fromkeys(after, ())
    found = dict(await sight.finder.find(session, here, since=since))
    same = await queries.same_bytes(
        session, sha256=here.sha256, essence=here.essence, but=master.id
    )
    for other in same.union(await queries.outside_the_index(session, but=master.id)):
        found.setdefault(other, ())
    found.pop(master.id, None)
    return found
