import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import canonical, ids
from contracts.deals import pricing, rules, templates, terms
from contracts.deals.heads import ContractHeadMissing
from contracts.deals.library import ClauseUnknown, ParameterMissing
from contracts.deals.pricing import Price
from contracts.deals.templates import Template
from contracts.deals.terms import TextCannotBePrinted
from contracts.money import Money
from tests.conftest import NOW
from tests.contracts.deals_factory import RIGHTS


def uuid(number: int) -> UUID:
    return UUID(int=number << 80 | 7 << 76 | 2 << 62 | number)


LISTING: dict[str, Any] = {
    "listing": str(uuid(1)),
    "work": str(uuid(2)),
    "title": {"zh": "示范作品", "en": "Demonstration Work"},
    "master": str(uuid(3)),
    "master_sha256": "ab" * 32,
    "probe_sha256": "cd" * 32,
    "fingerprint_sha256": "ef" * 32,
    "rights": [RIGHTS],
    "sale": {},
    "party": str(uuid(5)),
    "auction": str(uuid(4)),
}
SIDES = (
    terms.Side("licensor", uuid(5), "示范影像制作有限公司", "Demo Imaging", "91110000000000001A"),
    terms.Side(
        "licensee", uuid(6), "示范卫视传媒有限公司", "Demo Television", "91110000000000002B"
    ),
    terms.Side("exchange", uuid(7), "超高清版权交易所", "UHD Rights Exchange", ""),
)
AGREED = terms.Agreed(
    deal=uuid(9),
    listing=LISTING,
    anchor={"fact": str(uuid(10)), "log": "log.uhdx.local/2026"},
    award={"auction": str(uuid(4)), "bid": str(uuid(11))},
    price=Price(pricing.FLAT, Money(120_000_000, "CNY")),
    sides=SIDES,
    rights=LISTING["rights"],
)
TEMPLATE = templates.for_grants(LISTING["rights"])
CLAUSES = TEMPLATE.clauses_for("flat")


def built(agreed: terms.Agreed = AGREED, *, template: Template = TEMPLATE) -> dict[str, Any]:
    return terms.build(agreed, template=template, now=NOW)


def listed(**changes: Any) -> terms.Agreed:
    listing = {**LISTING, **changes}
    return replace(AGREED, listing=listing, rights=listing["rights"])


def test_the_terms_say_what_was_agreed() -> None:
    made = built()
    assert made["consideration"]["amount"] == "1200000.00"
    assert made["consideration"]["in_words"] == "人民币壹佰贰拾万元整"
    assert made["grants"] == [
        {**RIGHTS, "from": "2026-12-31T16:00:00Z", "until": "2028-12-31T16:00:00Z"}
    ]
    assert made["language"] == {"prevailing": "zh"}
    assert made["supersedes"] is None


def test_the_canonical_bytes_read_back_and_write_again_the_same() -> None:
    raw = canonical.dumps(built())
    assert canonical.dumps(canonical.loads(raw)) == raw
    assert canonical.dumps(json.loads(json.dumps(built(), indent=3, sort_keys=True))) == raw


@given(st.integers(1, 10**13), st.integers(1, 10**13))
def test_another_price_gives_another_hash(one: int, other: int) -> None:
    hashes = {
        canonical.sha256_hex(
            canonical.dumps(built(replace(AGREED, price=Price(pricing.FLAT, Money(minor, "CNY")))))
        )
        for minor in (one, other)
    }
    assert len(hashes) == len({one, other})


HEAD_OF = [
    ("grant/1", "right-kind", 1),
    ("exclusivity/1", "exclusivity", 2),
    ("territory-and-term/1", "territory-and-term", 3),
    (templates.FEE, "remuneration", 4),
    ("breach/1", "breach", 5),
]


def without(*left_out: str, of: str = templates.GENERAL) -> Template:
    whole = templates.current(of)
    return replace(whole, clauses=[one for one in whole.clauses if one not in left_out])


@pytest.mark.parametrize(("place", "head", "item"), HEAD_OF)
def test_a_contract_without_a_head_of_article_26_is_refused(
    place: str, head: str, item: int
) -> None:
    with pytest.raises(ContractHeadMissing, match=rf"art\. 26 ¶2 \({item}\)") as refusal:
        built(template=without(place))
    assert refusal.value.data == {
        "missing": [head], "article": "著作权法 art. 26", "items": [item],
    }  # fmt: skip


def test_a_contract_without_other_matters_is_refused() -> None:
    others = ("notices/1", "language/1", "law-and-disputes/1", "entire-agreement/1")
    with pytest.raises(ContractHeadMissing, match=r"\(6\)"):
        built(template=without(*others))


