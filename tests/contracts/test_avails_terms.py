"""Rights that travel as avails mean the same when they come back."""

from importlib import resources
from typing import Any

import pytest
from hypothesis import assume, given, settings

from contracts.avails import files, terms, texts
from contracts.avails.model import Bound, Document, Term, Tongue, Transaction
from contracts.refusal import Refusal
from contracts.rights import axes, rules
from tests.contracts.avails_factory import bound, movie, offer, wires
from tests.contracts.rights_factory import wire


def meaning(some: dict[str, Any]) -> tuple[Any, ...]:
    return rules.resolve(some), rules.round_no(some), rules.sublicence_depth(some)


def sent(some: dict[str, Any]) -> Transaction:
    try:
        return terms.of_wire(some, id="t")
    except Refusal:  # a drawn offer may take out every territory that it names
        assume(False)
        raise


def came_back(content: bytes) -> dict[str, Any]:
    read = files.read(content)
    assert (read.report.errors, read.report.warnings) == (0, 0), read.report
    found = terms.to_wire(read.document.avails[0].transactions[0])
    assert isinstance(found, dict), found
    return found


@settings(max_examples=30, deadline=None)
@given(wires())
def test_an_offer_that_went_through_a_workbook_means_the_same(some: dict[str, Any]) -> None:
    content = files.to_workbook(Document((movie(sent(some)),)))
    assert meaning(came_back(content)) == meaning(some)


@pytest.mark.parametrize("version", ["2.6.1", "2.7"])
@settings(max_examples=30, deadline=None)
@given(some=wires())
def test_an_offer_that_went_through_xml_means_the_same(version: str, some: dict[str, Any]) -> None:
    content = files.to_xml(Document((movie(sent(some)),)), version=version)
    assert meaning(came_back(content)) == meaning(some)


@settings(max_examples=30, deadline=None)
@given(wires())
def test_both_forms_say_one_document(some: dict[str, Any]) -> None:
    one = Document((movie(sent(some)),))
    by_sheet, by_xml = (
        files.read(made).document for made in (files.to_workbook(one), files.to_xml(one))
    )
    rights = [terms.to_wire(read.avails[0].transactions[0]) for read in (by_sheet, by_xml)]
    assert rights[0] == rights[1]


def test_broadcasting_by_satellite_is_no_type_of_licence_that_avails_has() -> None:
    said = terms.of_wire(wire(round_no=2, sublicence_depth=1))
    assert said.licence_type == "Library"
    named = {term.name: term.value for term in said.terms}
    assert named == {
        "Category": "Negotiated",
        "Exclusive": "true",
        "UHDX-Right": "broadcasting",
        "UHDX-Media": "satellite",
        "UHDX-TimeZone": "Asia/Shanghai",
        "UHDX-Runs": "3",
        "UHDX-Round": "2",
        "UHDX-Sublicence": "1",
    }


@pytest.mark.parametrize(
    ("licence_type", "way"), [("EST", "purchase"), ("VOD", "per-view"), ("SVOD", "subscription")]
)
def test_retail_over_the_internet_is_said_natively(licence_type: str, way: str) -> None:
    media = [f"ott.{way}", f"mobile.{way}", f"web.{way}"]
    said = terms.of_wire(wire(right="network-transmission", media=media))
    assert said.licence_type == licence_type
    assert not any(term.name in ("UHDX-Right", "UHDX-Media") for term in said.terms)


def test_a_file_of_somebody_else_is_read_by_its_type_of_licence() -> None:
    found = terms.to_wire(offer(licence_type="SVOD", allowed=(Tongue("fr"),)))
    assert isinstance(found, dict)
    assert (found["right"], found["tz"], found["languages"]) == (
        "network-transmission",
        "Europe/Paris",
        ["fr"],
    )
    assert (found["first_day"], found["last_day"]) == ("2027-01-01", "2027-12-31")
    assert found["media"] == ["mobile.subscription", "ott.subscription", "web.subscription"]


def test_a_language_held_back_is_every_other_language() -> None:
    found = terms.to_wire(offer(holdback=(Tongue("fr"),)))
    assert isinstance(found, dict)
    left = axes.LANGUAGES.mask(found["languages"])
    assert left == axes.LANGUAGES.all & ~axes.LANGUAGES.mask(["fr"])


def test_no_language_named_is_every_language() -> None:
    found = terms.to_wire(offer())
    assert isinstance(found, dict)
    assert found["languages"] == ["*"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"end": Bound("Open", condition="Open")}, "window-open"),
        ({"licence_type": "Library"}, "rights-unread"),
        ({"territories": ("XX",)}, "rights-unread"),
        ({"terms": (Term("UHDX-Runs", "Text", "many"),)}, "rights-unread"),
        ({"terms": (Term("UHDX-TimeZone", "Text", "Mars/Olympus"),)}, "rights-unread"),
        ({"terms": (Term("UHDX-TimeZone", "Text", "../../etc/passwd"),)}, "rights-unread"),
        ({"end": bound("2026-01-01")}, "rights-unread"),
    ],
)
def test_what_names_no_rights_of_ours_says_why(changes: dict[str, Any], code: str) -> None:
    found = terms.to_wire(offer(**changes))
    assert isinstance(found, terms.Unread)
    assert found.code == code


def test_an_instant_with_an_offset_is_a_day_only_where_it_is_midnight() -> None:
    midnight = texts.start("2026-12-31T16:00:00Z")
    zone = (Term("UHDX-TimeZone", "Text", "Asia/Shanghai"),)
    found = terms.to_wire(offer(start=midnight, terms=zone))
    assert isinstance(found, dict)
    assert found["first_day"] == "2027-01-01"
    assert terms.to_wire(offer(start=midnight)) == terms.Unread("window-not-days", "")


def test_the_document_of_our_terms_names_every_one_of_them() -> None:
    said = (resources.files("contracts.avails") / "data" / "TERMS.md").read_text("utf-8")
    some = wire(languages=["zh:dubbed"], exclusivity="sole", round_no=1, sublicence_depth=1)
    ours = [term.name for term in terms.of_wire(some).terms if term.name.startswith(terms.PREFIX)]
    assert len(ours) == 8
    assert all(f"`{name}`" in said for name in ours)
