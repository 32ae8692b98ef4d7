"""Curves of a report as SVG: loudness, luminance and gamut over time (pure).

One drawing serves the page and the PDF: no style attributes (the pages' policy forbids them), text
and grid in the colour of what surrounds them, a title and a description for those who do not see.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

WIDTH, HEIGHT = 720, 230
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 26, 30
MOST_POINTS = 700  # a point for each pixel; what is between is told by its extremes
TICKS = 8
COLOURS = ("#0d5c63", "#c77f1a", "#8a3ffc")
Y_OF_LOWEST = HEIGHT - BOTTOM


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through (milliseconds, value); None breaks it."""

    name: str
    points: Sequence[tuple[int, float | None]]


@dataclass(frozen=True, slots=True)
class Axis:
    """The vertical axis: its ends, marked values with their labels, and whether it is by tens."""

    low: float
    high: float
    marks: Sequence[tuple[float, str]]
    by_tens: bool = False

    def share(self, value: float) -> float:
        """Return how far up a value lies, 0 to 1."""
        scale: Callable[[float], float] = math.log10 if self.by_tens else float
        low, high = scale(self.low), scale(self.high)
        inside = min(max(value, self.low), self.high)
        return (scale(inside) - low) / (high - low)


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of the vertical axis that is wanted."""

    low: float
    high: float


def loudness(
    measures: Mapping[str, Any], *, duration_ms: int, title: str, wanted: Band | None = None
) -> str | None:
    """Return the short-term loudness of each track over time, LUFS; None when none was measured."""
    tracks = [track for track in measures.get("sound") or () if track.get("short_term_lu100")]
    curves = [
        Curve(
            f"{track['track']}",
            [
                (1000 * second, None if value is None else value / 100)
                for second, value in enumerate(track["short_term_lu100"])
            ],
        )
        for track in tracks[: len(COLOURS)]
    ]
    axis = Axis(-60, 0, [(mark, f"{mark}") for mark in (-60, -48, -36, -24, -12, 0)])
    return _chart(curves, axis, duration_ms, title=title, unit="LUFS", band=wanted)


def luminance(measures: Mapping[str, Any], *, duration_ms: int, title: str) -> str | None:
    """Return peak and mean luminance over time, cd/m² by tens; None when it was not measured."""
    curves = _curves(measures, (("peak", "peak_cd100"), ("mean", "mean_cd100")), 100)
    marks = [(10.0**power, f"{10.0**power:g}") for power in range(-1, 5)]
    return _chart(
        curves, Axis(0.1, 10_000, marks, by_tens=True), duration_ms, title=title, unit="cd/m²"
    )


def gamut(measures: Mapping[str, Any], *, duration_ms: int, title: str) -> str | None:
    """Return the share of the picture outside BT.709 over time, %; None when not measured."""
    curves = _curves(measures, (("outside BT.709", "wide_bp"),), 100)
    axis = Axis(0, 100, [(mark, f"{mark}") for mark in (0, 25, 50, 75, 100)])
    return _chart(curves, axis, duration_ms, title=title, unit="%")


def _curves(
    measures: Mapping[str, Any], wanted: Sequence[tuple[str, str]], divisor: int
) -> list[Curve]:
    pictures = measures.get("pictures") or ()
    found = []
    for name, key in wanted:
        points = [
            (
                int(each["at_ms"]),
                None if each.get(key) is None else each[key] / divisor,
            )
            for each in pictures
        ]
        if any(value is not None for _, value in points):
            found.append(Curve(name, points))
    return found


def _chart(
    curves: Sequence[Curve],
    axis: Axis,
    duration_ms: int,
    *,
    title: str,
    unit: str,
    band: Band | None = None,
) -> str | None:
    if not curves:
        return None
    length = max(duration_ms, *(point[0] for curve in curves for point in curve.points), 1)
    told = "; ".join(_said(curve, unit) for curve in curves)
    parts = [
        f'<svg class="plot" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label={quoteattr(f"{title}: {told}")} font-family="sans-serif" '
        'font-size="11">',
        f"<title>{escape(title)}</title><desc>{escape(told)}</desc>",
        *([_band(band, axis)] if band else []),
        *_grid(axis, unit),
        *_times(length),
    ]
    for number, curve in enumerate(curves):
        parts += _line(curve, axis, length, COLOURS[number % len(COLOURS)])
    if len(curves) > 1:
        parts += [_key(number, curve.name) for number, curve in enumerate(curves)]
    return "".join([*parts, "</svg>"])


def _said(curve: Curve, unit: str) -> str:
    values = [value for _, value in curve.points if value is not None]
    if not values:
        return f"{curve.name} –"
    return f"{curve.name} {min(values):g} … {max(values):g} {unit}"


def _grid(axis: Axis, unit: str) -> list[str]:
    lines = []
    for value, label in axis.marks:
        y = _y(axis, value)
        lines.append(
            f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="currentColor" stroke-opacity="0.18"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:g}" text-anchor="end" fill="currentColor">{label}'
            "</text>"
        )
    return [*lines, f'<text x="4" y="11" fill="currentColor">{escape(unit)}</text>']


def _times(length_ms: int) -> list[str]:
    step = _step(length_ms)
    ticks = []
    for at in range(0, length_ms + 1, step):
        x = _x(at, length_ms)
        ticks.append(
            f'<text x="{x}" y="{HEIGHT - 10}" text-anchor="middle" fill="currentColor">'
            f"{clock(at)}</text>"
        )
    return ticks


def _step(length_ms: int) -> int:
    """Return a round distance between marks, so that there are eight at most."""
    for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600):
        if length_ms <= seconds * 1000 * TICKS:
            return seconds * 1000
    return 3_600_000 * math.ceil(length_ms / (3_600_000 * TICKS))


def clock(at_ms: int) -> str:
    """Write an instant of a film: minutes and seconds, hours where there are any."""
    minutes, seconds = divmod(at_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _band(band: Band, axis: Axis) -> str:
    top, bottom = _y(axis, band.high), _y(axis, band.low)
    return (
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" '
        f'height="{max(bottom - top, 1):g}" fill="#2e8b57" fill-opacity="0.18"/>'
    )


def _line(curve: Curve, axis: Axis, length_ms: int, colour: str) -> list[str]:
    drawn: list[str] = []
    for stretch in _stretches(curve.points):
        places = [(_x(at, length_ms), _y(axis, value)) for at, value in _thinned(stretch)]
        if len(places) == 1:
            x, y = places[0]
            drawn.append(f'<circle cx="{x}" cy="{y}" r="2" fill="{colour}"/>')
        else:
            path = "L".join(f"{x} {y}" for x, y in places)
            drawn.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    return drawn


def _stretches(points: Sequence[tuple[int, float | None]]) -> list[list[tuple[int, float]]]:
    """Cut a curve where values are missing."""
    found: list[list[tuple[int, float]]] = [[]]
    for at, value in points:
        if value is None:
            found.append([])
        else:
            found[-1].append((at, value))
    return [stretch for stretch in found if stretch]


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Keep the lowest and the highest of each group where there are more points than pixels."""
    size = math.ceil(len(points) / MOST_POINTS) * 2
    if size <= 2:
        return list(points)
    kept = []
    for start in range(0, len(points), size):
        group = points[start : start + size]
        ends = {min(group, key=lambda point: point[1]), max(group, key=lambda point: point[1])}
        kept += sorted(ends)
    return kept


def _key(number: int, name: str) -> str:
    x = LEFT + 90 * number + 8
    return (
        f'<rect x="{x}" y="6" width="14" height="3" fill="{COLOURS[number]}"/>'
        f'<text x="{x + 19}" y="11" fill="currentColor">{escape(name)}</text>'
    )


def _x(at_ms: int, length_ms: int) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * at_ms / length_ms, 1)


def _y(axis: Axis, value: float) -> float:
    return round(Y_OF_LOWEST - (Y_OF_LOWEST - TOP) * axis.share(value), 1)
