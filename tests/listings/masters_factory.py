"""Masters for the tests of others: ready ones, without a file and without decoding."""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from listings.masters import chunks
from listings.masters.fingerprint import WINDOWS
from listings.masters.tables import FingerprintSegment, Master

CODES = 60
PROBE = {
    "container": "mov,mp4,m4a,3gp,3g2,mj2",
    "duration": "12/1",
    "duration_ms": 12000,
    "video": {
        "codec": "hevc", "profile": "Main 10", "width": 3840, "height": 2160,
        "rate": {"num": 50, "den": 1}, "bit_depth": 10, "sampling": "4:2:0",
        "primaries": "bt2020", "transfer": "arib-std-b67", "matrix": "bt2020nc", "range": "tv",
        "frames": 600,
    },
    "audio": [
        {"codec": "aac", "channels": 2, "layout": "stereo", "sample_rate": 48000, "language": "und"}
    ],
    "uhd": True,
    "findings": [],
}  # fmt: skip


async def ready_master(
    session: AsyncSession, *, party_id: UUID, work_id: UUID | None, now: datetime, seed: int = 0
) -> Master:
    """Insert a ready master; the same seed gives the same picture, another an unrelated one."""
    draw = np.random.default_rng(seed)
    video = draw.bytes(CODES * 40)
    tracks = {
        "video": video,
        # Each code through all windows, twice: a still second phase.
        "query": np.frombuffer(video, np.uint8)
        .reshape(CODES, 40)
        .repeat(2 * len(WINDOWS), axis=0)
        .tobytes(),
        "audio": draw.bytes(90 * 4),
    }
    master = Master(
        id=ids.new(now),
        party_id=party_id,
        work_id=work_id,
        filename="master.mp4",
        declared_bytes=1000 + seed,
        received_bytes=1000 + seed,
        state="ready",
        stage="done",
        done_bp=10000,
        sha256=hashlib.sha256(b"file %d" % seed).hexdigest(),
        chunk_root=chunks.sums([b"file %d" % seed]).chunk_root,
        probe=PROBE,
        fingerprint={
            "version": "u1",
            "video_codes": CODES,
            "audio_codes": 90,
            "sha256": hashlib.sha256(tracks["video"] + tracks["audio"]).hexdigest(),
        },
        created_at=now,
        expires_at=now + timedelta(days=7),
        examined_at=now,
    )
    session.add(master)
    await session.flush()
    for track, codes in tracks.items():
        session.add(FingerprintSegment(master_id=master.id, track=track, seg=0, codes=codes))
    await session.flush()
    return master
