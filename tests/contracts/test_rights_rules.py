from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from contracts.refusal import Refusal
from contracts.rights import axes, rules, vocabulary
from contracts.rights.algebra import Exclusivity
from contracts.rights.wording import wording, wording_of
from tests.contracts.rights_factory import wire


def test_an_offer_is_resolved_to_leaves_and_instants() -> None:
    box = rules.resolve(wire())
    assert (box.right, box.media, box.territories) == (
        "broadcasting", axes.MEDIA.mask(["satellite"]), axes.TERRITORIES.mask(["CN"]),
    )  # fmt: skip
    # Midnight of the first day in Shanghai, and the midnight that ends the last day.
    assert box.window.start == datetime(2026, 12, 31, 16, tzinfo=UTC)
    assert box.window.end == datetime(2028, 12, 31, 16, tzinfo=UTC)
    assert (box.exclusivity, box.runs_max) == (Exclusivity.EXCLUSIVE, 3)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"right": "播映权"}, "unknown-right"),
        ({"right": "telecast"}, "unknown-right"),
        ({"right": "attribution"}, "right-not-licensable"),
        ({"right": "exhibition"}, "right-not-licensable"),
        ({"media": ["vod"]}, "unknown-medium"),
        ({"media": ["ott"]}, "medium-needs-another-right"),
        ({"right": "projection"}, "medium-needs-another-right"),
        ({"territories": ["XX"]}, "unknown-territory"),
        ({"territories": ["cn"]}, "unknown-territory"),
        ({"territories": ["Eastern Europe"]}, "unknown-territory"),
        ({"territories": ["CN-ZZ"]}, "unknown-territory"),
        ({"excluded": ["ZZ"]}, "unknown-territory"),
        ({"languages": ["zh:sung"]}, "unknown-language"),
        ({"languages": ["-"]}, "unknown-language"),
        ({"languages": ["xx"]}, "unknown-language"),
        ({"media": []}, "nothing-offered"),
        ({"territories": []}, "nothing-offered"),
        ({"territories": ["CN"], "excluded": ["CN"]}, "nothing-offered"),
        ({"languages": []}, "nothing-offered"),
        ({"last_day": "2026-12-31"}, "bad-window"),
        ({"first_day": "31.12.2026"}, "bad-window"),
        ({"last_day": "9999-12-31"}, "bad-window"),
        ({"first_day": "0001-01-01"}, "bad-window"),
        ({"tz": "Asia/Atlantis"}, "bad-window"),
        ({"tz": "Asia"}, "bad-window"),
        ({"tz": "../../etc/passwd"}, "bad-window"),
        ({"tz": "A" * 5000}, "bad-window"),
        ({"tz": ""}, "bad-window"),
        ({"exclusivity": "专有"}, "unknown-exclusivity"),
        ({"runs_max": 0}, "bad-runs"),
        ({"runs_max": -3}, "bad-runs"),
        ({"runs_max": True}, "bad-runs"),
        ({"runs_max": 10**12}, "bad-runs"),
        ({"round_no": 0}, "bad-round"),
        ({"sublicence_depth": 6}, "bad-sublicence"),
    ],
)
def test_what_no_contract_could_mean_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        rules.resolve(wire(**changes))
    assert refused.value.code == code


def test_one_day_of_licence_lasts_a_day() -> None:
    window = rules.resolve(wire(first_day="2027-03-01", last_day="2027-03-01")).window
    assert (window.end - window.start).total_seconds() == 86_400


@pytest.mark.parametrize(("alias", "code"), [("CN-HK", "HK"), ("CN-MO", "MO"), ("CN-TW", "TW")])
def test_a_territory_cannot_be_sold_twice_under_two_codes(alias: str, code: str) -> None:
    by_alias, by_code = (
        rules.resolve(wire(territories=[name], excluded=[])) for name in (alias, code)
    )
    assert by_alias == by_code


def test_cn_alone_means_the_mainland() -> None:
    assert rules.resolve(wire(excluded=[])) == rules.resolve(wire())


def test_the_world_holds_every_territory_but_those_excluded() -> None:
    box = rules.resolve(wire(territories=["WRD"], excluded=["CN-TW", "JP"]))
    missing = axes.TERRITORIES.all & ~box.territories
    assert axes.TERRITORIES.codes(missing) == ("JP", "TW")


