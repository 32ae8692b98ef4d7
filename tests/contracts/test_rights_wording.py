"""Round and sub-licence in the words of a right: said where agreed, and nowhere else."""

import pytest

from contracts.deals import labels
from contracts.rights.wording import Language, round_name, wording_of
from tests.contracts.rights_factory import wire

AGREED = wire(round_no=2, sublicence_depth=1)


@pytest.mark.parametrize(
    ("language", "end"),
    [
        ("zh", "播出不超过3次，二轮，可转授权（至多1层）。"),
        ("en", "at most 3 runs, second run, with leave to sub-license, at most 1 deep."),
    ],
)
def test_a_sentence_ends_with_round_and_sub_licence(language: Language, end: str) -> None:
    assert wording_of(AGREED, language).endswith(end)
    plain = wording_of(wire(), language)
    assert wording_of(AGREED, language).startswith(plain[:-1])
    assert wording_of(wire(round_no=None, sublicence_depth=0), language) == plain


def test_the_table_of_a_contract_names_them_beside_runs_and_exclusivity() -> None:
    cells = labels.of_grant(AGREED, "zh")
    assert (cells["runs"], cells["exclusivity"]) == (
        "不超过3次；二轮",
        "独占（专有）；可转授权（至多1层）",
    )
    plain = labels.of_grant(wire(), "en")
    assert (plain["runs"], plain["exclusivity"]) == ("at most 3", "exclusive")


@pytest.mark.parametrize(
    ("number", "zh", "en"),
    [(1, "首轮", "first run"), (4, "四轮", "fourth run"), (9, "第9轮", "run no. 9")],
)
def test_later_rounds_are_numbered_on(number: int, zh: str, en: str) -> None:
    assert (round_name(number, "zh"), round_name(number, "en")) == (zh, en)
