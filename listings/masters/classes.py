"""The class of a production codec, as contracts and delivery sheets name it (pure)."""

from collections.abc import Mapping
from typing import Any

PRORES = {
    "apco": "422 Proxy", "apcs": "422 LT", "apcn": "422", "apch": "422 HQ", "ap4h": "4444",
    "ap4x": "4444 XQ",
}  # fmt: skip
PRORES_PROFILES = {"Proxy": "apco", "LT": "apcs", "Standard": "apcn", "HQ": "apch",
                   "4444": "ap4h", "XQ": "ap4x"}  # fmt: skip
# Bits of a frame of each class, as x264 writes them for recorders; 1080 has one size for the family
# of 25 and one for that of 30 frames a second.
INTRA = {
    1080: {
        2_248_704: 50, 1_863_680: 50, 4_550_656: 100, 3_780_608: 100, 9_154_560: 200,
        7_622_656: 200,
    },
    2160: {10_080_256: 300, 16_076_800: 480},
}  # fmt: skip
NEAR_BP = 500


def codec_class(video: Mapping[str, Any], commercial: str | None) -> str | None:
    """Return the class, or None where the codec has none or nothing tells it.

    Args:
        video: the merged picture track of a technical record.
        commercial: the trade name that MediaInfo knows, if any.
    """
    if commercial and commercial.startswith(("XAVC", "AVC-Intra", "HDCAM", "XDCAM")):
        return commercial
    codec, profile = video.get("codec"), video.get("profile") or ""
    if codec == "prores":
        kind = PRORES.get(str(video.get("codec_tag"))) or _prores(profile)
        return f"ProRes {kind}" if kind else "ProRes"
    if codec == "dnxhd":
        name = profile.upper().replace("DNXHR", "").strip()
        return f"DNxHR {name}" if "DNXHR" in profile.upper() and name else "DNxHD"
    if codec == "jpeg2000":
        return "JPEG 2000"
    return _avc_intra(video) if codec == "h264" else None


def _prores(profile: str) -> str | None:
    if profile in PRORES.values():
        return profile
    return PRORES.get(PRORES_PROFILES.get(profile, ""))


def _avc_intra(video: Mapping[str, Any]) -> str | None:
    """Return "AVC-Intra n" for a track of key frames whose frames have the size of a class."""
    rate, bits = video.get("rate"), video.get("bitrate_bps")
    known = INTRA.get(video.get("height") or 0)
    if not (video.get("intra_only") and rate and bits and known):
        return None
    frame = bits * rate["den"] // rate["num"]
    nominal = min(known, key=lambda size: abs(size - frame))
    near = abs(frame - nominal) * 10_000 <= nominal * NEAR_BP
    return f"AVC-Intra {known[nominal]}" if near else None