def test_the_normal_form_means_the_same_and_has_no_second_spelling() -> None:
    one = wire(territories=["JP", "CN-HK", "HK"], excluded=[], languages=["cmn", "en"])
    two = wire(territories=["HK", "JP"], excluded=[], languages=["en", "zh", "zh"])
    assert rules.normal(one) == rules.normal(two)
    assert rules.resolve(rules.normal(one)) == rules.resolve(one)
    assert rules.normal(rules.normal(one)) == rules.normal(one)


def test_telecast_rights_are_written_out_as_the_rights_they_stand_for() -> None:
    parts = rules.expand({**wire(), "bundle": "telecast", "right": None, "media": []})
    assert [part["right"] for part in parts] == ["broadcasting", "network-transmission"]
    for part in parts:
        assert "bundle" not in part
        rules.resolve(part)


def test_an_unknown_bundle_is_refused_with_those_known() -> None:
    with pytest.raises(vocabulary.UnknownBundle) as refused:
        rules.expand(wire(bundle="all-rights"))
    assert refused.value.data["known"] == ["telecast"]


def test_a_medium_under_the_wrong_right_names_those_it_needs() -> None:
    with pytest.raises(rules.MediumNeedsAnotherRight) as refused:
        rules.resolve(wire(media=["ott"]))
    assert refused.value.data["needs"] == ["network-transmission"]


def test_every_medium_can_be_licensed_under_each_right_it_names() -> None:
    for medium in vocabulary.MEDIA.values():
        for right in medium.rights:
            rules.resolve(wire(right=right, media=[medium.code]))


@pytest.mark.parametrize(
    "words", [vocabulary.RIGHTS, vocabulary.MEDIA, vocabulary.TERRITORIES, vocabulary.LANGUAGES]
)
def test_the_numbers_of_a_vocabulary_are_its_places_and_never_repeat(words: Any) -> None:
    assert [word.number for word in words.values()] == list(range(1, len(words) + 1))
    assert all(word.zh and word.en for word in words.values())


def test_numbers_that_the_database_holds_stand_for_the_same_words_for_ever() -> None:
    pinned = {
        "AD": 1, "AE": 2, "CN": 48, "HK": 95, "JP": 114, "MO": 148, "TW": 228, "US": 233, "ZW": 249,
    }  # fmt: skip
    assert {code: vocabulary.TERRITORIES[code].number for code in pinned} == pinned
    assert [vocabulary.LANGUAGES[code].number for code in ("zh", "en", "zxx")] == [1, 2, 182]
    assert vocabulary.RIGHTS["broadcasting"].number == 11
    assert vocabulary.RIGHTS["network-transmission"].number == 12
    assert [vocabulary.MEDIA[code].number for code in ("satellite", "iptv", "new-work")] == [
        1,
        5,
        23,
    ]


def test_blocks_of_numbers_lie_apart() -> None:
    spans = sorted(vocabulary.block(word.number) for word in vocabulary.TERRITORIES.values())
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_each_data_file_names_its_source_and_day() -> None:
    from importlib.resources import files

    names = [file for file in files("contracts.rights").joinpath("data").iterdir()
             if file.name.endswith(".csv")]  # fmt: skip
    assert len(names) == 11
    for file in names:
        first, header, *_ = file.read_text("utf-8").splitlines()
        assert first.startswith("# Source: ")
        assert "2026-" in first
        assert header.endswith("verified")


def test_the_grant_is_said_in_chinese() -> None:
    assert wording_of(wire(), "zh") == (
        "广播权（《著作权法》第十条第一款第（十一）项）：以卫视（上星）方式，"
        "在中国大陆（不含中国香港、中国澳门、中国台湾），语言为中文，"
        "自2027年1月1日起至2028年12月31日止（含首尾两日，Asia/Shanghai），"
        "独占许可（专有，许可方自己亦不得使用），播出不超过3次。"
    )


def test_the_grant_is_said_in_english() -> None:
    said = wording_of(
        wire(
            territories=["WRD"], excluded=["JP"], languages=["*"], exclusivity="sole", runs_max=None
        ),
        "en",
    )
    assert said == (
        "The right of broadcasting (Copyright Law of the PRC, art. 10(1)(11)), by satellite "
        "television, in the whole world (without Japan), in any language, from 2027-01-01 to "
        "2028-12-31 (both days included, Asia/Shanghai), sole (排他: the licensor keeps its own "
        "use), any number of runs."
    )


def test_the_days_of_a_sentence_are_those_of_its_zone() -> None:
    box = rules.resolve(wire(tz="Europe/Paris"))
    assert "2027年1月1日" in wording(box, "zh", zone="Europe/Paris")
