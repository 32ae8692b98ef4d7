import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sqlalchemy import text

from contracts import ids
from contracts.parties.rules import EXCHANGE_PARTY_ID
from exchange import clock
from exchange.context import Context
from tests.contracts.parties_factory import code
from tests.exchange.identity_factory import signed_client


def new() -> UUID:
    return ids.new(clock.now())


def sign_up(**change: Any) -> dict[str, Any]:
    seed, person = new(), new()
    return {
        "kind": "rights_holder",
        "name_zh": "示范影视制作有限公司",
        "name_en": "Demonstration Pictures",
        "uscc": code(seed.int % 31**9),
        "person": {
            "id": str(person),
            "email": f"{person.hex}@example.test",
            "name": "版权部",
            "password": "a sentence does well",
        },
        **change,
    }


def csr_of(key: Any) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "示范")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def p256() -> str:
    return csr_of(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
async def holder(context: Context) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """A signed-in rights holder and the address of its party."""
    async with signed_client(context) as (client, person):
        yield client, f"/v1/parties/{person.party_id}"


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return dict(answer.json())


async def facts_about(context: Context, subject: UUID) -> list[str]:
    async with context.db.transaction() as session:
        found = await session.execute(
            text("SELECT kind FROM fact WHERE subject = :it ORDER BY recorded_at, kind"),
            {"it": subject},
        )
        return list(found.scalars())


async def test_a_sign_up_whose_answer_was_lost_is_answered_again(
    client: httpx.AsyncClient, context: Context
) -> None:
    party, body = new(), sign_up()
    first = await client.put(f"/v1/parties/{party}", json=body)
    again = await client.put(f"/v1/parties/{party}", json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json() == {
        "id": str(party), "kind": "rights_holder", "name_zh": body["name_zh"],
        "name_en": body["name_en"], "uscc": body["uscc"], "state": "registered",
    }  # fmt: skip
    assert await facts_about(context, party) == ["party.registered"]


async def test_two_equal_sign_ups_at_once_are_one(
    client: httpx.AsyncClient, context: Context
) -> None:
    party, body = new(), sign_up()
    answers = await asyncio.gather(
        *(client.put(f"/v1/parties/{party}", json=body) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert await facts_about(context, party) == ["party.registered"]


@pytest.mark.parametrize(
    "change",
    [
        {"name_en": "Another Name"},
        {"kind": "broadcaster"},
        {"uscc": code(31**9 - 2)},
        {"person": {"password": "another sentence does"}},
        {"person": {"name": "别人"}},
        {"person": {"email": "someone-else@example.test"}},
    ],
)
async def test_other_content_under_the_same_id_is_refused(
    client: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    party, body = new(), sign_up()
    await client.put(f"/v1/parties/{party}", json=body)
    person = {**body["person"], **change.pop("person", {})}
    answer = await client.put(f"/v1/parties/{party}", json={**body, **change, "person": person})
    refused(answer, 409, "id-reused")


async def test_a_stranger_cannot_join_a_party_by_repeating_its_registration(
    client: httpx.AsyncClient,
) -> None:
    party, body = new(), sign_up()
    await client.put(f"/v1/parties/{party}", json=body)
    stranger = {**body, "person": sign_up()["person"]}
    refused(await client.put(f"/v1/parties/{party}", json=stranger), 409, "id-reused")


async def test_nobody_registers_under_the_exchanges_own_id(client: httpx.AsyncClient) -> None:
    answer = await client.put(f"/v1/parties/{EXCHANGE_PARTY_ID}", json=sign_up())
    refused(answer, 409, "id-reused")


async def test_a_code_or_an_address_is_registered_once(client: httpx.AsyncClient) -> None:
    body = sign_up()
    await client.put(f"/v1/parties/{new()}", json=body)
    same_code = sign_up(uscc=body["uscc"])
    refused(await client.put(f"/v1/parties/{new()}", json=same_code), 409, "uscc-taken")
    same_address = sign_up()
    same_address["person"]["email"] = body["person"]["email"].upper()
    refused(await client.put(f"/v1/parties/{new()}", json=same_address), 409, "email-taken")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"uscc": "911100006000373410"}, 422, "bad-uscc"),
        ({"name_zh": "示范\u202e司公"}, 422, "bad-name"),
        ({"name_en": " "}, 422, "bad-name"),
        ({"kind": "exchange"}, 422, "invalid-content"),
        ({"extra": 1}, 422, "invalid-content"),
        ({"name_zh": None}, 422, "invalid-content"),
    ],
)
async def test_a_faulty_organisation_is_refused_and_leaves_nothing(
    client: httpx.AsyncClient, context: Context, change: dict[str, Any], status: int, code: str
) -> None:
    party = new()
    refused(await client.put(f"/v1/parties/{party}", json=sign_up(**change)), status, code)
    assert await facts_about(context, party) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"password": "short"}, "weak-password"),
        ({"email": "nobody"}, "bad-email"),
        ({"name": "\u200b"}, "bad-name"),
        ({"id": "7"}, "invalid-content"),
    ],
)
async def test_a_faulty_person_is_refused_and_the_party_is_not_there_either(
    client: httpx.AsyncClient, context: Context, change: dict[str, Any], code: str
) -> None:
    party, body = new(), sign_up()
    body["person"] |= change
    refused(await client.put(f"/v1/parties/{party}", json=body), 422, code)
    assert await facts_about(context, party) == []


