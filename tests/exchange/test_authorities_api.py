"""Lists and certificates as the authority publishes them; keys vouched for, brought and reset."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlmodel import col, select

from contracts import canonical
from contracts.facts.tables import Fact
from contracts.parties import endorsing, revocations
from contracts.parties.gateway import LocalAuthority
from exchange import authority_verbs, clock
from exchange.authority import open_authority
from exchange.context import Context
from tests.contracts.licensed_factory import Outside
from tests.exchange.identity_factory import signed_client
from tests.exchange.test_parties_api import csr_of, new, refused

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def request_of(key: Key) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return csr_of(key)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "示范")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, None)
    return made.public_bytes(Encoding.PEM).decode()


def spki(key: Key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def vouched(party: str, key: Key, *, by: Key, key_id: UUID) -> dict[str, str]:
    """What a key says of the next one."""
    said = endorsing.message(
        party,
        spki_sha256=canonical.sha256_hex(spki(key)),
        previous_sha256=canonical.sha256_hex(spki(by)),
    )
    if isinstance(by, ec.EllipticCurvePrivateKey):
        signature = by.sign(said, ec.ECDSA(hashes.SHA256()))
    else:
        signature = by.sign(said)
    return {"key_id": str(key_id), "signature_b64": base64.b64encode(signature).decode()}


@dataclass
class Desk:
    """A signed-in rights holder, and its first key."""

    client: httpx.AsyncClient
    context: Context
    party: str
    key: ec.EllipticCurvePrivateKey
    key_id: UUID

    async def register(self, key: Key, id: UUID | None = None, **more: Any) -> httpx.Response:
        path = f"/v1/parties/{self.party}/signing-keys/{id or new()}"
        return await self.client.put(path, json={"csr_pem": request_of(key), **more})

    async def fact(self, kind: str, subject: UUID) -> dict[str, Any]:
        async with self.context.db.transaction() as session:
            chosen = select(Fact).where(col(Fact.subject) == subject, col(Fact.kind) == kind)
            found = (await session.execute(chosen)).scalar_one()
        return dict(canonical.loads(found.record))


@pytest.fixture
async def desk(context: Context) -> AsyncIterator[Desk]:
    async with signed_client(context) as (client, person):
        made = Desk(client, context, str(person.party_id), p256(), new())
        assert (await made.register(made.key, made.key_id)).status_code == 201
        yield made


async def published(context: Context) -> x509.CertificateRevocationList:
    """The list after one turn of the worker."""
    await authority_verbs.keep_lists(context, clock.now())
    async with context.db.transaction() as session:
        row = await revocations.latest(session)
    assert row is not None
    return x509.load_der_x509_crl(row.der)


async def test_the_root_its_authority_and_both_lists_are_public(
    client: httpx.AsyncClient, context: Context
) -> None:
    await published(context)
    root = x509.load_pem_x509_certificate((await client.get("/ca/root.pem")).content)
    answers = {name: await client.get(f"/ca/{name}") for name in (
        "root.cer", "issuing.cer", "root.crl", "issuing.crl")}  # fmt: skip
    assert [one.headers["content-type"] for one in answers.values()] == [
        "application/pkix-cert", "application/pkix-cert", "application/pkix-crl",
        "application/pkix-crl",
    ]  # fmt: skip
    assert {one.headers["cache-control"] for one in answers.values()} == {
        "public, max-age=86400", "public, max-age=300",
    }  # fmt: skip
    assert x509.load_der_x509_certificate(answers["root.cer"].content) == root
    issuing = x509.load_der_x509_certificate(answers["issuing.cer"].content)
    issuing.verify_directly_issued_by(root)
    for name, issuer in (("root.crl", root), ("issuing.crl", issuing)):
        held = x509.load_der_x509_crl(answers[name].content)
        assert held.is_signature_valid(issuer.public_key())
        assert held.next_update_utc is not None and held.next_update_utc > clock.now()
    refused(await client.get("/ca/other.crl"), 422, "invalid-content")


async def test_a_revoked_key_is_on_the_next_list_and_nothing_new_makes_no_list(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = (await desk.register(desk.key, desk.key_id)).json()["certificate_pem"].encode()
    serial = x509.load_pem_x509_certificate(pem).serial_number
    before = await published(desk.context)
    assert before.get_revoked_certificate_by_serial_number(serial) is None
    await desk.client.delete(f"/v1/parties/{desk.party}/signing-keys/{desk.key_id}")
    after = await published(desk.context)
    assert after.get_revoked_certificate_by_serial_number(serial) is not None
    numbers = [one.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
               for one in (before, after, await published(desk.context))]  # fmt: skip
    assert numbers[0] < numbers[1] == numbers[2]
    monkeypatch.setattr(revocations, "RENEW_AFTER", timedelta(0))  # a day has gone by
    assert await authority_verbs.keep_lists(desk.context, clock.now()) == 1
    async with desk.context.db.transaction() as session:
        row = await revocations.latest(session)
    assert row is not None
    told = await desk.fact("crl.issued", row.id)
    assert told["sha256"] == canonical.sha256_hex(row.der)


async def test_an_authority_that_takes_anothers_place_publishes_at_once(
    context: Context, tmp_path: Path
) -> None:
    before = await published(context)
    other = LocalAuthority.ensure(tmp_path, clock.now())  # of the same name
    async with context.db.transaction() as session:
        assert await revocations.renew(session, lister=other, now=clock.now()) == 1
        row = await revocations.latest(session)
    assert row is not None and x509.load_der_x509_crl(row.der).issuer == before.issuer
    held = await published(context)
    key = open_authority(context.settings, now=clock.now()).issuing.certificate.public_key()
    assert held.is_signature_valid(key)


def test_the_roots_list_is_renewed_at_half_of_its_life_where_the_key_is(tmp_path: Path) -> None:
    now = clock.now()
    authority = LocalAuthority.ensure(tmp_path, now)
    first = authority.root_list()
    authority_verbs.renew_root_list(authority, now=now + timedelta(days=199))
    assert authority.root_list() == first
    (tmp_path / "root.key").rename(tmp_path / "away.key")
    away = LocalAuthority.open(tmp_path)
    authority_verbs.renew_root_list(away, now=now + timedelta(days=201))
    assert away.root_list() == first
    authority_verbs.renew_root_list(authority, now=now + timedelta(days=201))
    assert authority.root_list() != first


async def test_the_first_key_needs_nobody_and_the_next_one_a_key_in_force(desk: Desk) -> None:
    assert (await desk.fact("key.registered", desk.key_id))["basis"] == "first"
    second, second_id = p256(), new()
    refused(await desk.register(second), 409, "key-not-endorsed")
    given = vouched(desk.party, second, by=desk.key, key_id=desk.key_id)
    answer = await desk.register(second, second_id, endorsement=given)
    assert answer.status_code == 201, answer.text
    record = await desk.fact("key.registered", second_id)
    assert record["basis"] == "endorsed" and endorsing.recorded(record)
    assert record["endorsement"]["spki"] == base64.b64encode(spki(desk.key)).decode()
    for name, other in (("party", str(new())), ("spki_sha256", "00" * 32), ("endorsement", None)):
        assert not endorsing.recorded({**record, name: other})


async def test_an_endorsement_by_another_or_of_another_key_is_refused(desk: Desk) -> None:
    second, other = p256(), p256()
    for given in (
        vouched(desk.party, second, by=other, key_id=desk.key_id),
        vouched(desk.party, other, by=desk.key, key_id=desk.key_id),
        vouched(str(new()), second, by=desk.key, key_id=desk.key_id),
        vouched(desk.party, second, by=desk.key, key_id=new()),
        {"key_id": str(desk.key_id), "signature_b64": "no base64"},
        {"key_id": str(desk.key_id), "signature_b64": ""},
    ):
        refused(await desk.register(second, endorsement=given), 409, "endorsement-broken")
    await desk.client.delete(f"/v1/parties/{desk.party}/signing-keys/{desk.key_id}")
    given = vouched(desk.party, second, by=desk.key, key_id=desk.key_id)
    refused(await desk.register(second, endorsement=given), 409, "endorsement-broken")
    refused(await desk.register(second), 409, "key-not-endorsed")


async def test_a_contracts_key_vouches_for_a_bids_key_and_not_the_other_way_round(
    desk: Desk,
) -> None:
    first, bids, bids_id = ed25519.Ed25519PrivateKey.generate(), None, new()
    assert (await desk.register(first, bids_id)).status_code == 201  # the first of its kind
    bids = ed25519.Ed25519PrivateKey.generate()
    given = vouched(desk.party, bids, by=desk.key, key_id=desk.key_id)
    assert (await desk.register(bids, endorsement=given)).status_code == 201
    third = ed25519.Ed25519PrivateKey.generate()
    given = vouched(desk.party, third, by=first, key_id=bids_id)
    assert (await desk.register(third, endorsement=given)).status_code == 201
    contracts = p256()
    given = vouched(desk.party, contracts, by=first, key_id=bids_id)
    refused(await desk.register(contracts, endorsement=given), 409, "endorsement-broken")


async def test_an_operator_lets_one_key_begin_anew_and_the_log_says_so(desk: Desk) -> None:
    reset = new()
    path, body = f"/v1/parties/{desk.party}/key-resets/{reset}", {"reason": "私钥遗失 / lost"}
    refused(await desk.client.put(path, json=body), 403, "not-allowed")
    async with signed_client(desk.context, role="operator") as (staff, person):
        first, again = [await staff.put(path, json=body) for _ in range(2)]
        assert first.json() == again.json()
        refused(await staff.put(path, json={"reason": "other"}), 409, "id-reused")
        refused(await staff.put(path, json={"reason": " "}), 422, "bad-name")
        lost = f"/v1/parties/{new()}/key-resets/{new()}"
        refused(await staff.put(lost, json=body), 404, "unknown")
    told = await desk.fact("key.reset", reset)
    assert (told["by"], told["reason"]) == (str(person.id), body["reason"])
    key_id = new()
    assert (await desk.register(p256(), key_id)).status_code == 201
    assert (await desk.fact("key.registered", key_id))["basis"] == "reset"
    refused(await desk.register(p256()), 409, "key-not-endorsed")  # it was for one key


@pytest.fixture
async def brought(
    context: Context, tmp_path: Path
) -> AsyncIterator[tuple[httpx.AsyncClient, Any, Outside]]:
    """An exchange of the same keys that trusts another authority, and a rights holder there."""
    outside = Outside(tmp_path / "trusted", clock.now().replace(microsecond=0))
    settings = context.settings.model_copy(update={"trusted_cas": outside.folder})
    own = Context(settings, context.db)
    async with signed_client(own) as (client, person):
        yield client, person, outside


async def test_a_certificate_of_a_trusted_authority_is_registered_with_its_issuer_in_the_log(
    brought: tuple[httpx.AsyncClient, Any, Outside], context: Context
) -> None:
    client, person, outside = brought
    party = f"/v1/parties/{person.party_id}"
    code = (await client.get(party)).json()["uscc"]
    key, key_id = p256(), new()
    asked = csr_of(key)
    leaf = outside.issue(asked.encode(), uscc=code)
    wrong = {"csr_pem": asked, "certificate_pem": outside.issue(asked.encode()).decode()}
    path = f"{party}/signing-keys/{key_id}"
    refused(await client.put(path, json=wrong), 409, "certificate-of-another")
    body = {"csr_pem": asked, "certificate_pem": leaf.decode()}
    answer = await client.put(path, json=body)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["issuer"], told["issuer_pem"]) == ("CN=持牌签发", outside.middle_pem.decode())
    assert told["certificate_pem"] == (leaf + outside.middle_pem).decode()
    listed = (await client.get(f"{party}/signing-keys")).json()
    assert listed["items"][0]["issuer"] == "CN=持牌签发"
    assert outside.root_pem.decode() in listed["root_pem"]
    desk = Desk(client, context, str(person.party_id), key, key_id)
    assert (await desk.fact("key.registered", key_id))["issuer"] == "CN=持牌签发"
    # The authority revokes it: the exchange follows by itself.
    outside.publish(leaf, at=clock.now().replace(microsecond=0))
    settings = context.settings.model_copy(update={"trusted_cas": outside.folder})
    await authority_verbs.keep_lists(Context(settings, context.db), clock.now())
    listed = (await client.get(f"{party}/signing-keys")).json()
    assert listed["items"][0]["state"] == "revoked"
    own = await published(context)
    serial = x509.load_pem_x509_certificate(leaf).serial_number
    assert own.get_revoked_certificate_by_serial_number(serial) is None  # it is not ours to list


async def test_where_nobody_else_is_trusted_their_certificates_are_refused(
    desk: Desk, tmp_path: Path
) -> None:
    outside, key = Outside(tmp_path / "other", clock.now()), p256()
    code = (await desk.client.get(f"/v1/parties/{desk.party}")).json()["uscc"]
    leaf = outside.issue(csr_of(key).encode(), uscc=code)
    answer = await desk.register(key, certificate_pem=(leaf + outside.middle_pem).decode())
    refused(answer, 409, "certificate-not-trusted")
    assert open_authority(desk.context.settings, now=clock.now()).trusted.folder is None
