"""The evidence of contracts that were amended and of contracts that ended: each holds on its own.

Invariant 38 as a stranger checks it: the patch makes the terms after of the terms before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from contracts import canonical, ids
from contracts.deals import amending, ending, lifecycle, queries, service, verification
from contracts.deals.restating import Change
from contracts.deals.tables import Deal
from contracts.evidence import deal_checks, life_checks
from contracts.evidence.opened import Bundle, Event, Failed, amended, patch_name, terms_name
from contracts.facts.tables import Fact
from contracts.log import merkle
from contracts.log import queries as log
from contracts.log.gateway import LogSigner
from contracts.parties.gateway import LocalAuthority
from contracts.parties.rules import EXCHANGE_PARTY_ID
from exchange import keys
from exchange.db import Database
from exchange.evidence import bundle
from exchange.evidence.verify import verify
from exchange.settings import Settings
from tests.conftest import NOW
from tests.contracts.deals_factory import PRESS, sign, with_key
from tests.contracts.log_factory import seal_all
from tests.exchange import evidence_changes as edits
from tests.exchange.evidence_changes import both, with_events, with_file
from tests.exchange.evidence_factory import Trade, settled_trade
from tests.exchange.test_evidence import failures
from tests.exchange.test_evidence_checks import opened

ORDER = "贸仲裁字 2027-0001"


def cure_days(value: int) -> Change:
    return Change([{"op": "replace", "path": "/parameters/cure_days", "value": value}])


@dataclass(frozen=True)
class Row:
    """A contract, the amendment of it, and the amendment of that, with the bundle of each."""

    deals: tuple[UUID, ...]
    bundles: tuple[bytes, ...]
    signer: LogSigner


@pytest.fixture(scope="module")
async def row(db: Database, settings: Settings) -> Row:
    trade, signer = await settled_trade(db, settings), keys.log_signer(settings)
    authority = LocalAuthority.ensure(settings.keys, NOW)
    deals = [trade.deal.id]
    async with db.transaction() as session:
        sides = [
            await with_key(session, authority, one, now=NOW)
            for one in (trade.licensor, trade.licensee)
        ]
    for days in (10, 20):
        async with db.transaction() as session:
            made = await amended_by(session, deals[-1], trade, days)
            await service.certify(
                session, made.id, press=PRESS, certifier=authority.certifier, now=NOW
            )
            for who in sides:
                await sign(session, authority, made, who, now=NOW)
            deals.append(made.id)
    async with db.transaction() as session:
        await ending.rescind(session, deals[-1], reason=ORDER, by=EXCHANGE_PARTY_ID, now=NOW)
    await seal_all(db, signer)
    bundles = []
    for deal_id in deals:
        async with db.transaction() as session:
            _, raw = await bundle.assemble(
                session, deal_id, party=None, signer=signer, authority=authority
            )
            bundles.append(raw)
    return Row(tuple(deals), tuple(bundles), signer)


async def amended_by(session: Any, deal_id: UUID, trade: Trade, days: int) -> Deal:
    made, _ = await amending.propose(
        session, deal_id, ids.new(NOW),
        party_id=trade.licensee.id, change=cure_days(days), now=NOW,
    )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def last(row: Row) -> Bundle:
    """The opened evidence of the second amendment."""
    whole = opened(row.bundles[-1], row.signer)
    return replace(whole, before=amended(whole.files))


def test_each_contract_of_a_row_is_evidence_on_its_own(row: Row, tmp_path: Path) -> None:
    told = []
    for raw in row.bundles:
        (tmp_path / "bundle.zip").write_bytes(raw)
        report = verify(tmp_path / "bundle.zip", trusted_vkey=row.signer.verifier.vkey)
        assert failures(report) == [], report.as_dict()
        told.append({one.name: one.detail for one in report.checks})
    assert [one["amendments"].partition(" in a row")[0] for one in told] == [
        "amends nothing", "1", "2",
    ]  # fmt: skip
    assert str(row.deals[1]) in told[0]["standing"]
    assert str(row.deals[2]) in told[1]["standing"]
    assert told[0]["standing"].startswith("superseded on 2026-")
    assert told[2]["standing"].startswith("rescinded on 2026-")
    assert told[2]["standing"].endswith(f"({ORDER})")


def test_of_the_contracts_before_a_bundle_opens_what_shows_their_order(last: Bundle) -> None:
    kinds = {one.kind for one in last.events if one.subject in last.before and not one.is_withheld}
    assert kinds == set(bundle.OF_AMENDED)
    assert last.before == tuple(
        canonical.loads(last.files[terms_name(n)])["deal"] for n in range(2)
    )


async def test_invariant_32_each_fact_of_a_contract_is_one_leaf_in_its_order_and_one_chain(
    row: Row, db: Database
) -> None:
    for deal_id in row.deals:
        async with db.transaction() as session:
            deal = await queries.get_deal(session, deal_id)
            facts = (await session.scalars(select(Fact).where(col(Fact.subject) == deal_id))).all()
            sealed = await log.entries_about(session, [deal_id])
        assert sorted(fact.id for _, fact in sealed) == sorted(fact.id for fact in facts)
        leaves = [canonical.loads(entry.leaf) for entry, _ in sealed]
        assert [leaf["n"] for leaf in leaves] == [str(fact.id) for _, fact in sealed]
        hashes = [merkle.leaf_hash(entry.leaf).hex() for entry, _ in sealed]
        assert [leaf["prev"] for leaf in leaves] == [None, *hashes[:-1]]
        steps = [(fact.kind, canonical.loads(fact.record)) for _, fact in sealed]
        life = lifecycle.replay(steps)
        assert life is not None
        assert (life.signing, life.end, life.cause) == (deal.signing, deal.ended, deal.end_cause)


def without_file(name: str) -> edits.Change:
    return lambda whole: replace(
        whole, files={other: raw for other, raw in whole.files.items() if other != name}
    )


def other_value(whole: Bundle) -> Bundle:
    name = patch_name(1)
    return with_file(whole, name, whole.files[name].replace(b'"value":10', b'"value":11'))


def other_path(whole: Bundle) -> Bundle:
    name = patch_name(2)
    return with_file(whole, name, whole.files[name].replace(b"/cure_days", b"/cured_days"))


def other_base(whole: Bundle) -> Bundle:
    """Another first contract, and a patch that makes the second of it all the same."""
    first = {**whole.json(terms_name(0)), "law": "UK"}
    patch = [*whole.json(patch_name(1)), {"op": "replace", "path": "/law", "value": "CN"}]
    changed = with_file(whole, terms_name(0), canonical.dumps(first))
    return with_file(changed, patch_name(1), canonical.dumps(patch))


def told_of(number: int, kind: str, **said: Any) -> edits.Change:
    """Change what a fact says about a contract of the row, counted from the first."""

    def change(whole: Bundle) -> Bundle:
        deal = [*whole.before, str(whole.manifest.deal)][number]
        chosen = whole.of(deal, kind)
        told = replace(chosen, record={**chosen.record, **said})
        return with_events(whole, [told if one is chosen else one for one in whole.events])

    return change


def begins_later(whole: Bundle) -> Bundle:
    """The row without its first contract, as if the second had been the first."""
    files = {
        terms_name(0): whole.files[terms_name(1)], patch_name(1): whole.files[patch_name(2)],
    }  # fmt: skip
    kept = {name: raw for name, raw in whole.files.items() if not name.startswith("amendments/")}
    return replace(whole, files={**kept, **files}, before=whole.before[1:])


BROKEN: dict[str, tuple[edits.Change, str]] = {
    "a patch that says something else": (other_value, "does not make"),
    "a patch that cannot be applied": (other_path, "cannot be applied"),
    "a patch that is missing": (without_file(patch_name(2)), "is missing"),
    "terms that are missing": (without_file(terms_name(0)), "is missing"),
    "a file too many": (
        lambda whole: with_file(whole, "amendments/9.patch.json", b"[]"), "is missing",
    ),
    "another first contract": (other_base, "took the place"),
    "a row that begins later": (begins_later, "terms are not in the bundle"),
    "a first contract that another took the place of": (
        told_of(0, "deal.ended", successor="another"), "took the place",
    ),
    "a contract that did not end so": (told_of(1, "deal.ended", ended="expired"), "took the place"),
    "an amendment of another contract": (
        told_of(2, "deal.opened", supersedes="another"), "took the place",
    ),
    "a contract signed with other terms": (
        told_of(1, "deal.executed", terms_sha256="0" * 64), "took the place",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_invariant_38_whatever_breaks_the_row_of_amendments_is_found(
    last: Bundle, fault: str
) -> None:
    change, said = BROKEN[fault]
    assert life_checks.amendments(last).startswith("2 in a row")
    with pytest.raises(Failed, match=said):
        life_checks.amendments(change(last))


def test_threat_09_an_amount_in_other_words_than_its_figures_is_found(
    last: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange itself printed it: terms, facts and attachment agree, the words do not."""
    assert deal_checks.terms(last)
    agreed = last.json("terms.json")
    agreed["consideration"]["in_words"] = "人民币壹元整"
    raw = canonical.dumps(agreed)
    digest = canonical.sha256_hex(raw)
    kinds = ("deal.opened", "deal.certified", "deal.executed")
    changes = [told_of(2, kind, terms_sha256=digest) for kind in kinds]
    changed = with_file(both(*changes)(last), "terms.json", raw)
    monkeypatch.setattr(verification, "attachments", lambda _pdf: [raw])
    with pytest.raises(Failed, match="人民币壹元整"):
        deal_checks.terms(changed)


