"""The two languages of the pages: catalogue, choice, and how each writes amounts and times.

English is the text in the templates; the catalogues in `locale/` are read directly, nothing is
compiled. Texts of refusals are kept by their stable code, so that their English may be reworded.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from babel.core import Locale
from babel.dates import format_datetime, format_timedelta
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal

from contracts.money import Money

Code = Literal["zh-CN", "en"]
CODES: tuple[Code, ...] = ("zh-CN", "en")
DEFAULT: Code = "zh-CN"
LOCALE = Path(__file__).parent / "locale"
CATALOGUE = LOCALE / "zh_CN.po"
REFUSALS = LOCALE / "refusals.zh_CN.po"
# Sales of the exchange are announced, closed and settled in the time of its seat.
ZONE = ZoneInfo("Asia/Shanghai")


def mark(text: str) -> str:
    """Return the text unchanged; the word tells the extractor that it needs a translation."""
    return text


@dataclass(frozen=True, slots=True)
class Language:
    """How one language says it."""

    code: Code

    @property
    def locale(self) -> Locale:
        """The locale that forms numbers and dates."""
        return Locale.parse("zh_Hans_CN" if self.code == "zh-CN" else "en_GB")

    def say(self, text: str) -> str:
        """Return the text in this language; English where a translation is missing."""
        return _catalogue().get(text, text) if self.code == "zh-CN" else text

    def say_code(self, key: str, text: str) -> str:
        """Return the text kept under a key such as `bid-too-low.hint`; else the English text."""
        return _catalogue().get(key, text) if self.code == "zh-CN" else text

    def say_count(self, one: str, many: str, count: int) -> str:
        """Return the text for a number of things; Chinese has one form for all."""
        return self.say(one if count == 1 or self.code == "zh-CN" else many)

    def amount(self, minor: int, currency: str) -> str:
        """Write whole minor units as an amount, e.g. `¥1,200,000.00`."""
        return str(
            format_currency(Decimal(Money(minor, currency).decimal()), currency, locale=self.locale)
        )

    def number(self, value: int | float | str | Decimal) -> str:
        """Write a number with the language's separators."""
        return str(format_decimal(Decimal(str(value)), locale=self.locale))

    def moment(self, instant: datetime | str) -> str:
        """Write an instant (aware, or RFC 3339 text) in the time of the exchange's seat."""
        return str(format_datetime(_instant(instant), "medium", tzinfo=ZONE, locale=self.locale))

    def ago(self, instant: datetime, *, now: datetime) -> str:
        """Write how long ago something happened, e.g. `3 hours`."""
        return str(format_timedelta(now - instant, threshold=1.2, locale=self.locale))

    def size(self, count: int) -> str:
        """Write a number of bytes in MiB or GiB."""
        for unit, whole in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
            if count >= whole:
                return f"{self.number(round(Decimal(count) / whole, 1))} {unit}"
        return f"{self.number(count)} B"

    def pick(self, zh: str, en: str) -> str:
        """Return the name that readers of this language look for first."""
        return (zh or en) if self.code == "zh-CN" else (en or zh)


def _instant(value: datetime | str) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromisoformat(value.replace("Z", "+00:00"))


def read_catalogue(path: Path) -> Catalog:
    """Read a .po file."""
    with path.open("rb") as file:
        return read_po(file)


@cache
def _catalogue() -> dict[str, str]:
    texts: dict[str, str] = {}
    for path in (CATALOGUE, REFUSALS):
        for message in read_catalogue(path):
            ids = message.id if isinstance(message.id, (list, tuple)) else (message.id,)
            strings = (
                message.string if isinstance(message.string, (list, tuple)) else (message.string,)
            )
            texts.update({each: strings[0] for each in ids if each and strings[0]})
    return texts


def choose(asked: str | None, kept: str | None, accepted: str) -> Language:
    """Choose by what the address asks, else the kept choice, else the browser's list.

    Args:
        asked: the value of `?lang=`.
        kept: the value of the language cookie.
        accepted: the Accept-Language header.
    """
    for wish in (asked, kept):
        for code in CODES:
            if wish == code:
                return Language(code)
    parts = sorted(accepted.split(","), key=_quality, reverse=True)
    for tag in (part.partition(";")[0].strip().lower() for part in parts):
        if tag.startswith(("zh", "en")):
            return Language("zh-CN" if tag.startswith("zh") else "en")
    return Language(DEFAULT)


def _quality(part: str) -> float:
    _, _, weight = part.partition("q=")
    try:
        return float(weight) if weight else 1.0
    except ValueError:
        return 0.0
