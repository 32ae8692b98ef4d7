"""Listings over HTTP: shapes, statuses and who sees what."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from contracts import ids
from contracts.parties.tables import Party
from exchange import clock
from exchange.context import Context
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import signed_client
from tests.listings.auctions_factory import sale_of
from tests.listings.masters_factory import ready_master


async def offer(context: Context, owner: UUID, **changes: Any) -> dict[str, Any]:
    """The body of a draft, for a new work and a new ready master of the party."""
    now = clock.now()
    async with context.db.transaction() as session:
        subject = await work(session, party_id=owner, now=now)
        master = await ready_master(
            session, party_id=owner, work_id=subject.id, now=now, seed=uuid4().int % 2**31
        )
    return {
        "work_id": str(subject.id),
        "master_id": str(master.id),
        "rights": [wire()],
        "sale": sale_of(ids.new(now), now),
        **changes,
    }


def address() -> str:
    return f"/v1/listings/{ids.new(clock.now())}"


async def test_a_listing_is_drafted_published_and_seen(
    context: Context, client: httpx.AsyncClient
) -> None:
    async with signed_client(context) as (holder, who):
        body, path = await offer(context, who.party_id), address()
        assert (await holder.put(path, json=body)).status_code == 201
        assert (await holder.put(path, json=body)).status_code == 200
        assert (await holder.get(path)).json()["state"] == "draft"
        assert (await client.get(path)).status_code == 404
        published = await holder.post(f"{path}/publication")
        assert published.status_code == 200
        assert (await holder.post(f"{path}/publication")).json() == published.json()
        mine = (await holder.get("/v1/listings/mine")).json()
        assert [item["id"] for item in mine["items"]] == [path.rpartition("/")[2]]
        grants = (await holder.get(f"/v1/works/{body['work_id']}/grants")).json()["items"]
    public = (await client.get(path)).json()
    assert public == published.json()
    assert (public["state"], public["rights"]) == ("published", body["rights"])
    assert public["work"]["title_zh"] == "示范作品"
    assert public["master"]["probe"]["video"]["width"] == 3840
    assert public["wording"][0]["zh"].startswith("广播权（《著作权法》第十条")
    assert public["publication_fact"]
    assert [(grant["state"], grant["source"]) for grant in grants] == [("reserved", public["id"])]
    assert (await client.get(f"/v1/auctions/{body['sale']['auction_id']}")).json()[
        "listing_id"
    ] == (public["id"])


async def test_pages_of_the_catalogue_follow_one_another(
    context: Context, client: httpx.AsyncClient
) -> None:
    made = []
    async with signed_client(context) as (holder, who):
        for _ in range(3):
            path = address()
            await holder.put(path, json=await offer(context, who.party_id))
            assert (await holder.post(f"{path}/publication")).status_code == 200
            made.append(path.rpartition("/")[2])
    seen, after = [], None
    while True:
        query = {"limit": 2, "medium": "satellite", "territory": "CN", "q": "示范"}
        page = (
            await client.get("/v1/listings", params=query | ({"after": after} if after else {}))
        ).json()
        seen += [item["id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert len(seen) == len(set(seen))
    assert set(made) <= set(seen)


BAD = [
    ({"rights": [wire(right="播映权")]}, 422, "unknown-right"),
    ({"rights": [wire(right="attribution")]}, 422, "right-not-licensable"),
    ({"rights": [wire(media=["vhs"])]}, 422, "unknown-medium"),
    ({"rights": [wire(media=["ott"])]}, 422, "medium-needs-another-right"),
    ({"rights": [wire(territories=["XX"])]}, 422, "unknown-territory"),
    ({"rights": [wire(territories=["\x00"])]}, 422, "invalid-content"),
    ({"rights": [wire(languages=["tlh"])]}, 422, "unknown-language"),
    ({"rights": [wire(excluded=["CN"])]}, 422, "nothing-offered"),
    ({"rights": [wire(last_day="2026-01-01")]}, 422, "bad-window"),
    ({"rights": [wire(last_day="9999-12-31")]}, 422, "bad-window"),
    ({"rights": [wire(tz="Mars/Olympus")]}, 422, "bad-window"),
    ({"rights": [wire(), wire()]}, 422, "rights-offered-twice"),
    ({"rights": [{**wire(right="", media=[]), "bundle": "everything"}]}, 422, "unknown-bundle"),
    ({"rights": [{**wire(), "bundle": "telecast"}]}, 422, "invalid-content"),
    ({"rights": [wire(runs_max=-1)]}, 422, "invalid-content"),
    ({"rights": [wire(exclusivity="独占")]}, 422, "invalid-content"),
    ({"rights": []}, 422, "invalid-content"),
    ({"work_id": str(uuid4())}, 404, "unknown"),
    ({"master_id": str(uuid4())}, 404, "unknown"),
    ({"surprise": 1}, 422, "invalid-content"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "status", "code"), BAD)
async def test_a_bad_offer_is_a_problem_and_leaves_nothing(
    context: Context, changes: dict[str, Any], status: int, code: str
) -> None:
    async with signed_client(context) as (holder, who):
        path = address()
        answer = await holder.put(path, json=await offer(context, who.party_id, **changes))
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert (await holder.get(path)).status_code == 404


BAD_SALES = [
    ({"floor_minor": -1}, "invalid-content"),
    ({"floor_minor": 0}, "invalid-content"),
    ({"floor_minor": 10**18}, "invalid-content"),
    ({"floor_minor": "100"}, "invalid-content"),
    ({"floor_minor": 1.5}, "invalid-content"),
    ({"step_minor": -1}, "invalid-content"),
    ({"floor_minor": 10**13, "step_minor": 10**13}, "amount-out-of-range"),
    ({"currency": "XXX"}, "wrong-currency"),
    ({"method": "dutch"}, "bad-sale"),
    ({"closes_at": "2020-01-01T00:00:00Z", "opens_at": "2019-01-01T00:00:00Z"}, "bad-sale"),
    ({"hard_stop_at": "2020-01-01T00:00:00Z"}, "bad-sale"),
    ({"hard_stop_at": "2150-01-01T00:00:00Z"}, "bad-sale-terms"),
    ({"hard_stop_at": "9999-12-31T23:59:59-14:00"}, "invalid-content"),
    ({"opens_at": "2026-11-22T09:00:00"}, "invalid-content"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "code"), BAD_SALES)
async def test_bad_terms_of_sale_are_a_problem(
    context: Context, changes: dict[str, Any], code: str
) -> None:
    async with signed_client(context) as (holder, who):
        body = await offer(context, who.party_id)
        body["sale"] |= changes
        answer = await holder.put(address(), json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_bundle_comes_back_as_its_rights(context: Context) -> None:
    bundle = {**wire(right="", media=[]), "bundle": "telecast"}
    async with signed_client(context) as (holder, who):
        body = await offer(context, who.party_id, rights=[bundle])
        answer = (await holder.put(address(), json=body)).json()
    assert [right["right"] for right in answer["rights"]] == [
        "broadcasting", "network-transmission",
    ]  # fmt: skip


async def test_others_cannot_touch_a_draft(context: Context) -> None:
    async with signed_client(context) as (holder, who), signed_client(context) as (thief, _):
        body, path = await offer(context, who.party_id), address()
        await holder.put(path, json=body)
        assert (await thief.get(path)).status_code == 404
        assert (await thief.post(f"{path}/publication")).status_code == 404
        assert (await thief.put(address(), json=body)).status_code == 404
        assert (await thief.get(f"/v1/works/{body['work_id']}/grants")).status_code == 404


async def test_listing_needs_the_scope_and_the_role(
    context: Context, client: httpx.AsyncClient
) -> None:
    assert (await client.put(address(), json={})).status_code == 401
    async with signed_client(context, scopes=["read"]) as (holder, who):
        answer = await holder.put(address(), json=await offer(context, who.party_id))
        assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")
    async with signed_client(context, role="broadcaster") as (buyer, who):
        answer = await buyer.put(address(), json=await offer(context, who.party_id))
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"medium": "vhs"}, "unknown-medium"),
        ({"territory": "XX"}, "unknown-territory"),
        ({"q": "a\x00b"}, "invalid-content"),
        ({"limit": "0"}, "invalid-content"),
        ({"after": "x"}, "invalid-content"),
    ],
)
async def test_a_search_that_cannot_be_read_is_a_problem(
    client: httpx.AsyncClient, query: dict[str, str], code: str
) -> None:
    answer = await client.get("/v1/listings", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_licensee_sees_its_own_grants_and_staff_see_all(context: Context) -> None:
    from contracts.titles import service as titles

    now = clock.now()
    async with context.db.transaction() as session:
        owner: Party = await party(session, now=now)
        buyer = await party(session, kind="broadcaster", now=now)
        subject = await work(session, party_id=owner.id, now=now)
        for source, medium in (("one", "satellite"), ("two", "cable")):
            await titles.reserve(
                session, subject.id, grantor_id=owner.id, boxes=[wire(media=[medium])],
                source=source, now=now + timedelta(milliseconds=len(source)),
            )  # fmt: skip
        await titles.hold(
            session, subject.id, source="one", grantee_id=buyer.id, deal_id=ids.new(now), now=now
        )
    path = f"/v1/works/{subject.id}/grants"
    async with signed_client(context, role="broadcaster", of=buyer) as (bidder, _):
        (grant,) = (await bidder.get(path)).json()["items"]
        assert (grant["source"], grant["state"], grant["right"]["media"]) == (
            "one", "held", ["satellite"],
        )  # fmt: skip
    async with signed_client(context, role="auditor") as (staff, _):
        first = (await staff.get(path, params={"limit": 1})).json()
        rest = (await staff.get(path, params={"limit": 1, "after": first["next"]})).json()
        assert {first["items"][0]["source"], rest["items"][0]["source"]} == {"one", "two"}
        assert (await staff.get(f"/v1/works/{uuid4()}/grants")).status_code == 404
