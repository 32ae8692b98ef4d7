"""Which URLs a master may be fetched from: the allow-list, and what tries to get around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.settings import Settings
from listings.masters import references
from listings.masters.references import Location
from listings.masters.refusals import ReferenceNotAllowed

ALLOWED = references.roots("s3://studio/masters, file:///mnt/nas  gs://films/")
NAMES = st.text(
    st.characters(exclude_characters="/\\%?#", exclude_categories=("C",)), min_size=1, max_size=12
).filter(lambda name: name not in (".", ".."))


@given(st.sampled_from(ALLOWED), st.lists(NAMES, min_size=1, max_size=4))
def test_what_lies_below_an_allowed_store_is_found_there(root: str, names: list[str]) -> None:
    key = "/".join(names)
    try:
        found = references.locate(f"{root}/{key}", allowed=ALLOWED)
    except ReferenceNotAllowed:
        # urlsplit drops what it takes for blanks: a URL that changes when read is refused.
        assert any(sign.isspace() for sign in key)
    else:
        assert found == Location(root, key)


@given(st.text(max_size=60))
def test_whatever_is_written_nothing_else_is_allowed(text: str) -> None:
    try:
        found = references.locate(text, allowed=ALLOWED)
    except ReferenceNotAllowed:
        return
    assert text == f"{found.store}/{found.key}" and found.store in ALLOWED


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3://studio/masters",
        "s3://studio/masters/",
        "s3://studio/mastersecret/a.mxf",
        "s3://studio/other/a.mxf",
        "s3://studio/masters/../other/a.mxf",
        "s3://studio/masters/./a.mxf",
        "s3://studio/masters//a.mxf",
        "s3://studio/masters/%2e%2e/other/a.mxf",
        "s3://studio/masters/a.mxf?versionId=1",
        "s3://studio/masters/a.mxf#x",
        "s3://user:secret@studio/masters/a.mxf",
        "s3://user@studio/masters/a.mxf",
        "s3://studio:9000/masters/a.mxf",
        "s3://STUDIO/masters/a.mxf",
        "s3:/studio/masters/a.mxf",
        "s3:studio/masters/a.mxf",
        "S3://studio/masters/../x",
        "s3://studio\\masters/a.mxf",
        "s3://studio/masters/a\\..\\b",
        "s3://studio/masters/a\nb",
        " s3://studio/masters/a.mxf",
        "http://169.254.169.254/latest/meta-data/",
        "https://studio/masters/a.mxf",
        "file:///etc/passwd",
        "file:///mnt/nas/../../etc/passwd",
        "file:///mnt/nasty/a.mxf",
        "file://host/mnt/nas/a.mxf",
        "/mnt/nas/a.mxf",
        "http://[::1",
        "s3://studio/masters/" + "a" * 3000,
    ],
)
def test_a_way_around_the_list_is_refused(url: str) -> None:
    with pytest.raises(ReferenceNotAllowed):
        references.locate(url, allowed=ALLOWED)


def test_nothing_is_allowed_unless_the_operator_says_so() -> None:
    assert Settings().references == ()
    with pytest.raises(ReferenceNotAllowed):
        references.locate("file:///mnt/nas/a.mxf", allowed=Settings().references)


@pytest.mark.parametrize("listed", ["https://media.example", "studio", "s3://", "s3://a/../b"])
def test_a_list_with_what_cannot_be_fetched_from_does_not_start(listed: str) -> None:
    with pytest.raises(ValueError, match="no store"):
        Settings(reference_stores=f"s3://good {listed}")
