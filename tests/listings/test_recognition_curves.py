"""The thresholds against the measured curves; `make bench B=robust WRITE=1` measures them again."""

import csv
from dataclasses import dataclass

from listings.masters.alignment import DOUBTFUL, SURE
from listings.recognition.relation import confidence_bp
from tests.conftest import ROOT

CURVES = ROOT / "tests" / "benchmarks" / "data" / "robust_scores.csv"


@dataclass(frozen=True)
class Bin:
    score_from: int
    copies: int
    others: int


def bins() -> list[Bin]:
    with CURVES.open(encoding="utf-8", newline="") as sheet:
        return [Bin(**{name: int(value) for name, value in row.items()})
                for row in csv.DictReader(sheet)]  # fmt: skip


def reaching(score: float) -> tuple[int, int]:
    """How many copies and how many other pairs reached a score, in whole bins."""
    above = [each for each in bins() if each.score_from >= score]
    return sum(each.copies for each in above), sum(each.others for each in above)


def test_the_curves_are_of_hundreds_of_copies_and_thousands_of_other_pairs() -> None:
    copies, others = reaching(0)
    assert copies > 300 and others > 5_000


def test_no_other_pair_is_sure() -> None:
    assert reaching(SURE)[1] == 0


def test_nine_of_ten_copies_are_sure() -> None:
    assert reaching(SURE)[0] >= 0.9 * reaching(0)[0]


def test_what_is_doubtful_is_rare_among_other_pairs() -> None:
    assert reaching(DOUBTFUL)[1] <= 0.01 * reaching(0)[1]


def test_no_score_is_called_surer_than_the_curves_allow() -> None:
    for each in bins():
        copies, others = reaching(each.score_from)
        if others:
            assert confidence_bp(each.score_from) <= 10_000 * copies / (copies + others)
