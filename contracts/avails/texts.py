"""Values of avails as text: days, instants, durations, flags and amounts in one canonical form.

Source: XML Schema Part 2 (dateTime, duration, boolean); ISO 8601; the XLSX templates, where a
duration in hours is a number and a running time is h:mm:ss or mm:ss.
"""

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation

from contracts.avails.model import Bound, end_of

_DAY = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[T ](?P<clock>\d\d:\d\d(?::\d\d)?)(?:\.\d{1,9})?(?P<zone>Z|[+-]\d\d:\d\d)?)?"
)
_DURATION = re.compile(
    r"P(?:(?P<d>\d{1,6})D)?(?:T(?:(?P<h>\d{1,7})H)?(?:(?P<m>\d{1,9})M)?(?:(?P<s>\d{1,9})(?:\.\d+)?S)?)?"
)
_TRUE, _FALSE = ("true", "1", "yes", "y"), ("false", "0", "no", "n")
LONGEST = 10_000  # beyond this many characters no value of a cell or an element is kept
_UNFIT = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 §2.2


def clean(text: str | None) -> str | None:
    """Return the text with its white space joined, or None when nothing is left."""
    fit = _UNFIT.sub(" ", (text or "")[:LONGEST])
    joined = " ".join(fit.split())
    return joined or None


def start(text: str) -> Bound:
    """Return where a window starts: a day alone is its midnight; anything else is a condition."""
    return _bound(text, inclusive=False)


def end(text: str) -> Bound:
    """Return the half-open end of a window: a day alone (or 23:59:59) is the midnight after it."""
    return _bound(text, inclusive=True)


def condition(text: str, lag: str | None) -> Bound:
    """Return a bound that waits for something: Open, ESTStart, Theatrical …"""
    return Bound(text, condition=text, lag=duration(lag))


def day(text: str) -> str:
    """Return a day, or an instant, as ISO text; a midnight of a workbook is its day."""
    return text.removesuffix("T00:00:00")


def duration(text: str | None) -> str | None:
    """Return a duration as PTnHnMnS; years and months stay as written.

    Reads xs:duration, h:mm:ss and mm:ss.
    """
    if text is None:
        return None
    seconds = _seconds(text)
    if seconds is None:
        return text
    hours, rest = divmod(seconds, 3600)
    parts = zip((hours, rest // 60, rest % 60), "HMS", strict=True)
    return "PT" + ("".join(f"{n}{unit}" for n, unit in parts if n) or "0S")


def hours(text: str) -> str | None:
    """Return a duration that a workbook gives in hours; any other form as `duration` reads it."""
    return duration(f"PT{text}H" if re.fullmatch(r"\d{1,7}", text) else text)


def flag(text: str) -> str:
    """Return true or false for what means it; anything else as written."""
    lower = text.lower()
    if lower in _TRUE:
        return "true"
    return "false" if lower in _FALSE else text


def amount(text: str) -> str | None:
    """Return a decimal number without needless zeros, or None when the text is none."""
    try:
        number = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > 18:
        return None
    plain = f"{number:f}"
    return (plain.rstrip("0").rstrip(".") if "." in plain else plain) or "0"


def wall(value: tuple[date, time], *, offset_s: int | None) -> str:
    """Return wall time as xs:dateTime, with its offset when it has one."""
    text = f"{value[0].isoformat()}T{value[1].isoformat('seconds')}"
    if offset_s is None:
        return text
    hour, minute = divmod(abs(offset_s) // 60, 60)
    return text + ("Z" if not offset_s else f"{'-' if offset_s < 0 else '+'}{hour:02}:{minute:02}")


def _bound(text: str, *, inclusive: bool) -> Bound:
    found = _DAY.fullmatch(text)
    try:
        on = date.fromisoformat(found["day"]) if found else None
        clock, carried = _clock(found["clock"]) if found and found["clock"] else (None, 0)
    except ValueError:
        return Bound(text, condition=text)
    if found is None or on is None:
        return Bound(text, condition=text)
    if on == date.max:  # nothing comes after it, and it overflows on the way to UTC
        return Bound(text, condition=text)
    if clock is None:
        clock, carried = time.min, int(inclusive)
    on, clock = on + timedelta(days=carried), clock
    if inclusive:
        on, clock = end_of(on, clock)
    return Bound(text, on, clock, _offset(found["zone"]))


def _clock(text: str) -> tuple[time, int]:
    """Return the time of day; xs:dateTime also writes 24:00:00, the midnight after."""
    return (time.min, 1) if text.startswith("24:00") else (time.fromisoformat(text), 0)


def _offset(zone: str | None) -> int | None:
    if zone is None:
        return None
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return (-60 if zone[0] == "-" else 60) * min(minutes, 14 * 60)


def _seconds(text: str) -> int | None:
    found = _DURATION.fullmatch(text)
    if found and len(text) > 1 and not text.endswith("T"):
        sizes = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
        return sum(int(found[name] or 0) * size for name, size in sizes.items())
    parts = text.split(":")
    if 2 <= len(parts) <= 3 and all(re.fullmatch(r"\d{1,4}", part) for part in parts):
        first, *rest = (int(part) for part in parts)
        for part in rest:
            first = first * 60 + part
        return first
    return None


def cell(value: object) -> str | None:
    """Return a cell's value as text: never a float's noise, a midnight as its day."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return day(value.isoformat("T", "seconds"))
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return duration(f"PT{int(value.total_seconds())}S")
    if isinstance(value, float):
        return f"{int(value)}" if value.is_integer() else repr(value)
    return clean(str(value))
