"""The curves of a report: well-formed, inside their frame, nothing that a page's policy forbids."""

import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from listings.masters.conformance import plots

SVG = "{http://www.w3.org/2000/svg}"
levels = st.none() | st.integers(-20_000, 1_000)


def sound(*curves: list[int | None]) -> dict[str, Any]:
    tracks = [{"track": at, "short_term_lu100": curve} for at, curve in enumerate(curves)]
    return {"sound": tracks}


def numbers(svg: str) -> list[tuple[float, float]]:
    """Every place that a line of the drawing visits."""
    root = etree.fromstring(svg.encode())
    lines = [path.get("d") for path in root.iter(f"{SVG}path") if path.get("fill") == "none"]
    text = " ".join(lines).replace("M", " ").replace("L", " ")
    values = [float(value) for value in text.split()]
    return list(zip(values[::2], values[1::2], strict=True))


@given(st.lists(st.lists(levels, min_size=1, max_size=60), min_size=1, max_size=3))
def test_a_drawing_is_well_formed_stays_inside_and_has_no_style(
    curves: list[list[int | None]],
) -> None:
    svg = plots.loudness(sound(*curves), duration_ms=60_000, title='a <b> "c" & d')
    assert svg is not None
    root = etree.fromstring(svg.encode())
    assert root.find(f"{SVG}title").text == 'a <b> "c" & d'
    assert "style" not in svg and "script" not in svg and "href" not in svg
    for x, y in numbers(svg):
        assert plots.LEFT <= x <= plots.WIDTH - plots.RIGHT
        assert plots.TOP <= y <= plots.Y_OF_LOWEST


def test_what_was_not_measured_is_not_drawn() -> None:
    asked = {"duration_ms": 1000, "title": "t"}
    for nothing in ({}, {"sound": [], "pictures": []}, {"pictures": [{"at_ms": 0}]}):
        assert plots.loudness(nothing, **asked) is None
        assert plots.luminance(nothing, **asked) is None
        assert plots.gamut(nothing, **asked) is None


@given(st.integers(1, 4000), st.randoms(use_true_random=False))
def test_thinning_keeps_the_loudest_and_the_softest(length: int, draw: random.Random) -> None:
    curve = [draw.randint(-5000, 0) for _ in range(length)]
    points = [(at * 1000, value / 100) for at, value in enumerate(curve)]
    kept = plots._thinned(points)
    assert len(kept) <= plots.MOST_POINTS + 2
    assert kept == sorted(kept)
    values = [value for _, value in points]
    assert {min(values), max(values)} <= {value for _, value in kept}


def test_louder_is_higher_and_a_gap_breaks_the_line() -> None:
    svg = plots.loudness(sound([-3000, -1000, None, -2000, -2000]), duration_ms=5000, title="t")
    assert svg is not None
    (first, second), *_ = [numbers(svg)[:2]]
    assert second[1] < first[1]
    assert svg.count('fill="none"') == 2


def test_luminance_is_drawn_by_tens() -> None:
    pictures = [{"at_ms": 0, "peak_cd100": 1_000, "mean_cd100": 100}] * 2
    pictures.append({"at_ms": 1000, "peak_cd100": 100_000, "mean_cd100": None})
    svg = plots.luminance({"pictures": pictures}, duration_ms=1000, title="Light")
    assert svg is not None
    ys = [y for _, y in numbers(svg)]
    assert ys[0] - ys[2] == pytest.approx(2 * (ys[3] - ys[0]), abs=0.3)  # 10→1000; 1→10
    assert re.search(r"peak 10 … 1000 cd/m²; mean 1 … 1 cd/m²", svg)


@pytest.mark.parametrize(("at_ms", "said"), [(0, "0:00"), (61_999, "1:01"), (3_600_000, "1:00:00")])
def test_instants_are_written_as_on_a_player(at_ms: int, said: str) -> None:
    assert plots.clock(at_ms) == said


def test_a_wanted_band_is_shown() -> None:
    measures = sound([-2400, -2400])
    svg = plots.loudness(measures, duration_ms=2000, title="t", wanted=plots.Band(-26, -22))
    assert svg is not None and "<rect" in svg