@pytest.mark.parametrize("raw", [b"{", b"[1,", b'{"kind": "rights_holder",}', b"\xff\xfe"])
async def test_malformed_json_is_told_from_wrong_content(
    client: httpx.AsyncClient, raw: bytes
) -> None:
    path, headers = f"/v1/parties/{new()}", {"Content-Type": "application/json"}
    refused(await client.put(path, content=raw, headers=headers), 400, "malformed")
    refused(await client.put(path, content=b"[]", headers=headers), 422, "invalid-content")
    refused(await client.put(path, content=b"", headers=headers), 422, "invalid-content")


async def test_an_operator_verifies_a_party_once(
    client: httpx.AsyncClient, context: Context
) -> None:
    party = new()
    await client.put(f"/v1/parties/{party}", json=sign_up())
    async with signed_client(context, role="operator") as (operator, _):
        path = f"/v1/parties/{party}/verification"
        answers = [await operator.post(path), await operator.post(path)]
        unknown = await operator.post(f"/v1/parties/{new()}/verification")
    assert [answer.json()["state"] for answer in answers] == ["verified", "verified"]
    refused(unknown, 404, "unknown")
    assert sorted(await facts_about(context, party)) == ["party.registered", "party.verified"]


@pytest.mark.parametrize("role", ["holder", "broadcaster", "approver", "auditor"])
async def test_nobody_else_verifies(context: Context, role: str) -> None:
    async with signed_client(context, role=role, verified=False) as (client, person):
        answer = await client.post(f"/v1/parties/{person.party_id}/verification")
    refused(answer, 403, "not-allowed")


async def test_a_party_is_seen_by_itself_and_by_staff_alone(
    client: httpx.AsyncClient, context: Context, holder: tuple[httpx.AsyncClient, str]
) -> None:
    mine, path = holder
    assert (await mine.get(path)).status_code == 200
    async with (
        signed_client(context) as (other, _),
        signed_client(context, role="auditor") as staff,
    ):
        refused(await other.get(path), 404, "unknown")
        assert (await staff[0].get(path)).json()["id"] in path
    refused(await client.get(path), 401, "sign-in-needed")


