"""What people type into forms is read, or refused with the name of its field."""

from collections.abc import Callable
from datetime import date

import pytest

from contracts.refusal import InvalidContent
from contracts.rights import axes
from exchange.portal import register_forms, runs
from exchange.portal.forms import Form


def form(**fields: str) -> Form:
    return Form({name: [value] for name, value in fields.items()})


@pytest.mark.parametrize("typed", ["", "x", "2027-13-01T00:00", "0001-01-01T00:00"])
def test_what_is_no_instant_is_refused(typed: str) -> None:
    with pytest.raises(InvalidContent):
        form(at=typed).instant("at")


@pytest.mark.parametrize("typed", ["", "x", "1e999999", "1e900000", "NaN", "Infinity", "0.001"])
def test_what_is_no_amount_is_refused(typed: str) -> None:
    with pytest.raises(InvalidContent):
        form(price=typed).minor("price", "CNY")


@pytest.mark.parametrize(
    "read", [Form.text, Form.maybe, lambda sent, name: sent.long(name, most=9)]
)
def test_a_text_that_no_database_holds_is_refused(read: Callable[[Form, str], object]) -> None:
    with pytest.raises(InvalidContent) as caught:
        read(form(reason="a\0b"), "reason")
    assert caught.value.data["errors"] == [{"field": "reason", "rule": "not a text"}]


def test_a_broadcast_day_begins_at_a_time_of_day() -> None:
    assert runs._minutes(form(day_starts="06:30")) == 390
    assert runs._minutes(form()) == 0


@pytest.mark.parametrize("typed", [":30", "²:00", "24:00", "9" * 5_000, "six"])
def test_what_is_no_time_of_day_is_refused(typed: str) -> None:
    with pytest.raises(InvalidContent):
        runs._minutes(form(day_starts=typed))


@pytest.mark.parametrize(
    ("first_day", "has_britain"), [("2019-01-01", True), ("2027-01-01", False)]
)
def test_a_group_is_read_as_it_is_on_the_first_day(first_day: str, *, has_britain: bool) -> None:
    typed = {
        "right": "broadcasting", "territories": "+EU", "first_day": first_day,
        "last_day": "2030-12-31", "tz": "Europe/Berlin", "exclusivity": "exclusive",
    }  # fmt: skip
    for said in (register_forms._right(form(**typed)), register_forms._terms(form(**typed))):
        mask = axes.TERRITORIES.mask(said["territories"], on=date(2027, 1, 1))
        britain = axes.TERRITORIES.mask(["GB"])
        assert (mask & britain == britain) is has_britain
