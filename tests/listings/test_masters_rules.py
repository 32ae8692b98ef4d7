from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.refusal import Refusal
from listings.masters import refusals, rules
from tests.exchange.uploads_factory import metadata
from tests.listings.masters_factory import PROBE

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SIZES = st.integers(0, 2**50)


@given(stored=SIZES, declared=SIZES, offset=SIZES, size=SIZES)
def test_only_what_continues_and_fits_is_appended(
    stored: int, declared: int, offset: int, size: int
) -> None:
    fits = offset == stored and offset + size <= declared
    try:
        rules.judge_append(
            stored=stored, declared=declared, offset=offset, size=size, state="uploading",
            expires_at=NOW + timedelta(days=1), now=NOW,
        )  # fmt: skip
    except (refusals.WrongOffset, refusals.UploadOverrun):
        assert not fits
    else:
        assert fits


@given(st.text(max_size=80), st.integers(1, 2**40), st.uuids())
def test_metadata_is_read_as_it_was_written(name: str, length: int, master_id: UUID) -> None:
    given_ = metadata(filename=f"{name}.mxf", master_id=str(master_id))
    try:
        wanted = rules.ask(str(length), given_, most_bytes=2**40)
    except refusals.BadUploadMetadata:
        assert not name.isascii() or not name.isprintable()
        return
    assert (wanted.master_id, wanted.work_id, wanted.length) == (master_id, None, length)
    assert wanted.filename.endswith(".mxf") and "/" not in wanted.filename


@given(st.text(max_size=60))
def test_metadata_of_any_kind_is_read_or_refused(header: str) -> None:
    try:
        rules.ask("10", header, most_bytes=100)
    except Refusal as refused:
        assert refused.code == "bad-upload-metadata"


@pytest.mark.parametrize(
    ("change", "code", "uhd"),
    [
        ({}, None, True),
        ({"width": 7680, "height": 4320}, None, True),
        ({"width": 1920, "height": 1080}, "raster", False),
        ({"rate": {"num": 25, "den": 1}}, "rate", True),
        ({"rate": None}, "rate", False),
        ({"bit_depth": 8}, "bit-depth", False),
        ({"primaries": "bt709"}, "primaries", False),
        ({"transfer": "smpte2084"}, None, True),
        ({"transfer": None}, "transfer", False),
        ({"matrix": "bt709"}, "matrix", True),
        ({"range": "pc"}, "range", True),
    ],
)
def test_what_is_missing_for_uhd_is_found(
    change: dict[str, Any], code: str | None, uhd: bool
) -> None:
    probe = {**PROBE, "video": {**PROBE["video"], **change}}
    found = rules.conformed(probe)
    assert [finding["code"] for finding in found["findings"]] == ([code] if code else [])
    assert found["uhd"] is uhd


def test_silence_and_another_sample_rate_are_found() -> None:
    mute = rules.conformed({**PROBE, "audio": []})
    assert [finding["code"] for finding in mute["findings"]] == ["sound"]
    cd = rules.conformed({**PROBE, "audio": [{**PROBE["audio"][0], "sample_rate": 44100}]})
    assert cd["findings"] == [{"code": "sample-rate", "wanted": "48 kHz", "seen": "44.1 kHz, aac"}]
