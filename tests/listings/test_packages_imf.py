"""IMF packages: a good one passes, and each fault is found where it is."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer import Typer
from typer.testing import CliRunner, Result

from exchange import files_cli
from listings.masters import gateway
from listings.masters.gateway import Sandbox
from listings.packages import faults, imf, imf_reading, markup
from listings.packages import gateway as packages_gateway
from listings.packages.faults import SAID
from listings.packages.imf_checks import is_inside
from listings.packages.imf_reading import Folder, Report
from listings.packages.markup import BadMarkup
from tests.listings import imf_factory
from tests.listings.imf_factory import FRAMES, SAMPLES, SHA256, Package, urn

SEEN: dict[bytes, dict[str, Any] | None] = {}
REALLY = packages_gateway.streams


@pytest.fixture(scope="session")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    made = imf_factory.track_files(tmp_path_factory.mktemp("tracks"))
    return {name: path.read_bytes() for name, path in made.items()}


@pytest.fixture(autouse=True)
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandboxed reader is asked once for each content: most packages hold the same files."""

    async def streams(path: Path, sandbox: Sandbox) -> dict[str, Any] | None:
        key = await anyio.Path(path).read_bytes()
        if key not in SEEN:
            SEEN[key] = await REALLY(path, sandbox)
        return SEEN[key]

    monkeypatch.setattr(packages_gateway, "streams", streams)


async def examined(folder: Path) -> Report:
    return await imf_reading.examine(Folder(folder), await gateway.sandbox("auto"))


async def codes(folder: Path) -> set[str]:
    return {fault.code for fault in (await examined(folder)).faults}


