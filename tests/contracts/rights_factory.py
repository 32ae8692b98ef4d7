"""Rights for tests: as they come over the wire."""

from typing import Any


def wire(**changes: Any) -> dict[str, Any]:
    """Return an offer: exclusive, by satellite, in Mainland China, two years, three runs."""
    return {
        "right": "broadcasting",
        "media": ["satellite"],
        "territories": ["CN"],
        "excluded": ["HK", "MO", "TW"],
        "languages": ["zh"],
        "first_day": "2027-01-01",
        "last_day": "2028-12-31",
        "tz": "Asia/Shanghai",
        "exclusivity": "exclusive",
        "runs_max": 3,
        **changes,
    }
