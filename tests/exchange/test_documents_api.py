"""The chain of title over HTTP: declared, filed, listed, fetched, and by whom."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from contracts import canonical
from contracts.chains import rules
from contracts.works.tables import Work
from exchange import clock
from exchange.context import Context
from exchange.identity.tables import Person
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import work
from tests.exchange.documents_factory import PDF, filed, said
from tests.exchange.identity_factory import signed_client
from tests.exchange.test_grants_api import hold, new, record
from tests.exchange.test_works_api import refused

Signed = tuple[httpx.AsyncClient, Person]


@pytest.fixture
async def holder(context: Context) -> AsyncIterator[Signed]:
    async with signed_client(context) as signed:
        yield signed


@pytest.fixture
async def other(context: Context) -> AsyncIterator[Signed]:
    async with signed_client(context) as signed:
        yield signed


@pytest.fixture
async def subject(context: Context, holder: Signed) -> Work:
    async with context.db.transaction() as session:
        return await work(session, party_id=holder[1].party_id, now=clock.now())


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PDF, "application/pdf"),
        (b"\x89PNG\r\n\x1a\n" + b"x", "image/png"),
        (b"\xff\xd8\xff\xe0" + b"x", "image/jpeg"),
    ],
)
async def test_a_document_is_declared_filed_and_fetched_as_a_file(
    holder: Signed, subject: Work, context: Context, content: bytes, media_type: str
) -> None:
    path = f"/v1/works/{subject.id}/documents/{new()}"
    body = said(content, covers=wire())
    answers = [await holder[0].put(path, json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    refused(await holder[0].get(f"{path}/content"), 409, "document-not-filed")
    for _ in range(2):  # an answer that was lost
        answer = await holder[0].put(f"{path}/content", content=content)
        assert (answer.json()["state"], answer.json()["media_type"]) == ("filed", media_type)
    got = await holder[0].get(f"{path}/content")
    assert (got.content, got.headers["content-type"]) == (content, media_type)
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%E5")
    assert (await holder[0].get(path)).json()["covers"]["right"] == "broadcasting"
    async with context.db.transaction() as session:
        rows = await session.execute(
            text("SELECT record FROM fact WHERE kind = 'document.filed' AND subject = :id"),
            {"id": path.rpartition("/")[2]},
        )
        (told,) = [canonical.loads(bytes(row.record)) for row in rows]
    assert told["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"kind": "poem"}, 422, "invalid-content"),
        ({"sha256": "AB" * 32}, 422, "invalid-content"),
        ({"bytes": rules.MOST_BYTES + 1}, 413, "document-too-large"),
        ({"bytes": 0}, 422, "invalid-content"),
        ({"filename": "../../etc/passwd"}, 422, "bad-document"),
        ({"filename": "a\u202egnp.exe"}, 422, "bad-name"),
        ({"issued_on": "2199-01-01"}, 422, "bad-document"),
        ({"covers": {**wire(), "media": ["telegraph"]}}, 422, "unknown-medium"),
        ({"grant_id": new()}, 404, "unknown"),
    ],
)
async def test_what_cannot_be_so_is_not_declared(
    holder: Signed, subject: Work, changes: dict[str, Any], status: int, code: str
) -> None:
    path = f"/v1/works/{subject.id}/documents/{new()}"
    refused(await holder[0].put(path, json=said(**changes)), status, code)


async def test_other_content_under_the_same_id_is_refused(holder: Signed, subject: Work) -> None:
    path = await filed(holder[0], subject.id)
    refused(await holder[0].put(path, json=said(kind="permit")), 409, "id-reused")


async def test_bytes_that_were_not_declared_are_refused(holder: Signed, subject: Work) -> None:
    path = f"/v1/works/{subject.id}/documents/{new()}"
    await holder[0].put(path, json=said())
    for content in (PDF[:-1], PDF + b"x", PDF[:-1] + b"y", b""):
        answer = await holder[0].put(f"{path}/content", content=content)
        refused(answer, 422, "document-differs")
    assert (await holder[0].get(path)).json()["state"] == "declared"


async def test_a_page_that_calls_itself_a_document_is_refused(
    holder: Signed, subject: Work
) -> None:
    page = b"<html><script>alert(1)</script></html>"
    path = f"/v1/works/{subject.id}/documents/{new()}"
    await holder[0].put(path, json=said(page))
    answer = await holder[0].put(f"{path}/content", content=page)
    refused(answer, 415, "document-type-unsupported")


async def test_a_file_beyond_what_is_kept_is_refused_on_its_way(
    holder: Signed, subject: Work
) -> None:
    path = f"/v1/works/{subject.id}/documents/{new()}"
    await holder[0].put(path, json=said())
    long = b"%PDF-" + b"x" * rules.MOST_BYTES
    refused(await holder[0].put(f"{path}/content", content=long), 413, "document-too-large")
    fits = b"%PDF-" + b"x" * (rules.MOST_BYTES - 5)
    await filed(holder[0], subject.id, fits)


async def test_a_stranger_neither_sees_nor_adds_and_a_licensee_sees(
    holder: Signed, other: Signed, subject: Work
) -> None:
    path = await filed(holder[0], subject.id)
    whole = f"/v1/works/{subject.id}/documents"
    for wanted in (whole, path, f"{path}/content"):
        refused(await other[0].get(wanted), 404, "unknown")
    mine = f"{whole}/{new()}"
    refused(await other[0].put(mine, json=said()), 404, "unknown")
    refused(await other[0].put(f"{path}/content", content=PDF), 404, "unknown")
    kept = f"/v1/works/{subject.id}/holds/{new()}"
    assert (await holder[0].put(kept, json=hold(other[1]))).status_code == 201
    assert [one["id"] for one in (await other[0].get(whole)).json()["items"]] == [
        path.rpartition("/")[2]
    ]
    await holder[0].delete(kept)  # whose hold is given up sees no more
    refused(await other[0].get(whole), 404, "unknown")


async def test_staff_see_every_chain(context: Context, holder: Signed, subject: Work) -> None:
    path = await filed(holder[0], subject.id)
    async with signed_client(context, role="auditor") as (auditor, _):
        assert (await auditor.get(f"{path}/content")).content == PDF


async def test_a_record_rests_on_a_filed_document(holder: Signed, subject: Work) -> None:
    path = await filed(holder[0], subject.id)
    declared = f"/v1/works/{subject.id}/documents/{new()}"
    await holder[0].put(declared, json=said())
    grants = f"/v1/works/{subject.id}/recorded-grants/{new()}"
    for document, status in ((declared, 404), (path, 201)):
        body = record(documents=[document.rpartition("/")[2]])
        assert (await holder[0].put(grants, json=body)).status_code == status


async def test_what_shows_a_grant_is_not_for_other_licensees(
    context: Context, holder: Signed, other: Signed, subject: Work
) -> None:
    async def licensed(by: Signed, to: Signed, **changes: Any) -> str:
        body = {"licensee_id": str(to[1].party_id), "rights": [wire(excluded=[], **changes)]}
        answer = await by[0].put(f"/v1/works/{subject.id}/recorded-grants/{new()}", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["grants"][0]["id"])

    async with signed_client(context) as rival, signed_client(context) as below:
        grant = await licensed(holder, other, territories=["CN-GD"], sublicence_depth=1)
        await licensed(holder, rival, territories=["CN-BJ"])
        await licensed(other, below, territories=["CN-GD"])
        shown = await filed(holder[0], subject.id, kind="contract", grant_id=grant)
        plain = await filed(holder[0], subject.id)
        listing = f"/v1/works/{subject.id}/documents"
        for client, paths in [
            (holder[0], {shown, plain}), (other[0], {shown, plain}),
            (below[0], {shown, plain}), (rival[0], {plain}),
        ]:  # fmt: skip
            items = (await client.get(listing)).json()["items"]
            assert {f"{listing}/{item['id']}" for item in items} == paths
        for path in (shown, f"{shown}/content"):
            assert (await below[0].get(path)).status_code == 200
            refused(await rival[0].get(path), 404, "unknown")
        # Nor does one who may file documents of its own put one under another's grant.
        deep = await licensed(holder, rival, territories=["CN-HI"], sublicence_depth=1)
        for named, status in ((grant, 404), (deep, 201)):
            path = f"{listing}/{new()}"
            answer = await rival[0].put(path, json=said(grant_id=named))
            assert answer.status_code == status, answer.text


async def test_no_transaction_is_open_while_a_document_arrives(
    holder: Signed, subject: Work, context: Context
) -> None:
    path = f"/v1/works/{subject.id}/documents/{new()}"
    await holder[0].put(path, json=said())
    open_ones = []

    async def body() -> AsyncIterator[bytes]:
        yield PDF[:10]
        await asyncio.sleep(0.01)
        open_ones.append(context.db.engine.pool.checkedout())
        yield PDF[10:]

    before = context.db.engine.pool.checkedout()
    assert (await holder[0].put(f"{path}/content", content=body())).status_code == 200
    assert open_ones == [before]
