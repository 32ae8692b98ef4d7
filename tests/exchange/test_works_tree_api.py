from typing import Any
from uuid import UUID

import httpx
import pytest

from exchange.context import Context
from tests.contracts.works_factory import new_eidr, new_isan
from tests.exchange.identity_factory import signed_client
from tests.exchange.test_works_api import (
    Holder,
    description,
    holder,
    new,
    other,
    refused,
)

__all__ = ["holder", "other"]  # the fixtures


async def placed(client: httpx.AsyncClient, kind: str, parent: UUID | None, **more: Any) -> UUID:
    work = new()
    body = description(kind=kind, **more)
    if parent is not None:
        body["parent_id"] = str(parent)
    answer = await client.put(f"/v1/works/{work}", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["parent_id"] == body.get("parent_id")
    return work


async def test_a_series_shows_its_children_in_pages(holder: Holder) -> None:
    client, _ = holder
    series = await placed(client, "series", None)
    seasons = [await placed(client, "season", series) for _ in range(3)]
    episode = await placed(client, "episode", seasons[0])
    path = f"/v1/works/{series}/children"
    first = (await client.get(path, params={"limit": 2})).json()
    rest = (await client.get(path, params={"limit": 2, "after": first["next"]})).json()
    assert [UUID(item["id"]) for item in first["items"] + rest["items"]] == seasons
    assert rest["next"] is None
    told = (await client.get(f"/v1/works/{episode}")).json()
    assert (told["parent_id"], told["root_id"]) == (str(seasons[0]), str(series))


async def test_a_child_whose_answer_was_lost_is_answered_again(
    holder: Holder,
) -> None:
    client, _ = holder
    series = await placed(client, "series", None)
    body = description(kind="season", parent_id=str(series))
    path = f"/v1/works/{new()}"
    first, again = [await client.put(path, json=body) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    refused(await client.put(path, json=body | {"parent_id": str(new())}), 409, "id-reused")


async def test_anothers_tree_is_unknown(
    holder: Holder,
    other: Holder,
) -> None:
    series = await placed(holder[0], "series", None)
    stranger, _ = other
    body = description(kind="season", parent_id=str(series))
    refused(await stranger.put(f"/v1/works/{new()}", json=body), 404, "unknown")
    refused(await stranger.get(f"/v1/works/{series}/children"), 404, "unknown")
    dates = {"completed_on": "2026-01-01"}
    refused(await stranger.put(f"/v1/works/{series}/dates", json=dates), 404, "unknown")


async def test_what_may_not_nest_is_told_with_what_may(
    holder: Holder,
) -> None:
    client, _ = holder
    film = await placed(client, "film", None)
    body = description(kind="episode", parent_id=str(film))
    told = refused(await client.put(f"/v1/works/{new()}", json=body), 422, "work-cannot-nest")
    assert told["below"] == ["edit"]


async def test_identifiers_are_kept_canonically(holder: Holder) -> None:
    client, _ = holder
    eidr, isan = new_eidr(), new_isan()
    body = description(
        eidr=f"urn:eidr:{eidr.lower().replace('/', ':')}", isan=f"ISAN {isan}",
        permit_no="电审故字〔2023〕第791号", dci=" DCI 2026 0001 ",
        registration_no="国作登字-2021-I-00000001",
    )  # fmt: skip
    told = (await client.put(f"/v1/works/{new()}", json=body)).json()
    assert (told["eidr"], told["isan"], told["dci"]) == (eidr, isan, "DCI 2026 0001")
    assert told["permit_no"] == "电审故字〔2023〕第791号"
    assert told["registration_no"] == "国作登字-2021-I-00000001"


async def test_dates_are_given_once_and_tell_the_end_of_protection(
    holder: Holder,
) -> None:
    client, _ = holder
    work = await placed(client, "film", None)
    path = f"/v1/works/{work}"
    assert (await client.get(path)).json()["protection_ends_on"] is None
    done = await client.put(f"{path}/dates", json={"completed_on": "1970-03-31"})
    assert (done.status_code, done.json()["protection_ends_on"]) == (200, "2020-12-31")
    late = await client.put(f"{path}/dates", json={"published_on": "2025-01-01"})
    assert late.json()["protection_ends_on"] == "2020-12-31"
    assert (
        late.json()
        == (await client.put(f"{path}/dates", json={"published_on": "2025-01-01"})).json()
    )
    other_day = {"published_on": "2025-01-02"}
    told = refused(await client.put(f"{path}/dates", json=other_day), 409, "dates-settled")
    assert told["known"] == "2025-01-01"
    refused(await client.put(f"{path}/dates", json={}), 422, "bad-dates")
    assert (await client.put(path, json=description(kind="film"))).status_code == 200


@pytest.mark.parametrize(
    ("day", "code"),
    [("2999-01-01", "bad-dates"), ("1887-12-31", "bad-dates"), (7, "invalid-content")],
)
async def test_a_day_that_cannot_be_is_refused(
    holder: Holder,
    day: Any,
    code: str,
) -> None:
    client, _ = holder
    work = await placed(client, "film", None)
    answer = await client.put(f"/v1/works/{work}/dates", json={"published_on": day})
    refused(answer, 422, code)


async def test_broadcasters_settle_no_dates(context: Context) -> None:
    async with signed_client(context, role="broadcaster") as (client, _):
        answer = await client.put(f"/v1/works/{new()}/dates", json={"published_on": "2026-01-01"})
        refused(answer, 403, "not-allowed")
