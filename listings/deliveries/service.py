"""Verbs of deliveries: offer one, release its key, accept it, complain about it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical
from contracts.deals import lifecycle, rows
from contracts.deals.tables import Deal
from contracts.refusal import IdReused, NotAllowed, Refusal, Unknown
from listings.deliveries import (
    cobblestone,
    envelopes,
    judging,
    manifests,
    queries,
    rules,
)
from listings.deliveries.complaints import Filed
from listings.deliveries.envelopes import EnvelopeBroken
from listings.deliveries.judging import Judgement, Verdict
from listings.deliveries.manifests import Manifest
from listings.deliveries.rules import (
    ACCEPTED,
    DEEMED,
    DISPUTED,
    OFFERED,
    RELEASED,
    REPLACED,
    SAID,
    ComplaintInvalid,
    ComplaintOfAnother,
    DeliveryStands,
    EscrowUnsound,
    TooManyComplaints,
)
from listings.deliveries.tables import Delivery, DeliveryComplaint, DeliveryKey, DeliveryRelease
from listings.masters import queries as masters

EXCHANGE, LICENSOR = "exchange", "licensor"


class Escrow(Protocol):
    """Whoever can open the exchange's copy of a content key."""

    def unseal(self, sealed: bytes, manifest: Manifest) -> bytes:
        """Return the content key of a manifest."""
        ...


@dataclass(frozen=True, slots=True)
class Offer:
    """What a licensor hands over: the manifest, the key for the exchange, where the file lies."""

    manifest: Manifest
    escrow: bytes
    place: str


async def offer(
    session: AsyncSession,
    deal_id: UUID,
    delivery_id: UUID,
    *,
    party_id: UUID,
    said: Offer,
    escrow: Escrow,
    now: datetime,
) -> tuple[Delivery, bool]:
    """Offer a delivery; return it, and whether it is new. One whose key is not released gives way.

    Raises:
        Unknown: the party has no part in the deal.
        NotAllowed: it is not the licensor.
        IdReused: the id belongs to a delivery with other content.
        DeliveryNotPossible, NothingToDeliver, DeliveryStands, EscrowUnsound: see there.
    """
    deal = await rows.locked(session, deal_id)
    _need(deal, party_id, "licensor")
    known = await session.get(Delivery, (deal_id, delivery_id))
    if known is not None:
        return _same(known, said), False
    rules.check_offer(deal.life)
    await _check_listed(session, deal, said.manifest)
    _content_key(said.escrow, said.manifest, escrow)
    await _give_way(session, deal, said.manifest.sha256, now=now)
    delivery = Delivery(
        deal_id=deal.id,
        id=delivery_id,
        number=await queries.next_number(session, deal.id),
        master_sha256=said.manifest.sha256,
        manifest=said.manifest.written(),
        manifest_sha256=said.manifest.digest(),
        escrow=said.escrow,
        place=said.place,
        offered_at=now,
    )
    session.add(delivery)
    await session.flush()
    promised = {
        "number": delivery.number,
        "master_sha256": delivery.master_sha256,
        "chunk_root": said.manifest.chunk_root.hex(),
        "segment_root": said.manifest.segment_root.hex(),
        "header": said.manifest.header.hex(),
    }
    await _tell(session, "delivery.manifest", deal, delivery, promised, now=now)
    return delivery, True


async def release_due(
    session: AsyncSession, deal_id: UUID, *, escrow: Escrow, now: datetime
) -> int:
    """Release to the licensee what is paid for; return how many keys were. Again is the same.

    What is missing (a payment, a key of the licensee, a contract in force) makes it wait.
    """
    deal = await rows.locked(session, deal_id)
    to = await queries.key_in_use(session, deal.licensee_id)
    if to is None:
        return 0
    try:
        rules.check_release(deal.life, paid=await queries.is_paid(session, deal.id))
    except Refusal:
        return 0
    count = 0
    for delivery in await queries.of_deal(session, deal.id):
        place = (deal.id, delivery.id, to.id, EXCHANGE)
        if delivery.state not in (OFFERED, RELEASED, ACCEPTED):
            continue
        if await session.get(DeliveryRelease, place) is None:
            manifest = manifests.read(canonical.known(delivery.manifest))
            key = _content_key(delivery.escrow, manifest, escrow)
            info = envelopes.for_release(deal.contract_no, delivery.manifest_sha256)
            sealed = envelopes.seal(key, to.public, info=info)
            await _release(session, deal, delivery, to, sealed, by=EXCHANGE, now=now)
            count += 1
    return count