def test_a_contract_that_grants_nothing_is_refused() -> None:
    with pytest.raises(ContractHeadMissing) as refusal:
        built(listed(rights=[]))
    assert refusal.value.data["missing"] == ["right-kind", "exclusivity", "territory-and-term"]


@pytest.mark.parametrize("sign", ["\u202e", "\u200b", "\x07", "\ue000", "\u2028"])
def test_a_title_that_does_not_show_what_it_says_is_refused(sign: str) -> None:
    with pytest.raises(TextCannotBePrinted) as refusal:
        built(listed(title={"zh": f"示范{sign}作品", "en": "Demonstration"}))
    assert refusal.value.data["characters"] == [f"U+{ord(sign):04X}"]


def test_a_clause_with_an_open_parameter_is_not_printed() -> None:
    clause = next(clause for clause in CLAUSES if clause.ref == "breach")
    with pytest.raises(ParameterMissing) as refusal:
        clause.filled({"cure_days": 30})
    assert refusal.value.data["missing"] == ["late_bp_daily"]


def test_terms_that_name_another_text_are_not_printed() -> None:
    made = built()
    made["clauses"][0]["sha256"] = "0" * 64
    with pytest.raises(ClauseUnknown):
        terms.view(made)


def test_the_page_shows_every_clause_and_the_amount_with_separators() -> None:
    shown = terms.view(built())
    assert len(shown["clauses"]) == len(CLAUSES)
    assert shown["amount"] == "1,200,000.00"


@given(st.lists(st.uuids(), min_size=2, max_size=50, unique=True))
def test_contract_numbers_do_not_collide(deals: list[UUID]) -> None:
    numbers = {terms.contract_number(deal, NOW) for deal in deals}
    assert len(numbers) == len(deals)
    assert all(re.fullmatch(r"UHDX-2026(-[0-9A-HJKMNP-TV-Z]{4}){4}", number) for number in numbers)


def test_the_year_of_a_contract_is_that_of_shanghai() -> None:
    eve = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    assert terms.contract_number(uuid(1), eve).startswith("UHDX-2027-")


@given(st.integers(1_700_000_000, 2_200_000_000))
def test_the_id_of_a_deal_follows_from_its_award(second: int) -> None:
    award = ids.new(datetime.fromtimestamp(second, UTC))
    deal = rules.deal_id_of(award)
    assert deal == rules.deal_id_of(award)
    assert deal != award
    assert (deal.version, deal.variant) == (8, "specified in RFC 4122")
    assert deal.int >> 80 == award.int >> 80


SHARED = {"model": "guarantee-share", "guarantee_minor": 50_000_000, "share_bp": 1250}
BY_RUN = {"model": "per-run", "per_run_minor": 30_000, "runs_paid": 4}


def priced(wire: dict[str, Any]) -> dict[str, Any]:
    price = pricing.read(wire, currency="CNY")
    agreed = replace(AGREED, price=price)
    return built(agreed)


def test_a_guarantee_with_a_share_is_said_in_numbers_and_in_one_clause_about_the_fee() -> None:
    made = priced(SHARED)
    assert made["consideration"] == {
        "kind": "guarantee-share", "tax": "inclusive", "currency": "CNY", "amount": "500000.00",
        "in_words": "人民币伍拾万元整", "share_bp": 1250, "share_of": "net-receipts",
    }  # fmt: skip
    fees = [named["ref"] for named in made["clauses"] if named["ref"].startswith("fee-")]
    assert fees == ["fee-guarantee-and-share"]
    said = next(c for c in terms.view(made)["clauses"] if c["title"]["en"].startswith("Guarant"))
    assert "12.50%" in said["zh"]
    assert "12.50%" in said["en"]


def test_a_price_by_the_run_names_the_runs_that_its_first_sum_pays_for() -> None:
    made = priced(BY_RUN)
    assert made["consideration"]["amount"] == "1200.00"
    assert made["consideration"]["per_run"] == "300.00"
    assert made["consideration"]["runs_paid"] == 4
    assert [n["ref"] for n in made["clauses"] if n["ref"].startswith("fee-")] == ["fee-per-run"]


def test_terms_of_an_accepted_offer_name_its_version_and_no_auction() -> None:
    accepted = {"offer": str(uuid(1)), "version": str(uuid(2)), "version_sha256": "ab" * 32}
    made = built(replace(AGREED, award={**accepted, "amount_minor": 1}))
    assert made["award"] == accepted
