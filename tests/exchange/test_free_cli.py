"""The commands on what is free: words, JSON, and an exit status that says it in a number."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console
from typer.testing import CliRunner

from contracts import ids
from contracts.rights import axes
from contracts.titles import service as titles
from contracts.works.tables import Work
from exchange import avails_cli, clock, free_cli, saying
from exchange.context import Context
from exchange.db import Database
from exchange.demo import avails as example
from exchange.settings import Settings
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import work

README = Path(__file__).parent.parent.parent / "README.md"


@pytest.fixture
async def film(context: Context) -> Work:
    """A film whose satellite rights in Mainland China are reserved for 2027 and 2028."""
    now = clock.now()
    async with context.db.transaction() as session:
        owner = await party(session, now=now)
        made = await work(session, party_id=owner.id, kind="film", now=now)
        await titles.reserve(
            session, made.id, grantor_id=owner.id, boxes=[wire()], source=str(ids.new(now)),
            now=now,
        )  # fmt: skip
    return made


async def run(
    monkeypatch: pytest.MonkeyPatch, context: Context, *arguments: str
) -> tuple[int, str]:
    """Run a command against the tests' database; it opens and closes connections of its own."""
    monkeypatch.setattr(free_cli, "open_context", lambda _: opened(context.settings, context.db))
    invoke = CliRunner().invoke
    told = await asyncio.to_thread(invoke, avails_cli.app, list(arguments))
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
    return told.exit_code, told.stdout


def opened(settings: Settings, db: Database) -> Context:
    url = db.engine.url.render_as_string(hide_password=False)
    return Context(settings, Database(url))


def question(film: UUID, *more: str) -> list[str]:
    return [
        "check", str(film), "--right", "broadcasting", "--media", "satellite",
        "--territories", "CN", "--language", "zh", "--from", "2027-01-01",
        "--until", "2029-12-31", "--exclusive", *more,
    ]  # fmt: skip


async def test_check_says_what_is_free_and_why_the_rest_is_not(
    monkeypatch: pytest.MonkeyPatch, context: Context, film: Work
) -> None:
    status, told = await run(monkeypatch, context, *question(film.id, "--json"))
    answer = json.loads(told)
    assert (status, answer["outcome"]) == (3, "partly")
    assert [box["first_day"] for box in answer["free"]] == ["2029-01-01"]
    assert [reason["code"] for reason in answer["reasons"]] == ["hold"]
    status, told = await run(monkeypatch, context, *question(film.id, "--lang", "zh"))
    assert (status, "部分可授权" in told, "挂牌" in told) == (3, True, True)


async def test_the_exit_status_is_0_only_when_all_is_free(
    monkeypatch: pytest.MonkeyPatch, context: Context, film: Work
) -> None:
    free = question(film.id)
    free[free.index("CN")] = "+WRD -CN"
    assert (await run(monkeypatch, context, *free))[0] == 0
    assert (await run(monkeypatch, context, *question(film.id, "--cover-all")))[0] == 3
    minimum = question(film.id, "--minimum-days", "366", "--json")
    status, told = await run(monkeypatch, context, *minimum)
    assert (status, json.loads(told)["outcome"]) == (3, "no")


async def test_a_bundle_is_asked_for_by_its_name(
    monkeypatch: pytest.MonkeyPatch, context: Context, film: Work
) -> None:
    asked = question(film.id, "--json")
    asked[asked.index("broadcasting")] = "telecast"
    assert (await run(monkeypatch, context, *asked))[0] == 2  # its media are its own
    at = asked.index("--media")
    status, told = await run(monkeypatch, context, *asked[:at], *asked[at + 2 :])
    answer = json.loads(told)
    assert (status, answer["outcome"]) == (3, "partly")
    rights = {use["right"] for box in answer["free"] for use in box["rights"]}
    assert rights == {"broadcasting", "network-transmission"}


async def test_list_says_what_is_free_of_a_work(
    monkeypatch: pytest.MonkeyPatch, context: Context, film: Work
) -> None:
    days = ["--from", "2027-01-01", "--until", "2028-12-31", "--territories", "+CN", "--exclusive"]
    status, told = await run(monkeypatch, context, "list", str(film.id), *days, "--json")
    answer = json.loads(told)
    assert (status, answer["outcome"]) == (3, "partly")
    (reason,) = answer["reasons"]
    assert reason["box"]["rights"] == [{"right": "broadcasting", "media": ["satellite"]}]


def test_the_example_in_the_readme_is_what_the_engine_answers() -> None:
    console = Console(width=118, file=io.StringIO(), color_system=None)
    saying.say_answer(console, example.answer(), "en")
    printed = "\n".join(line.rstrip() for line in said(console).splitlines())
    assert f"```\n{printed}\n```" in README.read_text(encoding="utf-8")


def test_the_example_is_sold_where_nothing_stands_in_the_way() -> None:
    answer = example.answer()
    codes = {reason["code"]: reason["box"] for reason in answer["reasons"]}
    assert codes.keys() == {"exclusive-out", "holdback"}
    assert [use["media"] for use in codes["exclusive-out"]["rights"]] == [["satellite.pay"]]
    assert [use["media"] for use in codes["holdback"]["rights"]] == [["satellite.free"]]
    whole, there = answer["free"]
    assert {"AT", "CH", "DE"}.isdisjoint(whole["territories"])
    assert (whole["first_day"], whole["last_day"]) == ("2028-01-01", "2030-12-31")
    assert there["territories"] == ["AT", "CH", "DE"]
    assert (there["first_day"], there["last_day"]) == ("2029-01-01", "2030-12-31")


def test_the_example_command_ends_with_the_status_of_partly() -> None:
    told = CliRunner().invoke(avails_cli.app, ["example", "--lang", "zh", "--json"])
    answer: dict[str, Any] = json.loads(told.stdout)
    assert (told.exit_code, answer["outcome"]) == (3, "partly")


def test_many_territories_are_told_by_a_group() -> None:
    console = Console(width=200, file=io.StringIO(), color_system=None)
    saying.say_answer(console, example.answer(), "zh")
    assert "欧洲（不含奥地利、瑞士、德国）" in said(console)


def test_a_country_without_a_part_and_any_language_but_one_are_told_so() -> None:
    places = axes.TERRITORIES.mask(["CN"]) & ~axes.TERRITORIES.mask(["CN-GD"])
    tongues = axes.LANGUAGES.all & ~axes.LANGUAGES.mask(["zh"])
    answer = example.answer()
    answer["free"][0] |= {
        "territories": axes.TERRITORIES.codes(places), "excluded": [],
        "languages": axes.LANGUAGES.codes(tongues),
    }  # fmt: skip
    console = Console(width=200, file=io.StringIO(), color_system=None)
    saying.say_answer(console, answer, "en")
    assert "Mainland China without Guangdong" in said(console)
    assert "any language without Chinese" in said(console)


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
