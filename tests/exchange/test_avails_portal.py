"""The page that takes a file of avails: checked first, applied when asked and without errors."""

from collections.abc import AsyncIterator

import httpx
import pytest

from contracts.avails import files
from exchange.context import Context
from tests.contracts.avails_factory import document, movie, offer, sample
from tests.exchange.test_portal_pages import signed_in, token_in


@pytest.fixture
async def client(context: Context) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_in(context, "holder") as opened:
        yield opened


async def sent(client: httpx.AsyncClient, content: bytes, *, act: str) -> httpx.Response:
    token = token_in((await client.get("/avails")).text)
    return await client.post(
        "/avails", data={"csrf_token": token, "act": act}, files={"file": ("offers.xlsx", content)}
    )


async def test_a_file_is_checked_and_then_applied(client: httpx.AsyncClient) -> None:
    content = sample("Movies_v1.9.xlsx")
    checked = await sent(client, content, act="check")
    assert "Checked, nothing written" in checked.text
    assert "Template-Movies, row 12" in checked.text
    assert "bad-eidr" not in checked.text
    applied = await sent(client, content, act="apply")
    assert ">Applied<" in applied.text
    assert "What changes in your offers" in applied.text
    again = await sent(client, content, act="check")
    assert "What changes in your offers" not in again.text


async def test_a_file_with_errors_is_shown_and_not_applied(client: httpx.AsyncClient) -> None:
    content = sample("Avails_Volume_error_v2.5.xml")
    told = await sent(client, content, act="apply")
    assert told.status_code == 200
    assert "Not applied: the file has errors" in told.text
    assert "Episode 3 already belongs to another volume" in told.text


async def test_a_change_shows_before_and_after(client: httpx.AsyncClient) -> None:
    await sent(client, files.to_xml(document(movie(offer(contract_id="one")))), act="apply")
    told = await sent(client, files.to_xml(document(movie(offer(contract_id="two")))), act="check")
    assert "contract_id" in told.text
    assert "&#34;one&#34;" in told.text or '"one"' in told.text


async def test_what_a_file_says_cannot_become_part_of_the_page(client: httpx.AsyncClient) -> None:
    hostile = "<script>alert(1)</script>"
    content = files.to_workbook(document(movie(offer(licence_type=hostile), alid=hostile)))
    told = await sent(client, content, act="check")
    assert "alert(1)" in told.text
    assert hostile not in told.text


async def test_no_file_is_a_refusal(client: httpx.AsyncClient) -> None:
    token = token_in((await client.get("/avails")).text)
    answer = await client.post("/avails", data={"csrf_token": token, "act": "check"})
    assert answer.status_code == 422


async def test_a_form_without_its_token_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/avails", data={"act": "check"}, files={"file": ("a.xml", b"<a/>")})
    assert answer.status_code == 403


async def test_the_page_speaks_chinese(client: httpx.AsyncClient) -> None:
    await client.get("/avails", params={"lang": "zh-CN"})
    told = await sent(client, sample("Avails_Volume_error_v2.5.xml"), act="check")
    assert "第 3 集已属于同一季的另一卷" in told.text


async def test_a_broadcaster_has_no_such_page(context: Context) -> None:
    async with signed_in(context, "broadcaster") as opened:
        assert (await opened.get("/avails")).status_code == 403
