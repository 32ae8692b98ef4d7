"""Checks of the sound: A01 to A08 (pure).

Source: GY/T 357-2021 cl. 8; GY/T 365-2023 A.3; GY/T 282-2014 (BS.1770-2, BS.1771); EBU R 128.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from listings.masters.conformance.judging import (
    Form,
    Judge,
    decimal,
    doubt,
    either,
    idle,
    inside,
    number,
    percent,
    spans,
    texts,
    unmeasured,
    worst,
)
from listings.masters.conformance.values import Outcome, Subject, Wanted

SILENT_LU100 = -7000  # the absolute gate of BS.1770: nothing above it was heard
BLOCK_MS = 400  # of BS.1770: what is shorter has no loudness
Track = Mapping[str, Any]


def _format(wanted: Wanted, subject: Subject) -> Outcome:
    """A01: sample rate and, where the profile says so, PCM of enough bits."""
    rates, least = texts(wanted, "rates_hz"), wanted.get("least_bits")
    asked = " / ".join(f"{decimal(int(each), 3)} kHz" for each in rates)
    asked += f", PCM ≥ {least} bit" if least else ""
    if not subject.audio:
        return idle(asked)
    return worst([_coded(asked, rates, least, each) for each in subject.audio])


def _coded(asked: str, rates: Sequence[str], least: Any, track: Track) -> Outcome:
    codec, rate, bits = (track.get(name) for name in ("codec", "sample_rate", "bits"))
    if not codec or not rate:
        return unmeasured(asked)
    pcm = str(codec).lower().startswith("pcm")
    seen = f"{decimal(rate, 3)} kHz, {codec}" + (f" {bits} bit" if bits else "")
    good = str(rate) in rates
    if not least or not good:
        return either(good, asked, seen)
    if not pcm:
        return either(False, asked, seen)
    return either(bits >= least, asked, seen) if bits else unmeasured(asked)


def _layout(wanted: Wanted, subject: Subject) -> Outcome:
    """A02: tracks of 2, 6 … channels, or as many single tracks as make a programme."""
    channels, single = texts(wanted, "channels"), texts(wanted, "mono_tracks")
    asked = " / ".join(channels) + " ch" if channels else "≥ 1"
    if single:
        asked += ", 1 ch × " + " / ".join(single)
    if not subject.audio:
        return either(False, asked, "none")
    found = [track.get("channels") for track in subject.audio]
    seen = " + ".join(_laid(track) for track in subject.audio)
    if not all(found):
        return unmeasured(asked)
    if not channels:
        return either(True, asked, seen)
    alone = all(each == 1 for each in found)
    good = str(len(found)) in single if alone else all(str(each) in channels for each in found)
    return either(good, asked, seen)


def _laid(track: Track) -> str:
    return str(track.get("layout") or f"{track.get('channels')} ch")


def _loudness(wanted: Wanted, subject: Subject) -> Outcome:
    """A03: integrated loudness of each programme; what is silent throughout is A05's concern."""
    aim, room = number(wanted, "target_lu100"), number(wanted, "tolerance_lu100")
    asked = f"{decimal(aim, 2)} ±{decimal(room, 2)} LKFS"

    def decide(track: Track) -> Outcome:
        level = track["integrated_lu100"]
        return either(abs(level - aim) <= room, asked, f"{decimal(level, 2)} LKFS")

    if len(subject.audio) > 1 and all(track.get("channels") == 1 for track in subject.audio):
        return unmeasured(asked, note="mono-tracks")
    if subject.audio and subject.duration_ms < BLOCK_MS:
        return unmeasured(asked)
    return _tracks(subject, asked, ("integrated_lu100",), decide)


def _peak(wanted: Wanted, subject: Subject) -> Outcome:
    """A04."""
    most = number(wanted, "most_db100")
    asked = f"≤ {decimal(most, 2)} dBTP"

    def decide(track: Track) -> Outcome:
        peak = track["true_peak_db100"]
        return either(peak <= most, asked, f"{decimal(peak, 2)} dBTP")

    return _tracks(subject, asked, ("true_peak_db100",), decide)


def _silence(wanted: Wanted, subject: Subject) -> Outcome:
    """A05: silent stretches inside the programme."""
    asked = f"< {decimal(number(wanted, 'least_ms'), 3)} s"

    def decide(track: Track) -> Outcome:
        found = spans(track["silence_ms"]) or []
        places = inside(found, wanted, duration_ms=subject.duration_ms)
        seen = f"{decimal(sum(stop - start for start, stop in places), 3)} s"
        return either(not places, asked, seen, where=places)

    if subject.audio and not subject.duration_ms:
        return unmeasured(asked)
    return _tracks(subject, asked, ("silence_ms",), decide, heard_only=False)