async def test_a_good_package_passes_and_says_what_it_holds(
    tracks: dict[str, bytes], tmp_path: Path
) -> None:
    report = await examined(Package(tracks).write(tmp_path))
    assert report.faults == [] and report.is_good
    assert report.files == {
        "ASSETMAP.xml": "assetmap", "PKL.xml": "packing-list", "CPL.xml": "composition",
        "picture.mxf": "picture", "sound.mxf": "sound",
    }  # fmt: skip
    assert report.pictures == ["picture.mxf"]
    told = report.as_dict()
    assert told["compositions"] == [
        {
            "id": str(imf_factory.NAMED["cpl"]), "title": "山海 Hills", "edit_rate": "25/1",
            "app_2e": "2021", "duration_ms": 400, "segments": 1,
        }
    ]  # fmt: skip
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize("algorithm", [SHA256, None], ids=["SHA-256", "none said"])
async def test_hashes_of_either_kind_are_checked(
    algorithm: str | None, tracks: dict[str, bytes], tmp_path: Path
) -> None:
    good = Package(tracks, algorithm=algorithm).write(tmp_path / "good")
    assert await codes(good) == set()
    flipped = bytearray(tracks["sound.mxf"])
    flipped[len(flipped) // 2] ^= 1
    bad = Package(tracks, algorithm=algorithm, after=replaced("sound.mxf", bytes(flipped)))
    assert "hash-differs" in await codes(bad.write(tmp_path / "bad"))


def removed(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def replaced(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def emptied(folder: Path) -> None:
    """Take the segments out of the composition, and pack it anew."""
    text = (folder / "CPL.xml").read_text()
    start, end = text.index("<SegmentList>"), text.index("</SegmentList>")
    text = text[:start] + "<SegmentList>" + text[end:]
    (folder / "CPL.xml").write_text(text)
    packed = (folder / "PKL.xml").read_text()
    size = len(text.encode())
    old = packed[packed.index("<Size>") : packed.index("</Size>")]
    (folder / "PKL.xml").write_text(packed.replace(old, f"<Size>{size}", 1))


TWICE = (
    f"<Asset><Id>{urn('sound')}</Id><ChunkList><Chunk><Path>x.mxf</Path></Chunk></ChunkList>"
    "</Asset>"
)
SPLIT = (
    f"<Asset><Id>{urn('stranger')}</Id><ChunkList><Chunk><Path>x.mxf</Path></Chunk>"
    "<Chunk><Path>y.mxf</Path></Chunk></ChunkList></Asset>"
)
EMPTY = "<Segment><SequenceList/></Segment>"
# Each fault alone, as far as one fault can stand alone.
FAULTS: dict[str, dict[str, Any]] = {
    "assetmap-missing": {"after": removed("ASSETMAP.xml")},
    "assetmap-unreadable": {"after": replaced("ASSETMAP.xml", b"<AssetMap>")},
    "path-unsafe": {"paths": {"sound": "../sound.mxf"}},
    "id-twice": {"more_map": TWICE},
    "chunks-many": {"more_map": SPLIT},
    "packing-list-missing": {"unmapped": ("pkl",)},
    "packing-list-unreadable": {"after": replaced("PKL.xml", b"<PackingList/>")},
    "composition-missing": {"unpacked": ("cpl",)},
    "composition-unreadable": {"edit_rate": "25"},
    "id-differs": {"cpl_id": "stranger"},
    "not-mapped": {"unmapped": ("sound",)},
    "not-packed": {"unpacked": ("sound",)},
    "not-in-package": {"after": lambda folder: (folder / "notes.txt").write_text("x") and None},
    "file-missing": {"after": removed("sound.mxf")},
    "size-differs": {"sizes": {"picture": 5}},
    "hash-differs": {"digests": {"picture": "AAAA"}},
    "hash-unknown": {"algorithm": "http://example.com/md5"},
    "application-missing": {"applications": "http://www.smpte-ra.org/schemas/2067-20/2016"},
    "segments-missing": {"after": emptied},
    "picture-missing": {"sequences": ("sound",)},
    "tracks-differ": {"second_segment": EMPTY},
    "durations-differ": {"sound_plays": SAMPLES - 480},
    "duration-not-whole": {"sequences": ("sound", "picture"), "sound_plays": SAMPLES - 1},
    "edit-rate-differs": {"picture_rate": "50 1"},
    "duration-beyond": {"picture_entry": 1},
    "duration-empty": {"repeat": 0},
    "track-file-missing": {"picture_id": "stranger"},
    "track-file-not-mxf": {"tracks": {"sound.mxf": b"RIFF" + bytes(500)}},
    "track-file-unreadable": {"tracks": {"sound.mxf": b"cut"}},
    "track-file-other": {"tracks": {"sound.mxf": b"picture"}},
    "track-file-duration": {
        "picture_duration": FRAMES * 2, "picture_plays": FRAMES * 2, "sound_duration": SAMPLES * 2,
        "sound_plays": SAMPLES * 2,
    },
    "encoding-missing": {"described": ("picture-descriptor",)},
}  # fmt: skip
# Told where a package is taken in as a work's files, not where a folder is checked.
AT_INTAKE = {"pictures-many", "uploads-missing"}


@pytest.mark.parametrize("code", FAULTS)
async def test_a_fault_is_found(code: str, tracks: dict[str, bytes], tmp_path: Path) -> None:
    change = dict(FAULTS[code])
    files = {**tracks, **change.pop("tracks", {})}
    if files["sound.mxf"] == b"cut":
        files["sound.mxf"] = tracks["sound.mxf"][:64]
    if files["sound.mxf"] == b"picture":
        files["sound.mxf"] = tracks["picture.mxf"]
    report = await examined(Package(files, **change).write(tmp_path))
    assert code in {fault.code for fault in report.faults}
    assert report.is_good == all(fault.severity == "warning" for fault in report.faults)
    if SAID[code][0] == "error":
        assert not report.is_good


def test_every_fault_has_its_fixture_and_both_languages() -> None:
    assert set(SAID) == set(FAULTS) | AT_INTAKE
    for severity, english, chinese in SAID.values():
        assert severity in (faults.ERROR, faults.WARNING)
        assert english.isascii() and any("\u4e00" <= sign <= "\u9fff" for sign in chinese)


async def test_a_link_out_of_the_folder_is_not_followed(
    tracks: dict[str, bytes], tmp_path: Path
) -> None:
    outside = tmp_path / "outside.mxf"
    outside.write_bytes(tracks["sound.mxf"])
    folder = Package(tracks).write(tmp_path / "package")
    (folder / "sound.mxf").unlink()
    (folder / "sound.mxf").symlink_to(outside)
    assert "file-missing" in await codes(folder)


HOSTILE = {
    "entities": b'<!DOCTYPE a [<!ENTITY b "b">]><AssetMap>&b;</AssetMap>',
    "a file": b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><AssetMap/>',
    "deep": b"<a>" * 5000 + b"</a>" * 5000,
    "nothing": b"",
    "zeros": bytes(1000),
    "long": b"<a>" + b" " * markup.MOST_BYTES + b"</a>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_xml_is_not_read(name: str) -> None:
    with pytest.raises(BadMarkup):
        markup.parse(HOSTILE[name])


@given(st.binary(max_size=300))
def test_whatever_bytes_come_a_document_is_read_or_refused(content: bytes) -> None:
    for read in (imf.asset_map, imf.packing_list, imf.composition):
        with pytest.raises(BadMarkup):
            read(content)


@given(path=st.text(max_size=20), up=st.sampled_from(["../", "a/../../", "/", "./", "a//"]))
def test_no_path_with_a_way_out_is_inside(path: str, up: str) -> None:
    assert not is_inside(up + path)


def test_the_command_tells_the_faults_and_ends_with_its_status(
    tracks: dict[str, bytes], tmp_path: Path
) -> None:
    good = Package(tracks).write(tmp_path / "good")
    bad = Package(tracks, digests={"picture": "AAAA"}).write(tmp_path / "bad")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(files_cli.imf_app, ["check", *arguments])

    passed, failed = run(str(good)), run(str(bad), "--lang", "zh")
    assert (passed.exit_code, failed.exit_code) == (0, 1)
    assert "App #2E 2021" in passed.stdout and "the package is good" in passed.stdout
    assert "哈希不符" in failed.stdout and "picture.mxf" in failed.stdout
    assert json.loads(run(str(bad), "--json").stdout)["ok"] is False


def test_the_hash_of_a_file_is_told_as_the_exchange_takes_it(tmp_path: Path) -> None:
    app = Typer()
    app.command()(files_cli.hash_file)
    (tmp_path / "file").write_bytes(b"abc")
    told = json.loads(CliRunner().invoke(app, [str(tmp_path / "file"), "--json"]).stdout)
    assert told == {
        "bytes": 3,
        "sha256": hashlib.sha256(b"abc").hexdigest(),
        "chunk_root": hashlib.sha256(b"\x00abc").hexdigest(),
    }
