"""The deposit agreement over HTTP: asked for by the rules, signed, then the bidding is open."""

import base64
import zipfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio
import httpx
import pytest

from contracts import canonical, rfc3339
from contracts.agreements import lasting
from contracts.facts.rules import SealedFact
from contracts.parties.tables import Party
from exchange import agreement_verbs, clock, keys
from exchange.authority import open_authority
from exchange.context import Context
from exchange.demo import signer
from exchange.evidence import verify
from listings.admissions.rules import AdmissionClosed
from listings.auctions.refusals import BadSale
from listings.auctions.sales import read_sale
from tests.conftest import NOW
from tests.contracts.deals_factory import Signatory, with_key
from tests.contracts.log_factory import seal_all
from tests.contracts.parties_factory import party
from tests.exchange.agreements_factory import DEPOSIT, asking_auction
from tests.exchange.identity_factory import signed_client
from tests.listings.auctions_factory import sale_of

PAPERS = {"papers": [{"kind": "business-licence", "sha256": "9f" * 32}]}


@dataclass
class Hall:
    """An auction whose rules ask for a signature, its staff, a bidder with a key, and another."""

    context: Context
    auction: UUID
    operator: httpx.AsyncClient
    bidder: httpx.AsyncClient
    other: httpx.AsyncClient
    who: Signatory
    else_who: Signatory

    async def drawn(self) -> dict[str, Any]:
        answer = await self.bidder.put(f"/v1/auctions/{self.auction}/deposit-agreement")
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    async def begun(self, agreement: str, **changes: Any) -> tuple[str, dict[str, Any]]:
        path = f"/v1/agreements/{agreement}/signing-sessions/{uuid4()}"
        said = {"key_id": str(self.who.key.id), **changes}
        answer = await self.bidder.put(path, json=said)
        assert answer.status_code == 201, answer.text
        return path, answer.json()

    async def signs(self, path: str, session: dict[str, Any], key_pem: bytes) -> httpx.Response:
        tbs = base64.b64decode(session["tbs_der_b64"])
        said = {"signature_b64": base64.b64encode(signer.sign_tbs(key_pem, tbs)).decode()}
        return await self.bidder.put(f"{path}/signature", json=said)

    async def signed(self) -> dict[str, Any]:
        drawn = await self.drawn()
        path, session = await self.begun(drawn["id"])
        answer = await self.signs(path, session, self.who.key_pem)
        assert answer.status_code == 200, answer.text
        await self.reacts(UUID(drawn["id"]))
        return dict(answer.json())

    async def reacts(self, agreement: UUID) -> None:
        """What the worker does when it hears of the signature."""
        now = clock.now()
        fact = SealedFact(1, uuid4(), "agreement.signed", agreement, (), {}, now)
        for verb in (agreement_verbs.admit_signer, agreement_verbs.archive_agreement):
            async with self.context.db.transaction() as session:
                await verb(self.context, session, fact, now)

    async def applies(self) -> dict[str, Any]:
        answer = await self.bidder.put(f"/v1/auctions/{self.auction}/admission", json=PAPERS)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def standing(self) -> dict[str, Any]:
        answer = await self.bidder.get(f"/v1/auctions/{self.auction}/admission")
        return dict(answer.json())

    async def pays_and_is_accepted(self) -> None:
        party_id = self.who.party.id
        receipt = {
            "amount_minor": DEPOSIT, "currency": "CNY", "reference": f"BANK-{uuid4()}",
            "credited_at": rfc3339.exact(clock.now()),
        }  # fmt: skip
        where = f"/v1/auctions/{self.auction}/deposits/{party_id}/receipts/{uuid4()}"
        assert (await self.operator.put(where, json=receipt)).status_code == 200
        where = f"/v1/auctions/{self.auction}/admissions/{party_id}/decision"
        assert (await self.operator.post(where, json={"decision": "accept"})).status_code == 200

    async def bids(self) -> httpx.Response:
        where = f"/v1/auctions/{self.auction}/bids/{uuid4()}"
        return await self.bidder.put(where, json={"amount_minor": 100_000, "currency": "CNY"})


@pytest.fixture
async def hall(context: Context) -> AsyncIterator[Hall]:
    async with AsyncExitStack() as stack:
        now = clock.now()
        authority = open_authority(context.settings, now=now)
        async with context.db.transaction() as session:
            seller = await party(session, now=now)
            auction = await asking_auction(session, seller=seller, now=now)
            homes = [await party(session, kind="broadcaster", now=now) for _ in range(2)]
            people = [await with_key(session, authority, home, now=now) for home in homes]

        async def client(role: str, of: Party | None = None) -> httpx.AsyncClient:
            opened, _ = await stack.enter_async_context(signed_client(context, role=role, of=of))
            return opened

        yield Hall(
            context, auction.id, await client("operator"), await client("broadcaster", homes[0]),
            await client("broadcaster", homes[1]), people[0], people[1],
        )  # fmt: skip


