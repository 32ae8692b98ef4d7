"""Telecasts, runs and their statement over HTTP."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from contracts import ids
from contracts.parties.tables import Party
from exchange import clock
from exchange.context import Context
from tests.contracts.runs_factory import licensed
from tests.exchange.identity_factory import signed_client

FIRST = "2026-03-01T11:30:00Z"  # 19:30 in Shanghai


def new() -> UUID:
    return ids.new(clock.now())


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return dict(answer.json())


def showing(**change: Any) -> dict[str, Any]:
    return {"channel": "示范卫视", "started_at": FIRST, "tz": "Asia/Shanghai", **change}


@dataclass(frozen=True)
class Licence:
    """A licence of two runs, its address, and clients of its two sides."""

    path: str
    grantor: httpx.AsyncClient
    licensee: httpx.AsyncClient


@pytest.fixture
async def licence(context: Context) -> AsyncIterator[Licence]:
    async with context.db.transaction() as session:
        owner, holder, grant = await licensed(session, runs_max=2)
    path = f"/v1/works/{grant.work_id}/grants/{grant.id}"

    def client(role: str, of: Party) -> Any:
        return signed_client(context, role=role, of=of)

    async with client("holder", owner) as (grantor, _), client("broadcaster", holder) as (own, _):
        yield Licence(path, grantor, own)


async def test_a_telecast_whose_answer_was_lost_is_answered_again(licence: Licence) -> None:
    path = f"{licence.path}/telecasts/{new()}"
    first = await licence.licensee.put(path, json=showing())
    again = await licence.licensee.put(path, json=showing(started_at="2026-03-01T19:30:00+08:00"))
    assert (first.status_code, again.status_code) == (201, 200), first.text
    assert first.json() == again.json()
    assert first.json()["started_at"] == FIRST
    other = showing(channel="别的频道")
    refused(await licence.licensee.put(path, json=other), 409, "id-reused")


async def test_runs_are_told_with_the_showings_that_made_them(licence: Licence) -> None:
    rule = {"repeats_max": 1, "within_days": 1, "day_starts_min": 360}
    refused(await licence.licensee.put(f"{licence.path}/run-rule", json=rule), 403, "not-allowed")
    agreed = await licence.grantor.put(f"{licence.path}/run-rule", json=rule)
    assert agreed.json() == {**rule, "within_hours": None, "same_channel": True}
    assert (await licence.grantor.put(f"{licence.path}/run-rule", json=rule)).status_code == 200
    refused(await licence.grantor.put(f"{licence.path}/run-rule", json={}), 409,
            "run-rule-settled")  # fmt: skip
    logged = []
    for start in (FIRST, "2026-03-01T17:30:00Z", "2026-03-02T11:30:00Z"):
        logged.append(str(new()))
        answer = await licence.licensee.put(
            f"{licence.path}/telecasts/{logged[-1]}", json=showing(started_at=start)
        )
        assert answer.status_code == 201, answer.text
    told = (await licence.grantor.get(f"{licence.path}/runs")).json()
    assert (told["runs_max"], told["used"], told["left"]) == (2, 2, 0)
    assert [[one["telecast_id"] for one in run["showings"]] for run in told["runs"]] == [
        logged[:2], logged[2:]
    ]  # fmt: skip
    assert [one["broadcast_day"] for run in told["runs"] for one in run["showings"]] == [
        "2026-03-01", "2026-03-01", "2026-03-02"
    ]  # fmt: skip
    spent = await licence.licensee.put(
        f"{licence.path}/telecasts/{new()}", json=showing(started_at="2026-03-03T11:30:00Z")
    )
    assert refused(spent, 409, "run-budget-spent")["runs"] == [logged[:2], logged[2:]]


async def test_a_correction_stays_beside_what_it_corrects(licence: Licence) -> None:
    path = f"{licence.path}/telecasts/{new()}"
    await licence.licensee.put(path, json=showing())
    reason = {"reason": "当日改播其他节目"}
    refused(await licence.licensee.post(f"{path}/cancellation", json={"reason": " "}), 422,
            "bad-name")  # fmt: skip
    gone = await licence.licensee.post(f"{path}/cancellation", json=reason)
    assert (gone.status_code, gone.json()["cancelled_reason"]) == (200, reason["reason"])
    again = await licence.licensee.post(f"{path}/cancellation", json=reason)
    assert again.json() == gone.json() == (await licence.licensee.put(path, json=showing())).json()
    assert (await licence.grantor.get(f"{licence.path}/runs")).json()["used"] == 0
    listed = (await licence.grantor.get(f"{licence.path}/telecasts", params={"limit": 1})).json()
    assert listed == {"items": [gone.json()], "next": gone.json()["id"]}
    rest = await licence.grantor.get(
        f"{licence.path}/telecasts", params={"after": gone.json()["id"]}
    )
    assert rest.json() == {"items": [], "next": None}


async def test_the_statement_is_a_table_that_no_spreadsheet_runs(licence: Licence) -> None:
    telecast = new()
    formula = '=HYPERLINK("http://example.test","卫视, 一套")'
    await licence.licensee.put(
        f"{licence.path}/telecasts/{telecast}", json=showing(channel=formula)
    )
    answer = await licence.grantor.get(f"{licence.path}/runs.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    head, row = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert dict(zip(head, row, strict=True)) == {
        "run": "1", "showing": "1", "channel": f"'{formula}", "started_at": FIRST,
        "local_time": "2026-03-01T19:30:00+08:00", "broadcast_day": "2026-03-01",
        "telecast": str(telecast),
    }  # fmt: skip


async def test_runs_are_no_business_of_strangers(licence: Licence, context: Context) -> None:
    path = f"{licence.path}/telecasts/{new()}"
    await licence.licensee.put(path, json=showing())
    async with signed_client(context) as (stranger, _):
        told = [
            *[await stranger.get(f"{licence.path}/{what}")
              for what in ("telecasts", "runs", "runs.csv")],
            await stranger.put(f"{licence.path}/telecasts/{new()}", json=showing()),
            await stranger.post(f"{path}/cancellation", json={"reason": "x"}),
            await stranger.put(f"{licence.path}/run-rule", json={}),
            await licence.grantor.put(f"{licence.path}/telecasts/{new()}", json=showing()),
            await licence.grantor.post(f"{path}/cancellation", json={"reason": "x"}),
        ]  # fmt: skip
    for answer in told:
        refused(answer, 404, "unknown")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"started_at": "2025-12-31T12:00:00Z"}, 409, "outside-grant"),
        ({"started_at": "2199-01-01T12:00:00Z"}, 422, "telecast-ahead"),
        ({"started_at": "2026-03-01T19:30:00"}, 422, "invalid-content"),
        ({"started_at": "9999-12-31T23:59:59Z"}, 422, "invalid-content"),
        ({"started_at": None}, 422, "invalid-content"),
        ({"tz": "Asia/Nowhere"}, 422, "unknown-zone"),
        ({"tz": "\u0000"}, 422, "invalid-content"),
        ({"tz": "x" * 65}, 422, "invalid-content"),
        ({"channel": ""}, 422, "bad-name"),
        ({"channel": "\u0000"}, 422, "invalid-content"),
        ({"channel": "x" * 201}, 422, "bad-name"),
        ({"runs": 3}, 422, "invalid-content"),
    ],
)
async def test_a_telecast_that_cannot_be_is_refused_with_its_code(
    licence: Licence, change: dict[str, Any], status: int, code: str
) -> None:
    path = f"{licence.path}/telecasts/{new()}"
    refused(await licence.licensee.put(path, json=showing(**change)), status, code)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"repeats_max": 1}, "bad-run-rule"),
        ({"within_hours": 24}, "bad-run-rule"),
        ({"repeats_max": 1, "within_hours": 24, "within_days": 1}, "bad-run-rule"),
        ({"repeats_max": 100, "within_hours": 24}, "invalid-content"),
        ({"repeats_max": True, "within_hours": 24}, "invalid-content"),
        ({"day_starts_min": 721}, "invalid-content"),
    ],
)
async def test_a_run_rule_that_is_not_possible_is_refused(
    licence: Licence, rule: dict[str, Any], code: str
) -> None:
    refused(await licence.grantor.put(f"{licence.path}/run-rule", json=rule), 422, code)
