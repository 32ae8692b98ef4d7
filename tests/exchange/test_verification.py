"""The public check of a contract: by hash, for whoever holds a file, and telling nothing else."""

import html
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Request, expect
from sqlmodel import col, select

from contracts import canonical
from contracts.deals import queries
from contracts.deals.tables import DealDocument
from contracts.log import note, proof
from contracts.parties.gateway import LocalAuthority
from contracts.works.tables import Work
from exchange import keys
from exchange.db import Database
from exchange.settings import Settings
from tests.conftest import NOW
from tests.contracts.deals_factory import certified_deal, signatory
from tests.contracts.log_factory import seal_all
from tests.exchange.evidence_factory import (
    AMOUNT,
    Trade,
    archive,
    executed_trade,
    settled_trade,
)
from tests.exchange.portal_site import visit

expect.set_options(timeout=30_000)
NOBODY = "UHDX-2026-0000-0000-0000-0000"


@dataclass(frozen=True)
class Contract:
    """An executed contract as its holder has it, and everything about it that is private."""

    trade: Trade
    revisions: tuple[bytes, ...]
    private: tuple[str, ...]

    @property
    def number(self) -> str:
        return self.trade.deal.contract_no

    def sha256(self, revision: int = -1) -> str:
        return sha256(self.revisions[revision]).hexdigest()


@pytest.fixture(scope="module")
async def contract(db: Database, settings: Settings) -> Contract:
    return await held(db, await settled_trade(db, settings))


async def held(db: Database, trade: Trade) -> Contract:
    async with db.transaction() as session:
        rows = await session.scalars(
            select(DealDocument)
            .where(col(DealDocument.deal_id) == trade.deal.id)
            .order_by(col(DealDocument.revision))
        )
        revisions = tuple(row.pdf for row in rows)
        sold = await session.get_one(Work, trade.deal.work_id)
    parties = (trade.licensor, trade.licensee, trade.co_owner)
    names = [name for party in parties for name in (party.name_zh, party.name_en, str(party.id))]
    prices = (str(AMOUNT), "1200000.01", "1,200,000.01")
    terms = (trade.deal.terms_sha256, str(trade.deal.id))
    private = (*names, sold.title_zh, sold.title_en, str(sold.id), *prices, *terms)
    return Contract(trade, revisions, tuple(filter(None, private)))


def asked(number: str, digest: str) -> str:
    return f"/v1/contracts/{number}/verification?sha256={digest}"


async def test_whoever_holds_the_executed_file_gets_the_proof_of_its_execution(
    client: httpx.AsyncClient, contract: Contract, settings: Settings
) -> None:
    answer = await client.get(asked(contract.number, contract.sha256()))
    assert answer.status_code == 200
    told = answer.json()
    assert told["verdict"] == "executed"
    execution, key = told["execution"], note.Verifier.parse(told["log_vkey"])
    assert key == keys.log_signer(settings).verifier
    read = proof.parse(execution["tlog_proof"])
    leaf = execution["leaf"].encode()
    tree = proof.check(read, leaf, origin=key.name, trusted=[key])
    assert (read.index, tree.size) == (execution["index"], execution["tree_size"])
    assert canonical.loads(leaf)["t"] == "deal.executed"
    assert execution["witnesses"] == []
    assert told["root_pem"].startswith("-----BEGIN CERTIFICATE-----")


async def test_an_earlier_state_of_the_contract_is_not_taken_for_it(
    client: httpx.AsyncClient, contract: Contract
) -> None:
    for revision in range(len(contract.revisions) - 1):
        answer = await client.get(asked(contract.number, contract.sha256(revision)))
        assert answer.json()["verdict"] == "earlier-revision"


async def test_the_archived_contract_is_the_executed_one_with_more_behind_it(
    client: httpx.AsyncClient, contract: Contract, db: Database, settings: Settings
) -> None:
    await archive(db, settings, contract.trade)
    archived = (await held(db, contract.trade)).revisions[-1]
    assert archived.startswith(contract.revisions[-1])
    digest = sha256(archived).hexdigest()
    told = (await client.get(asked(contract.number, digest))).json()
    executed = (await client.get(asked(contract.number, contract.sha256()))).json()
    assert (told["verdict"], executed["verdict"]) == ("later-revision", "executed")
    assert told["execution"]["index"] == executed["execution"]["index"]
    for lang, said in (
        ("en", "This is the executed contract, with archive timestamps added since."),
        ("zh-CN", "这是已成立的合同，其后仅追加了存档时间戳。"),
    ):
        page = await client.get(f"/verify/{contract.number}?sha256={digest}&lang={lang}")
        assert said in html.unescape(page.text)
        assert 'data-verdict="later-revision"' in page.text


async def test_a_contract_that_nobody_has_signed_yet_is_not_executed(
    client: httpx.AsyncClient, db: Database, settings: Settings
) -> None:
    async with db.transaction() as session:
        authority = LocalAuthority.ensure(settings.keys, NOW)
        sides = [
            await signatory(session, authority, kind=kind, now=NOW)
            for kind in ("rights_holder", "broadcaster")
        ]
        deal = await certified_deal(
            session, authority, licensor=sides[0].party, licensee=sides[1].party, now=NOW
        )
        paper = await queries.document(session, deal.id)
    told = (await client.get(asked(deal.contract_no, paper.sha256))).json()
    assert (told["verdict"], told["execution"]) == ("not-executed", None)