async def release_directly(
    session: AsyncSession,
    deal_id: UUID,
    delivery_id: UUID,
    key_id: UUID,
    *,
    party_id: UUID,
    sealed: bytes,
    now: datetime,
) -> tuple[DeliveryRelease, bool]:
    """Pass on a key that the licensor itself sealed; return it, and whether it is new.

    Raises:
        Unknown: there is no such delivery, or the licensee has no such key.
        NotAllowed: the party is not the licensor.
        EnvelopeBroken: it has not the length of an envelope.
        NotPaidYet, DeliveryNotPossible, DeliveryStepNotPossible: see there.
        IdReused: the licensor released another envelope to this key before.
    """
    deal, delivery = await _locked(session, deal_id, delivery_id)
    _need(deal, party_id, "licensor")
    to = await queries.find_key(session, deal.licensee_id, key_id)
    if to is None or to.state != "active":
        raise Unknown("The licensee has no such key.", key=str(key_id))
    if len(sealed) != envelopes.SEALED_BYTES:
        raise EnvelopeBroken("An envelope has 80 bytes.")
    known = await session.get(DeliveryRelease, (deal.id, delivery.id, to.id, LICENSOR))
    if known is not None:
        if known.sealed != sealed:
            raise IdReused("Another envelope was released to this key.", key=str(key_id))
        return known, False
    rules.check_release(deal.life, paid=await queries.is_paid(session, deal.id))
    if delivery.state not in (RELEASED, ACCEPTED):
        rules.step(delivery.state, RELEASED)
    return await _release(session, deal, delivery, to, sealed, by=LICENSOR, now=now), True


async def accept(
    session: AsyncSession, deal_id: UUID, delivery_id: UUID, *, party_id: UUID, now: datetime
) -> Delivery:
    """Accept a delivery; a second time changes nothing.

    Raises:
        Unknown: there is no such delivery.
        NotAllowed: the party is not the licensee.
        DeliveryStepNotPossible: its key was not released, or it was disputed.
    """
    deal, delivery = await _locked(session, deal_id, delivery_id)
    _need(deal, party_id, "licensee")
    if delivery.state != ACCEPTED:
        await _accept(session, deal, delivery, how=SAID, now=now)
    return delivery


async def accept_due(session: AsyncSession, *, now: datetime, limit: int = 50) -> int:
    """Take deliveries whose time to object is over for accepted; return how many."""
    due = (
        select(col(Delivery.deal_id), col(Delivery.id))
        .where(col(Delivery.state) == RELEASED, col(Delivery.accept_by) <= now)
        .order_by(col(Delivery.deal_id), col(Delivery.id))
        .limit(limit)
    )
    count = 0
    for deal_id, delivery_id in (await session.execute(due)).all():
        deal, delivery = await _locked(session, deal_id, delivery_id)
        if delivery.state == RELEASED:
            await _accept(session, deal, delivery, how=DEEMED, now=now)
            count += 1
    return count


async def complain(
    session: AsyncSession,
    deal_id: UUID,
    delivery_id: UUID,
    *,
    party_id: UUID,
    filed: Filed,
    escrow: Escrow,
    now: datetime,
) -> tuple[Judgement, DeliveryComplaint]:
    """Judge a complaint; one that is upheld ends the delivery, one that is rejected is on record.

    Raises:
        Unknown: there is no such delivery.
        NotAllowed: the party is not the licensee.
        ComplaintOfAnother, ComplaintInvalid, TooManyComplaints, DeliveryStepNotPossible: see there.
    """
    deal, delivery = await _locked(session, deal_id, delivery_id)
    _need(deal, party_id, "licensee")
    if filed.manifest.digest() != delivery.manifest_sha256:
        raise ComplaintOfAnother("The complaint is about another manifest.")
    known = await session.get(DeliveryComplaint, (deal.id, delivery.id, filed.digest()))
    if known is not None:
        return Judgement(Verdict(known.verdict), judging.Reason(known.reason)), known
    rules.step(delivery.state, DISPUTED)
    if len(await queries.complaints_of(session, delivery)) >= rules.MOST_COMPLAINTS:
        raise TooManyComplaints("Too many complaints were rejected.", most=rules.MOST_COMPLAINTS)
    key = _content_key(delivery.escrow, filed.manifest, escrow)
    judgement = judging.judge(filed.manifest, key, filed.complaint)
    if judgement.verdict is Verdict.INVALID:
        raise ComplaintInvalid("Nothing follows from the complaint.", reason=judgement.reason)
    return judgement, await _judged(session, deal, delivery, filed, judgement, now=now)


