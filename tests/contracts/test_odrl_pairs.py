"""Pairs of policies whose file names say the verdict."""

from pathlib import Path

import pytest

from contracts.odrl import compare, reading
from contracts.odrl.policy import Policy

PAIRS = Path(__file__).parent.parent / "vectors" / "odrl_pairs"
NAMES = sorted(path.name.removesuffix("_a.ttl") for path in PAIRS.glob("*_a.ttl"))


def read(name: str) -> Policy:
    return reading.read((PAIRS / name).read_text("utf-8"), form="turtle")


def test_there_are_pairs_of_every_verdict() -> None:
    assert {name.partition("_")[0] for name in NAMES} == {"conflict", "compatible", "unknown"}
    assert len(NAMES) == len(list(PAIRS.glob("*_b.ttl"))) >= 50


@pytest.mark.parametrize("name", NAMES)
def test_the_verdict_is_the_one_that_the_name_says(name: str) -> None:
    found = compare.compare(read(f"{name}_a.ttl"), read(f"{name}_b.ttl"))
    assert found.verdict.value == name.partition("_")[0], found.as_dict()


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_two_policies_changes_nothing(name: str) -> None:
    one, two = read(f"{name}_a.ttl"), read(f"{name}_b.ttl")
    assert compare.compare(one, two).verdict is compare.compare(two, one).verdict


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith("permissions")])
def test_each_verdict_names_what_decided_it(name: str) -> None:
    found = compare.compare(read(f"{name}_a.ttl"), read(f"{name}_b.ttl"))
    assert found.reasons
    for reason in found.reasons:
        assert reason.verdict is found.verdict
        assert reason.axes
        assert all(axis.verdict is found.verdict for axis in reason.axes)