def _phase(wanted: Wanted, subject: Subject) -> Outcome:
    """A06: stereo whose channels cancel (fails) or are one and the same (doubted)."""
    against, same = number(wanted, "most_antiphase_bp"), number(wanted, "most_mono_bp")
    asked = f"∅ ≤ {percent(against)}, M ≤ {percent(same)}"
    if subject.audio and not any(track.get("channels") == 2 for track in subject.audio):
        return idle(asked)

    def decide(track: Track) -> Outcome:
        opposed, mono = track["antiphase_bp"], track["mono_bp"]
        seen = f"∅ {percent(opposed)}, M {percent(mono)}"
        if opposed > against:
            return either(False, asked, seen)
        return doubt(mono <= same, asked, seen, note="dual-mono" if mono > same else None)

    return _tracks(subject, asked, ("antiphase_bp", "mono_bp"), decide, channels=2)


def _clipping(wanted: Wanted, subject: Subject) -> Outcome:
    """A07: samples at full scale, and flat tops."""
    most, flat = number(wanted, "most_clipped"), number(wanted, "most_flat_x100")
    asked = f"≤ {most}, flat ≤ {decimal(flat, 2)}"

    def decide(track: Track) -> Outcome:
        clipped, tops = track["clipped_samples"], track["flat_x100"]
        seen = f"{clipped}, flat {decimal(tops, 2)}"
        return either(clipped <= most and tops <= flat, asked, seen)

    return _tracks(subject, asked, ("clipped_samples", "flat_x100"), decide)


def _objects(_: Wanted, subject: Subject) -> Outcome:
    """A08: presence of sound objects (Audio Vivid, ADM), for information."""
    asked = "Audio Vivid"
    told = [track.get("object_audio") for track in subject.audio]
    if not told:
        return idle(asked)
    if any(told):
        return either(True, asked, "3D")
    return unmeasured(asked) if None in told else doubt(False, asked, "none")


def _tracks(
    subject: Subject,
    asked: str,
    names: Sequence[str],
    decide: Callable[[Track], Outcome],
    *,
    channels: int | None = None,
    heard_only: bool = True,
) -> Outcome:
    """Judge each measured track; a track of the file that was not measured leaves it undecided."""
    if not subject.audio:
        return idle(asked)
    measured = {each.get("track"): each for each in subject.measure("sound") or () if each}
    outcomes = []
    heard = _heard(measured, len(subject.audio)) if heard_only else None
    for at, track in enumerate(subject.audio):
        if channels not in (None, track.get("channels")):
            continue
        found = measured.get(at)
        if found is None or any(found.get(name) is None for name in names):
            outcomes.append(unmeasured(asked))
        elif heard is None or at in heard:
            outcomes.append(decide(found))
    return worst(outcomes) if outcomes else idle(asked)


def _heard(measured: Mapping[Any, Track], count: int) -> set[int] | None:
    """Return the tracks not known to be silent throughout; None when all are, so that all count."""
    level = [measured.get(at, {}).get("integrated_lu100") for at in range(count)]
    return {at for at, lu100 in enumerate(level) if lu100 is None or lu100 > SILENT_LU100} or None


JUDGES: Mapping[str, Judge] = {
    "A01": Judge(
        _format, {"rates_hz": Form.TEXTS, "least_bits": Form.NUMBER}, frozenset({"least_bits"})
    ),
    "A02": Judge(
        _layout,
        {"channels": Form.TEXTS, "mono_tracks": Form.TEXTS},
        frozenset({"channels", "mono_tracks"}),
    ),
    "A03": Judge(_loudness, {"target_lu100": Form.NUMBER, "tolerance_lu100": Form.NUMBER}),
    "A04": Judge(_peak, {"most_db100": Form.NUMBER}),
    "A05": Judge(
        _silence, {"least_ms": Form.NUMBER, "head_ms": Form.NUMBER, "tail_ms": Form.NUMBER}
    ),
    "A06": Judge(_phase, {"most_antiphase_bp": Form.NUMBER, "most_mono_bp": Form.NUMBER}),
    "A07": Judge(_clipping, {"most_clipped": Form.NUMBER, "most_flat_x100": Form.NUMBER}),
    "A08": Judge(_objects, {}),
}