def told(last: Bundle, *facts: tuple[str, Mapping[str, Any]]) -> Bundle:
    """A contract that everybody signed, and then these facts, a second apart."""
    deal = str(last.manifest.deal)
    own = [one for one in last.events if one.subject == deal and one.kind != "deal.ended"]
    further = [
        Event(10**6 + n, "x", kind, deal, f"2027-01-01T00:00:{n:02}Z", record, b"x", b"{}")
        for n, (kind, record) in enumerate(facts)
    ]
    return with_events(last, [*own, *further])


NOTICE = {"notice": "n", "kind": "breach"}
GIVEN = ("notice.given", NOTICE)
RECEIVED = ("notice.received", {"notice": "n", "cure_by": "2026-12-31T16:00:00Z"})
SETTLED = ("notice.settled", {"notice": "n", "outcome": "terminated"})


def ended(how: str = "terminated", **said: Any) -> tuple[str, Mapping[str, Any]]:
    plain = {"cause": None, "notice": None, "successor": None, "reason": None}
    return "deal.ended", {"ended": how, **plain, **said}


FOR_CAUSE = ended(cause="cause", notice="n")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ((), "in force; effective"),
        ((("settlement.booked", {}),), "in force; paid"),
        ((GIVEN, RECEIVED), "in force; effective"),
        ((GIVEN, RECEIVED, SETTLED, FOR_CAUSE), "terminated on 2027-01-01T00:00:03Z (cause)"),
        ((ended("expired"),), "expired on 2027-01-01T00:00:00Z"),
    ],
)
def test_a_contract_stands_where_its_facts_lead(
    last: Bundle, facts: tuple[tuple[str, Mapping[str, Any]], ...], said: str
) -> None:
    assert life_checks.standing(told(last, *facts)) == said


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ((ended("expired"), ended("expired")), "cannot follow"),
        ((ended("expired"), ("settlement.booked", {}), ("deal.voided", {})), "cannot follow"),
        ((("deal.declined", {}),), "cannot follow"),
        ((FOR_CAUSE,), "nobody gave"),
        ((GIVEN, FOR_CAUSE), "not received"),
        ((GIVEN, ("notice.received", {"notice": "n", "cure_by": "2027-01-01T00:00:09Z"}),
          FOR_CAUSE), "before the time to cure"),
        ((GIVEN, RECEIVED, ("notice.settled", {"notice": "n", "outcome": "cured"}), FOR_CAUSE),
         "settled before"),
    ],
)  # fmt: skip
def test_invariant_35_facts_that_cannot_follow_one_another_are_found(
    last: Bundle, facts: tuple[tuple[str, Mapping[str, Any]], ...], said: str
) -> None:
    with pytest.raises(Failed, match=said):
        life_checks.standing(told(last, *facts))


@pytest.mark.parametrize("kind", ["deal.certified", "deal.executed", "deal.opened"])
def test_a_contract_that_not_everybody_signed_is_no_evidence(last: Bundle, kind: str) -> None:
    whole = told(last)
    rest = [one for one in whole.events if one.kind != kind]
    with pytest.raises(Failed, match=r"cannot follow|everybody signed"):
        life_checks.standing(with_events(whole, rest))