async def test_an_execution_that_waits_for_its_number_is_not_answered_yet(
    client: httpx.AsyncClient, db: Database, settings: Settings
) -> None:
    async with db.transaction() as session:
        trade = await executed_trade(session, settings.keys)
    waiting = await held(db, trade)
    answer = await client.get(asked(waiting.number, waiting.sha256()))
    assert (answer.status_code, answer.json()["code"]) == (503, "not-sealed-yet")
    await seal_all(db, keys.log_signer(settings))
    answer = await client.get(asked(waiting.number, waiting.sha256()))
    assert answer.json()["verdict"] == "executed"


async def test_a_number_that_is_not_there_and_a_foreign_file_get_the_same_answer(
    client: httpx.AsyncClient, contract: Contract
) -> None:
    other = sha256(contract.revisions[-1] + b"\n").hexdigest()
    answers = []
    for number, digest in (
        (NOBODY, contract.sha256()), (NOBODY, other), (contract.number, other),
    ):  # fmt: skip
        answer = await client.get(asked(number, digest))
        assert answer.status_code == 200
        told = answer.json()
        assert (told.pop("contract_no"), told.pop("sha256")) == (number, digest)
        answers.append(told)
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["verdict"] == "unknown"
    assert answers[0]["execution"] is None


@pytest.mark.parametrize("digest", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "%00" * 64])
async def test_what_is_no_hash_is_refused(
    client: httpx.AsyncClient, contract: Contract, digest: str
) -> None:
    answer = await client.get(asked(contract.number, digest))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-content")


async def test_invariant_33_no_answer_names_a_party_a_title_or_a_price(
    client: httpx.AsyncClient, contract: Contract
) -> None:
    digest = contract.sha256()
    for path in (
        asked(contract.number, digest),
        f"/verify/{contract.number}?sha256={digest}&lang=en",
        f"/verify/{contract.number}?sha256={digest}&lang=zh-CN",
        f"/verify/{contract.number}/execution.tlog-proof?sha256={digest}",
    ):
        answer = await client.get(path)
        assert answer.status_code == 200, path
        told = html.unescape(answer.text)
        assert [private for private in contract.private if private in told] == []


@pytest.mark.parametrize(
    ("lang", "said"),
    [("en", "This is the executed contract."), ("zh-CN", "这就是已成立的合同。")],
)
async def test_the_page_says_it_to_people_who_have_not_signed_in(
    client: httpx.AsyncClient, contract: Contract, lang: str, said: str
) -> None:
    spaced = f" {contract.sha256().upper()[:32]} {contract.sha256()[32:]}"
    at = f"/verify/{contract.number}"
    answer = await client.get(at, params={"sha256": spaced, "lang": lang})
    assert said in html.unescape(answer.text)
    assert f"/v1/contracts/{contract.number}/verification" in answer.text
    asks = await client.get(at, params={"lang": lang})
    assert said not in html.unescape(asks.text)
    assert f'value="{contract.number}"' in asks.text


async def test_the_form_leads_to_the_page_of_the_number(
    client: httpx.AsyncClient, contract: Contract
) -> None:
    typed = f" {contract.number.lower()}\n"
    answer = await client.get("/verify", params={"number": typed, "sha256": contract.sha256()})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/verify/{contract.number}?sha256={contract.sha256()}"
    answer = await client.get("/verify", params={"number": "<script>", "lang": "en"})
    assert "This is not a contract number" in answer.text
    assert "<script>" not in answer.text.split("<main", 1)[1]
    answer = await client.get(f"/verify/{contract.number}", params={"sha256": "x", "lang": "en"})
    assert "This is not a contract number" in answer.text
    assert (await client.get("/verify/nothing-of-ours")).status_code == 404


async def test_the_proof_can_be_kept_as_a_file(
    client: httpx.AsyncClient, contract: Contract
) -> None:
    at = f"/verify/{contract.number}/execution.tlog-proof?sha256="
    answer = await client.get(at + contract.sha256())
    assert proof.parse(answer.text).index >= 0
    assert f'filename="{contract.number}.tlog-proof"' in answer.headers["content-disposition"]
    assert (await client.get(at + "0" * 64)).status_code == 404


@pytest.mark.browser
async def test_the_file_never_leaves_the_browser(
    site: str, browser: Browser, contract: Contract, tmp_path: Path
) -> None:
    paper = tmp_path / "contract.pdf"
    paper.write_bytes(contract.revisions[-1])
    sent: list[Request] = []
    async with visit(browser, site, locale="zh-CN", viewport={"width": 1000, "height": 800}) as one:
        one.page.on("request", lambda request: sent.append(request))
        page = await one.go(f"/verify/{contract.number}")
        await page.set_input_files("#file", paper)
        await expect(page.locator("#sha256")).to_have_value(contract.sha256())
        await page.click("main form button")
        await expect(page.locator('#verdict[data-verdict="executed"]')).to_be_visible()
        await one.shot("verify-executed-zh")
        paper.write_bytes(contract.revisions[2])
        await page.set_input_files("#file", paper)
        await expect(page.locator("#sha256")).to_have_value(contract.sha256(2))
        await page.click("main form button")
        await expect(page.locator('#verdict[data-verdict="earlier-revision"]')).to_be_visible()
    assert any("sha256=" in request.url for request in sent)
    assert [request.method for request in sent if request.method != "GET"] == []
    assert [request.url for request in sent if request.post_data_buffer] == []


@pytest.mark.browser
async def test_the_page_fits_a_telephone_and_speaks_english(
    site: str, browser: Browser, contract: Contract
) -> None:
    async with visit(browser, site, viewport={"width": 400, "height": 800}) as one:
        page = await one.go(f"/verify/{contract.number}?sha256={'0' * 64}")
        await expect(page.locator("#verdict")).to_contain_text("This is no file of a contract")
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 400
        await one.shot("verify-unknown-narrow")
