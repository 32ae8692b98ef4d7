"""`exchange assign` against a served exchange: a file, a device, and an exchange that lies."""

import copy
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts import canonical, ids
from contracts.deals import handing, queries, restating, transfers
from contracts.deals.consent import SessionNotSound
from contracts.deals.tables import Deal
from contracts.deals.terms import Side
from contracts.parties import queries as parties
from contracts.parties.tables import Party
from exchange import assigning_cli
from exchange.context import Context
from exchange.sealed_cli import ExchangeSaidNo
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.exchange.portal_site import served
from tests.exchange.signing_factory import Waiting, paid_deal
from tests.exchange.test_signing_cli import Terminal, openssl


@dataclass
class Leaving:
    """A licensee at its terminal, with a contract to hand on, and whoever takes it."""

    waiting: Waiting
    to: Party
    terminal: Terminal
    context: Context

    @property
    def words(self) -> tuple[str, ...]:
        return "assign", str(self.waiting.deal.id), "--to", str(self.to.id)

    async def made(self) -> Deal:
        async with self.context.db.transaction() as session:
            found = await queries.find_amendment(session, self.waiting.deal.id)
            assert found is not None
            (key,) = await parties.keys_of(session, self.waiting.licensee.id)
        public = key.public_key_pem.encode()
        assert handing.check_signed(found.terms, public_key_pem=public)
        return found


@pytest.fixture
async def leaving(context: Context, tmp_path: Path) -> AsyncIterator[Leaving]:
    waiting, to = await paid_deal(context)
    async with served(context) as site:
        terminal = Terminal(site, tmp_path, waiting.api_keys["licensee"])
        yield Leaving(waiting, to, terminal, context)


async def test_a_contract_is_handed_on_with_a_key_in_a_file_once(leaving: Leaving) -> None:
    at = leaving.terminal
    key = await at.with_key()
    no = await at.run(*leaving.words, "--key", key, typed="n\n")
    assert no.exit_code == 1 and "checked here" in no.output
    told = await at.good(*leaving.words, "--key", key, "--yes")
    deal = await leaving.made()
    assert str(deal.id) in told and deal.licensee_id == leaving.to.id
    again = await at.refused(*leaving.words, "--key", key, "--yes")
    assert isinstance(again, ExchangeSaidNo) and "amendment-waits" in again.detail


async def test_a_device_hands_a_contract_on_and_openssl_plays_the_device(leaving: Leaving) -> None:
    at = leaving.terminal
    key, request = at.file("device.key"), at.file("device.csr")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    openssl("req", "-new", "-key", key, "-subj", "/CN=device", "-out", request)
    await at.registers("device.csr")
    terms, signature = at.file("terms.json"), at.file("sig.der")
    await at.good(*leaving.words, "--prepare", terms, "--yes")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", at.file("other.key"))
    openssl("dgst", "-sha256", "-sign", at.file("other.key"), "-out", signature, terms)
    wrong = await at.refused(*leaving.words, "--signature", signature)
    assert isinstance(wrong, SessionNotSound) and wrong.data["check"] == "signature"
    openssl("dgst", "-sha256", "-sign", key, "-out", signature, terms)
    await at.good(*leaving.words, "--signature", signature)
    assert (await leaving.made()).assignor_id == leaving.waiting.licensee.id


def _other_price(terms: dict[str, Any]) -> None:
    terms["consideration"]["amount"] = "1.00"


def _other_licensor(terms: dict[str, Any]) -> None:
    terms["parties"][0]["party"] = str(ids.new(NOW))


def _two_licensees(terms: dict[str, Any]) -> None:
    terms["parties"].append(terms["parties"][1])


def _other_days(terms: dict[str, Any]) -> None:
    terms["parameters"]["cure_days"] = 7


def _clause_gone(terms: dict[str, Any]) -> None:
    terms["clauses"] = terms["clauses"][1:]


def _other_deal(terms: dict[str, Any]) -> None:
    terms["deal"] = str(ids.new(NOW))


def _other_base(terms: dict[str, Any]) -> None:
    terms["supersedes"]["terms_sha256"] = "0" * 64


def _other_key(terms: dict[str, Any]) -> None:
    terms["assignment"]["key"] = "0" * 64


def _one_more(terms: dict[str, Any]) -> None:
    terms["special"] = []


LIES: dict[Callable[[dict[str, Any]], None], str] = {
    _other_price: "terms", _one_more: "terms", _other_licensor: "parties",
    _other_days: "parameters",
    _two_licensees: "licensee", _clause_gone: "clauses", _other_deal: "deal",
    _other_base: "supersedes", _other_key: "assignor",
}  # fmt: skip


async def test_a_draft_that_says_anything_else_is_not_signed(context: Context) -> None:
    waiting, to = await paid_deal(context)
    number = ids.new(NOW)
    before = canonical.loads(waiting.deal.terms)
    after = drafted(waiting.deal, number, to, key="ab" * 32)
    asked: dict[str, Any] = {"deal": number, "to": to.id, "key_sha256": "ab" * 32}
    assigning_cli.check(after, before, **asked)
    for lie, name in LIES.items():
        told = copy.deepcopy(after)
        lie(told)
        with pytest.raises(SessionNotSound) as refusal:
            assigning_cli.check(told, before, **asked)
        assert refusal.value.data["check"] == name
    async with context.db.transaction() as session:
        third = await party(session, kind="broadcaster", now=NOW)
    with pytest.raises(SessionNotSound):
        assigning_cli.check(after, before, **{**asked, "to": third.id})


def drafted(base: Deal, number: UUID, to: Party, *, key: str) -> dict[str, Any]:
    """The terms as the exchange drafts them."""
    before = canonical.loads(base.terms)
    side = Side("licensee", to.id, to.name_zh, to.name_en, to.uscc)
    after = restating.handed_on(before, assignee=side, key_sha256=key, clause=transfers.CLAUSE)
    return restating.under_own_name(
        after, supersedes=before, sha256=base.terms_sha256, deal_id=number, now=NOW
    )
