"""Further files of a work over HTTP: uploaded, declared, checked; a package becomes a master."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio.to_thread
import httpx
import pytest
from sqlalchemy import text

from contracts import canonical, ids
from contracts.facts.rules import SealedFact
from exchange import clock, package_verbs, reactions
from exchange.context import Context
from tests.exchange.identity_factory import signed_client
from tests.exchange.test_works_api import registered
from tests.exchange.uploads_factory import CONTENT, create, upload
from tests.listings import imf_factory
from tests.listings.imf_factory import Package

SRT = "1\n00:00:01,000 --> 00:00:02,500\n山高水长\n".encode()


@pytest.fixture
async def holder(context: Context) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_client(context) as (client, _):
        yield client


@pytest.fixture
async def work(holder: httpx.AsyncClient) -> str:
    return await registered(holder)


async def sent(holder: httpx.AsyncClient, work: str, content: bytes) -> str:
    work_id = work.rsplit("/", 1)[1]
    return str(await upload(holder, content, purpose="asset", work_id=work_id))


def described(file_id: str, **more: Any) -> dict[str, Any]:
    return {"file_id": file_id, "kind": "subtitle", "language": "zh-Hans", "label": "字幕", **more}


async def declare(
    holder: httpx.AsyncClient, work: str, body: dict[str, Any], asset_id: UUID | None = None
) -> httpx.Response:
    return await holder.put(f"{work}/assets/{asset_id or ids.new(clock.now())}", json=body)


async def run(context: Context, kind: str, subject: str) -> None:
    """Wake what the fact wakes, as the worker does."""
    async with context.db.transaction() as session:
        found = await session.execute(
            text("SELECT record FROM fact WHERE subject = :id AND kind = :kind"),
            {"id": UUID(subject), "kind": kind},
        )
        record = canonical.loads(bytes(found.scalar_one()))
    now = clock.now()
    fact = SealedFact(1, ids.new(now), kind, UUID(subject), [], record, now)
    for reaction in reactions.woken_by(kind):
        async with context.db.transaction() as session:
            await reaction.verb(context, session, fact, now)


async def facts_of(context: Context, subject: str) -> list[str]:
    async with context.db.transaction() as session:
        found = await session.execute(
            text("SELECT kind FROM fact WHERE subject = :id ORDER BY id"), {"id": UUID(subject)}
        )
        return list(found.scalars())


async def test_a_subtitle_is_declared_checked_and_ready(
    holder: httpx.AsyncClient, work: str, context: Context
) -> None:
    file_id = await sent(holder, work, SRT)
    made = (await declare(holder, work, described(file_id, language="zh-hans"))).json()
    assert (made["state"], made["language"], made["content"]) == ("checking", "zh-Hans", None)
    await run(context, "asset.declared", made["id"])
    ready = (await holder.get(f"{work}/assets/{made['id']}")).json()
    assert (ready["state"], ready["content"]["format"]) == ("ready", "srt")
    assert ready["content"]["last_ms"] == 2500 and ready["checked_at"]
    assert await facts_of(context, made["id"]) == ["asset.declared", "asset.checked"]
    await run(context, "asset.declared", made["id"])
    assert (await holder.get(f"{work}/assets/{made['id']}")).json() == ready
    assert (await holder.get(f"{work}/assets")).json() == {"items": [ready], "next": None}


async def test_what_is_not_of_its_kind_is_refused_and_told_why(
    holder: httpx.AsyncClient, work: str, context: Context
) -> None:
    file_id = await sent(holder, work, SRT)
    made = (await declare(holder, work, described(file_id, kind="artwork"))).json()
    await run(context, "asset.declared", made["id"])
    refused = (await holder.get(f"{work}/assets/{made['id']}")).json()
    assert (refused["state"], refused["refusal"]["code"]) == ("refused", "not-artwork")
    assert refused["refusal"]["hint"] and refused["content"] is None


async def test_the_same_asset_again_is_the_same_and_another_is_refused(
    holder: httpx.AsyncClient, work: str
) -> None:
    asset_id, body = ids.new(clock.now()), described(await sent(holder, work, SRT))
    first = await declare(holder, work, body, asset_id)
    again = await declare(holder, work, body, asset_id)
    other = await declare(holder, work, {**body, "label": "other"}, asset_id)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert (other.status_code, other.json()["code"]) == (409, "id-reused")


async def test_only_ones_own_finished_files_of_the_work_can_be_declared(
    holder: httpx.AsyncClient, work: str, context: Context
) -> None:
    other_work = await registered(holder)
    elsewhere = await sent(holder, other_work, SRT)
    assert (await declare(holder, work, described(elsewhere))).status_code == 404
    open_one = await create(holder, 50, purpose="asset", work_id=work.rsplit("/", 1)[1])
    unfinished = open_one.headers["Location"].rsplit("/", 1)[1]
    answer = await declare(holder, work, described(unfinished))
    assert (answer.status_code, answer.json()["code"]) == (409, "asset-not-received")
    a_master = str(await upload(holder, CONTENT, work_id=work.rsplit("/", 1)[1]))
    assert (await declare(holder, work, described(a_master))).status_code == 422
    answer = await declare(holder, work, described(await sent(holder, work, SRT), language="汉语"))
    assert answer.json()["code"] == "asset-language"
    async with signed_client(context) as (stranger, _):
        mine = await sent(holder, work, SRT)
        assert (await declare(stranger, work, described(mine))).status_code == 404
        assert (await stranger.get(f"{work}/assets")).status_code == 404
    async with signed_client(context, role="auditor") as (auditor, _):
        assert (await auditor.get(f"{work}/assets")).status_code == 200


async def taken_in(
    holder: httpx.AsyncClient, work: str, context: Context, folder: Path
) -> dict[str, Any]:
    contents = await anyio.to_thread.run_sync(
        lambda: {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    )
    files = {name: await sent(holder, work, content) for name, content in contents.items()}
    package_id = ids.new(clock.now())
    address = f"{work}/packages/{package_id}"
    answer = await holder.put(address, json={"files": files})
    assert answer.status_code == 201, answer.text
    assert (await holder.put(address, json={"files": files})).status_code == 200
    await run(context, "package.declared", str(package_id))
    return dict((await holder.get(address)).json())


@pytest.fixture(scope="session")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    made = imf_factory.track_files(tmp_path_factory.mktemp("tracks"))
    return {name: path.read_bytes() for name, path in made.items()}


async def test_a_good_package_becomes_assets_and_its_picture_a_master(
    holder: httpx.AsyncClient, work: str, context: Context, tracks: dict[str, bytes], tmp_path: Path
) -> None:
    package = await taken_in(holder, work, context, Package(tracks).write(tmp_path))
    assert (package["state"], package["report"]["faults"]) == ("complete", [])
    assert package["master_id"] == package["files"]["picture.mxf"]
    master = (await holder.get(f"/v1/masters/{package['master_id']}")).json()
    assert (master["purpose"], master["state"], master["stage"]) == (
        "master", "received", "waiting",
    )  # fmt: skip
    assert await facts_of(context, package["master_id"]) == ["asset.received", "master.received"]
    items = (await holder.get(f"{work}/assets")).json()["items"]
    assert {item["label"]: item["kind"] for item in items} == {
        "ASSETMAP.xml": "metadata", "PKL.xml": "metadata", "CPL.xml": "metadata",
        "picture.mxf": "picture", "sound.mxf": "sound_stem",
    }  # fmt: skip
    assert {item["package_id"] for item in items} == {package["id"]}
    assert await facts_of(context, package["id"]) == ["package.declared", "package.checked"]


async def test_a_package_with_a_fault_is_refused_and_can_be_sent_again(
    holder: httpx.AsyncClient, work: str, context: Context, tracks: dict[str, bytes], tmp_path: Path
) -> None:
    folder = Package(tracks).write(tmp_path / "package")
    (folder / "sound.mxf").rename(tmp_path / "sound.mxf")
    package = await taken_in(holder, work, context, folder)
    codes = [fault["code"] for fault in package["report"]["faults"]]
    assert (package["state"], package["master_id"]) == ("refused", None)
    assert set(codes) == {"file-missing"}
    assert (await holder.get(f"{work}/assets")).json()["items"] == []
    missing = await sent(holder, work, tracks["sound.mxf"])
    whole = ids.new(clock.now())
    files = {**package["files"], "sound.mxf": missing}
    await holder.put(f"{work}/packages/{whole}", json={"files": files})
    await run(context, "package.declared", str(whole))
    again = (await holder.get(f"{work}/packages")).json()["items"]
    assert [one["state"] for one in again] == ["refused", "complete"]


async def test_one_upload_becomes_one_master(
    holder: httpx.AsyncClient, work: str, context: Context, tracks: dict[str, bytes], tmp_path: Path
) -> None:
    package = await taken_in(holder, work, context, Package(tracks).write(tmp_path))
    twice = ids.new(clock.now())
    answer = await holder.put(f"{work}/packages/{twice}", json={"files": package["files"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-content")


async def test_two_pictures_are_no_master(
    holder: httpx.AsyncClient, work: str, context: Context, tracks: dict[str, bytes], tmp_path: Path
) -> None:
    folder = Package(tracks).write(tmp_path)
    looked = package_verbs.imf_reading.examine

    async def two(*args: Any) -> Any:
        report = await looked(*args)
        report.pictures.append("CPL.xml")
        return report

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(package_verbs.imf_reading, "examine", two)
        package = await taken_in(holder, work, context, folder)
    assert package["state"] == "refused"
    assert [fault["code"] for fault in package["report"]["faults"]] == ["pictures-many"]
