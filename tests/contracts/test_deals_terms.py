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
from contracts.deals import library, pricing, rules, terms
from contracts.deals.library import ClauseUnknown, ParameterMissing
from contracts.deals.pricing import Price
from contracts.deals.terms import ContractHeadMissing, TextCannotBePrinted
from contracts.money import Money
from tests.conftest import NOW
from tests.contracts.deals_factory import RIGHTS

# A published version of a clause never changes: a new text gets a new version and a new line here.
PUBLISHED = dict(
    line.split()
    for line in """
        grant/1 72dc6e5cb38001fb0b32dcc8bf69701f8887c7033009db43e68bf46a49407566
        exclusivity/1 ace1049f925b810c830eb781fb19ac8506257df00ecc70c28a7153571c9dfa5e
        territory-and-term/1 6e2d8fba33ad2d9ee459a758f47a65793a916e5fa56885a8568abfc063caa35c
        fee-and-payment/1 746478f1cd97b339eb1f0fb4fd06afef20ba49fde607ec8d503bf79fe1aebe4a
        fee-guarantee-and-share/1 b4187b434156231e04c76f37f4b1e74d1a634fe36c36904df0514e40e2b67f6c
        fee-per-run/1 feebd26198987e6d3b6065b353f87dac422f064dc92e20d8593820e71bcc82c6
        delivery/1 1b911cc796e0ab32031c6660dea537e70a5c7c37fecb107d8f5393d51ebac7c0
        title-warranty/1 b4a2f6777ae02846735cd20e5bd534241927061698a96e2e0da2d4e384fdb4c6
        integrity/1 1c0b83e83e9f9fa95b5833ced60d162c0689162a4ccdfc12342acd5f74b25588
        sublicence/1 056eeb33052c478b56e7eed64d6eb75c2da1b32374585a8046dd17a9f96c905c
        breach/1 b4b8a348d9f892a863222b3da908a0326ffe2b7988d5197cc93b010c8382f510
        force-majeure/1 015710131331daf4e1071b1020df6d320b6384e5e5df273ebab80be4bbf03e56
        electronic-signature/1 5b87dde06449ad3f2ab39d04651ee337c8a7c143ad08a2c06a6830e40e300075
        notices/1 8d72d965ad053ab7fd7517ad5c53160198fb015e66d8fc8878498faf44e169b2
        language/1 0e3de131abcf60a8b08825ed7d3eb22cd4bbfb52f920dca46ca70a32ca787224
        law-and-disputes/1 3787c92da0e60573ba5dc816b39723419f25567a9fa0779585d54ba7febd2982
        entire-agreement/1 b431472c06e17f9fdf34d707053351edc89a4476f87db1c1cf44c44e09a01c56
    """.strip().splitlines()
)


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
TEMPLATE = {"id": "licence-zh-en", "version": "1", "sha256": "0" * 64, "font_sha256": "1" * 64}


def built(
    agreed: terms.Agreed = AGREED, clauses: tuple[library.Clause, ...] = library.CLAUSES
) -> dict[str, Any]:
    return terms.build(agreed, clauses=clauses, template=TEMPLATE, now=NOW)


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


HEAD_OF = {
    "grant": "right-kind",
    "exclusivity": "exclusivity",
    "territory-and-term": "territory-and-term",
    "fee-and-payment": "remuneration",
    "breach": "breach",
}


@pytest.mark.parametrize(("ref", "head"), HEAD_OF.items())
def test_a_contract_without_a_head_of_article_26_is_refused(ref: str, head: str) -> None:
    without = tuple(clause for clause in library.CLAUSES if clause.ref != ref)
    with pytest.raises(ContractHeadMissing, match=r"art\. 26") as refusal:
        built(clauses=without)
    assert refusal.value.data == {"missing": [head], "article": "著作权法 art. 26"}


def test_a_contract_without_other_matters_is_refused() -> None:
    without = tuple(clause for clause in library.CLAUSES if "others" not in clause.heads)
    with pytest.raises(ContractHeadMissing, match=r"\(6\)"):
        built(clauses=without)


def test_a_contract_that_grants_nothing_is_refused() -> None:
    with pytest.raises(ContractHeadMissing) as refusal:
        built(listed(rights=[]))
    assert refusal.value.data["missing"] == ["right-kind", "exclusivity", "territory-and-term"]


@pytest.mark.parametrize("sign", ["\u202e", "\u200b", "\x07", "\ue000", "\u2028"])
def test_a_title_that_does_not_show_what_it_says_is_refused(sign: str) -> None:
    with pytest.raises(TextCannotBePrinted) as refusal:
        built(listed(title={"zh": f"示范{sign}作品", "en": "Demonstration"}))
    assert refusal.value.data["characters"] == [f"U+{ord(sign):04X}"]


def test_both_languages_of_a_clause_hold_the_same_numbers_and_parameters() -> None:
    fees = {"share_percent": "1.00", "per_run": "1.00", "runs_paid": 1, "statement_days": 30}
    for clause in library.LIBRARY:
        open_zh, open_en = (set(re.findall(r"\{(\w+)\}", text)) for text in (clause.zh, clause.en))
        assert open_zh == open_en, clause.ref
        filled = clause.filled({**terms.PARAMETERS, "log_origin": "log.example/1", **fees})
        assert "{" not in filled["zh"] + filled["en"]


def test_a_clause_with_an_open_parameter_is_not_printed() -> None:
    clause = next(clause for clause in library.CLAUSES if clause.ref == "breach")
    with pytest.raises(ParameterMissing) as refusal:
        clause.filled({"cure_days": 30})
    assert refusal.value.data["missing"] == ["late_bp_daily"]


def test_a_published_clause_never_changes() -> None:
    now = {f"{clause.ref}/{clause.version}": clause.sha256 for clause in library.LIBRARY}
    assert now == PUBLISHED


def test_terms_that_name_another_text_are_not_printed() -> None:
    made = built()
    made["clauses"][0]["sha256"] = "0" * 64
    with pytest.raises(ClauseUnknown):
        terms.view(made)


def test_the_page_shows_every_clause_and_the_amount_with_separators() -> None:
    shown = terms.view(built())
    assert len(shown["clauses"]) == len(library.CLAUSES)
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
    clauses = library.clauses_for(price.model)
    return terms.build(agreed, clauses=clauses, template=TEMPLATE, now=NOW)


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
