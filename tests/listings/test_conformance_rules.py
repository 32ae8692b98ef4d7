from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import canonical
from listings.masters.conformance import declared, profiles, rules
from listings.masters.conformance.values import Engine, Report, Result, Severity, Tier
from tests.listings.conformance_factory import (
    DAY,
    DECLARED,
    DRAMA,
    FAILS,
    MASTER,
    MEASURES,
    PASSES,
    RECORD,
    Case,
    changed,
    finding,
    judged,
)

CHECKS = tuple(profiles.catalogue())
SOUND = MEASURES["sound"][0]


def results(report: Report) -> dict[str, Result]:
    return {each.requirement.check.id: each.result for each in report.findings}


def test_the_catalogue_has_every_check_of_the_reference() -> None:
    wanted = [("F", 6), ("V", 17), ("L", 11), ("A", 8), ("C", 3)]
    assert list(CHECKS) == [
        f"{letter}{n:02}" for letter, last in wanted for n in range(1, last + 1)
    ]


def test_every_check_has_a_case_that_fails_it() -> None:
    assert set(FAILS) == set(CHECKS)


@pytest.mark.parametrize("check", CHECKS)
def test_the_good_master_passes_every_check(check: str) -> None:
    case = PASSES.get(check, Case())
    assert finding(judged(case), check).result is Result.PASS


@pytest.mark.parametrize("check", CHECKS)
def test_one_change_fails_a_check_and_says_where(check: str) -> None:
    case = FAILS[check]
    found = finding(judged(case), check)
    assert found.result.value == case.result
    told = found.as_dict()
    assert told["hint"]["zh"] and told["hint"]["en"]
    assert told["where"] == (case.where or [])


@pytest.mark.parametrize("check", [each for each in CHECKS if each not in ("F01", "F03", "L08")])
def test_a_change_fails_no_other_check(check: str) -> None:
    before, after = results(judged(PASSES.get(check))), results(judged(FAILS[check]))
    also = {"V01": {"V02"}, "A02": {"A06"}}.get(check, set())  # 1080p is 16:9; not stereo, no phase
    assert {name for name in CHECKS if before[name] is not after[name]} <= {check, *also}


def test_the_good_master_carries_the_label_and_states_its_tier() -> None:
    report = judged()
    assert (report.uhd_label, report.blocking, report.undecided) == (True, [], [])
    assert report.as_dict()["tier"] == "full"
    assert report.counts["PASS"] == len(CHECKS) - 1  # F03: an MXF needs no alternative


@pytest.mark.parametrize("check", CHECKS)
def test_only_what_blocks_keeps_the_label_off(check: str) -> None:
    case = FAILS[check]
    if case.profile != MASTER:
        case = Case(record=case.record, measures=case.measures, declared=case.declared)
    report = judged(case)
    found = finding(report, check)
    blocks = found.severity is Severity.BLOCK and found.result is Result.FAIL
    assert report.uhd_label is not blocks
    assert (check in report.blocking) is blocks


def test_a_rate_below_24_blocks_and_an_unknown_one_leaves_the_label_open() -> None:
    slow = judged(Case(record={"video.rate": {"num": 15, "den": 1}}))
    assert slow.blocking == ["V03"] and slow.uhd_label is False
    unknown = judged(Case(record={"video.rate": None}))
    assert unknown.undecided == ["V03"] and unknown.uhd_label is None


@pytest.mark.parametrize("profile", profiles.names())
def test_headers_alone_pass_nothing_that_only_decoding_shows(profile: str) -> None:
    report = judged(Case(profile=profile), tier=Tier.PROBE)
    assert report.tier is Tier.PROBE
    for each in report.findings:
        if Engine.DECODE in each.requirement.check.engines:
            assert each.result in (Result.NOT_MEASURED, Result.NOT_APPLICABLE)
    assert report.uhd_label is not True


