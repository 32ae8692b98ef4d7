"""A rights holder adds files to a work in a real Chromium, in both languages."""

from pathlib import Path
from uuid import UUID

import pytest
from playwright.async_api import Browser, expect
from sqlalchemy import text

from contracts import ids
from contracts.works.tables import Work
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from listings.packages.faults import Fault
from listings.packages.imf_reading import Report
from listings.packages.tables import ImfPackage
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import Visit, turn, visit

pytestmark = pytest.mark.browser

expect.set_options(timeout=30_000)
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 400, "height": 800}


@pytest.fixture
async def ours(db: Database) -> tuple[str, Work]:
    now = clock.now()
    async with db.transaction() as session:
        home = await party(session, kind="rights_holder", now=now)
        who = await person(session, party_id=home.id, role="holder", now=now)
        return who.email, await work(session, party_id=home.id, now=now)


async def add(seen: Visit, made: Work, file: Path, *, kind: str, label: str) -> None:
    await seen.go(f"/works/{made.id}/assets/new")
    await seen.page.select_option("#kind", kind)
    await seen.page.fill("#label", label)
    await seen.page.fill("#language", "zh-hans")
    await seen.page.set_input_files("#file", file)
    await seen.page.click("#start")
    await seen.page.wait_for_url("**/works/*#assets")


async def looked_into(context: Context, label: str) -> None:
    """The worker's part: look into the file of that name."""
    async with context.db.transaction() as session:
        found = await session.execute(
            text("SELECT id FROM asset WHERE label = :label"), {"label": label}
        )
        asset_id: UUID = found.scalar_one()
    await turn(context, about=asset_id)


async def test_a_file_is_added_checked_and_shown(
    context: Context, site: str, browser: Browser, ours: tuple[str, Work], tmp_path: Path
) -> None:
    email, made = ours
    (tmp_path / "字幕.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\n山\n", "utf-8")
    label = f"简体中文 {made.id.hex[-6:]}"
    async with visit(browser, site, viewport=WIDE) as seen:
        await seen.sign_in(email, PASSWORD)
        await seen.go(f"/works/{made.id}")
        await expect(seen.page.locator("#assets")).to_contain_text("Sound stems, subtitles")
        await seen.page.get_by_role("link", name="Add a file").click()
        await seen.shot("asset-new")
        await add(seen, made, tmp_path / "字幕.srt", kind="subtitle", label=label)
        await expect(seen.page.locator("#assets .badge")).to_have_text("Being checked")
        await looked_into(context, label)
        await expect(seen.page.locator("#assets .badge")).to_have_text("Ready")
        await expect(seen.page.locator("#assets")).to_contain_text("SRT · 1 cue")
        await expect(seen.page.locator("#assets")).to_contain_text("zh-Hans")
        await seen.shot("assets")


async def test_a_file_of_another_kind_is_refused_in_the_readers_language(
    context: Context, site: str, browser: Browser, ours: tuple[str, Work], tmp_path: Path
) -> None:
    email, made = ours
    (tmp_path / "poster.jpg").write_text("not a picture")
    label = f"海报 {made.id.hex[-6:]}"
    async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
        await seen.sign_in(email, PASSWORD)
        await add(seen, made, tmp_path / "poster.jpg", kind="artwork", label=label)
        await looked_into(context, label)
        await expect(seen.page.locator("#assets")).to_contain_text("文件不是完整可用的 JPEG 或 PNG")
        await seen.shot("assets-refused-zh-narrow")


async def test_a_refused_package_tells_its_faults_in_the_readers_language(
    db: Database, site: str, browser: Browser, ours: tuple[str, Work]
) -> None:
    email, made = ours
    found = Report(faults=[Fault("hash-differs", "picture.mxf"), Fault("not-packed", "x.mxf")])
    now = clock.now()
    async with db.transaction() as session:
        session.add(
            ImfPackage(
                id=ids.new(now), work_id=made.id, party_id=made.party_id, state="refused",
                files={"ASSETMAP.xml": str(made.id)}, report=found.as_dict(), created_at=now,
                checked_at=now,
            )
        )  # fmt: skip
    async with visit(browser, site, locale="zh-CN", viewport=WIDE) as seen:
        await seen.sign_in(email, PASSWORD)
        await seen.go(f"/works/{made.id}")
        await expect(seen.page.locator("#assets")).to_contain_text("picture.mxf 文件哈希不符。")
        await expect(seen.page.locator("#assets details .badge").first).to_have_text("已拒绝")
        await seen.shot("package-refused-zh")
