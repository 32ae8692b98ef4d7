import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from contracts import ids
from contracts.deals import rules, service, verification
from contracts.deals.tables import Deal
from contracts.facts.rules import SealedFact
from contracts.refusal import Unknown
from exchange import clock, deal_verbs, reactions
from exchange.authority import open_authority
from exchange.context import Context
from exchange.demo import signer
from tests.contracts.deals_factory import PRESS, Signatory, awarded, opened_deal, signatory
from tests.exchange.identity_factory import signed_client


@dataclass
class Desk:
    """A certified deal, a client for each side, and one who has no part in it."""

    deal: Deal
    licensor: httpx.AsyncClient
    licensee: httpx.AsyncClient
    stranger: httpx.AsyncClient
    auditor: httpx.AsyncClient
    signatories: dict[str, Signatory]

    @property
    def path(self) -> str:
        return f"/v1/deals/{self.deal.id}"

    async def begin(self, role: str) -> tuple[str, dict[str, Any]]:
        client: httpx.AsyncClient = getattr(self, role)
        path = f"{self.path}/signing-sessions/{ids.new(clock.now())}"
        answer = await client.put(path, json={"key_id": str(self.signatories[role].key.id)})
        assert answer.status_code == 201, answer.text
        return path, answer.json()

    async def sign(self, role: str) -> httpx.Response:
        path, begun = await self.begin(role)
        raw = signer.sign_tbs(
            self.signatories[role].key_pem, base64.b64decode(begun["tbs_der_b64"])
        )
        client: httpx.AsyncClient = getattr(self, role)
        return await client.put(f"{path}/signature", json=wire(raw))


def wire(signature: bytes) -> dict[str, str]:
    return {"signature_b64": base64.b64encode(signature).decode()}


@pytest.fixture
async def desk(context: Context) -> AsyncIterator[Desk]:
    now = clock.now()
    authority = open_authority(context.settings, now=now)
    async with context.db.transaction() as session:
        licensor = await signatory(session, authority, kind="rights_holder", now=now)
        licensee = await signatory(session, authority, kind="broadcaster", now=now)
        deal = await opened_deal(session, licensor=licensor.party, licensee=licensee.party, now=now)
        deal = await service.certify(
            session, deal.id, press=PRESS, certifier=authority.certifier, now=now
        )
    async with (
        signed_client(context, role="holder", of=licensor.party) as (one, _),
        signed_client(context, role="broadcaster", of=licensee.party) as (two, _),
        signed_client(context, role="broadcaster") as (three, _),
        signed_client(context, role="auditor") as (four, _),
    ):
        sides = {"licensor": licensor, "licensee": licensee}
        yield Desk(deal, one, two, three, four, sides)


def code(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["code"])


async def test_two_parties_sign_with_their_own_keys_and_the_deal_takes_effect(
    desk: Desk, context: Context
) -> None:
    before = (await desk.licensor.get(desk.path)).json()
    assert before["signing"] == "certified"
    assert before["next_signer"] == before["licensor"]["id"]
    once = (await desk.sign("licensor")).json()
    assert (once["signing"], once["next_signer"]) == ("licensor_signed", before["licensee"]["id"])
    done = (await desk.sign("licensee")).json()
    assert (done["signing"], done["performance"]) == ("executed", "effective")
    assert done["next_signer"] is None
    pdf = (await desk.licensee.get(f"{desk.path}/contract.pdf")).content
    assert hashlib.sha256(pdf).hexdigest() == done["pdf_sha256"]
    root = open_authority(context.settings, now=clock.now()).root_pem
    verdicts = verification.check_signatures(pdf, root)
    assert [verdict.role for verdict in verdicts if verdict.good] == [
        "exchange", "licensor", "licensee",
    ]  # fmt: skip


async def test_the_session_names_the_terms_that_the_party_read(desk: Desk) -> None:
    terms = await desk.licensor.get(f"{desk.path}/terms")
    assert terms.headers["content-type"] == "application/json"
    sha256 = hashlib.sha256(terms.content).hexdigest()
    assert terms.headers["etag"] == f'"{sha256}"'
    _, begun = await desk.begin("licensor")
    deal = (await desk.licensor.get(desk.path)).json()
    assert begun["terms_sha256"] == deal["terms_sha256"] == sha256
    assert begun["pdf_sha256"] == deal["pdf_sha256"]
    assert begun["base_sha256"] == desk.deal.base_sha256