async def _judged(
    session: AsyncSession,
    deal: Deal,
    delivery: Delivery,
    filed: Filed,
    judgement: Judgement,
    *,
    now: datetime,
) -> DeliveryComplaint:
    """Write down what a complaint came to."""
    if judgement.verdict is Verdict.UPHELD:
        delivery.state, delivery.settled_at = rules.step(delivery.state, DISPUTED), now
    complaint = DeliveryComplaint(
        deal_id=deal.id,
        delivery_id=delivery.id,
        sha256=filed.digest(),
        segment=filed.complaint.index,
        verdict=judgement.verdict.value,
        reason=judgement.reason.value,
        filed_at=now,
    )
    session.add(complaint)
    await session.flush()
    said = {
        "complaint_sha256": complaint.sha256,
        "segment": complaint.segment,
        "verdict": complaint.verdict,
        "reason": complaint.reason,
    }
    await _tell(session, "delivery.disputed", deal, delivery, said, now=now)
    return complaint


async def _release(
    session: AsyncSession,
    deal: Deal,
    delivery: Delivery,
    to: DeliveryKey,
    sealed: bytes,
    *,
    by: str,
    now: datetime,
) -> DeliveryRelease:
    """Write a released key down; nobody is handed it before its fact is in the log."""
    if delivery.state == OFFERED:
        days = canonical.known(deal.terms)["parameters"]["accept_days"]
        delivery.state = rules.step(delivery.state, RELEASED)
        delivery.released_at, delivery.accept_by = now, lifecycle.cure_by(now, days=days)
    said = {"recipient": to.sha256, "sealed_sha256": hashlib.sha256(sealed).hexdigest(), "by": by}
    fact_id = await _tell(session, "key.released", deal, delivery, said, now=now)
    release = DeliveryRelease(
        deal_id=deal.id,
        delivery_id=delivery.id,
        key_id=to.id,
        by=by,
        sealed=sealed,
        fact_id=fact_id,
        released_at=now,
    )
    session.add(release)
    await session.flush()
    return release


async def _accept(
    session: AsyncSession, deal: Deal, delivery: Delivery, *, how: str, now: datetime
) -> None:
    delivery.state = rules.step(delivery.state, ACCEPTED)
    delivery.how, delivery.settled_at = how, now
    await session.flush()
    await _tell(session, "delivery.accepted", deal, delivery, {"how": how}, now=now)


async def _check_listed(session: AsyncSession, deal: Deal, manifest: Manifest) -> None:
    asset = rules.asset_of(canonical.known(deal.terms), manifest)
    master = await masters.get_master(session, asset.master)
    rules.check_listed(manifest, chunk_root=master.chunk_root, plain_bytes=master.declared_bytes)


async def _give_way(
    session: AsyncSession, deal: Deal, master_sha256: str, *, now: datetime
) -> None:
    """Replace an earlier delivery of the same master whose key is not released."""
    for earlier in await queries.of_deal(session, deal.id):
        if earlier.master_sha256 != master_sha256 or earlier.state in (DISPUTED, REPLACED):
            continue
        if earlier.state != OFFERED:
            raise DeliveryStands(
                "The key of an earlier delivery was released.", state=earlier.state
            )
        earlier.state, earlier.settled_at = rules.step(earlier.state, REPLACED), now
    await session.flush()


def _content_key(sealed: bytes, manifest: Manifest, escrow: Escrow) -> bytes:
    """Return the key in the exchange's envelope, which must be the one committed to."""
    try:
        key = escrow.unseal(sealed, manifest)
        cobblestone.resume(key, context=manifest.context, header=manifest.header)
    except (EnvelopeBroken, cobblestone.NotTheKey) as unsound:
        raise EscrowUnsound("The envelope does not hold the key committed to.") from unsound
    return key


def _same(known: Delivery, said: Offer) -> Delivery:
    """Return what was offered under this id before, if it was this."""
    before = (known.manifest, known.escrow, known.place)
    if before != (said.manifest.written(), said.escrow, said.place):
        raise IdReused("This id belongs to another delivery.", delivery=str(known.id))
    return known


def _need(deal: Deal, party_id: UUID, role: str) -> None:
    if rows.role_of(deal, party_id) != role:
        raise NotAllowed(f"This is for the {role} to do.", role=role)


async def _locked(session: AsyncSession, deal_id: UUID, delivery_id: UUID) -> tuple[Deal, Delivery]:
    deal = await rows.locked(session, deal_id)
    delivery = await session.get(Delivery, (deal_id, delivery_id), populate_existing=True)
    if delivery is None:
        raise Unknown("There is no such delivery.", delivery=str(delivery_id))
    return deal, delivery


async def _tell(
    session: AsyncSession,
    kind: str,
    deal: Deal,
    delivery: Delivery,
    more: Mapping[str, Any],
    *,
    now: datetime,
) -> UUID:
    said = {
        "deal": str(deal.id),
        "delivery": str(delivery.id),
        "manifest_sha256": delivery.manifest_sha256,
        **more,
    }
    return await rows.tell(session, kind, deal, said, now=now)
