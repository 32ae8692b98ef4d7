"""The evidence of a contract and of its amendment: each holds on its own."""

from pathlib import Path

from contracts import ids
from contracts.deals import amending, service
from contracts.deals.restating import Change
from contracts.parties.gateway import LocalAuthority
from exchange import keys
from exchange.context import Context
from exchange.evidence import bundle
from exchange.evidence.verify import verify
from tests.conftest import NOW
from tests.contracts.deals_factory import PRESS, sign, with_key
from tests.contracts.log_factory import seal_all
from tests.exchange.evidence_factory import settled_trade
from tests.exchange.test_evidence import failures

CHANGES = [{"op": "replace", "path": "/parameters/cure_days", "value": 10}]


async def test_the_base_stays_valid_evidence_beside_its_amendment(
    context: Context, tmp_path: Path
) -> None:
    trade = await settled_trade(context.db, context.settings)
    authority = LocalAuthority.ensure(context.settings.keys, NOW)
    signer = keys.log_signer(context.settings)
    async with context.db.transaction() as session:
        amendment, _ = await amending.propose(
            session, trade.deal.id, ids.new(NOW),
            party_id=trade.licensee.id, change=Change(CHANGES), now=NOW,
        )  # fmt: skip
        await service.certify(
            session, amendment.id, press=PRESS, certifier=authority.certifier, now=NOW
        )
        for side in (trade.licensor, trade.licensee):
            who = await with_key(session, authority, side, now=NOW)
            await sign(session, authority, amendment, who, now=NOW)
    await seal_all(context.db, signer)
    for deal_id in (trade.deal.id, amendment.id):
        async with context.db.transaction() as session:
            _, raw = await bundle.assemble(
                session, deal_id, party=None, signer=signer, authority=authority
            )
        path = tmp_path / f"{deal_id}.zip"
        path.write_bytes(raw)
        assert failures(verify(path, trusted_vkey=signer.verifier.vkey)) == []
