"""The viewer's name is really in the picture, whatever the name says."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from listings.masters import gateway
from listings.masters.gateway import Child
from listings.screeners.gateway import burn

SECONDS = 2.0
HOSTILE = (
    'O\'Hara "q" \\ back:colon,comma;[x]',
    "%{localtime} %{expr:1/0} ${HOME} $(id)",
    "示范电视台 节目中心",
)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey all over, so that whatever else is seen was drawn."""
    path = tmp_path_factory.mktemp("it's [a], odd:place") / "proxy.mp4"
    made = ["-f", "lavfi", "-i", f"color=gray:s=640x360:r=10:d={SECONDS}"]
    made += ["-f", "lavfi", "-i", f"sine=d={SECONDS}", "-c:v", "libx264", "-preset", "ultrafast"]
    subprocess.run([gateway.ffmpeg(), "-v", "error", *made, "-c:a", "aac", path], check=True)
    return path


async def burnt(proxy: Path, name: str, text: str) -> Path:
    sandbox = await gateway.sandbox("auto")
    told: list[int] = []

    async def report(done_bp: int) -> None:
        told.append(done_bp)

    target = proxy.parent / f"for {name}" / "film.mp4"
    target.parent.mkdir(exist_ok=True)
    target.unlink(missing_ok=True)
    assert await burn(proxy, target, text=text, seconds=SECONDS, sandbox=sandbox, report=report)
    assert told == sorted(told) and told[-1] <= 10_000
    return target


def pictures(path: Path) -> np.ndarray:
    command = [gateway.ffmpeg(), "-v", "error", "-i", path, "-pix_fmt", "gray"]
    raw = subprocess.run([*command, "-f", "rawvideo", "-"], check=True, capture_output=True)
    return np.frombuffer(raw.stdout, np.uint8).reshape(-1, 360, 640).astype(int)


def described(path: Path) -> str:
    return subprocess.run([gateway.ffmpeg(), "-i", path], capture_output=True, text=True).stderr


def drawn(path: Path) -> np.ndarray:
    """Where something was drawn: brighter than the grey by more than coding noise."""
    return np.abs(pictures(path) - 126) > 24


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_name_is_drawn_as_written_and_its_sound_stays(proxy: Path, text: str) -> None:
    film = await burnt(proxy, "one", text)
    assert len(pictures(film)) == len(pictures(proxy)) == 20
    per_picture = drawn(film).sum(axis=(1, 2))
    assert per_picture.min() > 300  # in every picture
    assert not drawn(proxy).any()
    assert "Audio: aac" in described(film)


async def test_the_name_wanders_and_differs_between_viewers(proxy: Path) -> None:
    one, other = await burnt(proxy, "one", "甲甲甲甲"), await burnt(proxy, "two", "乙乙")
    assert (drawn(one)[0] != drawn(other)[0]).any()
    first, last = (np.argwhere(picture).mean(axis=0) for picture in drawn(one)[[0, -1]])
    assert np.abs(first - last).max() > 5  # pixels, within two seconds


async def test_the_command_line_never_holds_the_name(
    proxy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    run = Child.run

    async def watch(self: Child, command: list[str], **named: Any) -> object:
        seen.extend(command)
        return await run(self, command, **named)

    monkeypatch.setattr(Child, "run", watch)
    await burnt(proxy, "one", "secret-viewer")
    assert seen and not any("secret-viewer" in word for word in seen)


async def test_what_is_no_film_makes_no_screener(tmp_path: Path) -> None:
    source = tmp_path / "proxy.mp4"
    source.write_bytes(b"no film")

    async def report(_: int) -> None: ...

    target, sandbox = tmp_path / "out" / "film.mp4", await gateway.sandbox("auto")
    target.parent.mkdir()
    assert not await burn(source, target, text="甲", seconds=1, sandbox=sandbox, report=report)
