"""Hands what is decoded to the measures, a few pictures at a time, and keeps what they say."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from listings.examinations import flowing
from listings.examinations.commands import Film, Tier
from listings.examinations.spans import Span
from listings.masters.fingerprint import HEIGHT, LUMA_RATE, WIDTH
from listings.masters.measures import collect, samples, sound
from listings.masters.measures.collect import Part
from listings.masters.measures.samples import Luma, Patches, Samples, Strobe

BATCH = 8  # samples measured at once: 25 MB of a 4K film
BATCH_PATCHES = 4
MOST_LINES_BYTES = 256 * 1024**2  # of what filters wrote; a frame takes about two kilobytes

NOTHING = Luma(np.zeros((0, HEIGHT, WIDTH), np.uint8))


@dataclass
class Measuring:
    """The measures of one piece while it is decoded."""

    folder: Path
    film: Film
    span: Span
    parts: list[Part] = field(default_factory=list)

    async def follow(self, stack: AsyncExitStack) -> None:
        """Open the pipes that the decoder writes samples and patches into."""
        if self.span.picture:
            wide = 1 if self.film.coding.depth == 8 else 2
            for name, shape, batch, take in (
                ("samples", self.film.sample, BATCH, self._sampled),
                ("patches", self.film.patch, BATCH_PATCHES, self._patched),
            ):
                size = int(np.prod(shape)) * wide
                place = self.folder / name
                await stack.enter_async_context(flowing.flowing(place, size, batch, take))

    def part(self, *, frames: int, errors: int) -> Part:
        """Return the measures of the piece, once it is decoded."""
        if not self.span.picture:
            return collect.merged([])
        first, _ = self.span.slots(LUMA_RATE)
        lines = _lines(self.folder / "frames")
        whole = collect.part_of(
            frames=frames,
            decode_errors=errors,
            luma=Luma(pictures(self.folder / "luma", HEIGHT, WIDTH), first),
            strobe=self._strobe(),
            every_frame=lines,
        )
        return collect.merged([*self.parts, whole])

    def sounds(self) -> list[dict[str, Any]]:
        """Return the measures of every sound track, once it is decoded."""
        found = []
        for track, channels in self.film.channels.items() if self.span.sound else ():
            files = [self.folder / f"sound-{track}-{name}" for name in sound.FILES]
            lines = [line for file in files for line in _lines(file)]
            found.append(sound.read(lines, track=track, channels=channels))
        return found

    def _sampled(self, raw: bytes, at_ms: tuple[int, ...]) -> None:
        coding = self.film.coding
        planes = samples.words(raw, coding.depth, *self.film.sample)
        self._add(samples=Samples(planes, at_ms, coding))

    def _patched(self, raw: bytes, at_ms: tuple[int, ...]) -> None:
        coding = self.film.coding
        luma = samples.words(raw, coding.depth, *self.film.patch)
        self._add(patches=Patches(luma, at_ms, coding))

    def _add(self, **material: Any) -> None:
        self.parts.append(collect.part_of(frames=0, decode_errors=0, luma=NOTHING, **material))

    def _strobe(self) -> Strobe | None:
        rate, place = self.film.rate, self.folder / "strobe"
        if rate is None or not place.is_file():
            return None
        planes = pictures(place, 3, *samples.STROBE_SHAPE)
        first = 0
        if self.span.start is not None:
            first = round((self.span.start - (self.span.zero or Fraction(0))) * rate)
        return Strobe(planes, first, (rate.numerator, rate.denominator), self.film.coding)


def measures(parts: Sequence[Part], *, tier: Tier, sounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the measures of a film from those of its pieces."""
    return collect.measures(collect.merged(parts), tier=tier, sound=sounds)


def pictures(path: Path, *shape: int) -> npt.NDArray[np.uint8]:
    """Return the whole pictures of a file of bytes as a memory map; none when there is no file."""
    size = int(np.prod(shape))
    count = path.stat().st_size // size if path.is_file() and not path.is_symlink() else 0
    if not count:
        return np.zeros((0, *shape), np.uint8)
    return np.memmap(path, np.uint8, "r", shape=(count, *shape))


def _lines(path: Path) -> list[str]:
    if not path.is_file() or path.is_symlink() or path.stat().st_size > MOST_LINES_BYTES:
        return []
    return path.read_text("utf-8", "replace").splitlines()
