"""Copies as they are passed around, of a work that is listed: the verdict, and which seconds."""

from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.parties.tables import Party
from exchange import clock, recognition_verbs
from exchange.context import Context
from listings.catalogue import service as catalogue
from listings.masters.fingerprint import HEIGHT, WIDTH, codes_of
from listings.recognition import queries, service
from listings.recognition.relation import Related
from listings.recognition.tables import Resemblance
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work
from tests.listings.catalogue_factory import drafted_listing
from tests.listings.masters_media import FLOWER, FRIDAY, STREAM, ffmpeg
from tests.listings.recognition_factory import kept

SIZE, FAST = "scale=480:270,setsar=1,fps=25,format=yuv420p", ("-preset", "ultrafast", "-crf", "26")
OTHER = "testsrc2=size=480x270:rate=25:duration={}"
STARTS_MS = 1_000  # the tolerance


@dataclass(frozen=True)
class Attack:
    """What is done to the picture and the sound, and what is to be said of the copy."""

    picture: str
    state: str = "copy"
    here_s: int = 0
    there_s: int = 0
    sound: str = "anull"
    before: tuple[str, ...] = ()
    kinds: tuple[Related, ...] = (Related.COPY, Related.VERSIONS, Related.EXCERPT)


HLG = "zscale=transferin=709:transfer=arib-std-b67:primariesin=709:primaries=2020:matrixin=709"
ATTACKS = {
    "the same picture, encoded again": Attack("null"),
    "a smaller raster": Attack("scale=240:136,setsar=1"),
    "cropped by a tenth": Attack("crop=iw*0.9:ih*0.9,scale=480:270"),
    "letterboxed": Attack("scale=480:204,pad=480:270:0:33"),
    "a logo and a ticker": Attack(
        "drawbox=x=390:y=15:w=70:h=35:color=red:t=fill,drawbox=y=240:h=30:color=blue:t=fill"
    ),
    "mirrored": Attack("hflip"),
    "graded for HDR": Attack(f"{HLG}:matrix=2020_ncl,format=yuv420p10le,format=yuv420p"),
    "four per cent faster": Attack("setpts=PTS/1.04", sound="atempo=1.04"),
    "without its first seconds": Attack("null", there_s=4, before=("-ss", "4")),
    "with another sound": Attack(
        "null", sound="volume=0,aeval=0.4*sin(2*PI*t*(200+60*t)):c=same",
        kinds=(Related.PICTURE_ONLY, Related.COPY),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Listed:
    """The work that is listed, and its file."""

    file: Path
    listing_id: UUID
    master_id: UUID


def joined(folder: Path) -> Path:
    """Fourteen seconds: a flower, people, water; on their side and with the sound backwards.

    So they resemble no other test's.
    """
    target = folder / "work.mp4"
    parts = "".join(
        f"[{n}:v]transpose=1,{SIZE}[v{n}];[{n}:a]aresample=44100,areverse[a{n}];" for n in range(3)
    )
    order = "[v0][a0][v1][a1][v2][a2]concat=n=3:v=1:a=1[v][a]"
    sources = [text for clip in (FLOWER, FRIDAY, STREAM) for text in ("-i", str(clip))]
    ffmpeg(
        *sources, "-filter_complex", parts + order, "-map", "[v]", "-map", "[a]", *FAST, str(target)
    )
    return target


def attacked(file: Path, attack: Attack, folder: Path) -> Path:
    target = folder / "copy.mp4"
    picture = f"{attack.picture},format=yuv420p"
    ffmpeg(
        *attack.before, "-i", str(file), "-vf", picture, "-af", attack.sound, *FAST,
        "-preset", "ultrafast", "-crf", "30", str(target),
    )  # fmt: skip
    return target


def tracks_of(file: Path, *, silent: bool = False) -> dict[str, bytes]:
    """The codes of a file, taken outside the sandbox."""
    scale = "fps=10,scale=160:90:flags=area,format=gray"
    raw = ffmpeg("-i", str(file), "-an", "-vf", scale, "-f", "rawvideo", "-")
    codes = codes_of(np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT, WIDTH))
    sound = ("-ac", "1", "-ar", "11025", "-f", "chromaprint", "-fp_format", "raw", "-")
    audio = b"" if silent else ffmpeg("-i", str(file), "-vn", *sound)
    return {"video": codes.video.tobytes(), "query": codes.query.tobytes(), "audio": audio}


async def owner_of(context: Context) -> Party:
    async with context.db.transaction() as session:
        return await party(session, now=clock.now())


async def recognised(context: Context, file: Path, *, silent: bool = False) -> UUID:
    """A master of a stranger, examined and recognised as in the background: listening too."""
    sight = replace(recognition_verbs.sight(context), listens=True)
    now, owner = clock.now(), await owner_of(context)
    async with context.db.transaction() as session:
        tracks = tracks_of(file, silent=silent)
        made = await kept(session, tracks, party_id=owner.id, work_id=None, now=now)
        await service.recognise(session, made.id, sight=sight, now=now)
    return made.id


async def resemblances(session: AsyncSession, master_id: UUID, listed: Listed) -> list[Resemblance]:
    """What was found of the listed work; other tests have listed theirs."""
    found = await queries.resemblances(session, master_id)
    return [one for one in found if one.other_master_id == listed.master_id]


@pytest.fixture(scope="module")
async def listed(context: Context, tmp_path_factory: pytest.TempPathFactory) -> Listed:
    file = joined(tmp_path_factory.mktemp("work"))
    now, owner = clock.now(), await owner_of(context)
    async with context.db.transaction() as session:
        subject = await work(session, party_id=owner.id, now=now)
        master = await kept(
            session, tracks_of(file), party_id=owner.id, work_id=subject.id, now=now
        )
        draft = await drafted_listing(session, seller=owner, now=now, work=subject, master=master)
        await catalogue.publish(session, draft.id, party_id=owner.id, now=now)
    return Listed(file, draft.id, master.id)


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_copy_is_refused_wherever_it_was_taken_from(
    name: str, listed: Listed, context: Context, tmp_path: Path
) -> None:
    attack = ATTACKS[name]
    master_id = await recognised(context, attacked(listed.file, attack, tmp_path))
    async with context.db.transaction() as session:
        verdict = await queries.get_recognition(session, master_id)
        (one,) = await resemblances(session, master_id, listed)
        assert verdict.state == attack.state
        assert one.kind in attack.kinds
        first = min(one.segments, key=lambda each: each["here_ms"])
        assert abs(first["here_ms"] - attack.here_s * 1000) <= STARTS_MS
        assert abs(first["there_ms"] - attack.there_s * 1000) <= STARTS_MS
        assert sum(each["length_ms"] for each in one.segments) >= 8_000


async def test_an_excerpt_in_other_content_is_held_with_its_seconds(
    listed: Listed, context: Context, tmp_path: Path
) -> None:
    target = tmp_path / "excerpt.mp4"
    graph = (
        f"[1:v]{SIZE},trim=duration=9[a];[0:v]trim=6:9,setpts=PTS-STARTPTS,{SIZE}[b];"
        f"[2:v]{SIZE},hue=h=90[c];[a][b][c]concat=n=3:v=1[v]"
    )
    ffmpeg(
        "-i", str(listed.file), "-f", "lavfi", "-i", OTHER.format(9), "-f", "lavfi", "-i",
        "mandelbrot=size=480x270:rate=25,trim=duration=4", "-filter_complex", graph, "-map", "[v]",
        *FAST, str(target),
    )  # fmt: skip
    master_id = await recognised(context, target, silent=True)
    async with context.db.transaction() as session:
        assert (await queries.get_recognition(session, master_id)).state == "doubtful"
        (one,) = await resemblances(session, master_id, listed)
    assert one.why == "short"
    (stretch,) = one.segments
    assert abs(stretch["here_ms"] - 9_000) <= STARTS_MS
    assert abs(stretch["there_ms"] - 6_000) <= STARTS_MS
    assert abs(stretch["length_ms"] - 3_000) <= STARTS_MS


async def test_sound_alone_is_held_with_its_seconds_and_never_refused(
    listed: Listed, context: Context, tmp_path: Path
) -> None:
    target = tmp_path / "sound.mp4"
    ffmpeg(
        "-i", str(listed.file), "-f", "lavfi", "-i", OTHER.format(14), "-map", "1:v", "-map", "0:a",
        "-c:a", "aac", "-b:a", "64k", *FAST, "-shortest", str(target),
    )  # fmt: skip
    master_id = await recognised(context, target)
    async with context.db.transaction() as session:
        assert (await queries.get_recognition(session, master_id)).state == "doubtful"
        (one,) = await resemblances(session, master_id, listed)
    assert (one.kind, one.why) == ("sound-only", "sound-only")
    first = min(one.segments, key=lambda each: each["here_ms"])
    assert abs(first["here_ms"] - first["there_ms"]) <= STARTS_MS


async def test_a_picture_of_its_own_is_clear(
    listed: Listed, context: Context, tmp_path: Path
) -> None:
    target = tmp_path / "other.mp4"
    ffmpeg("-f", "lavfi", "-i", OTHER.format(8), *FAST, str(target))
    master_id = await recognised(context, target, silent=True)
    async with context.db.transaction() as session:
        assert (await queries.get_recognition(session, master_id)).state == "clear"
        assert await resemblances(session, master_id, listed) == []
