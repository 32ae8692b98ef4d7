"""Films for the index, made of shots: each second differs a little from the one before."""

from datetime import datetime
from uuid import UUID

import numpy as np
import numpy.typing as npt
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from listings.index import service
from listings.index.rules import SEGMENT_S, Question, ask
from listings.masters.fingerprint import CODE_BYTES, LUMA_RATE, MIRROR, RATE, STATIC_BYTES, WINDOWS
from listings.masters.tables import FingerprintSegment
from tests.contracts.parties_factory import party
from tests.listings.masters_factory import ready_master

Codes = npt.NDArray[np.uint8]
SHOT_S, DRIFT = 5.0, 0.06  # a mean shot; the share of bits that change in a second of it


def flips(draw: np.random.Generator, count: int, share: float) -> Codes:
    """Bits to turn over, shape (count, 32); never the spare one."""
    bits = draw.random((count, STATIC_BYTES * 8)) < share
    bits[:, -1] = False
    return np.packbits(bits, axis=1)


def film(seed: int, seconds: int) -> Codes:
    """Codes of a film ten times a second, shape (10 x seconds, 40); it moves as it goes."""
    draw = np.random.default_rng(seed)
    frames = seconds * LUMA_RATE
    cut = draw.random(frames) < 1 / (SHOT_S * LUMA_RATE)
    step = flips(draw, frames, DRIFT / LUMA_RATE)
    fresh = flips(draw, frames, 0.5)
    change = np.where(cut[:, None], fresh, step)
    change[0] = fresh[0]
    static = np.bitwise_xor.accumulate(change, axis=0)
    motion = draw.integers(0, 256, (frames, CODE_BYTES - STATIC_BYTES), np.uint8)
    return np.concatenate([static, motion], axis=1)


def stored(film_codes: Codes) -> Codes:
    """What a master keeps of a film: five codes a second."""
    return film_codes[:: LUMA_RATE // RATE]


def clip(
    film_codes: Codes,
    *,
    first_s: float = 0,
    seconds: int = 60,
    speed: float = 1.0,
    mirrored: bool = False,
    noise: float = 0.0,
    seed: int = 0,
) -> Question:
    """What is asked about a part of a film that was copied, played at another speed, and so on."""
    place = np.arange(seconds * LUMA_RATE) * speed + first_s * LUMA_RATE
    taken = film_codes[np.rint(place).astype(np.int64)].copy()
    if mirrored:
        taken ^= MIRROR
    taken[:, :STATIC_BYTES] ^= flips(np.random.default_rng(seed), len(taken), noise)
    windows = np.repeat(taken[:, None], len(WINDOWS), axis=1)
    return ask(windows)


async def indexed(
    session: AsyncSession, film_codes: Codes, *, now: datetime, seed: int = 0
) -> UUID:
    """A master of a new party whose picture is this film, in the index; return its id."""
    master_id = await mastered(session, film_codes, now=now, seed=seed)
    await service.add(session, master_id, now=now)
    return master_id


async def mastered(
    session: AsyncSession, film_codes: Codes, *, now: datetime, seed: int = 0
) -> UUID:
    """A ready master of a new party whose picture is this film; return its id."""
    owner = await party(session, now=now)
    master = await ready_master(session, party_id=owner.id, work_id=None, now=now, seed=seed)
    row = FingerprintSegment
    await session.execute(
        delete(row).where(col(row.master_id) == master.id, col(row.track) == "video")
    )
    video, size = stored(film_codes), SEGMENT_S * RATE
    for seg, start in enumerate(range(0, len(video), size)):
        part = video[start : start + size].tobytes()
        session.add(row(master_id=master.id, track="video", seg=seg, codes=part))
    await session.flush()
    return master.id