def test_the_tier_of_a_report_is_never_deeper_than_what_was_measured() -> None:
    sampled = changed(MEASURES, {"tier": "sampled"})
    for measures, tier, reached in (
        (sampled, Tier.FULL, Tier.SAMPLED), (MEASURES, Tier.SAMPLED, Tier.SAMPLED),
        (None, Tier.FULL, Tier.PROBE), (sampled, Tier.PROBE, Tier.PROBE),
    ):  # fmt: skip
        report = rules.judge(profiles.get(MASTER, DAY), RECORD, measures, DECLARED, tier=tier)
        assert report.tier is reached


def test_interlace_is_doubted_by_tags_alone_until_every_picture_was_looked_at() -> None:
    unseen = {"interlaced_bp": None}
    sampled = judged(Case(measures={**unseen, "tier": "sampled"}))
    assert finding(sampled, "V04").result is Result.WARN
    assert (finding(sampled, "V04").note or {})["en"].startswith("By the tag alone")
    assert finding(judged(Case(measures=unseen)), "V04").result is Result.NOT_MEASURED


def leaves(values: Any, way: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every value, inner ones too."""
    if way:
        yield way
    pairs: Iterable[tuple[Any, Any]] = values.items() if isinstance(values, dict) else ()
    if isinstance(values, list) and values and isinstance(values[0], dict):
        pairs = enumerate(values)
    for name, value in pairs:
        yield from leaves(value, (*way, str(name)))


def without(values: dict[str, Any], way: tuple[str, ...]) -> dict[str, Any]:
    """Return a copy that lacks what lies at the path."""
    copy = deepcopy(values)
    at: Any = copy
    for step in way[:-1]:
        at = at[int(step)] if isinstance(at, list) else at[step]
    if isinstance(at, list):
        at[int(way[-1])] = {}
    else:
        at.pop(way[-1])
    return copy


MEASURED = sorted(way for way in leaves(dict(MEASURES)) if way != ("tier",))
BASES = [Case(), *(case for case in FAILS.values() if case.measures)]


@settings(max_examples=150, deadline=None)
@given(
    base=st.sampled_from(BASES),
    ways=st.lists(st.sampled_from(MEASURED), min_size=1, max_size=4),
    tier=st.sampled_from(["sampled", "full"]),
    nothing=st.booleans(),
)
def test_a_measure_that_is_missing_never_makes_a_check_pass(
    base: Case, ways: list[tuple[str, ...]], tier: str, nothing: bool
) -> None:
    whole = changed(MEASURES, {**base.measures, "tier": tier})
    less = whole
    for way in ways:
        try:
            less = changed(less, {".".join(way): None}) if nothing else without(less, way)
        except (KeyError, TypeError):
            continue  # an outer one is gone already
    profile, declared_ = profiles.get(base.profile, DAY), changed(DECLARED, base.declared)
    before, after = (
        results(rules.judge(profile, RECORD, measures, declared_, tier=Tier.FULL))
        for measures in (whole, less)
    )
    assert [check for check in CHECKS if after[check] is Result.PASS] == [
        check for check in CHECKS if after[check] is Result.PASS and before[check] is Result.PASS
    ]


@pytest.mark.parametrize("way", MEASURED, ids=".".join)
def test_a_check_whose_measure_is_missing_is_not_passed(way: tuple[str, ...]) -> None:
    idle = {"range_lu100", "short_term_lu100", "ti_x100", "y_least", "y_most", "wide_bp",
            "contrast", "bright_bp", "peak_cd100", "mean_cd100", "low_bits_bp",
            "detail_bp", "channels"}  # fmt: skip
    after = results(
        rules.judge(
            profiles.get(MASTER, DAY), RECORD, without(dict(MEASURES), way), DECLARED,
            tier=Tier.FULL,
        )
    )  # fmt: skip
    lost = [check for check in CHECKS if after[check] is Result.NOT_MEASURED]
    assert bool(lost) is (way[-1] not in idle)


@settings(max_examples=60, deadline=None)
@given(
    profile=st.sampled_from(profiles.names()), case=st.sampled_from([Case(), *FAILS.values()]),
    why=st.sampled_from(["no-decoder", "broken", None]), measured=st.booleans(),
)  # fmt: skip
def test_what_cannot_be_decoded_is_unsupported_and_never_passed(
    profile: str, case: Case, why: str | None, measured: bool
) -> None:
    record = changed(RECORD, {**case.record, "video.decodable": False, "video.undecodable": why})
    report = rules.judge(
        profiles.get(profile, DAY), record, MEASURES if measured else None, {}, tier=Tier.FULL
    )
    for each in report.findings:
        check = each.requirement.check
        if check.id == "F04" and why == "broken":
            assert each.result is Result.FAIL
        elif check.engines == {Engine.DECODE}:
            assert each.result is Result.UNSUPPORTED
        elif Engine.DECODE in check.engines:
            assert each.result in (Result.UNSUPPORTED, Result.FAIL)
    assert report.uhd_label is not True


RECORDED = sorted(way for way in leaves(dict(RECORD)))


@settings(max_examples=150, deadline=None)
@given(profile=st.sampled_from(profiles.names()), ways=st.sets(st.sampled_from(RECORDED)))
def test_any_part_of_a_record_may_be_missing(profile: str, ways: set[tuple[str, ...]]) -> None:
    record: dict[str, Any] = dict(RECORD)
    for way in sorted(ways, reverse=True):
        try:
            record = without(record, way)
        except (KeyError, TypeError, IndexError):
            continue
    report = rules.judge(profiles.get(profile, DAY), record, MEASURES, DECLARED, tier=Tier.FULL)
    assert canonical.loads(canonical.dumps(report.as_dict())) == report.as_dict()


def test_colour_that_only_one_reader_was_asked_for_is_not_failed() -> None:
    unasked = changed(RECORD, {"video.primaries": None, "readers": {}})
    asked = changed(RECORD, {"video.primaries": None})
    for record, result in ((unasked, Result.NOT_MEASURED), (asked, Result.FAIL)):
        report = rules.judge(profiles.get(MASTER, DAY), record, None, {}, tier=Tier.PROBE)
        assert finding(report, "V09").result is result


def test_a_report_says_which_reader_saw_what() -> None:
    blind = {"readers": {"video.transfer": {"av": None, "mediainfo": "smpte2084"}}}
    told = finding(judged(Case(record=blind)), "V10").as_dict()
    assert told["by"] == ["mediainfo"]
    assert told["readers"] == {"video.transfer": {"av": None, "mediainfo": "smpte2084"}}


def test_black_and_silence_at_head_and_tail_are_no_findings() -> None:
    long, short = [[0, 5000], [95_000, 100_000]], [[0, 2000], [18_000, 20_000]]
    for seconds, ends in ((100, long), (20, short)):
        measures = {**MEASURES, "black_ms": ends, "sound": [{**SOUND, "silence_ms": ends}]}
        record = {**RECORD, "duration_ms": seconds * 1000}
        report = rules.judge(profiles.get(MASTER, DAY), record, measures, DECLARED, tier=Tier.FULL)
        assert {finding(report, name).result for name in ("L01", "A05")} == {Result.PASS}


def test_a_clip_that_is_black_and_silent_throughout_is_no_head_and_tail() -> None:
    whole = [[0, 5000]]
    measures = {**MEASURES, "black_ms": whole, "sound": [{**SOUND, "silence_ms": whole}]}
    record = {**RECORD, "duration_ms": 5000}
    report = rules.judge(profiles.get(MASTER, DAY), record, measures, DECLARED, tier=Tier.FULL)
    assert {finding(report, name).result for name in ("L01", "A05")} == {Result.FAIL}


def test_shares_of_too_few_pictures_speak_for_none() -> None:
    few = judged(Case(measures={"pictures": MEASURES["pictures"][:10]}))
    assert finding(few, "L03").result is Result.NOT_MEASURED


def test_a_hybrid_log_gamma_master_needs_no_static_metadata() -> None:
    hlg = {"video.hdr": "HLG", "video.transfer": "arib-std-b67", "video.max_cll": None}
    assert finding(judged(Case(record=hlg)), "V14").result is Result.NOT_APPLICABLE


def test_loudness_of_single_tracks_is_not_taken_for_that_of_the_programme() -> None:
    mono = {**RECORD["audio"][0], "channels": 1, "layout": "mono"}
    record = changed(RECORD, {"audio": [mono, mono]})
    sound = [{**MEASURES["sound"][0], "track": at, "channels": 1} for at in (0, 1)]
    report = rules.judge(
        profiles.get(MASTER, DAY), record, {**MEASURES, "sound": sound}, DECLARED, tier=Tier.FULL
    )
    assert finding(report, "A02").result is Result.PASS
    assert finding(report, "A03").result is Result.NOT_MEASURED


def test_a_silent_second_track_is_told_as_silence_and_not_as_loudness() -> None:
    record = changed(RECORD, {"audio": [RECORD["audio"][0]] * 2})
    mute = {**MEASURES["sound"][0], "track": 1, "integrated_lu100": -7000,
            "silence_ms": [[0, 20_000]]}  # fmt: skip
    for sound, loud in ([MEASURES["sound"][0], mute], Result.PASS), ([mute], Result.NOT_MEASURED):
        measures = {**MEASURES, "sound": sound}
        report = rules.judge(profiles.get(MASTER, DAY), record, measures, DECLARED, tier=Tier.FULL)
        assert finding(report, "A03").result is loud
        assert finding(report, "A05").result is Result.FAIL or len(sound) == 1


def test_what_is_shorter_than_a_block_of_loudness_has_none() -> None:
    short = judged(Case(record={"duration_ms": 399}))
    assert finding(short, "A03").result is Result.NOT_MEASURED


@pytest.mark.parametrize(("level", "passes"), [(-2320, True), (-2321, False), (-2280, True)])
def test_the_ebu_profile_has_its_own_loudness_and_gives_no_uhd_label(
    level: int, passes: bool
) -> None:
    report = judged(Case("EBU_R128_R103", measures={"sound.0.integrated_lu100": level}))
    assert report.conforms is passes and report.uhd_label is None


def test_a_drama_master_may_be_sdr_in_quicktime() -> None:
    sdr = {"video.transfer": "bt2020-10", "video.hdr": "SDR",
           "video.rate": {"num": 25, "den": 1}, "video.real_rate": {"num": 25, "den": 1},
           "video.bitrate_bps": 250_000_000, "container": "mov,mp4,m4a,3gp,3g2,mj2",
           "container_profile": "QuickTime", "video.container_tags": {}}  # fmt: skip
    found = results(judged(Case(profile=DRAMA, record=sdr)))
    assert [name for name, result in found.items() if result is Result.FAIL] == []
    assert found["F01"] is Result.NOT_APPLICABLE and found["F03"] is Result.PASS
    assert found["V10"] is Result.PASS and found["L06"] is Result.NOT_APPLICABLE
    assert results(judged(Case(record=sdr)))["V10"] is Result.FAIL


def test_an_imf_package_counts_once_it_was_validated() -> None:
    open_, valid, broken = (
        finding(judged(Case(profile=DRAMA, declared=told)), "F03").result
        for told in ({"imf": True}, {"imf": True, "imf_valid": True}, {"imf_valid": False})
    )
    assert (open_, valid, broken) == (Result.NOT_MEASURED, Result.PASS, Result.FAIL)


@pytest.mark.parametrize(
    "wrong",
    [{"permit": 1}, {"head_ms": True}, {"head_ms": -1}, {"textless": 1}, {"head_ms": 10**12},
     {"active_ratio_x100": 20}, {"recap_ms": "1"}],
    ids=str,
)  # fmt: skip
def test_a_declaration_of_something_else_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(declared.BadDeclaration):
        declared.checked(wrong)


def test_a_declaration_keeps_what_was_said_and_drops_what_was_left_open() -> None:
    assert declared.checked({"textless": False, "head_ms": 0, "recap_ms": None}) == {
        "textless": False,
        "head_ms": 0,
    }
    assert declared.checked(DECLARED) == DECLARED
