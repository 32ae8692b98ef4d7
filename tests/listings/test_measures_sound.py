"""Sound tracks through the real filters, and readers that garbage does not trouble."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listings.masters import gateway
from listings.masters.measures import full, sound

STEREO = "aevalsrc='{}':s=48000:c=stereo:d={}"


def heard(folder, source, *, channels=2):
    """Run the real filters on a source of ffmpeg's and read what they wrote."""
    graph = sound.filters(channels, files=str(folder / "track"))
    command = [gateway.ffmpeg(), "-v", "error", "-nostdin", "-f", "lavfi", "-i", source]
    subprocess.run([*command, "-af", graph, "-f", "null", "-"], check=True)
    files = [folder / f"track-{name}" for name in sound.FILES]
    lines = [line for file in files if file.exists() for line in file.read_text().splitlines()]
    return sound.read(lines, track=1, channels=channels)


def test_a_sine_of_an_eighth_has_the_loudness_and_the_peak_that_are_known(tmp_path):
    found = heard(tmp_path, "sine=1000:r=48000:d=5", channels=1)
    assert found["integrated_lu100"] == -2107
    assert found["true_peak_db100"] == -1806
    assert found["range_lu100"] == 0
    assert (found["track"], found["channels"], found["antiphase_bp"]) == (1, 1, None)


def test_the_curve_begins_when_three_seconds_are_heard(tmp_path):
    curve = heard(tmp_path, "sine=1000:r=48000:d=5", channels=1)["short_term_lu100"]
    assert curve == [None, None, -2107, -2107, -2107]


def test_silence_lasts_to_the_end_of_the_track(tmp_path):
    tone = "0.1*sin(2*PI*440*t)*lt(t\\,2)"
    found = heard(tmp_path, STEREO.format(f"{tone}|{tone}", 5))
    [[start, end]] = found["silence_ms"]
    assert start == pytest.approx(2000, abs=30)
    assert end == pytest.approx(5000, abs=100)


def test_a_silent_track_is_as_quiet_as_can_be_told(tmp_path):
    found = heard(tmp_path, "anullsrc=r=48000:cl=stereo,atrim=duration=3")
    assert found["integrated_lu100"] == -7000
    assert found["true_peak_db100"] == -6000
    assert (found["antiphase_bp"], found["mono_bp"], found["clipped_samples"]) == (0, 0, 0)


def test_opposed_channels_and_equal_ones_are_told_apart(tmp_path):
    tone = "0.1*sin(2*PI*440*t)"
    opposed = heard(tmp_path, STEREO.format(f"{tone}|-{tone}", 2))
    equal = heard(tmp_path, STEREO.format(f"{tone}|{tone}", 2))
    assert (opposed["antiphase_bp"], opposed["mono_bp"]) == (10_000, 0)
    assert (equal["antiphase_bp"], equal["mono_bp"]) == (0, 10_000)


def test_flat_tops_at_full_scale_are_clipped_and_a_full_sine_is_not(tmp_path):
    flat = heard(tmp_path, STEREO.format("clip(1.5*sin(2*PI*440*t)\\,-1\\,1)|0", 1))
    whole = heard(tmp_path, STEREO.format("0.9999*sin(2*PI*440*t)|0", 1))
    assert flat["clipped_samples"] > 10_000
    assert flat["flat_x100"] > 2_000
    assert (whole["clipped_samples"], whole["flat_x100"]) == (0, 0)


def test_six_channels_are_heard_together_and_the_first_two_give_the_phase(tmp_path):
    tone = "0.1*sin(2*PI*440*t)"
    source = f"aevalsrc='{tone}|-{tone}|0|0|0|0':s=48000:c=5.1:d=1"
    found = heard(tmp_path, source, channels=6)
    assert found["antiphase_bp"] == 10_000
    assert found["integrated_lu100"] == pytest.approx(-2069, abs=2)


def test_a_track_without_a_line_was_not_measured():
    found = sound.read([], track=0, channels=2)
    measured = {name for name, value in found.items() if value is not None}
    assert measured == {"track", "channels", "short_term_lu100"}
    assert found["short_term_lu100"] == []


KEYS = [
    "frame:", "pts_time:", "lavfi.r128.I", "lavfi.r128.S", "lavfi.r128.LRA",
    "lavfi.r128.true_peak", "lavfi.silence_start", "lavfi.silence_end", "lavfi.aphasemeter.phase",
    "lavfi.astats.Overall.RMS_level", "lavfi.astats.1.Peak_level", "lavfi.astats.1.Peak_count",
    "lavfi.astats.1.Flat_factor", "lavfi.idet.multiple.current_frame", "lavfi.black_start",
    "lavfi.black_end", "lavfi.freezedetect.freeze_start", "lavfi.freezedetect.freeze_end",
    "lavfi.signalstats.YMIN", "lavfi.signalstats.YMAX", "lavfi.block", "lavfi.blur",
    "lavfi.siti.si", "lavfi.",
]  # fmt: skip
values = st.one_of(
    st.floats().map(str), st.integers().map(str), st.sampled_from(["nan", "-inf", "tff", ""]),
    st.text(max_size=5),
)  # fmt: skip
lines = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.tuples(st.sampled_from(KEYS), values).map("=".join),
        values.map("frame:1 pts:1 pts_time:{}".format),
    ),
    max_size=30,
)


@given(lines)
def test_no_line_troubles_the_reader_of_sound(garbage):
    found = sound.read(garbage, track=0, channels=2)
    for share in ("antiphase_bp", "mono_bp"):
        assert found[share] is None or 0 <= found[share] <= 10_000
    assert all(start < end for start, end in found["silence_ms"] or [])
    assert len(found["short_term_lu100"]) < 10**6


@given(lines)
def test_no_line_troubles_the_reader_of_frames(garbage):
    found = full.read(garbage)
    assert full.interlaced_bp(found) in (None, *range(10_001))
    assert all(start < end for start, end in full.black_ms(found) + full.freeze_ms(found))
    assert all(isinstance(value, int | None) for value in full.summary(found).values())


@given(lines, lines)
def test_frames_of_two_pieces_are_the_same_in_either_order(some, others):
    one, other = full.read(some), full.read(others)
    assert full.joined(one, other) == full.joined(other, one)
    assert full.joined(one, full.Frames()) == one


def test_a_freeze_across_a_border_is_one_freeze():
    begun = ["frame:0 pts:0 pts_time:8.96", "frame:1 pts:0 pts_time:9.00"]
    begun.insert(1, "lavfi.freezedetect.freeze_start=8")
    ended = ["frame:0 pts:0 pts_time:9.04", "lavfi.freezedetect.freeze_start=9.04"]
    ended += ["frame:9 pts:0 pts_time:10.5", "lavfi.freezedetect.freeze_end=10.5"]
    both = full.joined(full.read(begun), full.read(ended))
    assert both.freeze == ((8000, 9040), (9040, 10_500))
    assert full.freeze_ms(both) == [[8000, 10_500]]
