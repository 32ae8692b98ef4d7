"""The pages of works: the tree they stand in, their dates, their identifiers."""

import html
import re
from typing import Any
from uuid import UUID

import httpx

from contracts import ids
from exchange import clock
from exchange.context import Context
from tests.exchange.test_portal_pages import signed_in, token_in


async def added(client: httpx.AsyncClient, form_at: str, **fields: Any) -> str:
    """Fill in the form at this address as it stands, send it, and return the new work's address."""
    page = (await client.get(form_at)).text
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
    typed = re.findall(r'<input id="[^"]+" name="([^"]+)" type="[^"]+" value="([^"]*)"', page)
    selects = re.findall(r'<select id="([^"]+)"(.*?)</select>', page, re.S)
    chosen = [(name, re.findall(r'value="([^"]+)" selected', text)[:1]) for name, text in selects]
    form = {name: html.unescape(value) for name, value in [*hidden.items(), *typed]}
    form |= {name: values[0] for name, values in chosen if values}
    sent = await client.post("/works", data={**form, **fields, "csrf_token": token_in(page)})
    assert sent.status_code == 303, sent.text
    assert UUID(sent.headers["location"].removeprefix("/works/"))
    return str(sent.headers["location"])


async def test_a_season_is_added_from_the_page_of_its_series(context: Context) -> None:
    async with signed_in(context, "holder") as client:
        titles = {"title_zh": "珠江", "title_en": "Pearl"}
        series = await added(client, "/works/new", **titles, kind="series", year="2025")
        page = (await client.get(series)).text
        links = re.findall(r'href="(/works/new\?parent=[^"]+)"', page)
        assert [html.unescape(link).rpartition("=")[2] for link in links] == [
            "season", "episode", "edit",
        ]  # fmt: skip
        season = await added(client, html.unescape(links[0]), title_zh="珠江 第一季")
        told = (await client.get(season)).text
        assert f'<a href="{series}">Pearl</a>' in told and "Season · 2025" in told
        assert f'<a href="{season}">' in (await client.get(series)).text


async def test_the_form_offers_only_what_may_stand_there(context: Context) -> None:
    async with signed_in(context, "holder") as client:
        root = (await client.get("/works/new")).text
        assert 'value="series"' in root and 'value="edit"' not in root
        film = await added(client, "/works/new", title_zh="片", title_en="Film", kind="film")
        below = f"/works/new?parent={film.removeprefix('/works/')}"
        kinds = re.findall(r'<option value="([a-z]+)"', (await client.get(below)).text)
        assert kinds == ["edit"]
        edit = await added(client, f"{below}&kind=edit", title_zh="片 短版")
        nothing = await client.get(f"/works/new?parent={edit.removeprefix('/works/')}")
        assert nothing.status_code == 422 and "work-cannot-nest" in nothing.text
        assert "parent=" not in (await client.get(edit)).text


async def test_anothers_work_is_no_parent_on_the_form(context: Context) -> None:
    async with signed_in(context, "holder") as owner, signed_in(context, "holder") as other:
        series = await added(owner, "/works/new", title_zh="剧", title_en="A", kind="series")
        for parent in (series.removeprefix("/works/"), ids.new(clock.now())):
            assert (await other.get(f"/works/new?parent={parent}")).status_code == 404


async def test_dates_are_given_on_the_page_and_tell_the_term(context: Context) -> None:
    async with signed_in(context, "holder") as client:
        work = await added(
            client, "/works/new", title_zh="片", title_en="Film", kind="film",
            completed_on="2026-03-31", dci="DCI 2026 0001",
            registration_no="国作登字-2021-I-00000001",
        )  # fmt: skip
        page = (await client.get(work)).text
        assert "2076-12-31" in page and "DCI 2026 0001" in page and "国作登字-2021" in page
        assert 'name="completed_on"' not in page
        form = {"csrf_token": token_in(page), "published_on": "2026-10-01"}
        assert (await client.post(f"{work}/dates", data=form)).status_code == 303
        page = (await client.get(work)).text
        assert "2026-10-01" in page and 'name="published_on"' not in page
        told = await client.post(f"{work}/dates", data={**form, "published_on": "2026-10-02"})
        assert told.status_code == 409 and "dates-settled" in told.text


async def test_titles_in_the_tree_are_text_and_never_markup(context: Context) -> None:
    async with signed_in(context, "holder") as client:
        name = "<b>Pearl</b>"
        series = await added(client, "/works/new", title_zh=name, title_en=name, kind="series")
        parent = series.removeprefix("/works/")
        season = await added(client, f"/works/new?parent={parent}&kind=season")
        for address in (series, season, f"/works/new?parent={parent}"):
            text = (await client.get(address)).text
            assert name not in text and html.escape(name) in text
