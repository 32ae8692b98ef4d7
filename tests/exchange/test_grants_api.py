"""The register over HTTP: holds, records, what came back, and what each side sees."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from contracts import ids, rfc3339
from contracts.works.tables import Work
from exchange import clock
from exchange.context import Context
from exchange.identity.tables import Person
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import signed_client
from tests.exchange.test_works_api import refused

Signed = tuple[httpx.AsyncClient, Person]


@pytest.fixture
async def holder(context: Context) -> AsyncIterator[Signed]:
    async with signed_client(context) as signed:
        yield signed


@pytest.fixture
async def dealer(context: Context) -> AsyncIterator[Signed]:
    async with signed_client(context) as signed:
        yield signed


@pytest.fixture
async def operator(context: Context) -> AsyncIterator[Signed]:
    async with signed_client(context, role="operator") as signed:
        yield signed


@pytest.fixture
async def subject(context: Context, holder: Signed) -> Work:
    async with context.db.transaction() as session:
        return await work(session, party_id=holder[1].party_id, now=clock.now())


def new() -> str:
    return str(ids.new(clock.now()))


def hold(to: Person, **changes: Any) -> dict[str, Any]:
    until = rfc3339.exact(clock.now() + timedelta(days=3))
    return {"grantee_id": str(to.party_id), "rights": [wire()], "expires_at": until, **changes}


def record(**changes: Any) -> dict[str, Any]:
    return {"licensee_name": "Example Broadcasting Ltd", "rights": [wire()], **changes}


async def listed(client: httpx.AsyncClient, subject: Work) -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/works/{subject.id}/grants")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_a_hold_is_placed_seen_by_both_sides_and_lifted(
    holder: Signed, dealer: Signed, subject: Work
) -> None:
    path, body = f"/v1/works/{subject.id}/holds/{new()}", hold(dealer[1])
    assert [(await holder[0].put(path, json=body)).status_code for _ in range(2)] == [201, 200]
    for client in (holder[0], dealer[0]):
        (grant,) = await listed(client, subject)
        assert (grant["state"], grant["expires_at"]) == ("held", body["expires_at"])
        assert grant["source"] == f"hold:{path.rpartition('/')[2]}"
    other = {**body, "rights": [wire(media=["cable"])]}
    refused(await holder[0].put(path, json=other), 409, "id-reused")
    rival = f"/v1/works/{subject.id}/holds/{new()}"
    refused(await holder[0].put(rival, json=body), 409, "rights-already-granted")
    lifted = (await dealer[0].delete(path)).json()["grants"]
    assert [(one["state"], one["ended_reason"]) for one in lifted] == [("released", "lifted")]
    assert (await holder[0].put(rival, json=body)).status_code == 201


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422, "bad-hold-expiry"),
        ({"grantee_id": str(ids.new(clock.now()))}, 404, "unknown"),
        ({"rights": [wire(territories=["XX"])]}, 422, "unknown-territory"),
        ({"rights": [wire(), wire()]}, 422, "rights-offered-twice"),
        ({"rights": []}, 422, "invalid-content"),
        ({"rights": [{**wire(), "round_no": 10}]}, 422, "invalid-content"),
        ({"rights": [{**wire(), "sublicence_depth": 6}]}, 422, "invalid-content"),
    ],
)
async def test_a_bad_hold_is_refused(
    holder: Signed, dealer: Signed, subject: Work, changes: dict[str, Any], status: int, code: str
) -> None:
    path = f"/v1/works/{subject.id}/holds/{new()}"
    refused(await holder[0].put(path, json=hold(dealer[1], **changes)), status, code)


async def test_a_broadcaster_that_may_license_on_records_whom_it_licensed(
    context: Context, holder: Signed, subject: Work
) -> None:
    def path() -> str:
        return f"/v1/works/{subject.id}/recorded-grants/{new()}"

    async with signed_client(context, role="broadcaster") as (client, person):
        given = record(rights=[wire(sublicence_depth=1)], licensee_id=str(person.party_id))
        del given["licensee_name"]
        (mine,) = (await holder[0].put(path(), json=given)).json()["grants"]
        onward = await client.put(path(), json=record(rights=[wire(runs_max=1)]))
        assert onward.json()["grants"][0]["under"] == mine["id"]
        refused(await client.put(path(), json=record()), 409, "exceeds-holding")


async def test_a_broadcaster_gives_up_what_was_held_for_it(
    context: Context, holder: Signed, subject: Work
) -> None:
    path = f"/v1/works/{subject.id}/holds/{new()}"
    async with signed_client(context, role="broadcaster") as (client, person):
        assert (await holder[0].put(path, json=hold(person))).status_code == 201
        assert (await client.delete(path)).json()["grants"][0]["state"] == "released"


async def test_a_hold_of_strangers_is_unknown(
    holder: Signed, dealer: Signed, subject: Work
) -> None:
    path = f"/v1/works/{subject.id}/holds/{new()}"
    refused(await dealer[0].delete(path), 404, "unknown")
    refused(await dealer[0].put(path, json=hold(holder[1])), 409, "rights-not-held")
    refused(await holder[0].put(path, json=hold(holder[1])), 422, "invalid-content")


async def test_a_recorded_licence_lets_its_holder_license_on_and_no_further(
    holder: Signed, dealer: Signed, subject: Work
) -> None:
    path = f"/v1/works/{subject.id}/recorded-grants/{new()}"
    said = wire(sublicence_depth=1, round_no=2)
    body = {"licensee_id": str(dealer[1].party_id), "rights": [said]}
    answers = [await holder[0].put(path, json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    (grant,) = answers[0].json()["grants"]
    assert (grant["origin"], grant["state"], grant["under"]) == ("recorded", "effective", None)
    assert (grant["sublicence_depth"], grant["round_no"]) == (1, 2)
    assert grant["wording"]["zh"].endswith("播出不超过3次，二轮，可转授权（至多1层）。")
    onward = f"/v1/works/{subject.id}/recorded-grants/{new()}"
    wide = record(rights=[wire(territories=["CN", "JP"])])
    told = refused(await dealer[0].put(onward, json=wide), 409, "exceeds-holding")
    assert told["holdings"] == [{"grant": grant["id"], "exceeds": ["territories"]}]
    made = await dealer[0].put(onward, json=record())
    assert made.json()["grants"][0]["under"] == grant["id"]
    assert len(await listed(dealer[0], subject)) == 2


async def test_a_record_that_is_repeated_lifts_no_other_hold(
    holder: Signed, dealer: Signed, subject: Work
) -> None:
    path, kept = f"/v1/works/{subject.id}/recorded-grants/{new()}", new()
    assert (await holder[0].put(path, json=record())).status_code == 201
    apart = hold(dealer[1], rights=[wire(territories=["JP"], excluded=[])])
    assert (await holder[0].put(f"/v1/works/{subject.id}/holds/{kept}", json=apart)).is_success
    again = await holder[0].put(path, json=record(hold_id=kept))
    assert again.status_code == 200
    states = {one["source"]: one["state"] for one in await listed(holder[0], subject)}
    assert states[f"hold:{kept}"] == "held"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"licensee_name": None}, 422, "bad-licensee"),
        ({"licensee_id": str(ids.new(clock.now()))}, 422, "bad-licensee"),
        ({"licensee_name": "\u200b"}, 422, "bad-name"),
        ({"documents": [str(ids.new(clock.now()))]}, 404, "unknown"),
    ],
)
async def test_a_bad_record_is_refused(
    holder: Signed, subject: Work, changes: dict[str, Any], status: int, code: str
) -> None:
    path = f"/v1/works/{subject.id}/recorded-grants/{new()}"
    refused(await holder[0].put(path, json=record(**changes)), status, code)


async def test_fifty_bundles_are_more_rights_than_one_request_names(
    holder: Signed, subject: Work
) -> None:
    bundle = {**wire(), "right": "", "media": [], "bundle": "telecast"}
    path = f"/v1/works/{subject.id}/recorded-grants/{new()}"
    refused(await holder[0].put(path, json=record(rights=[bundle] * 50)), 422, "too-many-lots")


async def test_an_operator_takes_a_grant_back_and_its_rights_are_free(
    holder: Signed, operator: Signed, subject: Work
) -> None:
    path = f"/v1/works/{subject.id}/recorded-grants/{new()}"
    (grant,) = (await holder[0].put(path, json=record())).json()["grants"]
    back = f"/v1/works/{subject.id}/grants/{grant['id']}/reversion"
    why = {"reason": "default", "note": "第二期款逾期未付"}
    refused(await holder[0].post(back, json=why), 403, "not-allowed")
    for _ in range(2):
        answer = await operator[0].post(back, json=why)
        assert (answer.json()["state"], answer.json()["ended_reason"]) == ("ended", "default")
    other = {**why, "reason": "agreement"}
    refused(await operator[0].post(back, json=other), 409, "grant-not-effective")
    missing = back.replace(grant["id"], new())
    refused(await operator[0].post(missing, json=why), 404, "unknown")
    again = f"/v1/works/{subject.id}/recorded-grants/{new()}"
    assert (await holder[0].put(again, json=record())).status_code == 201


async def test_what_was_held_for_a_licence_is_recorded_with_nobody_between(
    holder: Signed, dealer: Signed, subject: Work
) -> None:
    kept, path = new(), f"/v1/works/{subject.id}/recorded-grants/{new()}"
    await holder[0].put(f"/v1/works/{subject.id}/holds/{kept}", json=hold(dealer[1]))
    body = {"licensee_id": str(dealer[1].party_id), "rights": [wire()]}
    refused(await holder[0].put(path, json=body), 409, "rights-already-granted")
    wide = {**body, "hold_id": kept, "licensee_name": "twice"}
    refused(await holder[0].put(path, json=wide), 422, "bad-licensee")
    assert [one["state"] for one in await listed(holder[0], subject)] == ["held"]
    body["hold_id"] = kept
    assert [(await holder[0].put(path, json=body)).status_code for _ in range(2)] == [201, 200]
    states = [one["state"] for one in await listed(holder[0], subject)]
    assert states == ["released", "effective"]


async def test_strangers_see_no_grants(dealer: Signed, operator: Signed, subject: Work) -> None:
    refused(await dealer[0].get(f"/v1/works/{subject.id}/grants"), 404, "unknown")
    assert await listed(operator[0], subject) == []
