"""The zone that a territory's days are read in when a file does not say one.

Source: `zone.tab` of the IANA time zone database, as the package tzdata ships it.
Differs from the source: a territory with several zones is read in the one listed first, as stores
read a day in "the first time zone of the territory"; groups and the whole world are read in UTC.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files


def zone_of(territory: str) -> str:
    """Return the IANA zone of a country or of the country of a subdivision; UTC for a group."""
    return _zones().get(territory[:2], "UTC")


@cache
def _zones() -> Mapping[str, str]:
    found: dict[str, str] = {}
    text = (files("tzdata") / "zoneinfo" / "zone.tab").read_text("utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            country, _, zone, *_ = line.split("\t")
            found.setdefault(country, zone)
    return found
