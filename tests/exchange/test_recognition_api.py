"""Recognition over HTTP: who sees a verdict, who declares, objects and decides."""

from typing import Any
from uuid import uuid4

import httpx

from contracts import ids
from exchange import clock, jobs, keys, reactions
from exchange.context import Context
from exchange.identity.tables import Person
from listings.catalogue import service as catalogue
from tests.contracts.log_factory import seal_all
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import signed_client
from tests.listings.catalogue_factory import drafted_listing
from tests.listings.recognition_factory import master_of


async def listed(context: Context, who: Person, *parts: tuple[int, int, int]) -> str:
    """A listing of the person's party, published."""
    _, listing = await drafted(context, who, *parts)
    async with context.db.transaction() as session:
        await catalogue.publish(session, listing, party_id=who.party_id, now=clock.now())
    return str(listing)


async def drafted(context: Context, who: Person, *parts: tuple[int, int, int]) -> tuple[Any, Any]:
    now = clock.now()
    async with context.db.transaction() as session:
        subject = await work(session, party_id=who.party_id, now=now)
        master = await master_of(
            session, *parts, party_id=who.party_id, work_id=subject.id, now=now
        )
        seller = await session.get_one(type(await party(session, now=now)), who.party_id)
        draft = await drafted_listing(session, seller=seller, now=now, work=subject, master=master)
    return master.id, draft.id


def new_seed() -> int:
    return uuid4().int % 2**31


async def code_of(asked: httpx.Response) -> tuple[int, str]:
    return asked.status_code, asked.json().get("code", "")


async def test_an_excerpt_is_held_for_staff_and_seen_by_its_owner_alone(context: Context) -> None:
    seed = new_seed()
    async with (
        signed_client(context) as (owner, whose),
        signed_client(context) as (user, who),
        signed_client(context) as (stranger, _),
        signed_client(context, role="operator") as (staff, _),
    ):
        listing = await listed(context, whose, (seed, 0, 100))
        master, draft = await drafted(context, who, (new_seed(), 0, 60), (seed, 20, 30))
        at = f"/v1/masters/{master}"
        assert (await user.get(f"{at}/recognition")).json()["state"] is None

        held = await user.post(f"/v1/listings/{draft}/publication")
        assert (held.status_code, held.json()["code"]) == (409, "recognition-under-review")
        assert held.json()["case"] == str(master)

        seen = (await user.get(f"{at}/recognition")).json()
        (found,) = seen["resemblances"]
        assert (seen["state"], found["listing_id"], found["why"]) == ("doubtful", listing, "short")
        (stretch,) = found["segments"]
        assert (stretch["here_ms"] // 1000, stretch["there_ms"] // 1000) == (60, 20)
        assert (await stranger.get(f"{at}/recognition")).status_code == 404
        assert (await owner.get(f"{at}/recognition")).status_code == 404
        assert (await staff.get(f"{at}/recognition")).json() == seen
        after = str(type(master)(int=master.int - 1))
        cases = (await staff.get("/v1/recognition", params={"after": after})).json()["items"]
        assert cases[0]["id"] == str(master)


async def test_a_declaration_is_objected_to_accepted_and_clears(context: Context) -> None:
    seed = new_seed()
    async with (
        signed_client(context) as (owner, whose),
        signed_client(context) as (user, who),
        signed_client(context) as (stranger, _),
        signed_client(context, role="operator") as (staff, _),
    ):
        listing = await listed(context, whose, (seed, 0, 100))
        master, draft = await drafted(context, who, (new_seed(), 0, 60), (seed, 20, 30))
        assert (await user.post(f"/v1/listings/{draft}/publication")).status_code == 409
        at = f"/v1/masters/{master}"

        said = f"{at}/declarations/{ids.new(clock.now())}"
        body = {"listing_id": listing, "claim": "archive", "source": "资料 1984-0317"}
        assert (await user.put(said, json=body)).status_code == 201
        assert (await user.put(said, json=body)).status_code == 200
        assert await code_of(await user.put(said, json={**body, "source": "x"})) == (
            409, "id-reused",
        )  # fmt: skip
        assert (await stranger.get(said)).status_code == 404
        assert (await owner.get(said)).json()["state"] == "declared"

        no = {"objection": "Ours alone."}
        assert (await stranger.post(f"{said}/objection", json=no)).status_code == 404
        assert (await user.post(f"{said}/objection", json=no)).status_code == 404
        assert (await owner.post(f"{said}/objection", json=no)).json()["objection"] == "Ours alone."

        yes = {"outcome": "accepted", "reason": "The newsreel is older than both."}
        assert (await user.post(f"{said}/decision", json=yes)).status_code == 403
        assert (await staff.post(f"{said}/decision", json=yes)).json()["state"] == "accepted"
        assert (await user.get(f"{at}/recognition")).json()["state"] == "clear"
        assert (await user.post(f"/v1/listings/{draft}/publication")).status_code == 200


async def test_staff_refuse_a_master_and_its_owner_reads_why(context: Context) -> None:
    seed = new_seed()
    async with (
        signed_client(context) as (_, whose),
        signed_client(context) as (user, who),
        signed_client(context, role="operator") as (staff, _),
        signed_client(context, role="auditor") as (auditor, _),
    ):
        await listed(context, whose, (seed, 0, 100))
        master, draft = await drafted(context, who, (new_seed(), 0, 60), (seed, 20, 30))
        assert (await user.post(f"/v1/listings/{draft}/publication")).status_code == 409
        case = f"/v1/recognition/{master}/decision"
        no = {"outcome": "refused", "reason": "Taken from another work."}
        for other in (user, auditor):
            assert (await other.post(case, json=no)).status_code == 403
        assert (await staff.post(case, json=no)).json()["state"] == "copy"
        assert (await user.get(f"/v1/masters/{master}/recognition")).json()["reason"] == (
            "Taken from another work."
        )
        refused = await user.post(f"/v1/listings/{draft}/publication")
        assert refused.json()["code"] == "looks-like-another-work"
        gone = f"/v1/recognition/{uuid4()}/decision"
        assert (await staff.post(gone, json=no)).status_code == 404


async def test_a_search_is_asked_for_again_and_done_in_the_background(context: Context) -> None:
    async with signed_client(context) as (user, who), signed_client(context) as (stranger, _):
        master, _ = await drafted(context, who, (new_seed(), 0, 30))
        at = f"/v1/masters/{master}/recognition"
        assert (await stranger.post(at)).status_code == 404
        asked = await user.post(at)
        assert (asked.status_code, asked.json()["state"]) == (202, None)
        for fact in await seal_all(context.db, keys.log_signer(context.settings)):
            if fact.subject == master:
                for reaction in reactions.woken_by(fact.kind):
                    await jobs.react(context, fact.id, reaction.name)
        assert (await user.get(at)).json()["state"] == "clear"


async def test_what_is_examined_is_recognised() -> None:
    assert [each.name for each in reactions.woken_by("master.examined")] == ["recognise-master"]