async def test_staff_page_through_every_party(
    context: Context, holder: tuple[httpx.AsyncClient, str]
) -> None:
    client, path = holder
    refused(await client.get("/v1/parties"), 403, "not-allowed")
    seen: list[str] = []
    async with signed_client(context, role="auditor") as (staff, _):
        after: dict[str, Any] = {}
        while True:
            page = (await staff.get("/v1/parties", params={"limit": 2, **after})).json()
            seen += [item["id"] for item in page["items"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
    assert len(seen) == len(set(seen))
    assert path.rpartition("/")[2] in seen


async def test_a_signing_key_is_certified_once_and_revoked_once(
    context: Context, holder: tuple[httpx.AsyncClient, str]
) -> None:
    client, party = holder
    key, body = new(), {"csr_pem": p256()}
    path = f"{party}/signing-keys/{key}"
    first, again = await client.put(path, json=body), await client.put(path, json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    certificate = x509.load_pem_x509_certificate(first.json()["certificate_pem"].encode())
    issuer = x509.load_pem_x509_certificate(first.json()["issuer_pem"].encode())
    certificate.verify_directly_issued_by(issuer)
    revoked = [await client.delete(path), await client.delete(path)]
    assert [answer.json()["state"] for answer in revoked] == ["revoked", "revoked"]
    assert await facts_about(context, key) == ["key.registered", "key.revoked"]


async def test_a_public_key_is_registered_once(holder: tuple[httpx.AsyncClient, str]) -> None:
    client, party = holder
    path, body = f"{party}/signing-keys/{new()}", {"csr_pem": p256()}
    await client.put(path, json=body)
    refused(await client.put(path, json={"csr_pem": p256()}), 409, "id-reused")
    other_id = await client.put(f"{party}/signing-keys/{new()}", json=body)
    refused(other_id, 409, "key-taken")
    await client.delete(path)
    refused(await client.put(f"{party}/signing-keys/{new()}", json=body), 409, "key-taken")


def _broken(pem: str) -> str:
    request = bytearray(x509.load_pem_x509_csr(pem.encode()).public_bytes(
        serialization.Encoding.DER))  # fmt: skip
    request[-1] ^= 1
    broken = x509.load_der_x509_csr(bytes(request))
    return broken.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    "pem",
    [
        "nothing like it",
        csr_of(ec.generate_private_key(ec.SECP384R1())),
        csr_of(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        _broken(p256()),
    ],
    ids=["no PEM", "P-384", "RSA", "signature broken"],
)
async def test_a_faulty_certificate_request_is_refused(
    holder: tuple[httpx.AsyncClient, str], pem: str
) -> None:
    client, party = holder
    answer = await client.put(f"{party}/signing-keys/{new()}", json={"csr_pem": pem})
    refused(answer, 422, "bad-csr")


async def test_an_unverified_party_gets_no_certificate(context: Context) -> None:
    async with signed_client(context, verified=False) as (client, person):
        path = f"/v1/parties/{person.party_id}/signing-keys/{new()}"
        refused(await client.put(path, json={"csr_pem": p256()}), 409, "party-not-verified")


async def test_only_its_own_people_touch_a_partys_keys(
    context: Context, holder: tuple[httpx.AsyncClient, str]
) -> None:
    client, party = holder
    path = f"{party}/signing-keys/{new()}"
    await client.put(path, json={"csr_pem": p256()})
    async with (
        signed_client(context) as (other, person),
        signed_client(context, role="operator") as staff,
    ):
        for stranger in (other, staff[0]):
            refused(await stranger.put(path, json={"csr_pem": p256()}), 404, "unknown")
            refused(await stranger.delete(path), 404, "unknown")
        own = f"/v1/parties/{person.party_id}/signing-keys/{path.rpartition('/')[2]}"
        refused(await other.delete(own), 404, "unknown")


async def test_a_key_without_the_scope_touches_no_signing_key(context: Context) -> None:
    async with signed_client(context, scopes=["read"]) as (client, person):
        path = f"/v1/parties/{person.party_id}/signing-keys/{new()}"
        answer = await client.put(path, json={"csr_pem": p256()})
    assert refused(answer, 403, "scope-missing")["needed"] == "deal"


@pytest.mark.parametrize("field", ["name_zh", "name_en"])
async def test_a_name_that_no_contract_can_print_is_refused_at_the_door(
    client: httpx.AsyncClient, field: str
) -> None:
    party = new()
    answer = await client.put(f"/v1/parties/{party}", json=sign_up(**{field: "Demo 😀\u0378"}))
    told = refused(answer, 422, "text-cannot-be-printed")
    assert (told["field"], told["characters"]) == (field, ["U+0378", "U+1F600"])
    again = await client.put(f"/v1/parties/{party}", json=sign_up(**{field: "𠮷 䶮 𬭎"}))
    assert (again.status_code, again.json()[field]) == (201, "𠮷 䶮 𬭎")
