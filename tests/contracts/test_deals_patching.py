"""RFC 6902: its own examples, what it forbids, and that a difference applied gives the other."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.deals import patching
from contracts.deals.patching import PatchFails

NAMES = st.text(st.sampled_from("ab~/0é"), max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
# RFC 6902 appendix A: document, patch, result.
APPENDIX_A: dict[str, tuple[Any, list[dict[str, Any]], Any]] = {
    "A.1 adding a member": (
        {"foo": "bar"},
        [{"op": "add", "path": "/baz", "value": "qux"}],
        {"baz": "qux", "foo": "bar"},
    ),
    "A.2 adding an element": (
        {"foo": ["bar", "baz"]},
        [{"op": "add", "path": "/foo/1", "value": "qux"}],
        {"foo": ["bar", "qux", "baz"]},
    ),
    "A.3 removing a member": (
        {"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}
    ),
    "A.4 removing an element": (
        {"foo": ["bar", "qux", "baz"]},
        [{"op": "remove", "path": "/foo/1"}],
        {"foo": ["bar", "baz"]},
    ),
    "A.5 replacing a value": (
        {"baz": "qux", "foo": "bar"},
        [{"op": "replace", "path": "/baz", "value": "boo"}],
        {"baz": "boo", "foo": "bar"},
    ),
    "A.6 moving a value": (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    "A.7 moving an element": (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    "A.8 testing a value: success": (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [
            {"op": "test", "path": "/baz", "value": "qux"},
            {"op": "test", "path": "/foo/1", "value": 2},
        ],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    "A.10 adding a nested member": (
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    "A.11 ignoring unrecognised members": (
        {"foo": "bar"},
        [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}],
        {"foo": "bar", "baz": "qux"},
    ),
    "A.14 escapes": (
        {"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}
    ),
    "A.16 adding an array value": (
        {"foo": ["bar"]},
        [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}],
        {"foo": ["bar", ["abc", "def"]]},
    ),
    "copying": (
        {"a": {"b": [1]}},
        [{"op": "copy", "from": "/a/b", "path": "/c"}, {"op": "add", "path": "/c/0", "value": 2}],
        {"a": {"b": [1]}, "c": [2, 1]},
    ),
    "the whole document": ({"a": 1}, [{"op": "replace", "path": "", "value": {}}], {}),
}  # fmt: skip
FORBIDDEN: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "A.9 testing a value: error": (
        {"baz": "qux"}, [{"op": "test", "path": "/baz", "value": "bar"}]
    ),
    "A.12 adding to what is not there": (
        {"foo": "bar"}, [{"op": "add", "path": "/baz/bat", "value": "qux"}]
    ),
    "A.15 comparing text with a number": (
        {"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": "10"}]
    ),
    "a truth value is no number": ({"a": 1}, [{"op": "test", "path": "/a", "value": True}]),
    "no operation": ({}, [{"op": "spell", "path": ""}]),
    "no value": ({}, [{"op": "add", "path": "/a"}]),
    "an operation that is no text": ({}, [{"op": ["add"], "path": "/a", "value": 1}]),
    "a path that is no text": ({}, [{"op": "add", "path": 7, "value": 1}]),
    "a path without a slash": ({"a": 1}, [{"op": "remove", "path": "a"}]),
    "a wrong escape": ({"~2": 1}, [{"op": "remove", "path": "/~2"}]),
    "replacing what is not there": ({}, [{"op": "replace", "path": "/a", "value": 1}]),
    "removing what is not there": ({"a": []}, [{"op": "remove", "path": "/a/0"}]),
    "removing the end of an array": ({"a": [1]}, [{"op": "remove", "path": "/a/-"}]),
    "an index with a nought in front": ({"a": [1, 2]}, [{"op": "remove", "path": "/a/01"}]),
    "an index beyond the array": ({"a": [1]}, [{"op": "add", "path": "/a/2", "value": 1}]),
    "an index below nought": ({"a": [1]}, [{"op": "add", "path": "/a/-1", "value": 1}]),
    "a digit that is not ASCII": ({"a": [1, 2]}, [{"op": "remove", "path": "/a/\u0661"}]),
    "moving into itself": ({"a": {"b": 1}}, [{"op": "move", "from": "/a", "path": "/a/b/c"}]),
    "adding to a plain value": ({"a": "b"}, [{"op": "add", "path": "/a/b", "value": 1}]),
    "removing everything": ({}, [{"op": "remove", "path": ""}]),
}  # fmt: skip


@pytest.mark.parametrize("name", APPENDIX_A)
def test_the_examples_of_the_standard_apply(name: str) -> None:
    before, patch, after = APPENDIX_A[name]
    assert patching.equal(patching.apply(patch, before), after)


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_the_standard_forbids_fails_and_changes_nothing(name: str) -> None:
    before, patch = FORBIDDEN[name]
    kept = repr(before)
    with pytest.raises(PatchFails) as failed:
        patching.apply([{"op": "test", "path": "", "value": before}, *patch], before)
    assert failed.value.data["place"] == 1
    assert repr(before) == kept


@given(OBJECTS, OBJECTS)
def test_invariant_38_a_difference_applied_to_the_one_gives_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    kept = repr(before)
    patch = patching.difference(before, after)
    assert patching.equal(patching.apply(patch, before), after)
    assert repr(before) == kept
    assert (patch == []) == patching.equal(before, after)
    assert patching.difference(before, after) == patch
