"""The archive and the manifest of the evidence: what is packed and what is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import ids
from contracts.evidence import archive, manifest
from contracts.evidence.archive import NotAnArchive
from contracts.log import note
from tests.conftest import NOW

Files = dict[str, bytes]
NAMES = st.sampled_from(["a", "a.b", "a/b", "a/b.c", "Z-1", "b/1", "b/10", "b/2", "0_x"])


@given(st.dictionaries(NAMES, st.binary(max_size=60), min_size=1))
def test_an_archive_reads_back(files: Files) -> None:
    unpacked = archive.unpack(archive.pack(files))
    assert (unpacked.files, unpacked.broken_at) == (files, None)


@given(st.binary(max_size=200))
def test_garbage_is_no_archive(raw: bytes) -> None:
    try:
        assert archive.unpack(raw).broken_at is not None
    except NotAnArchive as broken:
        assert broken.where


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", ".hidden", "a\\b", "名", "", "a/../b"])
def test_a_name_that_leads_elsewhere_is_not_packed(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        archive.pack({name: b""})


def test_a_name_that_leads_elsewhere_or_comes_twice_is_not_read() -> None:
    packed = archive.pack({"abc/x": b"content"})
    with pytest.raises(NotAnArchive, match="zip header"):
        archive.unpack(packed.replace(b"abc/x", b"../xx"))
    entry = packed[: packed.index(archive.CENTRAL)]
    with pytest.raises(NotAnArchive, match="twice"):
        archive.unpack(entry + packed)


def test_more_than_the_format_holds_is_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match="larger than the format"):
        archive.pack({"a": bytes(100)})


@pytest.mark.parametrize(
    "text",
    ["", "uhdx.evidence/v1\n", "uhdx.evidence/v1\ndeal x\nstage settled\n",
     f"uhdx.evidence/v2\ndeal {ids.new(NOW)}\nstage settled\n",
     f"uhdx.evidence/v1\ndeal {ids.new(NOW)}\nstage begun\n",
     f"uhdx.evidence/v1\ndeal {ids.new(NOW)}\nstage settled\nx  y\n",
     f"uhdx.evidence/v1\ndeal {ids.new(NOW)}\nstage settled\n{'0' * 64}  b\n{'0' * 64}  a\n"],
    ids=["nothing", "no deal", "no id", "another version", "no stage", "no hash", "not in order"],
)  # fmt: skip
def test_what_is_not_a_manifest_is_refused(text: str) -> None:
    with pytest.raises(note.BadNote):
        manifest.parse(text)
