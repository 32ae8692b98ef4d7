"""The report on paper: all of it is there, and the same content gives the same bytes."""

import math
import subprocess
from typing import Any

import pytest

from listings.masters import gateway
from listings.masters.conformance import press, profiles, rules
from listings.masters.conformance.values import Tier
from tests.conftest import NOW
from tests.listings.masters_factory import PROBE

SUBJECT = (("文件 File", "珠江之花 master.mxf"), ("SHA-256", "ab" * 32))
SECONDS = 40
RECORD = {**PROBE, "duration_ms": 1000 * SECONDS}


def measures() -> dict[str, Any]:
    """A programme with a black stretch, too loud at its end."""
    pictures = [
        {
            "at_ms": 1000 * at, "y_least": 64, "y_most": 900, "r103_bp": 20, "illegal_bp": 0,
            "wide_bp": 900 + 300 * (at % 5), "bright_bp": 200, "contrast": 20_000,
            "peak_cd100": round(30_000 + 20_000 * math.sin(at)), "mean_cd100": 2_000,
            "low_bits_bp": 7_500,
        }
        for at in range(SECONDS)
    ]  # fmt: skip
    track = {
        "track": 0, "channels": 2, "integrated_lu100": -1_890, "range_lu100": 700,
        "true_peak_db100": -50, "short_term_lu100": [-2_400 + 15 * at for at in range(SECONDS)],
        "silence_ms": [], "antiphase_bp": 0, "mono_bp": 0, "clipped_samples": 0, "flat_x100": 0,
    }  # fmt: skip
    return {
        "tier": "sampled", "frames": 50 * SECONDS, "decode_errors": 0,
        "black_ms": [[10_000, 15_000], [30_000, 33_500]], "freeze_ms": [], "interlaced_bp": 0,
        "pictures": pictures, "patches": [], "ti_x100": 500, "flash_ms": [], "red_flash_ms": [],
        "active": {"left_bp": 0, "right_bp": 0, "top_bp": 0, "bottom_bp": 0},
        "wide_pictures_bp": 9_000, "hdr_pictures_bp": 8_000, "upscaled_bp": 0, "real_bits": 10,
        "sound": [track],
    }  # fmt: skip


@pytest.fixture(scope="module")
def jpegs(tmp_path_factory: pytest.TempPathFactory) -> list[press.Thumbnail]:
    folder = tmp_path_factory.mktemp("thumbs")
    made = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=1:d=4", f"{folder}/%d.jpg"]
    subprocess.run([gateway.ffmpeg(), "-v", "error", *made], check=True)
    return [(number * 10_000, (folder / f"{number + 1}.jpg").read_bytes()) for number in range(4)]


def judged() -> dict[str, Any]:
    profile = profiles.get("CN4K_MASTER_2023", NOW.date())
    return rules.judge(profile, RECORD, measures(), {}, tier=Tier.SAMPLED).as_dict()


async def pressed(
    report: dict[str, Any], thumbnails: list[press.Thumbnail], **change: Any
) -> bytes:
    asked = {"subject": SUBJECT, "measures": measures(), "duration_ms": 1000 * SECONDS, "at": NOW}
    return await press.press(report, thumbnails=thumbnails, **{**asked, **change})


def text_of(pdf: bytes) -> str:
    ended = subprocess.run(["pdftotext", "-layout", "-", "-"], input=pdf, capture_output=True)
    assert ended.returncode == 0
    return ended.stdout.decode()


def pictures_in(pdf: bytes) -> int:
    ended = subprocess.run(["pdfimages", "-list", "-"], input=pdf, capture_output=True)
    return ended.stdout.count(b" jpeg ")


async def test_every_check_is_on_paper_with_its_outcome(
    jpegs: list[press.Thumbnail],
) -> None:
    report = judged()
    pdf = await pressed(report, jpegs)
    text = text_of(pdf)
    for finding in report["findings"]:
        assert finding["id"] in text
        assert finding["name"]["zh"][:4] in text
    assert "不符合" in text or "尚不能判定" in text or "符合" in text
    assert "0:10–0:15" in text and "0:30–0:33" in text  # where it is black
    assert "CN4K_MASTER_2023" in text.replace("\n", "")
    assert pictures_in(pdf) == 2  # one of each black stretch


async def test_the_same_report_is_the_same_bytes(jpegs: list[press.Thumbnail]) -> None:
    report = judged()
    assert await pressed(report, jpegs) == await pressed(report, jpegs)


async def test_a_report_of_headers_alone_has_no_curves() -> None:
    profile = profiles.get("CN4K_MASTER_2023", NOW.date())
    report = rules.judge(profile, PROBE, None, {}, tier=Tier.PROBE).as_dict()
    text = text_of(await pressed(report, [], measures=None))
    assert "未测" in text and "Curves" not in text


async def test_a_name_that_looks_like_a_command_is_printed_as_it_is() -> None:
    name = '#image("/etc/passwd") $x$ *b* _i_ `c` <l> @r'
    pdf = await pressed(judged(), [], subject=(("文件 File", name),))
    assert '#image("/etc/passwd")' in text_of(pdf)
