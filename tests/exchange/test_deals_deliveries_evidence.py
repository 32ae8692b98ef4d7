"""A whole trade with its delivery: the money is booked, the key follows, the bundle tells it."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import text

from contracts import ids
from contracts.evidence import archive, opened
from contracts.parties.gateway import LocalAuthority
from exchange import clock, keys
from exchange.context import Context
from exchange.evidence import bundle
from exchange.evidence.verify import verify
from listings.deliveries import envelopes, queries, recipients, service
from listings.deliveries.service import Offer
from tests.exchange.evidence_factory import executed_trade, settle
from tests.exchange.portal_site import turn
from tests.listings.deliveries_factory import KEY, handed

# What the factory's master hashes to.
PLAIN = b"file 0"


async def test_every_step_of_a_delivery_is_a_leaf_of_the_trade_and_in_its_bundle(
    context: Context, tmp_path: Path
) -> None:
    escrow, private = keys.escrow_key(context.settings), X25519PrivateKey.generate()
    made, delivery_id = handed(PLAIN), ids.new(clock.now())
    async with context.db.transaction() as session:
        trade = await executed_trade(session, context.settings.keys)
        deal = trade.deal
        await session.execute(
            text("UPDATE master SET declared_bytes = :n, received_bytes = :n WHERE party_id = :p"),
            {"n": len(PLAIN), "p": trade.licensor.id},
        )
        await recipients.register(
            session, trade.licensee.id, ids.new(clock.now()),
            public=envelopes.public_of(private), now=clock.now(),
        )  # fmt: skip
        said = Offer(made.manifest, made.escrow(escrow.public), "https://licensor.example/x")
        await service.offer(
            session, deal.id, delivery_id, party_id=trade.licensor.id, said=said,
            escrow=escrow, now=clock.now(),
        )  # fmt: skip
    await turn(context, about=deal.id)
    async with context.db.transaction() as session:
        assert not await queries.is_paid(session, deal.id)
        await settle(session, trade)
    await turn(context, about=deal.id)
    await turn(context, about=deal.id)
    async with context.db.transaction() as session:
        (released,) = await queries.released(session, deal.id, delivery_id)
        info = envelopes.for_release(deal.contract_no, made.manifest.digest())
        assert envelopes.unseal(released.release.sealed, private, info=info) == KEY
        await service.accept(
            session, deal.id, delivery_id, party_id=trade.licensee.id, now=clock.now()
        )
    await turn(context)
    async with context.db.transaction() as session:
        _, packed = await bundle.assemble(
            session, deal.id, party=trade.licensee.id, signer=keys.log_signer(context.settings),
            authority=LocalAuthority.open(context.settings.keys),
        )  # fmt: skip
    (tmp_path / "evidence.zip").write_bytes(packed)
    report = verify(
        tmp_path / "evidence.zip", trusted_vkey=keys.log_signer(context.settings).verifier.vkey
    )
    assert report.ok, report.as_dict()
    told = in_order(packed)
    assert len(told) == 4 and told == sorted(told)


def in_order(packed: bytes) -> list[int]:
    """Where the bundle's events tell of the steps."""
    events = archive.unpack(packed).files[opened.EVENTS].decode()
    kinds = ("delivery.manifest", "settlement.booked", "key.released", "delivery.accepted")
    return [events.index(f'"{kind}"') for kind in kinds]
