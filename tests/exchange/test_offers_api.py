"""Offers and requests over HTTP: from an open right to a deal, and what strangers see."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from contracts import canonical
from contracts.facts import queries as facts
from contracts.facts.rules import SealedFact
from exchange import clock, offer_verbs, reactions, worker
from exchange.context import Context
from listings.requests import rules as request_rules
from tests.contracts.rights_factory import wire
from tests.exchange.identity_factory import signed_client
from tests.listings.offers_factory import Room, a_room

SOON = timedelta(days=7)


@dataclass
class Desk:
    """A room with clients of its two sides, of two strangers and of the staff."""

    room: Room
    licensor: httpx.AsyncClient
    licensee: httpx.AsyncClient
    holder: httpx.AsyncClient
    broadcaster: httpx.AsyncClient
    auditor: httpx.AsyncClient

    def ask(self, **said: Any) -> dict[str, Any]:
        works = [{"rights": [{"offerable_id": str(self.room.offerable)}],
                  "price": {"amount_minor": 5_000_000}}]  # fmt: skip
        return {
            "currency": "CNY", "model": "flat", "works": works, "message": "请审阅",
            "expires_at": (clock.now() + SOON).isoformat(), **said,
        }  # fmt: skip


@pytest.fixture
async def desk(context: Context) -> AsyncIterator[Desk]:
    async with context.db.transaction() as session:
        room = await a_room(session, now=clock.now())
    async with AsyncExitStack() as stack:

        async def client(role: str, **of: Any) -> httpx.AsyncClient:
            return (await stack.enter_async_context(signed_client(context, role=role, **of)))[0]

        yield Desk(
            room, await client("holder", of=room.licensor),
            await client("broadcaster", of=room.licensee), await client("holder"),
            await client("broadcaster"), await client("auditor"),
        )  # fmt: skip


def of(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_negotiation_from_the_first_word_to_the_drafted_contract(
    context: Context, desk: Desk
) -> None:
    shown = of(await desk.licensee.get(f"/v1/offerables?work_id={desk.room.work.id}"))
    assert [one["id"] for one in shown["items"]] == [str(desk.room.offerable)]
    path, said = f"/v1/offers/{uuid4()}", desk.ask()
    version = f"{path}/versions/{uuid4()}"
    first = of(await desk.licensee.put(version, json=said), 201)
    assert of(await desk.licensee.put(version, json=said)) == first
    narrower = {**wire(last_day="2027-12-31")}
    works = [{"rights": [{"offerable_id": str(desk.room.offerable), "right": narrower}],
              "price": {"per_run_minor": 2_000_000, "runs_paid": 3}}]  # fmt: skip
    counter = desk.ask(works=works, model="per-run")
    second = of(await desk.licensor.put(f"{path}/versions/{uuid4()}", json=counter), 201)
    assert (second["number"], second["by"]) == (2, "licensor")
    digest = canonical.sha256_hex(canonical.dumps(second["content"]))
    assert digest == second["sha256"]
    word = {"version_id": first["id"], "sha256": first["sha256"]}
    refused = await desk.licensor.post(f"{path}/acceptance", json=word)
    assert of(refused, 409)["code"] == "offer-superseded"
    word = {"version_id": second["id"], "sha256": second["sha256"]}
    assert of(await desk.licensee.post(f"{path}/acceptance", json=word))["state"] == "accepted"
    async with context.db.transaction() as session:
        found = await facts.find_first_of(session, UUID(path[-36:]), "offer.accepted")
        assert found is not None
        record = canonical.loads(found.record)
        fact = SealedFact(1, found.id, found.kind, found.subject, [], record, clock.now())
        await offer_verbs.open_offered_deals(context, session, fact, clock.now())
    (deal,) = of(await desk.licensor.get(path))["deals"]
    drafted = of(await desk.licensee.get(f"/v1/deals/{deal}"))
    assert (drafted["amount_minor"], drafted["listing_id"]) == (6_000_000, None)
    assert of(await desk.auditor.get(f"/v1/deals/{deal}"))["offer_id"] == path[-36:]


async def test_strangers_and_staff_get_the_same_bytes_whether_or_not_there_is_a_negotiation(
    desk: Desk,
) -> None:
    there, nothing = str(uuid4()), str(uuid4())
    made = of(
        await desk.licensee.put(f"/v1/offers/{there}/versions/{uuid4()}", json=desk.ask()), 201
    )
    word = {"version_id": made["id"], "sha256": made["sha256"]}
    asked: list[tuple[str, str, Any]] = [
        ("GET", "/v1/offers/{}", None),
        ("POST", "/v1/offers/{}/acceptance", word),
        ("POST", "/v1/offers/{}/refusal", {"reason": ""}),
        ("POST", "/v1/offers/{}/withdrawal", {"version_id": made["id"]}),
        ("PUT", f"/v1/offers/{{}}/versions/{uuid4()}", desk.ask(model="barter")),
        ("PUT", f"/v1/offers/{{}}/versions/{uuid4()}", desk.ask(currency="XXX")),
    ]
    for client in (desk.holder, desk.broadcaster, desk.auditor):
        for method, path, body in asked:
            answers = [
                await client.request(method, path.format(one), json=body)
                for one in (there, nothing)
            ]
            assert answers[0].status_code >= 400
            assert answers[0].content == answers[1].content
            assert len({answer.status_code for answer in answers}) == 1
        assert of(await client.get("/v1/offers"))["items"] == []
    feed = of(await desk.auditor.get(f"/v1/facts?subject={there}"))
    assert feed["items"] == []


async def test_a_model_not_common_to_all_rights_is_refused_with_those_that_are(
    desk: Desk,
) -> None:
    second = str(uuid4())
    body = {
        "work_id": str(desk.room.work.id), "master_id": str(desk.room.master.id),
        "right": wire(media=["iptv"]), "models": ["flat", "share"],
    }  # fmt: skip
    of(await desk.licensor.put(f"/v1/offerables/{second}", json=body), 201)
    of(await desk.licensor.put(f"/v1/offerables/{second}", json=body))
    rights = [{"offerable_id": str(desk.room.offerable)}, {"offerable_id": second}]
    works = [{"rights": rights, "price": {"guarantee_minor": 1, "share_bp": 1}}]
    path = f"/v1/offers/{uuid4()}/versions/{uuid4()}"
    said = desk.ask(works=works, model="guarantee-share")
    no = of(await desk.licensee.put(path, json=said), 409)
    assert (no["code"], no["common"]) == ("price-model-not-common", ["flat"])
    assert no["rights"] == [{"offerable": second, "models": ["flat", "share"]}]
    works[0]["price"] = {"share_bp": 2000}
    said = desk.ask(works=works, model="share")
    assert of(await desk.licensee.put(path, json=said), 409)["code"] == "price-not-settled-yet"
    of(await desk.licensor.post(f"/v1/offerables/{second}/closing"))
    said = desk.ask(works=[{"rights": rights, "price": {"amount_minor": 9}}])
    assert of(await desk.licensee.put(path, json=said), 409)["code"] == "offerable-closed"


async def test_requests_are_answered_under_seal_and_opened_together(
    context: Context, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, answer = f"/v1/requests/{uuid4()}", str(uuid4())
    deadline = clock.now() + timedelta(hours=1)
    body = {
        "title": "寻购 4K 纪录片", "rights": [wire()], "genres": ["documentary"],
        "deadline_at": deadline.isoformat(),
    }  # fmt: skip
    of(await desk.licensee.put(request, json=body), 201)
    assert of(await desk.holder.get(request))["title"] == "寻购 4K 纪录片"
    assert (await desk.broadcaster.get(request)).status_code == 404
    given = of(await desk.licensor.put(f"{request}/answers/{answer}", json=desk.ask()), 201)
    assert of(await desk.licensee.get(f"{request}/answers"), 409)["code"] == "answers-sealed"
    assert of(await desk.holder.get(f"{request}/answers"))["items"] == []
    assert of(await desk.licensor.get(f"{request}/answers"))["items"] == [given]
    turn = {"offer_id": str(uuid4()), "version_id": str(uuid4())}
    where = f"{request}/answers/{answer}/offer"
    assert of(await desk.licensee.post(where, json=turn), 409)["code"] == "answers-sealed"
    later = deadline + request_rules.OPENED_AFTER
    monkeypatch.setattr(clock, "now", lambda: later)
    while await worker.end_offers(context):
        pass
    (opened,) = of(await desk.licensee.get(f"{request}/answers"))["items"]
    assert (opened["commitment"], opened["state"]) == (given["commitment"], "opened")
    offer = of(await desk.licensee.post(where, json=turn))
    assert (offer["awaits"], offer["request_id"]) == ("licensee", request[-36:])


def test_an_accepted_offer_wakes_the_drafting_of_its_contracts() -> None:
    assert [one.name for one in reactions.woken_by("offer.accepted")] == ["open-offered-deals"]
    assert "void-overtaken-deals" in [one.name for one in reactions.woken_by("deal.signed")]
