"""A master that passes every check, as values, and one change for each check that fails it."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from listings.masters.conformance import profiles, rules
from listings.masters.conformance.values import Finding, Report, Tier

DAY = date(2026, 11, 22)
DRAMA, MASTER = "DRAMA_MASTER_GYT357_2021", "CN4K_MASTER_2023"
SECONDS = 20
READ_TWICE = ("primaries", "transfer", "matrix", "range", "start_timecode")

RECORD: Mapping[str, Any] = {
    "container": "mxf", "container_profile": "OP-1a", "container_settings": "Closed / Complete",
    "operational_pattern": "060e2b34.04010101.0d010201.01010900",
    "duration": "20/1", "duration_ms": SECONDS * 1000, "bytes": 1_260_000_000,
    "video": {
        "codec": "h264", "profile": "High 4:2:2 Intra", "codec_class": "AVC-Intra 300",
        "width": 3840, "height": 2160, "sar": {"num": 1, "den": 1}, "dar": {"num": 16, "den": 9},
        "rate": {"num": 50, "den": 1}, "real_rate": {"num": 50, "den": 1}, "constant_rate": True,
        "scan": "progressive", "bit_depth": 10, "sampling": "4:2:2", "bitrate_bps": 504_000_000,
        "primaries": "bt2020", "transfer": "smpte2084", "matrix": "bt2020nc", "range": "tv",
        "stream_tags": {"primaries": "bt2020", "transfer": "smpte2084", "matrix": None,
                        "range": "tv"},
        "container_tags": {"primaries": "bt2020", "transfer": "smpte2084", "matrix": "bt2020nc",
                           "range": None},
        "hdr": "PQ", "mastering": {"max_luminance_cd10000": 10_000_000,
                                   "min_luminance_cd10000": 50},
        "max_cll": 1000, "max_fall": 400, "hdr_vivid": True, "dolby_vision": False,
        "hdr10_plus": False, "intra_only": True, "gop_frames": 1, "frames": SECONDS * 50,
        "start_timecode": "10:00:00:00", "timecode_ok": True, "decodable": True,
    },
    "audio": [
        {"codec": "pcm_s24le", "channels": 2, "layout": "stereo", "sample_rate": 48000, "bits": 24,
         "duration_ms": SECONDS * 1000, "start_ms": 0, "object_audio": True, "language": "zho"}
    ],
    "readers": {f"video.{name}": {"av": "x", "mediainfo": "x"} for name in READ_TWICE},
    "disagree": [],
}  # fmt: skip

PICTURE = {
    "y_least": 64, "y_most": 900, "r103_bp": 10, "illegal_bp": 0, "wide_bp": 300, "bright_bp": 200,
    "contrast": 20_000, "peak_cd100": 80_000, "mean_cd100": 4_000, "low_bits_bp": 7_000,
}  # fmt: skip
MEASURES: Mapping[str, Any] = {
    "tier": "full", "frames": SECONDS * 50, "decode_errors": 0,
    "black_ms": [[0, 1000]], "freeze_ms": [], "interlaced_bp": 0,
    "pictures": [{"at_ms": at * 1000, **PICTURE} for at in range(SECONDS)],
    "patches": [
        {"at_ms": at * 5000, "detail_bp": 300, "block_x100": 100, "blur_x100": 300,
         "si_x100": 4000}
        for at in range(SECONDS // 5)
    ],
    "ti_x100": 800, "flash_ms": [], "red_flash_ms": [],
    "active": {"left_bp": 0, "right_bp": 0, "top_bp": 0, "bottom_bp": 0},
    "wide_pictures_bp": 10_000, "hdr_pictures_bp": 10_000, "upscaled_bp": 0, "real_bits": 10,
    "sound": [
        {"track": 0, "channels": 2, "integrated_lu100": -2390, "range_lu100": 600,
         "true_peak_db100": -310, "short_term_lu100": [-2400] * SECONDS, "silence_ms": [],
         "antiphase_bp": 0, "mono_bp": 900, "clipped_samples": 0, "flat_x100": 0}
    ],
}  # fmt: skip
DECLARED: Mapping[str, Any] = {
    "drama": True, "feature_ms": 2_700_000, "head_ms": 80_000, "tail_ms": 170_000,
    "permit_card_ms": 3_000, "title_card_ms": 3_000, "production_permit_ms": 2_000,
    "repeat_ms": 0, "recap_ms": 30_000, "preview_ms": 30_000, "copyright_statement": True,
    "exclusivity_statement": True, "clean_feed": True, "textless": True, "music_and_effects": True,
    "subtitle_files": True, "subtitle_safe": True, "burnt_in_logo": False,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What is changed of the good master, by dotted path, and what the check then comes to."""

    profile: str = MASTER
    record: Mapping[str, Any] = field(default_factory=dict)
    measures: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, Any] = field(default_factory=dict)
    result: str = "FAIL"
    where: list[list[int]] | None = None


