"""What proves the winners and prices of a package auction, and what it says when time runs out."""

from typing import Any

import pytest

from contracts import canonical
from listings.bundles import certificate, highs, problem
from listings.bundles.problem import Unproven
from tests.listings.bundles_factory import (
    ABC,
    LIMIT_S,
    MADE_BY,
    WURMAN,
    Brute,
    posed,
)


class Slow:
    """A solver whose time runs out at its n-th question."""

    def __init__(self, after: int) -> None:
        self.left, self.inner = after, Brute()

    def best(self, *asked: Any) -> problem.Chosen | None:
        self.left -= 1
        if self.left < 0:
            raise Unproven(self.inner.best(*asked), 1e6)
        return self.inner.best(*asked)


@pytest.mark.parametrize(
    ("questions", "fallback"),
    [(0, "winners-unproven"), (1, "winners-unproven"), (6, "prices-unproven"),
     (9, "prices-unproven")],
)  # fmt: skip
def test_out_of_time_everybody_pays_its_bid_and_the_certificate_says_what_is_unproven(
    questions: int, fallback: str
) -> None:
    asked = posed(ABC, *WURMAN)
    found = certificate.solve(asked, Slow(questions), made_by=MADE_BY)
    assert (found["fallback"], found["payments"]) == (fallback, "bids")
    assert all(one["paid_minor"] == one["amount_minor"] for one in found["winners"])
    assert certificate.fault(asked, found) is None
    assert (found["bound_minor"] == found["value_minor"]) == (questions > 0)


def tampered(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return certificates that lie, by how they do."""
    first, *others = found["winners"]
    block = found["blocks"][0]
    return {
        "a lower price": found | {"winners": [first | {"paid": "7", "paid_minor": 7}, *others]},
        "a price moved to another": found
        | {"winners": [first | {"paid": "7", "paid_minor": 7},
                       others[0] | {"paid": "9"}, others[1]]},
        "rounded down": found | {"winners": [first | {"paid_minor": 7}, *others]},
        "other cells": found | {"winners": [first | {"cells": ["B"]}, *others]},
        "another package": found | {"winners": [first | {"package": 2}, *others]},
        "a winner left out": found | {"winners": others},
        "a row left out": found | {"blocks": []},
        "a row made smaller": found | {"blocks": [block | {"least_minor": 15}]},
        "weights of nothing": found | {"blocks": [block | {"weights": ["0", "0"]}]},
        "a bound made up": found | {"bound_minor": 29},
        "a value made up": found | {"value_minor": 27},
        "a fallback not needed": found | {"fallback": "prices-unproven"},
        "no text for a number": found | {"winners": [first | {"paid": None}, *others]},
        "a worse choice without the first": found
        | {"without": [[], *found["without"][1:]]},
        "a member more": found | {"note": "trust me"},
    }  # fmt: skip


def test_a_certificate_that_was_changed_in_any_way_is_found_out() -> None:
    asked = posed(ABC, *WURMAN)
    found = certificate.solve(asked, highs.Highs(LIMIT_S), made_by=MADE_BY)
    assert certificate.fault(asked, found) is None
    believed = {how for how, lie in tampered(found).items() if not certificate.fault(asked, lie)}
    assert believed == set()


def test_a_certificate_survives_being_written_down() -> None:
    asked = posed(ABC, *WURMAN)
    found = certificate.solve(asked, highs.Highs(LIMIT_S), made_by=MADE_BY)
    assert certificate.fault(asked, canonical.loads(canonical.dumps(found))) is None
