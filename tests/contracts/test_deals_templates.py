"""Templates and clauses: what is published stays; what the law asks for is there, twice over."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts import canonical
from contracts.deals import assignments, heads, library, packages, pricing, templates, terms
from contracts.deals.assignments import RightNotAssignable
from contracts.deals.gateway import FontDiffers, TypstPress
from contracts.deals.heads import ContractHeadMissing
from contracts.deals.packages import BadPackage
from contracts.deals.templates import PriceNotInTemplate, TemplateUnknown
from contracts.money import Money
from tests.conftest import NOW
from tests.contracts.deals_factory import RIGHTS
from tests.contracts.templates_factory import (
    ANCHORED,
    ASSIGNED,
    EVERY,
    NETWORK,
    NON_EXCLUSIVE,
    PRICES,
    assignment,
    deposit,
    licence,
    package,
)

PRESS = TypstPress()
VECTORS = Path(__file__).parents[1] / "vectors/contracts"
# What is published never changes: a new text gets a new version and a new line in this file.
PUBLISHED = dict(
    line.split()
    for line in (VECTORS / "published.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
)
# The PDFs of contracts that were made before a template was retired, as they were printed then.
PRINTED = {
    "licence-1": "c0baa063d4abcb25ad0bbbbfd32a5b47d5e129e535bc2be92258595c65d70a1e",
    "licence-1-fitted": "c988e1ea8417afe6469dc64724b888b34fe25576f359a55a10578bb91e017a8c",
    "licence-2": "95af427851996c7bd715265acf8fb71a756d972aae1ef459f1195dabd5662b69",
}


def test_a_published_clause_or_template_never_changes() -> None:
    clauses = {f"clause/{one.ref}/{one.version}": one.sha256 for one in library.LIBRARY}
    forms = {
        f"template/{one.id}/{one.version}/{one.form}": one.sha256 for one in templates.TEMPLATES
    }
    assert {**clauses, **forms} == PUBLISHED


@pytest.mark.parametrize("name", PRINTED)
async def test_a_contract_of_a_retired_template_prints_the_bytes_of_its_day(name: str) -> None:
    raw = (VECTORS / f"{name}.terms.json").read_bytes()
    pdf = await PRESS.contract(raw, frozen_at=NOW)
    assert canonical.sha256_hex(pdf) == PRINTED[name]


def test_terms_of_an_unknown_text_are_not_printed() -> None:
    made = licence(RIGHTS)
    made["template"]["sha256"] = "0" * 64
    with pytest.raises(TemplateUnknown):
        terms.view(made)


async def test_a_contract_is_not_printed_with_another_font() -> None:
    made = licence(RIGHTS)
    made["template"]["font_sha256"] = "0" * 64
    with pytest.raises(FontDiffers):
        await PRESS.contract(canonical.dumps(made), frozen_at=NOW)


@pytest.mark.parametrize(
    ("rights", "template"),
    [
        ([RIGHTS], templates.EXCLUSIVE),
        ([{**RIGHTS, "exclusivity": "sole"}, RIGHTS], templates.EXCLUSIVE),
        ([NON_EXCLUSIVE], templates.NON_EXCLUSIVE),
        ([NETWORK], templates.NETWORK),
        ([NETWORK, {**NETWORK, "exclusivity": "non-exclusive"}], templates.NETWORK),
        ([RIGHTS, NON_EXCLUSIVE], templates.GENERAL),
        ([RIGHTS, NETWORK], templates.GENERAL),
        ([{**RIGHTS, "right": "projection", "media": ["theatrical"]}], templates.GENERAL),
    ],
)
def test_the_template_follows_from_what_is_granted(
    rights: list[dict[str, Any]], template: str
) -> None:
    made = licence(*rights)
    assert (made["template"]["id"], templates.of(made["template"]).is_retired) == (template, False)


def test_every_kind_of_contract_has_a_template_that_is_in_use() -> None:
    assert {one.id for one in templates.TEMPLATES if not one.is_retired} == set(EVERY)


@pytest.mark.parametrize("model", PRICES)
def test_a_licence_says_each_price_in_a_clause_of_its_own(model: str) -> None:
    made = licence(RIGHTS, price=PRICES[model])
    fees = [one["ref"] for one in made["clauses"] if one["ref"].startswith("fee-")]
    assert len(fees) == 1
    assert fees[0] + "/1" == templates.current(templates.EXCLUSIVE).fees[model]


def test_an_assignment_is_paid_at_once() -> None:
    agreed = replace(ANCHORED, rights=[ASSIGNED], price=PRICES["guarantee-share"])
    with pytest.raises(PriceNotInTemplate) as refusal:
        assignments.build(agreed, now=NOW)
    assert refusal.value.data["models"] == [pricing.FLAT]


LACKING = [
    ("assignment-of-rights/1", ["work-title", "assigned-right-and-territory"], [1, 2]),
    (templates.FEE, ["price", "payment-date-and-method"], [3, 4]),
    ("assignment-breach/1", ["breach"], [5]),
]


@pytest.mark.parametrize(("left_out", "missing", "items"), LACKING)
def test_an_assignment_without_a_head_of_article_27_is_refused(
    left_out: str, missing: list[str], items: list[int]
) -> None:
    whole = templates.current(templates.ASSIGNMENT)
    template = replace(whole, clauses=[one for one in whole.clauses if one != left_out])
    with pytest.raises(ContractHeadMissing, match=rf"art\. 27 ¶2 \({items[0]}\)") as refusal:
        assignments.built(replace(ANCHORED, rights=[ASSIGNED]), template=template, now=NOW)
    assert refusal.value.data == {"missing": missing, "article": "著作权法 art. 27", "items": items}


def test_an_assignment_needs_rights_territories_and_a_title_as_data_too() -> None:
    agreed = replace(ANCHORED, rights=[{"right": "broadcasting", "territories": []}])
    with pytest.raises(ContractHeadMissing) as refusal:
        assignments.build(agreed, now=NOW)
    assert refusal.value.data["items"] == [2]
    untitled = {**ANCHORED.listing, "title": {"zh": "", "en": ""}}
    with pytest.raises(ContractHeadMissing) as refusal:
        assignments.build(replace(ANCHORED, listing=untitled, rights=[ASSIGNED]), now=NOW)
    assert refusal.value.data["items"] == [1]


def test_the_two_articles_ask_for_ten_heads() -> None:
    licences, assigned = heads.HEADS[heads.LICENCE], heads.HEADS[heads.ASSIGNMENT]
    assert len(licences.keys() | assigned.keys()) == 10
    for asked in (licences, assigned):
        assert [item for item, _ in asked.values()] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "right",
    [
        {**ASSIGNED, "right": "attribution"},  # a moral right, item 2
        {**ASSIGNED, "right": "unheard-of"},
        {**ASSIGNED, "runs_max": 3},  # a limit of licences
    ],
)
def test_what_cannot_be_assigned_is_refused(right: Mapping[str, Any]) -> None:
    with pytest.raises(RightNotAssignable):
        assignment(right)


def test_a_package_prints_one_price_and_what_each_work_is_worth() -> None:
    made = package((80_000_000, 40_000_000))
    assert made["consideration"]["amount"] == "1200000.00"
    assert [line["amount"] for line in made["consideration"]["lines"]] == ["800000.00", "400000.00"]
    assert [work["grants"] for work in made["works"]] == [[0], [1, 2]]
    assert made["parameters"]["works_count"] == 2
    assert terms.view(made)["lines"] == ["800,000.00", "400,000.00"]


@pytest.mark.parametrize("amounts", [(120_000_000,), (60_000_000, 59_999_999), (120_000_000, 0)])
def test_amounts_that_do_not_make_up_a_package_are_refused(amounts: tuple[int, ...]) -> None:
    with pytest.raises(BadPackage):
        package(amounts)


def test_a_work_stands_in_a_package_once() -> None:
    part = packages.Part(ANCHORED.listing, None, [RIGHTS], Money(60_000_000, "CNY"))
    with pytest.raises(BadPackage):
        packages.build(ANCHORED, [part, part], now=NOW)


def test_a_deposit_agreement_says_for_what_the_deposit_is_lost_and_nothing_else() -> None:
    made = deposit(forfeits=("collusion",))
    assert [one["code"] for one in made["forfeits"]] == ["collusion"]
    assert made["consideration"]["in_words"] == "人民币壹拾万元整"
    assert canonical.dumps(made) == canonical.dumps(deposit(forfeits=("collusion",)))


def test_every_contract_says_which_language_prevails_in_data_and_in_a_clause() -> None:
    for build in EVERY.values():
        made = build()
        assert made["language"] == {"prevailing": "zh"}
        said = [one for one in terms.view(made)["clauses"] if one["title"]["en"] == "Language"]
        assert [
            "以中文为准" in one["zh"] and "Chinese text prevails" in one["en"] for one in said
        ] == [True]


def test_a_contract_tells_where_anybody_checks_it() -> None:
    made = licence(RIGHTS)
    address = f"https://exchange.example/verify/{made['contract']}"
    assert made["evidence"] == {"log": "log.uhdx.local/2026", "verify": address}
    assert terms.view(made)["qr"]
    without = terms.build(
        replace(ANCHORED, anchor={**ANCHORED.anchor, "site": None}),
        template=templates.for_grants([RIGHTS]),
        now=NOW,
    )
    assert "verify" not in without["evidence"]
    assert terms.view(without)["qr"] is None


CHINESE = {sign: value for value, sign in enumerate("零一二三四五六七八九")}
PARTS = {"一": "I", "二": "II", "三": "III", "四": "IV"}


def number_of(text: str) -> str:
    """Read a Chinese numeral below a hundred, as articles are counted."""
    tens, ten, ones = text.rpartition("十")
    return str((CHINESE.get(tens, 1) * 10 if ten else 0) + CHINESE.get(ones, 0))


def figures(text: str) -> Counter[str]:
    """Return the numbers, dates and parts that a text names, whatever language it is in."""
    text = re.sub(r"第([一二三四])部分", lambda m: f" Part {PARTS[m[1]]} ", text)
    text = re.sub(r"第([一二三四五六七八九十]+)(条|款|项)", lambda m: f" {number_of(m[1])} ", text)
    text = re.sub(r"(\d+)年(\d+)月(\d+)日", lambda m: f"{m[1]}-{m[2]:0>2}-{m[3]:0>2}", text)
    return Counter(re.findall(r"Part (?:IV|I{1,3})\b|\d+(?:[.-]\d+)*", text))


@pytest.mark.parametrize("name", EVERY)
def test_invariant_05_both_languages_hold_the_same_numbers_dates_and_amounts(name: str) -> None:
    made = EVERY[name]()
    for shown in terms.view(made)["clauses"]:
        assert figures(shown["zh"]) == figures(shown["en"]), shown["title"]
    for worded in made.get("wording", ()):
        for cell in worded["zh"].keys() - {"sentence"}:
            assert figures(worded["zh"][cell]) == figures(worded["en"][cell]), cell


def test_both_languages_of_a_clause_leave_the_same_open() -> None:
    for clause in library.LIBRARY:
        zh, en = (sorted(re.findall(r"\{(\w+)\}", text)) for text in (clause.zh, clause.en))
        assert zh == en, clause.ref