MOV = {"container": "mov,mp4,m4a,3gp,3g2,mj2", "container_profile": "QuickTime"}
# What passes other than by the good master itself.
PASSES: Mapping[str, Case] = {"F03": Case(profile=DRAMA, record=MOV)}
FAILS: Mapping[str, Case] = {
    "F01": Case(record={"container_profile": "OP-1b",
                        "operational_pattern": "060e2b34.04010101.0d010201.01020900"}),
    "F02": Case(record={"container_settings": "Open / Incomplete"}),
    "F03": Case(profile=DRAMA, record={"container": "mov,mp4,m4a,3gp,3g2,mj2",
                                       "container_profile": "Base Media"}),
    "F04": Case(measures={"decode_errors": 1}),
    "F05": Case(record={"audio.0.duration_ms": 19_900}),
    "F06": Case(record={"video.start_timecode": None}),
    "V01": Case(record={"video.width": 1920, "video.height": 1080}),
    "V02": Case(record={"video.sar": {"num": 4, "den": 3}}),
    "V03": Case(record={"video.rate": {"num": 25, "den": 1},
                        "video.real_rate": {"num": 25, "den": 1}}),
    "V04": Case(measures={"interlaced_bp": 101}),
    "V05": Case(record={"video.constant_rate": False}),
    "V06": Case(record={"video.bit_depth": 8}),
    "V07": Case(measures={"real_bits": 8}),
    "V08": Case(record={"video.sampling": "4:2:0"}),
    "V09": Case(record={"video.primaries": "bt709"}),
    "V10": Case(record={"video.transfer": "bt709"}),
    "V11": Case(record={"video.matrix": None}),
    "V12": Case(record={"video.range": "pc"}),
    "V13": Case(record={"video.container_tags.transfer": "arib-std-b67"}),
    "V14": Case(record={"video.max_cll": 1001}),
    "V15": Case(record={"video.hdr_vivid": False}, result="WARN"),
    "V16": Case(record={"video.bitrate_bps": 470_000_000}),
    "V17": Case(record={"video.intra_only": False, "video.gop_frames": 25}),
    "L01": Case(measures={"black_ms": [[6000, 8000]]}, where=[[6000, 8000]]),
    "L02": Case(measures={"freeze_ms": [[1000, 7500]]}, where=[[2000, 7500]]),
    "L03": Case(measures={"pictures.7.r103_bp": 101, "pictures.8.r103_bp": 500},
                where=[[7000, 9000]]),
    "L04": Case(measures={"pictures.0.illegal_bp": 1}, where=[[0, 1000]]),
    "L05": Case(measures={"wide_pictures_bp": 0}, result="WARN"),
    "L06": Case(measures={"hdr_pictures_bp": 0}, result="WARN"),
    "L07": Case(measures={"upscaled_bp": 5001}, result="WARN"),
    "L08": Case(measures={"active.top_bp": 1200, "active.bottom_bp": 1200},
                declared={"active_ratio_x100": 178}),
    "L09": Case(measures={"patches.2.block_x100": 900}, result="WARN", where=[[10_000, 15_000]]),
    "L10": Case(measures={"flash_ms": [[4000, 5200, 5]]}, result="WARN", where=[[4000, 5200]]),
    "L11": Case(declared={"burnt_in_logo": True}),
    "A01": Case(record={"audio.0.bits": 16}),
    "A02": Case(record={"audio.0.channels": 3}),
    "A03": Case(measures={"sound.0.integrated_lu100": -2601}),
    "A04": Case(measures={"sound.0.true_peak_db100": -199}),
    "A05": Case(measures={"sound.0.silence_ms": [[8000, 10_000]]}, where=[[8000, 10_000]]),
    "A06": Case(measures={"sound.0.antiphase_bp": 5000}),
    "A07": Case(measures={"sound.0.clipped_samples": 12}),
    "A08": Case(record={"audio.0.object_audio": False}, result="WARN"),
    "C01": Case(declared={"head_ms": 90_001}),
    "C02": Case(declared={"exclusivity_statement": False}),
    "C03": Case(declared={"textless": False}),
}  # fmt: skip


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy with the value at each dotted path replaced."""
    copy = deepcopy(dict(values))
    for path, value in changes.items():
        *way, last = path.split(".")
        at: Any = copy
        for step in way:
            at = at[int(step)] if isinstance(at, list) else at[step]
        if isinstance(at, list):
            at[int(last)] = value
        else:
            at[last] = value
    return copy


def judged(case: Case | None = None, *, tier: Tier = Tier.FULL) -> Report:
    """Judge the good master with the changes of a case."""
    case = case or Case()
    return rules.judge(
        profiles.get(case.profile, DAY),
        changed(RECORD, case.record),
        changed(MEASURES, case.measures),
        changed(DECLARED, case.declared),
        tier=tier,
    )


def finding(report: Report, check: str) -> Finding:
    """Return what a report says of a check."""
    return next(each for each in report.findings if each.requirement.check.id == check)
