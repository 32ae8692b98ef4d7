"""Avails by the API and the commands: a dry run, an import, an export, and every refusal."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from typer.testing import CliRunner

from contracts import ids
from contracts.avails import files, refusals, terms
from contracts.parties import queries as parties
from exchange import avails_cli, clock
from exchange.api import avails as api
from exchange.context import Context
from exchange.db import Database
from exchange.identity.tables import Person
from tests.contracts import parties_factory
from tests.contracts.avails_factory import SAMPLES, document, movie, offer, sample
from tests.exchange.identity_factory import signed_client
from tests.exchange.test_works_api import refused
from tests.listings.catalogue_factory import published_listing

Holder = tuple[httpx.AsyncClient, Person]


@pytest.fixture
async def holder(context: Context) -> AsyncIterator[Holder]:
    async with signed_client(context) as signed:
        yield signed


def address(id: UUID | None = None) -> str:
    return f"/v1/avails/imports/{id or ids.new(clock.now())}"


async def test_a_dry_run_reports_and_keeps_nothing(holder: Holder) -> None:
    client, _ = holder
    path = address()
    answer = await client.put(path, params={"dry_run": "true"}, content=sample("Movies_v1.9.xlsx"))
    told = answer.json()
    assert answer.status_code == 200, answer.text
    assert (told["dry_run"], told["imported_at"], told["form"], told["version"]) == (
        True,
        None,
        "xlsx",
        "1.9",
    )
    assert told["counts"] == {"created": 26, "changed": 0, "unchanged": 0, "withdrawn": 0}
    assert (told["report"]["errors"], told["report"]["warnings"]) == (0, 106)
    assert len(told["changes"]) == 26
    refused(await client.get(path), 404, "unknown")


async def test_a_dry_run_tells_the_errors_of_a_file_that_would_be_refused(holder: Holder) -> None:
    client, _ = holder
    content = sample("Avails_Volume_error_v2.5.xml")
    answer = await client.put(address(), params={"dry_run": "true"}, content=content)
    assert answer.json()["report"]["errors"] == 3
    problem = refused(await client.put(address(), content=content), 422, "avails-have-errors")
    assert problem["errors"] == 3


async def test_an_import_is_created_once_and_read_again(holder: Holder) -> None:
    client, _ = holder
    path = address()
    first = await client.put(path, content=sample("TV_v1.8.xlsx"))
    again = await client.put(path, content=sample("TV_v1.8.xlsx"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == (await client.get(path)).json()
    refused(await client.put(path, content=sample("Movies_v1.9.xlsx")), 409, "id-reused")


async def test_a_change_is_told_field_by_field(holder: Holder) -> None:
    client, _ = holder
    await client.put(address(), content=files.to_xml(document(movie(offer(contract_id="1")))))
    changed = files.to_workbook(document(movie(offer(contract_id="2"))))
    told = (await client.put(address(), content=changed)).json()
    assert told["counts"]["changed"] == 1
    assert told["changes"][0]["fields"] == {"contract_id": ["1", "2"]}


async def test_an_import_is_nobody_elses_to_read(holder: Holder, context: Context) -> None:
    client, _ = holder
    path = address()
    await client.put(path, content=files.to_xml(document()))
    async with signed_client(context) as (stranger, _):
        refused(await stranger.get(path), 404, "unknown")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "avails-unreadable"),
        (b'{"not": "avails"}', 400, "avails-unreadable"),
        (b"PK\x03\x04 and no zip", 400, "avails-unreadable"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', 400, "avails-dangerous"),
        (b" " * (refusals.MOST_BYTES + 1), 413, "avails-too-large"),
    ],
)
async def test_what_is_no_file_of_avails_is_refused(
    holder: Holder, content: bytes, status: int, code: str
) -> None:
    client, _ = holder
    refused(await client.put(address(), content=content), status, code)


async def test_a_file_that_never_ends_is_given_up(
    holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drip() -> AsyncIterator[bytes]:
        yield b"<a>"
        await asyncio.sleep(5)

    monkeypatch.setattr(api, "ARRIVES_WITHIN_S", 0.05)
    client, _ = holder
    refused(await client.put(address(), content=drip()), 400, "body-too-slow")


async def test_only_rights_holders_import(context: Context) -> None:
    async with signed_client(context, role="broadcaster") as (client, _):
        refused(await client.put(address(), content=b"<a/>"), 403, "not-allowed")


@pytest.mark.parametrize(
    ("form", "version"), [("xlsx", "1.8"), ("xlsx", None), ("xml", "2.6.1"), ("xml", None)]
)
async def test_what_a_work_offers_is_exported_with_its_rights(
    context: Context, form: str, version: str | None
) -> None:
    now = clock.now()
    async with signed_client(context) as (client, who):
        async with context.db.transaction() as session:
            seller = await parties.get_party(session, who.party_id)
            listing = await published_listing(session, seller=seller, now=now)
        params = {"version": version} if version else {}
        answer = await client.get(f"/v1/works/{listing.work_id}/avails.{form}", params=params)
        assert answer.status_code == 200, answer.text
        read = files.read(answer.content)
        assert (read.report.errors, read.report.warnings) == (0, 0), read.report
        assert read.document.version == (version or {"xlsx": "1.9", "xml": "2.7"}[form])
        rights = [terms.to_wire(one) for one in read.document.avails[0].transactions]
        assert rights == listing.rights
        told = (await client.put(address(), content=answer.content)).json()
        assert told["report"]["findings"] == []


async def test_an_export_is_of_ones_own_offers_in_a_version_of_its_form(context: Context) -> None:
    now = clock.now()
    async with signed_client(context) as (client, who):
        async with context.db.transaction() as session:
            seller = await parties.get_party(session, who.party_id)
            listing = await published_listing(session, seller=seller, now=now)
        path = f"/v1/works/{listing.work_id}/avails.xlsx"
        refused(await client.get(path, params={"version": "2.7"}), 422, "invalid-content")
        refused(await client.get(path, params={"version": "1.7"}), 409, "avails-version-lacks")
        async with signed_client(context) as (stranger, _):
            refused(await stranger.get(path), 404, "unknown")


def check(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(avails_cli.app, list(arguments))
    return done.exit_code, done.output


def test_a_file_is_checked_without_a_database() -> None:
    status, told = check("check-file", "--json", str(SAMPLES / "Avails_Volume_error_v2.5.xml"))
    report = json.loads(told)
    assert (status, report["errors"], report["warnings"], report["form"]) == (1, 3, 0, "xml")
    assert check("check-file", "--json", str(SAMPLES / "TPT-test_v1.9.xlsx"))[0] == 0


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "3 errors, 0 warnings"), ("zh", "VolumeStatus")]
)
def test_a_report_is_a_table_for_people(lang: str, words: str) -> None:
    status, told = check(
        "check-file", "--lang", lang, str(SAMPLES / "Avails_Volume_error_v2.5.xml")
    )
    assert status == 1
    assert words in told


def test_brackets_in_a_file_do_not_colour_the_report(tmp_path: Path) -> None:
    file = tmp_path / "avails.xml"
    file.write_bytes(files.to_xml(document(movie(offer(licence_type="[red]SELL[/]")))))
    _, told = check("check-file", str(file))
    assert "[red]" in told.replace("\n", "")


def test_a_file_is_imported_by_command(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def made() -> UUID:
        db = Database(database_url)
        async with db.transaction() as session:
            home = await parties_factory.party(session, now=clock.now())
        await db.close()
        return home.id

    party, file = str(asyncio.run(made())), str(SAMPLES / "Movies_v1.9.xlsx")
    monkeypatch.setenv("EXCHANGE_DATABASE_URL", database_url)
    for option, created in (("--dry-run", 26), ("--json", 26), ("--json", 0)):
        status, told = check("import", "--json", option, "--party", party, file)
        assert (status, json.loads(told)["counts"]["created"]) == (0, created)
    bad = str(SAMPLES / "Avails_Volume_error_v2.5.xml")
    status, told = check("import", "--party", party, bad)
    assert (status, "nothing was written" in told) == (1, True)
