"""What a file changes in what is registered: laws of the merge, then each entry type."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.avails import rules
from contracts.avails.model import Document, Format, Place, Term
from contracts.avails.rules import Change, Line, What
from tests.contracts.avails_factory import bound, movie, offer

OFFERS = st.builds(
    lambda id, day, profile: offer(id=id, end=bound(f"2028-01-{day:02}"), format=Format(profile)),
    st.sampled_from(["a", "b", "c", None]),
    st.integers(1, 28),
    st.sampled_from(["UHD", "HD"]),
)
AVAILS = st.builds(
    lambda alid, entry, offers: movie(*offers, alid=alid, entry_type=entry),
    st.sampled_from(["x", "y"]),
    st.sampled_from(["Full Extract", "Create", "Update", "Delete", "Full Delete"]),
    st.lists(OFFERS, min_size=1, max_size=4),
)
FILES = st.lists(AVAILS, max_size=3, unique_by=lambda avail: avail.alid).map(
    lambda some: Document(tuple(some))
)


def applied(registered: Iterable[Line], document: Document) -> list[Line]:
    """What is registered after a file."""
    kept = {(line.alid, line.key): line for line in registered}
    for change in rules.merge(kept.values(), document, works={}):
        kept[change.line.alid, change.line.key] = change.line
    return [kept[key] for key in sorted(kept)]


def whats(registered: Iterable[Line], document: Document) -> list[tuple[str, What]]:
    return [(one.line.key, one.what) for one in rules.merge(registered, document, works={})]


@given(FILES, FILES)
def test_a_file_applied_twice_changes_nothing_the_second_time(
    before: Document, file: Document
) -> None:
    once = applied(applied([], before), file)
    again = rules.merge(once, file, works={})
    assert {change.what for change in again} <= {What.UNCHANGED}
    assert applied(once, file) == once


@given(FILES, FILES)
def test_what_a_change_tells_is_what_differs(before: Document, file: Document) -> None:
    registered = applied([], before)
    known = {(line.alid, line.key): line for line in registered}
    for change in rules.merge(registered, file, works={}):
        old = known.get((change.line.alid, change.line.key))
        assert (change.what is What.CREATED) == (old is None)
        assert (change.what is What.UNCHANGED) == (old == change.line)
        for name, (was, _) in change.fields.items():
            assert old is not None
            assert was == (old.state if name == "state" else old.content.get(name))


@given(FILES)
def test_lines_of_another_alid_are_left_alone(file: Document) -> None:
    other = applied([], Document((movie(offer(id="z"), alid="other"),)))
    assert all(change.line.alid != "other" for change in rules.merge(other, file, works={}))


@given(st.lists(OFFERS, min_size=1, max_size=6))
def test_the_same_transactions_have_the_same_keys_and_no_two_share_one(some: list[Any]) -> None:
    first, second = (
        [line.key for line in rules.lines_of(movie(*some), work_id=None)] for _ in range(2)
    )
    assert first == second
    assert len(set(first)) == len(some)


REGISTERED = applied([], Document((movie(offer(id="a"), offer(id="b")),)))


@pytest.mark.parametrize(
    ("entry_type", "told"),
    [
        ("Full Extract", [("a", What.UNCHANGED), ("b", What.WITHDRAWN), ("c", What.CREATED)]),
        ("Create", [("a", What.UNCHANGED), ("c", What.CREATED)]),
        ("Update", [("a", What.UNCHANGED), ("c", What.CREATED)]),
        ("Delete", [("a", What.WITHDRAWN)]),
        ("Full Delete", [("a", What.WITHDRAWN), ("b", What.WITHDRAWN)]),
    ],
)
def test_an_entry_type_does_what_it_says(entry_type: str, told: list[tuple[str, What]]) -> None:
    file = Document((movie(offer(id="a"), offer(id="c"), entry_type=entry_type),))
    assert whats(REGISTERED, file) == told


def test_a_new_price_is_told_before_and_after() -> None:
    dearer = offer(id="a", terms=(Term("Tier", "Text", "3"),))
    (change,) = rules.merge(REGISTERED, Document((movie(dearer, entry_type="Update"),)), works={})
    assert list(change.fields) == ["terms"]
    was, now = change.fields["terms"]
    assert (was[0]["value"], now[0]["value"]) == ("2", "3")


def test_a_line_withdrawn_and_offered_again_is_a_change_of_state() -> None:
    gone = applied(REGISTERED, Document((movie(offer(id="a"), entry_type="Delete"),)))
    (change,) = rules.merge(gone, Document((movie(offer(id="a"), entry_type="Create"),)), works={})
    assert (change.what, dict(change.fields)) == (What.CHANGED, {"state": ("withdrawn", "offered")})


def test_where_a_line_stands_in_its_file_is_no_content() -> None:
    moved = replace(offer(id="a"), place=Place(row=99))
    (change,) = rules.merge(REGISTERED, Document((movie(moved, entry_type="Update"),)), works={})
    assert change == Change(What.UNCHANGED, REGISTERED[0])
