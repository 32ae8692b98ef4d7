"""Letting suspended money go: one person proposes what it is, another approves exactly that."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking
from contracts.facts import service as facts
from contracts.money import Money
from contracts.refusal import IdReused, Unknown
from settlement.approvals import service as approvals
from settlement.approvals.rules import Decision, Subject
from settlement.bank import queries as bank
from settlement.bank.rules import INSTRUCTED
from settlement.bank.tables import PaymentItem
from settlement.invoices import wires
from settlement.ledger import rules as accounts
from settlement.ledger import service as ledger
from settlement.reconciliation import noting, paying, rules
from settlement.reconciliation.rules import Part
from settlement.reconciliation.tables import ReconMatch, SuspenseItem
from settlement.sweeps import service as sweeps

OBJECT = "suspense-release"


async def propose(
    session: AsyncSession,
    release_id: UUID,
    *,
    items: Sequence[UUID],
    parts: Sequence[Part],
    person_id: UUID,
    now: datetime,
) -> tuple[ReconMatch, bool]:
    """Propose what items of suspended money are; return the release and whether it is new.

    Raises:
        Unknown: there is no such item.
        IdReused: the id names another release.
        SuspenseNotOpen: an item is released, in another release, or of another account.
        CustodyMoney: it would make the money of others, which a bank holds, the exchange's own.
        SuspenseUneven: items and parts do not make the same amount.
    """
    content = rules.content(release_id, items, parts)
    known = await session.get(ReconMatch, release_id)
    if known is not None:
        if known.content != content:
            raise IdReused("This id names another release.")
        return known, False
    held = [await _locked_item(session, item) for item in sorted(set(items))]
    _check_open(held)
    rules.check_even([item.amount_minor for item in held], parts)
    account = await bank.get_account(session, held[0].account_id)
    rules.check_custody(parts, custody=account.instruct_only)
    release = ReconMatch(
        id=release_id,
        account_id=held[0].account_id,
        rule=rules.BY_HAND,
        score=0,
        state=rules.PROPOSED,
        content=content,
        sha256=canonical.sha256_hex(content),
        proposed_by=person_id,
        made_at=now,
    )
    session.add(release)
    await session.flush()
    sides = [("bank", "suspense", str(item.id), item.amount_minor) for item in held]
    sides += [("book", part.kind, part.name, part.amount_minor) for part in parts]
    await noting.add_sides(session, release_id, sides)
    for item in held:
        item.match_id = release_id
    await _tell(session, release, "suspense.proposed", now=now)
    return release, True


async def approve(
    session: AsyncSession, release_id: UUID, *, decision: Decision, now: datetime
) -> ReconMatch:
    """Approve a release (复核) and book it.

    Raises:
        Unknown: there is no such release.
        ReleaseDecided, ReleaseSamePerson: see `rules.check_decision`.
        ReleaseChanged: another release was read, or what it is for is no longer as it was.
        ProofSpent: the proof has served for another decision.
    """
    release, subject = await _to_decide(session, release_id, decision)
    await approvals.approve_and_use(session, subject, decision=decision, now=now)
    items = await _items_of(session, release)
    for number, part in enumerate(rules.parts_of(release.content), 1):
        await _place(session, release, part, number, currency=items[0].currency, now=now)
    release.state, release.decided_by, release.decided_at = rules.APPROVED, decision.person_id, now
    for item in items:
        item.state, item.released_at = rules.RELEASED, now
    await _tell(session, release, "suspense.released", now=now)
    return release


async def refuse(
    session: AsyncSession, release_id: UUID, *, decision: Decision, reason: str, now: datetime
) -> ReconMatch:
    """Refuse a release with a reason; its items wait as before.

    Raises:
        Unknown: there is no such release.
        ReleaseDecided, ReleaseSamePerson, ReleaseChanged: see `rules.check_decision`.
    """
    release, subject = await _to_decide(session, release_id, decision)
    by = decision.person_id
    await approvals.refuse(session, subject, checker_id=by, reason=reason, now=now)
    for item in await _items_of(session, release):
        item.match_id = None
    release.state, release.decided_by, release.decided_at = rules.REFUSED, by, now
    release.reason = reason
    await _tell(session, release, "suspense.refused", now=now)
    return release


async def _place(
    session: AsyncSession,
    release: ReconMatch,
    part: Part,
    number: int,
    *,
    currency: str,
    now: datetime,
) -> None:
    """Book one part: it pays an invoice, it was a payment of ours, or it is of an account."""
    key = f"release:{release.id}:{number}"
    if part.kind == "invoice":
        done = await wires.receive_wire(
            session,
            UUID(part.name),
            Money(part.amount_minor, currency),
            reference=key,
            account=accounts.SUSPENSE_BANK,
            held_at=release.account_id,
            now=now,
        )
        if not done:
            raise _changed(part)
    elif part.kind == "payment":
        item = await _payment(session, part)
        await paying.pay(session, item, key=key, out_of=accounts.SUSPENSE_BANK, now=now)
    elif part.kind == "sweep":
        if not await sweeps.landed(
            session, UUID(part.name), amount_minor=part.amount_minor, key=key,
            into=accounts.SUSPENSE_BANK, now=now,
        ):  # fmt: skip
            raise _changed(part)
    else:
        account = await bank.get_account(session, release.account_id)
        await ledger.post(
            session,
            idem_key=key,
            kind="suspense.placed",
            actor=str(release.proposed_by),
            deal_id=None,
            lines=rules.placed_lines(part, currency, custody=account.instruct_only),
            now=now,
        )


async def _payment(session: AsyncSession, part: Part) -> PaymentItem:
    """Return the payment that a line of the bank is said to be."""
    here = col(PaymentItem.id) == UUID(part.name)
    item = await locking.find_locked(session, PaymentItem, here)
    if item is None or item.state != INSTRUCTED or item.amount_minor != -part.amount_minor:
        raise _changed(part)
    return item


def _changed(part: Part) -> rules.ReleaseChanged:
    said = f"The {part.kind} is not open for this amount."
    return rules.ReleaseChanged(said, object=part.name)


def _check_open(items: Sequence[SuspenseItem]) -> None:
    for item in items:
        taken = item.state != rules.OPEN or item.match_id is not None
        if taken or item.account_id != items[0].account_id:
            raise rules.SuspenseNotOpen("Suspended money is not open.", item=str(item.id))


async def _items_of(session: AsyncSession, release: ReconMatch) -> list[SuspenseItem]:
    named = canonical.loads(release.content)["items"]
    return [await _locked_item(session, UUID(item)) for item in named]


async def _locked_item(session: AsyncSession, item_id: UUID) -> SuspenseItem:
    item = await locking.find_locked(session, SuspenseItem, col(SuspenseItem.id) == item_id)
    if item is None:
        raise Unknown("There is no such suspended money.")
    return item


async def _to_decide(
    session: AsyncSession, release_id: UUID, decision: Decision
) -> tuple[ReconMatch, Subject]:
    release = await locking.find_locked(session, ReconMatch, col(ReconMatch.id) == release_id)
    if release is None or release.proposed_by is None:
        raise Unknown("There is no such release.")
    rules.check_decision(
        state=release.state,
        proposed_by=release.proposed_by,
        person_id=decision.person_id,
        sha256=release.sha256,
        seen_sha256=decision.content_sha256,
    )
    return release, Subject(OBJECT, release.id, release.sha256, release.proposed_by)


async def _tell(session: AsyncSession, release: ReconMatch, kind: str, *, now: datetime) -> None:
    await session.flush()
    record = {"release": str(release.id), "content_sha256": release.sha256}
    await facts.record(session, kind, release.id, record, parties=[], now=now)