async def test_the_contract_comes_as_a_pdf_under_its_number(desk: Desk) -> None:
    answer = await desk.licensor.get(f"{desk.path}/contract.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert f'"{desk.deal.contract_no}.pdf"' in answer.headers["content-disposition"]
    assert answer.content.startswith(b"%PDF-1.7")


@pytest.mark.parametrize("part", ["", "/terms", "/contract.pdf"])
async def test_a_deal_is_unknown_to_everybody_but_its_parties_and_the_staff(
    desk: Desk, client: httpx.AsyncClient, part: str
) -> None:
    assert code(await desk.stranger.get(desk.path + part), 404) == "unknown"
    assert code(await client.get(desk.path + part), 401) == "sign-in-needed"
    for who in (desk.licensor, desk.licensee, desk.auditor):
        assert (await who.get(desk.path + part)).status_code == 200


async def test_each_party_lists_its_own_deals(desk: Desk) -> None:
    assert (await desk.stranger.get("/v1/deals")).json() == {"items": [], "next": None}
    for who in (desk.licensor, desk.licensee):
        page = (await who.get("/v1/deals")).json()
        assert [deal["id"] for deal in page["items"]] == [str(desk.deal.id)]


async def test_the_staff_pages_through_all_deals(desk: Desk) -> None:
    just_before = str(type(desk.deal.id)(int=desk.deal.id.int - 1))
    page = (await desk.auditor.get("/v1/deals", params={"after": just_before, "limit": 1})).json()
    assert [deal["id"] for deal in page["items"]] == [str(desk.deal.id)]
    assert page["next"] == str(desk.deal.id)


async def test_a_session_put_twice_is_one_session(desk: Desk) -> None:
    path, begun = await desk.begin("licensor")
    body = {"key_id": str(desk.signatories["licensor"].key.id)}
    again = await desk.licensor.put(path, json=body)
    assert (again.status_code, again.json()) == (200, begun)
    other = {"key_id": str(ids.new(clock.now()))}
    assert code(await desk.licensor.put(path, json=other), 409) == "id-reused"


async def test_a_signature_put_twice_gets_the_same_answer(desk: Desk) -> None:
    path, begun = await desk.begin("licensor")
    tbs = base64.b64decode(begun["tbs_der_b64"])
    key = desk.signatories["licensor"].key_pem
    body = wire(signer.sign_tbs(key, tbs))
    first = await desk.licensor.put(f"{path}/signature", json=body)
    again = await desk.licensor.put(f"{path}/signature", json=body)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    other = wire(signer.sign_tbs(key, tbs))
    answer = await desk.licensor.put(f"{path}/signature", json=other)
    assert code(answer, 409) == "session-used"


async def test_bad_signatures_change_nothing(desk: Desk) -> None:
    path, begun = await desk.begin("licensor")
    tbs = base64.b64decode(begun["tbs_der_b64"])
    before = (await desk.licensor.get(f"{desk.path}/contract.pdf")).content
    foreign = wire(signer.sign_tbs(desk.signatories["licensee"].key_pem, tbs))
    for body, wanted in (
        ({"signature_b64": "not base64!"}, "bad-signature"),
        ({"signature_b64": ""}, "bad-signature"),
        (wire(bytes(64)), "bad-signature"),
        (wire(signer.sign_tbs(desk.signatories["licensor"].key_pem, b"x")), "bad-signature"),
        (foreign, "wrong-key"),
        ({"signature_b64": "A" * 1000}, "invalid-content"),
        ({"signature": "x"}, "invalid-content"),
    ):
        answer = await desk.licensor.put(f"{path}/signature", json=body)
        assert code(answer, 422) == wanted
    assert (await desk.licensor.get(f"{desk.path}/contract.pdf")).content == before
    assert (await desk.licensor.get(desk.path)).json()["signing"] == "certified"


async def test_only_the_party_whose_turn_it_is_opens_a_session(desk: Desk) -> None:
    path = f"{desk.path}/signing-sessions/{ids.new(clock.now())}"
    body = {"key_id": str(desk.signatories["licensee"].key.id)}
    assert code(await desk.licensee.put(path, json=body), 409) == "not-your-turn"
    assert code(await desk.stranger.put(path, json=body), 404) == "unknown"
    assert code(await desk.auditor.put(path, json=body), 403) == "not-allowed"
    assert code(await desk.licensor.put(path, json=body), 409) == "key-not-active"


async def test_anothers_session_is_unknown(desk: Desk) -> None:
    path, begun = await desk.begin("licensor")
    tbs = base64.b64decode(begun["tbs_der_b64"])
    body = wire(signer.sign_tbs(desk.signatories["licensor"].key_pem, tbs))
    for who in (desk.licensee, desk.stranger):
        assert code(await who.put(f"{path}/signature", json=body), 404) == "unknown"


async def test_of_two_signatures_at_the_same_moment_one_goes_in(desk: Desk) -> None:
    key = desk.signatories["licensor"].key_pem
    begun = [await desk.begin("licensor") for _ in range(2)]
    answers = await asyncio.gather(
        *(
            desk.licensor.put(
                f"{path}/signature",
                json=wire(signer.sign_tbs(key, base64.b64decode(opened["tbs_der_b64"]))),
            )
            for path, opened in begun
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert (await desk.licensor.get(desk.path)).json()["signing"] == "licensor_signed"


async def test_an_award_opens_one_deal_and_its_opening_certifies_it(
    context: Context, desk: Desk
) -> None:
    now = clock.now()
    licensor, licensee = desk.signatories["licensor"].party, desk.signatories["licensee"].party
    async with context.db.transaction() as session:
        won = await awarded(
            session, licensor=licensor, licensee=licensee, amount_minor=5_000, now=now
        )
    fact = SealedFact(1, won.made, "award.made", UUID(won.award["auction"]), [], won.award, now)
    deal_id = rules.deal_id_of(won.made)
    for _ in range(2):
        async with context.db.transaction() as session:
            await deal_verbs.open_deal(context, session, fact, now)
    opened = SealedFact(2, ids.new(now), "deal.opened", deal_id, [], {"deal": str(deal_id)}, now)
    for _ in range(2):
        async with context.db.transaction() as session:
            await deal_verbs.certify_deal(context, session, opened, now)
    deal = (await desk.licensor.get(f"/v1/deals/{deal_id}")).json()
    assert (deal["signing"], deal["amount_minor"]) == ("certified", 5_000)
    terms = (await desk.licensor.get(f"/v1/deals/{deal_id}/terms")).json()
    assert terms["asset"]["fact"] == str(won.published)
    assert terms["parameters"]["log_origin"] == context.settings.log_origin
    assert len((await desk.licensor.get("/v1/deals")).json()["items"]) == 2


async def test_an_award_of_a_listing_that_was_never_published_opens_nothing(
    context: Context,
) -> None:
    now = clock.now()
    award = {name: str(ids.new(now)) for name in ("auction", "listing", "work", "bid")}
    fact = SealedFact(1, ids.new(now), "award.made", ids.new(now), [], award, now)
    with pytest.raises(Unknown, match="never published"):
        async with context.db.transaction() as session:
            await deal_verbs.open_deal(context, session, fact, now)


def test_the_reactions_about_deals_are_in_the_table() -> None:
    for kind, name in (
        ("award.made", "open-deal"),
        ("deal.opened", "certify-deal"),
        ("settlement.booked", "mark-deal-paid"),
    ):
        assert name in [reaction.name for reaction in reactions.woken_by(kind)]


REASON = {"reason": " 片名无法印出 (the title cannot be printed) "}


async def test_an_operator_voids_a_deal_once_and_nobody_signs_it_any_more(
    desk: Desk, context: Context
) -> None:
    path, begun = await desk.begin("licensor")
    async with signed_client(context, role="operator") as (operator, _):
        done = await operator.post(f"{desk.path}/voiding", json=REASON)
        again = await operator.post(f"{desk.path}/voiding", json={"reason": "another"})
    assert (done.status_code, done.json()["signing"]) == (200, "voided")
    assert (done.json()["next_signer"], again.json()) == (None, done.json())
    raw = signer.sign_tbs(
        desk.signatories["licensor"].key_pem, base64.b64decode(begun["tbs_der_b64"])
    )
    assert code(await desk.licensor.put(f"{path}/signature", json=wire(raw)), 409) == "deal-voided"
    fresh = f"{desk.path}/signing-sessions/{ids.new(clock.now())}"
    body = {"key_id": str(desk.signatories["licensor"].key.id)}
    assert code(await desk.licensor.put(fresh, json=body), 409) == "deal-voided"


async def test_a_deal_in_force_is_not_voided(desk: Desk, context: Context) -> None:
    await desk.sign("licensor")
    await desk.sign("licensee")
    async with signed_client(context, role="operator") as (operator, _):
        answer = await operator.post(f"{desk.path}/voiding", json=REASON)
    assert code(answer, 409) == "deal-executed"
    assert (await desk.licensor.get(desk.path)).json()["signing"] == "executed"


async def test_only_an_operator_with_a_reason_and_the_scope_voids(
    desk: Desk, context: Context
) -> None:
    path = f"{desk.path}/voiding"
    for who in (desk.licensor, desk.licensee, desk.stranger, desk.auditor):
        assert code(await who.post(path, json=REASON), 403) == "not-allowed"
    async with signed_client(context, role="approver") as (approver, _):
        assert code(await approver.post(path, json=REASON), 403) == "not-allowed"
    async with signed_client(context, role="operator", scopes=["read"]) as (operator, _):
        assert code(await operator.post(path, json=REASON), 403) == "scope-missing"
    async with signed_client(context, role="operator") as (operator, _):
        for body in ({}, {"reason": " "}, {"reason": "x" * 501}, {"reason": 7}):
            assert code(await operator.post(path, json=body), 422) == "invalid-content"
        elsewhere = f"/v1/deals/{ids.new(clock.now())}/voiding"
        assert code(await operator.post(elsewhere, json=REASON), 404) == "unknown"
    assert (await desk.licensor.get(desk.path)).json()["signing"] == "certified"
