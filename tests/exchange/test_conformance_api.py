"""Reports of conformance over HTTP."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from contracts.parties.tables import Party
from exchange import clock
from exchange.context import Context
from listings.masters.conformance import service
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import signed_client
from tests.listings.catalogue_factory import published_listing
from tests.listings.conformance_factory import DECLARED, DRAMA, MASTER, MEASURES, RECORD
from tests.listings.masters_factory import ready_master


@dataclass(frozen=True)
class Held:
    """A judged master, its address, and clients of its holder and of a stranger."""

    id: UUID
    path: str
    owner: Party
    holder: httpx.AsyncClient
    stranger: httpx.AsyncClient
    staff: httpx.AsyncClient


@pytest.fixture
async def held(context: Context) -> AsyncIterator[Held]:
    now = clock.now()
    async with context.db.transaction() as session:
        owner = await party(session, now=now)
        made = await ready_master(session, party_id=owner.id, work_id=None, now=now)
        made.probe = dict(RECORD)
        await service.record(session, made, measures=MEASURES, now=now)
    async with (
        signed_client(context, of=owner) as (holder, _),
        signed_client(context, role="broadcaster") as (stranger, _),
        signed_client(context, role="auditor") as (staff, _),
    ):
        yield Held(made.id, f"/v1/masters/{made.id}", owner, holder, stranger, staff)


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return dict(answer.json())


async def test_its_holder_and_staff_read_the_report(held: Held) -> None:
    for client in (held.holder, held.staff):
        told = (await client.get(f"{held.path}/conformance")).json()
        assert (told["profile"], told["tier"], told["uhd_label"]) == (MASTER, "full", True)
        assert told["recorded"] is True and len(told["report"]["findings"]) == 45
    measures = (await held.holder.get(f"{held.path}/measures")).json()
    assert measures["content"] == MEASURES and measures["tier"] == "full"


async def test_a_stranger_reads_it_once_the_master_is_on_offer(
    held: Held, context: Context
) -> None:
    for part in ("conformance", "measures", "declared"):
        refused(await held.stranger.get(f"{held.path}/{part}"), 404, "unknown")
    async with context.db.transaction() as session:
        listing = await published_listing(session, seller=held.owner, now=clock.now())
    for part in ("conformance", "measures", "declared"):
        answer = await held.stranger.get(f"/v1/masters/{listing.master_id}/{part}")
        assert answer.status_code == 200, answer.text


async def test_another_profile_is_judged_at_once_and_kept_when_asked_for(held: Held) -> None:
    query = {"profile": DRAMA}
    before = (await held.holder.get(f"{held.path}/conformance", params=query)).json()
    kept = await held.holder.put(f"{held.path}/conformance/{DRAMA}")
    after = (await held.holder.get(f"{held.path}/conformance", params=query)).json()
    assert (before["recorded"], after["recorded"]) == (False, True)
    assert before["sha256"] == kept.json()["sha256"] == after["sha256"]
    known = refused(
        await held.holder.get(f"{held.path}/conformance", params={"profile": "X"}),
        422, "unknown-profile",
    )  # fmt: skip
    listed = (await held.holder.get("/v1/conformance-profiles")).json()["items"]
    assert known["known"] == [each["id"] for each in listed]
    refused(await held.stranger.put(f"{held.path}/conformance/{DRAMA}"), 403, "not-allowed")


async def test_what_the_holder_declares_changes_the_report(held: Held) -> None:
    path = f"{held.path}/declared"
    told = await held.holder.put(path, json=DECLARED)
    assert told.status_code == 200, told.text
    assert {name: value for name, value in told.json().items() if value is not None} == DECLARED
    assert (await held.holder.get(path)).json() == told.json()
    report = (await held.holder.get(f"{held.path}/conformance")).json()["report"]
    results = {each["id"]: each["result"] for each in report["findings"]}
    assert {results[name] for name in ("C01", "C02", "C03", "L11")} == {"PASS"}
    refused(await held.holder.put(path, json={"head_ms": -5}), 422, "bad-declaration")
    refused(await held.holder.put(path, json={"mood": True}), 422, "invalid-content")
    refused(await held.stranger.put(path, json={}), 403, "not-allowed")


async def test_the_report_is_sent_as_the_bytes_of_its_hash_and_on_paper(held: Held) -> None:
    told = (await held.holder.get(f"{held.path}/conformance")).json()
    document = await held.holder.get(f"{held.path}/conformance.json")
    assert hashlib.sha256(document.content).hexdigest() == told["sha256"]
    assert document.json() == told["report"]
    assert document.headers["etag"] == f'"{told["sha256"]}"'
    paper = await held.staff.get(f"{held.path}/conformance.pdf", params={"profile": DRAMA})
    assert paper.status_code == 200 and paper.content.startswith(b"%PDF-")
    assert DRAMA in paper.headers["content-disposition"]
    for form in ("json", "pdf"):
        refused(await held.stranger.get(f"{held.path}/conformance.{form}"), 404, "unknown")
