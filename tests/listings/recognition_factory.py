"""Masters that resemble listed works, and declarations about them, for tests."""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from listings.masters import queries as masters
from listings.masters.fingerprint import CODE_BYTES, LUMA_RATE, PHASES, RATE, WINDOWS, Luma
from listings.masters.tables import FingerprintSegment, Master
from listings.recognition import service
from listings.recognition.rules import Claim
from listings.recognition.tables import Declaration
from tests.contracts.parties_factory import party
from tests.listings.catalogue_factory import published_listing
from tests.listings.index_factory import film
from tests.listings.masters_factory import PROBE


async def declared(
    session: AsyncSession,
    master: Master,
    *,
    listing_id: UUID,
    now: datetime,
    claim: Claim = Claim.LICENSED,
    stretch: tuple[int | None, int | None] = (None, None),
) -> Declaration:
    """A declaration of the master's owner about somebody's listing."""
    row, _ = await service.declare(
        session,
        ids.new(now),
        master=master,
        listing_id=listing_id,
        claim=claim,
        source="授权书 2026-001",
        stretch=stretch,
        now=now,
    )
    return row


async def declared_of_another(
    session: AsyncSession, master_id: UUID, *, now: datetime
) -> Declaration:
    """A declaration about a listing that another party has just published."""
    listing = await published_listing(session, seller=await party(session, now=now), now=now)
    master = await masters.get_master(session, master_id)
    return await declared(session, master, listing_id=listing.id, now=now)


async def master_of(
    session: AsyncSession,
    *parts: tuple[int, int, int],
    party_id: UUID,
    now: datetime,
    work_id: UUID | None = None,
    sound: int | None = None,
) -> Master:
    """A ready master cut together from parts, each the seconds `from` to `until` of a picture.

    A part is (number of the picture, from, until); `sound` is the number of a sound, a new one when
    it is not given.
    """
    cuts = [_picture(seed)[first * LUMA_RATE : last * LUMA_RATE] for seed, first, last in parts]
    looks = np.concatenate(cuts)
    seconds = len(looks) // LUMA_RATE
    tracks = {
        "video": looks[::PHASES].tobytes(),
        "query": looks.repeat(len(WINDOWS), axis=0).tobytes(),
        "audio": np.random.default_rng([sound or secrets.randbits(31), 1]).bytes(seconds * 8 * 4),
    }
    return await kept(session, tracks, party_id=party_id, work_id=work_id, now=now)


async def kept(
    session: AsyncSession,
    tracks: Mapping[str, bytes],
    *,
    party_id: UUID,
    work_id: UUID | None,
    now: datetime,
) -> Master:
    """A ready master with these codes."""
    frames = len(tracks["video"]) // CODE_BYTES
    digest = hashlib.sha256(tracks["video"] + tracks["audio"]).hexdigest()
    master = Master(
        id=ids.new(now), party_id=party_id, work_id=work_id, filename="cut.mp4",
        declared_bytes=1000, received_bytes=1000, state="ready", stage="done", done_bp=10_000,
        sha256=digest, chunk_root=digest, probe={**PROBE, "duration_ms": frames * 1000 // RATE},
        fingerprint={
            "version": "u1", "video_codes": frames, "audio_codes": len(tracks["audio"]) // 4,
            "sha256": digest,
        },
        created_at=now, expires_at=now + timedelta(days=7), examined_at=now,
    )  # fmt: skip
    session.add(master)
    await session.flush()
    for track, codes in tracks.items():
        session.add(FingerprintSegment(master_id=master.id, track=track, seg=0, codes=codes))
    await session.flush()
    return master


@cache
def _picture(seed: int) -> Luma:
    """Two minutes of a film that resembles no other, ten codes a second."""
    return film(seed, 120)
