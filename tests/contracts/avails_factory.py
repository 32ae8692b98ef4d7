"""Avails for tests: samples, offers and documents."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from hypothesis import strategies as st

from contracts.avails.model import Asset, Avail, Bound, Document, Format, Term, Transaction
from contracts.rights import axes, vocabulary

SAMPLES = Path(__file__).parent.parent / "vectors" / "mddf"
ALID = "md:alid:org:uhdx:flower"
_ZONES = sorted(
    available_timezones() & {"Asia/Shanghai", "America/New_York", "Europe/Paris", "UTC"}
)
_TONGUES = ("*", "zh", "en", "zh:dubbed", "zh-Hans:subtitled", "pt-BR", "yue:original", "fr")
_PLACES = ("WRD", "CN", "US-CA", "CN-GD", "FR", "150", "EU", "HK", "CN-TW", "JP", "ASEAN", "142")


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def bound(day: str) -> Bound:
    return Bound(day, date.fromisoformat(day))


def offer(**changes: Any) -> Transaction:
    """An offer for sale in France, whole days, with a price."""
    said: dict[str, Any] = {
        "id": "offer-1",
        "licence_type": "EST",
        "format": Format("UHD"),
        "territories": ("FR",),
        "start": bound("2027-01-01"),
        "end": bound("2028-01-01"),
        "terms": (Term("Tier", "Text", "2"),),
        **changes,
    }
    return Transaction(**said)


def movie(*offers: Transaction, **changes: Any) -> Avail:
    """An avail of one film."""
    said: dict[str, Any] = {
        "alid": ALID,
        "entry_type": "Full Extract",
        "licensor": "Demonstration Organisation",
        "avail_type": "single",
        "assets": (Asset("Movie", "md:cid:org:uhdx:flower", (("TitleInternalAlias", "Flower"),)),),
        "transactions": offers or (offer(),),
        "description": "Flower",
        **changes,
    }
    return Avail(**said)


def document(*avails: Avail) -> Document:
    return Document(avails or (movie(),))


@st.composite
def wires(draw: st.DrawFn) -> dict[str, Any]:
    """Any offer of one right over media that need it, in days of one zone."""
    right = draw(
        st.sampled_from([one.code for one in vocabulary.RIGHTS.values() if one.licensable])
    )
    fits = [leaf.code for leaf in axes.MEDIA.leaves
            if right in vocabulary.MEDIA[leaf.code.partition(".")[0]].rights]  # fmt: skip
    first = draw(st.dates(date(1990, 1, 1), date(2090, 1, 1)))
    places = draw(st.lists(st.sampled_from(_PLACES), min_size=1, max_size=4))
    return {
        "right": right,
        "media": draw(st.lists(st.sampled_from(fits or ["satellite"]), min_size=1, max_size=4)),
        "territories": places,
        "excluded": draw(st.lists(st.sampled_from(_PLACES[1:4]), max_size=2)),
        "languages": draw(st.lists(st.sampled_from(_TONGUES), min_size=1, max_size=4)),
        "first_day": first.isoformat(),
        "last_day": (first + timedelta(days=draw(st.integers(0, 4000)))).isoformat(),
        "tz": draw(st.sampled_from(_ZONES)),
        "exclusivity": draw(st.sampled_from(["exclusive", "sole", "non-exclusive"])),
        "runs_max": draw(st.none() | st.integers(1, 100)),
        "round_no": draw(st.none() | st.integers(1, 9)),
        "sublicence_depth": draw(st.none() | st.integers(0, 5)),
    }
