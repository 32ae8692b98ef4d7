"""The evidence of a contract that was handed on, or whose price was raised, holds on its own."""

import base64
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts import ids
from contracts.deals import amending, service, transfers
from contracts.deals.restating import Change
from contracts.deals.tables import Deal
from contracts.evidence import handing_checks
from contracts.evidence.opened import TERMS, Bundle, Failed, terms_name
from contracts.parties.gateway import LocalAuthority
from exchange import keys, settlement_verbs
from exchange.context import Context
from exchange.demo import signer
from exchange.evidence import bundle
from exchange.evidence.verify import verify
from tests.conftest import NOW
from tests.contracts.deals_factory import PRESS, Signatory, sign, signatory, with_key
from tests.contracts.log_factory import seal_all
from tests.exchange.evidence_changes import with_events, with_file
from tests.exchange.evidence_factory import Trade, settled_trade
from tests.exchange.test_deals_changing_api import fact
from tests.exchange.test_evidence import failures
from tests.exchange.test_evidence_checks import opened


async def handed_on(context: Context, trade: Trade, authority: LocalAuthority) -> Deal:
    """The deal with another licensee, certified; the assignor has signed its terms."""
    async with context.db.transaction() as session:
        assignee = await signatory(session, authority, kind="broadcaster", now=NOW)
        leaving = await with_key(session, authority, trade.licensee, now=NOW)
        draft, _ = await transfers.draft(
            session, trade.deal.id, ids.new(NOW), party_id=trade.licensee.id,
            assignee_id=assignee.party.id, key_id=leaving.key.id, now=NOW,
        )  # fmt: skip
        deal = await transfers.sign(
            session, trade.deal.id, draft.id, party_id=trade.licensee.id,
            signature=signer.sign_tbs(leaving.key_pem, draft.terms), now=NOW,
        )  # fmt: skip
    await signed(context, deal, trade, assignee, authority)
    return deal


async def raised(context: Context, trade: Trade, authority: LocalAuthority) -> Deal:
    async with context.db.transaction() as session:
        more = Change(amount_minor=trade.deal.amount_minor + 10_000_000)
        deal, _ = await amending.propose(
            session, trade.deal.id, ids.new(NOW),
            party_id=trade.licensee.id, change=more, now=NOW,
        )  # fmt: skip
        licensee = await with_key(session, authority, trade.licensee, now=NOW)
    await signed(context, deal, trade, licensee, authority)
    return deal


async def signed(
    context: Context, deal: Deal, trade: Trade, licensee: Signatory, authority: LocalAuthority
) -> None:
    async with context.db.transaction() as session:
        await service.certify(session, deal.id, press=PRESS, certifier=authority.certifier, now=NOW)
        licensor = await with_key(session, authority, trade.licensor, now=NOW)
        for who in (licensor, licensee):
            await sign(session, authority, deal, who, now=NOW)
    await fact(context, "deal.executed", deal.id, settlement_verbs.plan_settlement)


@pytest.mark.parametrize("change", [handed_on, raised])
async def test_a_changed_contract_and_the_one_before_are_evidence_each(
    context: Context, tmp_path: Path, change: Callable[..., Awaitable[Any]]
) -> None:
    trade = await settled_trade(context.db, context.settings)
    authority = LocalAuthority.ensure(context.settings.keys, NOW)
    log_signer = keys.log_signer(context.settings)
    async with context.db.transaction() as session:
        await service.mark_paid(session, trade.deal.id, now=NOW)
    deal = await change(context, trade, authority)
    await seal_all(context.db, log_signer)
    for deal_id in (trade.deal.id, deal.id):
        async with context.db.transaction() as session:
            _, raw = await bundle.assemble(
                session, deal_id, party=None, signer=log_signer, authority=authority
            )
        path = tmp_path / f"{deal_id}.zip"
        path.write_bytes(raw)
        assert failures(verify(path, trusted_vkey=log_signer.verifier.vkey)) == []
    if change is handed_on:
        nobody_leaves_unsigned(opened(raw, log_signer))
        openssl_agrees(opened(raw, log_signer), tmp_path)


def nobody_leaves_unsigned(whole: Bundle) -> None:
    """Whatever is changed about who left, and by whose signature, is refused."""
    before, after = whole.json(terms_name(0)), whole.json(TERMS)
    name = handing_checks.certificate_name(1)
    handing_checks.check(whole, 1, before, after)
    said = after["assignment"]
    other = {**said, "signature_b64": base64.b64encode(b"\x01" * 64).decode()}
    lies: list[tuple[Bundle, dict[str, Any]]] = [
        (whole, {**after, "assignment": other}),
        (whole, {**after, "assignment": {**said, "key": "00" * 32}}),
        (whole, {**after, "assignment": {**said, "assignor": {"party": str(ids.new(NOW))}}}),
        (whole, {name: value for name, value in after.items() if name != "assignment"}),
        (whole, {**after, "frozen_at": "2026-11-22T09:00:01Z"}),
        (with_file(whole, name, whole.files["pki/licensee.pem"]), after),
        (replace(whole, files={n: f for n, f in whole.files.items() if n != name}), after),
        (without(whole, "key.registered"), after),
    ]
    for bundle_, terms in lies:
        with pytest.raises(Failed):
            handing_checks.check(bundle_, 1, before, terms)


def without(whole: Bundle, kind: str) -> Bundle:
    return with_events(whole, [one for one in whole.events if one.kind != kind])


def openssl_agrees(whole: Bundle, folder: Path) -> None:
    """As VERIFYING.md says: what the assignor signed is terms.json without its signature."""
    said = whole.json(TERMS)["assignment"]["signature_b64"]
    (folder / "a.pem").write_bytes(whole.files[handing_checks.certificate_name(1)])
    (folder / "terms.json").write_bytes(whole.files[TERMS])
    (folder / "sig").write_bytes(base64.b64decode(said))
    script = """
      openssl x509 -pubkey -noout -in a.pem > pub.pem
      sed 's/,"signature_b64":"[^"]*"//' terms.json > signed
      openssl dgst -sha256 -verify pub.pem -signature sig signed
    """
    done = subprocess.run(["sh", "-e", "-c", script], cwd=folder, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"Verified OK\n"), done.stderr