async def test_nobody_bids_before_the_agreement_is_signed_and_everybody_after(hall: Hall) -> None:
    assert (await hall.applies())["missing"] == ["agreement", "deposit", "papers"]
    await hall.pays_and_is_accepted()
    standing = await hall.standing()
    assert (standing["state"], standing["missing"]) == ("applied", ["agreement"])
    early = await hall.bids()
    assert (early.status_code, early.json()["code"]) == (403, "deposit-agreement-unsigned")
    signed = await hall.signed()
    assert (signed["signing"], signed["next_signer"]) == ("signed", None)
    standing = await hall.standing()
    assert (standing["state"], standing["missing"], standing["paddle"]) == ("admitted", [], 1)
    assert (await hall.bids()).status_code == 201


async def test_a_bidder_may_sign_before_it_applies(hall: Hall) -> None:
    await hall.signed()
    assert (await hall.applies())["missing"] == ["deposit", "papers"]
    assert (await hall.bids()).json()["code"] == "not-admitted"
    await hall.pays_and_is_accepted()
    assert (await hall.bids()).status_code == 201


async def test_the_agreement_is_drawn_up_once_and_stays_what_it_is(hall: Hall) -> None:
    address = f"/v1/auctions/{hall.auction}/deposit-agreement"
    before = (await hall.bidder.get(address)).content
    first = await hall.bidder.put(address)
    again = await hall.bidder.put(address)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    agreement = first.json()
    assert (await hall.bidder.get(address)).content == before
    assert agreement["terms_sha256"] == canonical.sha256_hex(before)
    said = canonical.loads(before)
    assert (said["agreement"], said["auction"]) == (agreement["id"], str(hall.auction))
    pdf = (await hall.bidder.get(f"{address}.pdf")).content
    assert canonical.sha256_hex(pdf) == agreement["pdf_sha256"]
    listed = (await hall.bidder.get("/v1/agreements")).json()["items"]
    assert [one["id"] for one in listed] == [agreement["id"]]


async def test_nobody_else_sees_an_agreement_or_signs_it(hall: Hall) -> None:
    drawn = await hall.drawn()
    where = f"/v1/agreements/{drawn['id']}"
    path, session = await hall.begun(drawn["id"])
    tbs = base64.b64decode(session["tbs_der_b64"])
    forged = base64.b64encode(signer.sign_tbs(hall.else_who.key_pem, tbs)).decode()
    for address in (where, f"{where}/terms", f"{where}/contract.pdf", f"{path}/contract.pdf"):
        assert (await hall.other.get(address)).status_code == 404, address
    opened = await hall.other.put(
        f"{where}/signing-sessions/{uuid4()}", json={"key_id": str(hall.else_who.key.id)}
    )
    assert opened.status_code == 404
    sent = await hall.other.put(f"{path}/signature", json={"signature_b64": forged})
    assert sent.status_code == 404
    own = await hall.bidder.put(f"{path}/signature", json={"signature_b64": forged})
    assert (own.status_code, own.json()["code"]) == (422, "bad-signature")
    borrowed = await hall.bidder.put(
        f"{where}/signing-sessions/{uuid4()}", json={"key_id": str(hall.else_who.key.id)}
    )
    assert borrowed.json()["code"] == "key-not-active"
    assert (await hall.bidder.get(where)).json()["signing"] == "certified"


async def test_the_same_signature_is_answered_again_and_no_second_session_signs(hall: Hall) -> None:
    drawn = await hall.drawn()
    path, session = await hall.begun(drawn["id"])
    late, late_session = await hall.begun(drawn["id"])
    tbs = base64.b64decode(session["tbs_der_b64"])
    said = {"signature_b64": base64.b64encode(signer.sign_tbs(hall.who.key_pem, tbs)).decode()}
    first, again = [await hall.bidder.put(f"{path}/signature", json=said) for _ in range(2)]
    assert first.status_code == 200 and first.json() == again.json()
    second = await hall.signs(late, late_session, hall.who.key_pem)
    assert (second.status_code, second.json()["code"]) == (409, "agreement-signed")


async def test_the_evidence_of_a_signed_agreement_verifies_offline_and_shows_every_change(
    hall: Hall, tmp_path: Path
) -> None:
    drawn = await hall.drawn()
    where = f"/v1/agreements/{drawn['id']}/evidence"
    unready = await hall.bidder.get(where)
    assert (unready.status_code, unready.json()["code"]) == (409, "evidence-not-ready")
    await hall.signed()
    log = keys.log_signer(hall.context.settings)
    await seal_all(hall.context.db, log)
    answer = await hall.bidder.get(where)
    assert answer.status_code == 200, answer.text
    assert (await hall.other.get(where)).status_code == 404
    file = tmp_path / "agreement.zip"
    file.write_bytes(answer.content)
    report = verify.verify(file, trusted_vkey=log.verifier.vkey)
    assert report.ok, [one for one in report.checks if not one.ok]
    told = {one.name: one.detail for one in report.checks}
    assert "B-LTA" in told["agreement signatures"]
    assert told["rules of the auction"].endswith("deposit CNY 20000.00")
    for name in ("contract.pdf", "terms.json", "rulebook.json", "events.jsonl"):
        assert not verify.verify(_changed(file, name, tmp_path)).ok, name


