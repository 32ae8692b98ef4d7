"""Encumbrances for tests: as they come over the wire."""

from typing import Any

SHA256 = "ab" * 32


def terms(**changes: Any) -> dict[str, Any]:
    """What a holdback says: no satellite broadcast in Mainland China during 2027.

    A change to None leaves the key out.
    """
    said = {
        "right": "broadcasting",
        "media": ["satellite"],
        "territories": ["CN"],
        "languages": ["zh"],
        "first_day": "2027-01-01",
        "last_day": "2027-12-31",
        "tz": "Asia/Shanghai",
        **changes,
    }
    return {key: value for key, value in said.items() if value is not None}


def undated(**changes: Any) -> dict[str, Any]:
    """The same from a theatrical release, which has no day yet, until six months later."""
    start, end = {"event": "theatrical-release"}, {"event": "theatrical-release", "lag": "P6M"}
    return terms(first_day=None, last_day=None, start=start, end=end, **changes)
