"""Reading what people typed into forms: ids, amounts, days, instants."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from contracts.money import EXPONENTS
from contracts.refusal import InvalidContent
from exchange.portal import faults
from exchange.portal.language import ZONE

Made = TypeVar("Made")
Wire = TypeVar("Wire", bound=BaseModel)
# Beyond this many characters no field of a page is read; texts are bounded again by their rules.
LONGEST = 10_000
MOST_DIGITS = 30  # far beyond any amount: 1e900000 is short to write and long to count


class Form:
    """The fields of one form, each read with the rule of its kind.

    Every reader raises `InvalidContent` that names the field.
    """

    def __init__(self, fields: dict[str, list[str]]) -> None:
        """Hold the fields, each with the values sent for it."""
        self._fields = fields

    def text(self, name: str) -> str:
        """Return the text, trimmed; empty when nothing was sent."""
        return self.many(name)[0] if self.many(name) else ""

    def long(self, name: str, *, most: int) -> str:
        """Return a text of up to `most` characters, trimmed; empty when nothing was sent."""
        found = "".join(self._fields.get(name, [])[:1]).strip()
        if len(found) > most:
            raise _wrong(name, "too long")
        if "\0" in found:
            raise _wrong(name, "not a text")
        return found

    def maybe(self, name: str) -> str | None:
        """Return the text, or None when the field was left empty."""
        return self.text(name) or None

    def many(self, name: str) -> list[str]:
        """Return every value sent under a name, trimmed, empty ones left out."""
        found = [value.strip() for value in self._fields.get(name, [])]
        if any(len(value) > LONGEST for value in found):
            raise _wrong(name, "too long")
        if any("\0" in value for value in found):
            raise _wrong(name, "not a text")
        return [value for value in found if value]

    def codes(self, name: str) -> list[str]:
        """Return codes separated by commas or blanks, in capitals."""
        return [word.upper() for word in self.words(name)]

    def words(self, name: str) -> list[str]:
        """Return words separated by commas or blanks, as written."""
        return self.text(name).replace(",", " ").replace("，", " ").split()

    def id(self, name: str) -> UUID:
        """Return a UUID."""
        return self._read(name, UUID, "not an id")

    def whole(self, name: str) -> int:
        """Return a whole number."""
        return self._read(name, int, "not a whole number")

    def day(self, name: str) -> date:
        """Return a calendar day."""
        return self._read(name, date.fromisoformat, "not a day")

    def month(self, name: str) -> date:
        """Return the first day of a month that was typed as `2027-01`."""
        return self._read(name, lambda text: date.fromisoformat(f"{text}-01"), "not a month")

    def instant(self, name: str) -> datetime:
        """Return an instant (UTC) that was typed in the time of the exchange's seat."""
        return self._read(name, _instant, "not a time")

    def minor(self, name: str, currency: str) -> int:
        """Return an amount typed in major units as whole minor units of the currency."""
        places = EXPONENTS.get(currency)
        if places is None:
            raise _wrong("currency", "not a currency of the exchange")
        return self._read(name, lambda text: _scaled(text, places), "not an amount")

    def basis_points(self, name: str) -> int:
        """Return a percentage as ten-thousandths."""
        return self._read(name, lambda text: _scaled(text, 2), "not a percentage")

    def parts(self, name: str) -> list[dict[str, int]]:
        """Return the parts of a price that were typed as `30/5, 70/180`: per cent and days."""
        return self._read(name, _parts, "not percentages and days like 30/5, 70/180")

    def steps(self, name: str, currency: str) -> list[dict[str, int | None]]:
        """Return steps of a share that were typed as `5000000/30, 50`: up to which sum, per cent.

        The last has no end.
        """
        places = EXPONENTS.get(currency, 0)
        fault = "not sums and percentages like 5000000/30, 50"
        return self._read(name, lambda text: _steps(text, places), fault)

    def _read(self, name: str, reader: Callable[[str], Made], fault: str) -> Made:
        try:
            return reader(self.text(name))
        except (ValueError, ArithmeticError) as error:  # out of range, or no number at all
            raise _wrong(name, fault) from error


def shape(kind: type[Wire], /, **values: Any) -> Wire:
    """Build a shape of the API from form values, by the API's own rules.

    Raises:
        InvalidContent: a field breaks its rule.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        errors = faults.errors(error.errors())
        raise InvalidContent("A field breaks its rule.", errors=errors) from error


async def read_form(request: Request) -> Form:
    """Read the form of a request; files are not among its fields."""
    sent = await request.form()
    fields: dict[str, list[str]] = {}
    for name, value in sent.multi_items():
        if isinstance(value, str):
            fields.setdefault(name, []).append(value)
    request.state.sent = fields  # a refused form is shown again with them
    return Form(fields)


def read_query(request: Request) -> Form:
    """Read the form that an address carries (a form sent by GET)."""
    query = request.query_params
    return Form({name: query.getlist(name) for name in query})


Sent = Annotated[Form, Depends(read_form)]
Asked = Annotated[Form, Depends(read_query)]


def _instant(text: str) -> datetime:
    typed = datetime.fromisoformat(text)
    return (typed if typed.tzinfo else typed.replace(tzinfo=ZONE)).astimezone(UTC)


def _scaled(text: str, places: int) -> int:
    value = Decimal(text.replace(",", "").replace(" ", "")).scaleb(places)
    if value.is_finite() and value.adjusted() > MOST_DIGITS:
        raise ValueError("more digits than any amount has")
    if not value.is_finite() or value != value.to_integral_value():
        raise ValueError("more decimals than the unit has")
    return int(value)


def _parts(text: str) -> list[dict[str, int]]:
    typed = [one.split("/") for one in text.replace("，", ",").split(",")]
    return [{"share_bp": _scaled(share, 2), "due_days": int(days)} for share, days in typed]


def _steps(text: str, places: int) -> list[dict[str, int | None]]:
    made: list[dict[str, int | None]] = []
    for typed in text.replace("，", ",").split(","):
        upto, slash, share = typed.rpartition("/")
        end = _scaled(upto, places) if slash else None
        made.append({"upto_minor": end, "share_bp": _scaled(share, 2)})
    return made


def _wrong(field: str, rule: str) -> InvalidContent:
    return InvalidContent("A field breaks its rule.", errors=[{"field": field, "rule": rule}])