def _changed(file: Path, name: str, folder: Path) -> Path:
    """The same archive with one byte of a file flipped."""
    made = BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(made, "w") as new:
        for one in old.infolist():
            content = bytearray(old.read(one))
            if one.filename == name:
                content[len(content) // 2] ^= 1
            new.writestr(one, bytes(content))
    target = folder / f"{name}.zip"
    target.write_bytes(made.getvalue())
    return target


async def test_who_may_not_bid_gets_no_agreement_and_rules_that_ask_none_have_none(
    hall: Hall, context: Context
) -> None:
    now = clock.now()
    async with context.db.transaction() as session:
        seller = await party(session, kind="broadcaster", now=now)
        own = await asking_auction(session, seller=seller, now=now)
        plain = await asking_auction(session, seller=seller, now=now, agreement="applied")
    async with signed_client(context, role="broadcaster", of=seller) as (selling, _):
        told = await selling.put(f"/v1/auctions/{own.id}/deposit-agreement")
        assert (told.status_code, told.json()["code"]) == (403, "own-listing")
    none = await hall.bidder.put(f"/v1/auctions/{plain.id}/deposit-agreement")
    assert (none.status_code, none.json()["code"]) == (404, "no-agreement-asked")
    read = await hall.bidder.get(f"/v1/auctions/{plain.id}/deposit-agreement")
    assert canonical.loads(read.content)["template"]["id"] == "deposit-zh-en"
    nobody = await hall.bidder.put(f"/v1/auctions/{uuid4()}/deposit-agreement")
    assert nobody.status_code == 404


async def test_after_the_day_nothing_is_drawn_up_or_signed(hall: Hall, context: Context) -> None:
    drawn = await hall.drawn()
    closed = clock.now() + timedelta(hours=1)
    async with context.db.transaction() as session:
        with pytest.raises(AdmissionClosed):
            await agreement_verbs.draw_up(
                context, session, hall.auction, hall.else_who.party.id, now=closed
            )
    assert drawn["signing"] == "certified"


async def test_an_agreement_without_an_archive_gets_one_in_time(
    hall: Hall, context: Context
) -> None:
    drawn = await hall.drawn()
    path, session = await hall.begun(drawn["id"])
    await hall.signs(path, session, hall.who.key_pem)
    now = clock.now()
    authority = open_authority(context.settings, now=now)
    address = f"/v1/agreements/{drawn['id']}/contract.pdf"
    before = (await hall.bidder.get(address)).headers["etag"]
    for _ in range(20):  # others of this database may be due before it
        async with context.db.transaction() as opened:
            if not await lasting.archive_due(opened, authority=authority, now=now):
                break
    assert (await hall.bidder.get(address)).headers["etag"] != before


@pytest.mark.parametrize(
    "admission",
    [{"kind": "verified"}, {"kind": "applied"}, {"kind": "applied", "deposit_minor": 0}],
    ids=["verified", "no deposit", "zero"],
)
def test_a_signed_agreement_needs_applicants_and_a_deposit(admission: dict[str, Any]) -> None:
    sale = sale_of(uuid4(), NOW, admission={**admission, "agreement": "signed"})
    with pytest.raises(BadSale):
        read_sale(sale, barred=frozenset(), now=NOW)


def _admission(wire: dict[str, Any]) -> Any:
    sale = sale_of(uuid4(), NOW, admission=wire)
    return read_sale(sale, barred=frozenset(), now=NOW).admission


def test_rules_that_ask_no_signature_keep_their_bytes() -> None:
    asked = {"kind": "applied", "deposit_minor": 1}
    read = [_admission(one) for one in (asked, {**asked, "agreement": "applied"})]
    assert read[0] == read[1] and "agreement" not in read[0]


async def test_programs_that_nobody_here_wrote_check_the_evidence_of_an_agreement(
    hall: Hall, tmp_path: Path
) -> None:
    drawn = await hall.drawn()
    await hall.signed()
    log = keys.log_signer(hall.context.settings)
    await seal_all(hall.context.db, log)
    answer = await hall.bidder.get(f"/v1/agreements/{drawn['id']}/evidence")
    with zipfile.ZipFile(BytesIO(answer.content)) as packed:
        packed.extractall(tmp_path)
    words = ["sh", "verify/verify.sh", log.verifier.vkey, "pki/root.pem"]
    told = await anyio.run_process(words, cwd=tmp_path, check=False)
    assert told.returncode == 0, told.stderr
    assert b"pdfsig finds 2 signatures valid" in told.stdout
