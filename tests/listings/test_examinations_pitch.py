"""Film run at 25 instead of 24 pictures sounds higher; it is found all the same."""

import tempfile
from pathlib import Path

import pytest

from listings.examinations import passing
from listings.examinations.merging import Passed
from listings.masters import gateway, sound
from listings.recognition.gateway import PITCHED
from tests.listings import examinations_factory
from tests.listings.masters_media import ffmpeg

SPEECH = Path(__file__).parent.parent / "media" / "iscc" / "demo.mp3"
SECONDS = 14
FACTORS = (25 / 24, 24 / 25)


async def heard(path: Path) -> Passed:
    folder = Path(tempfile.mkdtemp(dir=path.parent))
    sandbox = await gateway.sandbox("auto")
    record = await examinations_factory.record_of(path, sandbox)
    return await passing.run(path, sandbox=sandbox, folder=folder, record=record)


def clip(path: Path, factor: float) -> Path:
    """The sound of a film played faster, under a picture of our own."""
    picture = ["-f", "lavfi", "-i", f"testsrc2=s=160x90:r=10:d={SECONDS / factor}"]
    played = f"aresample=48000,asetrate={round(48000 * factor)},aresample=48000"
    ffmpeg("-t", str(SECONDS), "-i", str(SPEECH), *picture, "-map", "1:v", "-map", "0:a",
           "-af", played, "-shortest", str(path))  # fmt: skip
    return path


@pytest.fixture(scope="session")
async def listed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("pitch")
    return (await heard(clip(folder / "listed.mp4", 1.0))).audio


@pytest.mark.parametrize("factor", FACTORS)
async def test_sound_at_the_speed_of_television_is_found(
    listed: bytes, factor: float, tmp_path: Path
) -> None:
    copy = await heard(clip(tmp_path / "copy.mp4", factor))
    pitched = [(number, copy.pitched[name]) for number, name in PITCHED.items()]
    plain = sum(found.length_ms for found in sound.stretches(copy.audio, listed))
    found = sound.stretches(copy.audio, listed, pitched=pitched)
    told = sum(one.length_ms for one in found)
    assert told > 0.8 * 1000 * SECONDS / factor
    assert told > plain
    assert found[0].slope == pytest.approx(factor, abs=0.01)
