"""Handing a contract on (合同转让): another takes the licensee's place, and the licensor agrees.

Three parties sign, each with its own key. The licensee signs first, over the whole of the new
terms; its signature becomes a part of them, so that the exchange certifies it and the licensor and
the new licensee sign over it. With the last signature the rights stand in the new licensee's name.

Source: 民法典 art. 555 and 556 (a contract is handed on whole, with the other side's consent).
Differs from the source: a licensor's place is not handed on here, for it goes with the title.
"""

import base64
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking
from contracts.deals import (
    amending,
    holding,
    lifecycle,
    opening,
    queries,
    restating,
    rows,
    rules,
)
from contracts.deals.tables import Deal, DealAssignment
from contracts.deals.terms import Side
from contracts.facts import service as facts
from contracts.parties import csr
from contracts.parties import queries as parties
from contracts.parties.tables import Party, PartyKey
from contracts.refusal import IdReused, Kind, Refusal, Unknown
from contracts.titles import queries as titles
from contracts.titles.tables import LIVE

CLAUSE = "contract-assigned/1"
DRAFT_LASTS = timedelta(days=1)  # whoever signs with a device in a safe has a working day


class AssignmentNotPossible(Refusal):
    """Something stands in the way of handing this contract on."""

    kind, code = Kind.CONFLICT, "assignment-not-possible"
    hint = (
        "`why` says what: pay the price, settle the notices, or end what is licensed on first; a "
        "licensor's place and a contract for several works are not handed on."
    )


class AssigneeNotReady(Refusal):
    """The new party cannot sign: it is not verified, or has no registered key."""

    kind, code = Kind.CONFLICT, "assignee-not-ready"
    hint = "The new party registers a signing key first; then make the assignment again."


class AssignmentExpired(Refusal):
    """The assignment was not signed in time."""

    kind, code = Kind.GONE, "assignment-expired"
    hint = "Make it again under a new id; it waits a day for your signature."


async def draft(
    session: AsyncSession,
    deal_id: UUID,
    assignment_id: UUID,
    *,
    party_id: UUID,
    assignee_id: UUID,
    key_id: UUID,
    now: datetime,
) -> tuple[DealAssignment, bool]:
    """Draft the terms with another licensee, for the licensee to sign; say whether it is new.

    Raises:
        Unknown: the party has no such deal, or there is no such assignee.
        IdReused: the id belongs to another assignment or deal.
        DealNotInForce: there is nothing to hand on.
        PackageStaysWhole: it is of several works.
        AssignmentNotPossible: the price is unpaid, a notice runs, or rights are licensed on.
        AssigneeNotReady: it is not verified or has no key to sign with.
        AmendmentWaits: something takes the deal's place already.
        KeyNotActive: the key is revoked or not the party's.
        TextCannotBePrinted: the assignee's name would not show on paper what it says.
    """
    base = await rows.locked(session, deal_id)
    role = rows.role_of(base, party_id)
    holding.check_single(base)
    known = await session.get(DealAssignment, (deal_id, assignment_id))
    if known is not None:
        if (known.assignor_id, known.assignee_id, known.key_id) != (party_id, assignee_id, key_id):
            raise IdReused("This id belongs to another assignment.")
        return known, False
    if await queries.find_deal(session, assignment_id) is not None:
        raise IdReused("This id belongs to a deal.")
    lifecycle.check_in_force(base.life)
    await _check_free(session, base, role=role)
    await amending.check_alone(session, deal_id)
    assignee = await _ready(session, base, assignee_id)
    key = await parties.active_key(session, party_id, key_id)
    terms = _drafted(base, assignment_id, assignee, key, now=now)
    row = DealAssignment(
        deal_id=deal_id, id=assignment_id, assignor_id=party_id, assignee_id=assignee_id,
        key_id=key_id, terms=canonical.dumps(terms), made_at=now, expires_at=now + DRAFT_LASTS,
    )  # fmt: skip
    session.add(row)
    await session.flush()
    return row, True


async def sign(
    session: AsyncSession,
    deal_id: UUID,
    assignment_id: UUID,
    *,
    party_id: UUID,
    signature: bytes,
    now: datetime,
) -> Deal:
    """Take the assignor's signature over the draft and open the deal for the other two to sign.

    The same signature again gets the same deal.

    Raises:
        Unknown: the party has made no such assignment.
        SessionUsed: it is signed, with another signature.
        AssignmentExpired: its day is over.
        KeyNotActive: the key was revoked meanwhile.
        BadSignature: the signature is not of these terms by this key.
        Refusal: any of `draft`, where something has come in the way since.
    """
    base = await rows.locked(session, deal_id)
    row = await _drafted_by(session, deal_id, assignment_id, party_id)
    der = rules.signature_der(signature)
    if row.signature is not None:
        if row.signature != der:
            raise rules.SessionUsed("This assignment is signed with another signature.")
        return await queries.get_deal(session, assignment_id)
    if now >= row.expires_at:
        raise AssignmentExpired("The assignment was not signed in time.")
    lifecycle.check_in_force(base.life)
    await _check_free(session, base, role=rows.role_of(base, party_id))
    await amending.check_alone(session, deal_id)
    key = await parties.active_key(session, party_id, row.key_id)
    if not rules.fits(der, row.terms, public_key_pem=key.public_key_pem.encode()):
        raise rules.BadSignature("The signature does not fit the terms of the assignment.")
    row.signature, row.signed_at = der, now
    deal = amending.frozen(
        base, assignment_id, _signed(row.terms, der), licensee_id=row.assignee_id, now=now
    )
    session.add(deal)
    await session.flush()
    await _tell_signed(session, base, row, key, now=now)
    await opening.make_known(session, deal, now=now)
    return deal


async def check_still(session: AsyncSession, deal: Deal) -> None:
    """Check once more, with the last signature, that nothing stands in an assignment's way.

    Raises:
        AssignmentNotPossible: something does by now.
    """
    if deal.supersedes is None:
        raise ValueError("this deal takes nobody's place")
    await _check_free(session, await rows.locked(session, deal.supersedes), role="licensee")


async def make_known(session: AsyncSession, deal: Deal, *, now: datetime) -> None:
    """Tell all three that the contract has changed hands, and which rights went with it."""
    grants = await titles.by_deal(session, deal.work_id, deal.id)
    payload = {
        "deal": str(deal.id),
        "from_deal": str(deal.supersedes),
        "assignor": str(deal.assignor_id),
        "assignee": str(deal.licensee_id),
        "work": str(deal.work_id),
        "grants": [str(grant.id) for grant in grants if grant.state == "effective"],
    }
    await facts.record(session, "deal.assigned", deal.id, payload, parties=_three(deal), now=now)


async def _check_free(session: AsyncSession, base: Deal, *, role: str) -> None:
    """Let only a contract pass that leaves nothing open behind it."""
    if role != "licensee":
        raise _in_the_way("licensor")
    if "works" in canonical.loads(base.terms):
        raise _in_the_way("several-works")
    if base.performance != "paid":
        raise _in_the_way("unpaid")
    for notice in await queries.notices_of(session, base.id):
        if notice.outcome is None:
            raise _in_the_way("notice-running", notice=str(notice.id))
    for grant in await titles.by_deal(session, base.work_id, base.id):
        below = await titles.under(session, grant.root_id, grant.id)
        if grant.state == "effective" and any(one.state in LIVE for one in below):
            raise _in_the_way("licensed-on", grant=str(grant.id))


def _in_the_way(why: str, **data: str) -> AssignmentNotPossible:
    return AssignmentNotPossible("This contract cannot be handed on now.", why=why, **data)


async def _ready(session: AsyncSession, base: Deal, assignee_id: UUID) -> Party:
    assignee = await parties.get_party(session, assignee_id)
    if assignee_id in (base.licensor_id, base.licensee_id) or assignee.kind != "broadcaster":
        raise AssigneeNotReady("The new licensee is another broadcaster.", why="kind")
    if assignee.state != "verified":
        raise AssigneeNotReady("The new party is not verified yet.", why="not-verified")
    keys = await parties.keys_of(session, assignee_id)
    if not any(k.state == "active" and csr.signs_documents(k.public_key_pem) for k in keys):
        raise AssigneeNotReady("The new party has no key to sign with.", why="no-key")
    return assignee


def _drafted(
    base: Deal, deal_id: UUID, assignee: Party, key: PartyKey, *, now: datetime
) -> dict[str, Any]:
    before = canonical.loads(base.terms)
    side = Side("licensee", assignee.id, assignee.name_zh, assignee.name_en, assignee.uscc)
    after = restating.handed_on(before, assignee=side, key_sha256=key.spki_sha256, clause=CLAUSE)
    return restating.under_own_name(
        after, supersedes=before, sha256=base.terms_sha256, deal_id=deal_id, now=now
    )


def _signed(draft_terms: bytes, der: bytes) -> dict[str, Any]:
    terms: dict[str, Any] = canonical.loads(draft_terms)
    terms["assignment"]["signature_b64"] = base64.b64encode(der).decode()
    return terms


async def _drafted_by(
    session: AsyncSession, deal_id: UUID, assignment_id: UUID, party_id: UUID
) -> DealAssignment:
    row = await locking.find_locked(
        session,
        DealAssignment,
        col(DealAssignment.deal_id) == deal_id,
        col(DealAssignment.id) == assignment_id,
    )
    if row is None or row.assignor_id != party_id:
        raise Unknown("There is no such assignment.", assignment=str(assignment_id))
    return row


async def _tell_signed(
    session: AsyncSession, base: Deal, row: DealAssignment, key: PartyKey, *, now: datetime
) -> None:
    payload = {
        "deal": str(row.id),
        "from_deal": str(base.id),
        "assignor": str(row.assignor_id),
        "assignee": str(row.assignee_id),
        "signed_sha256": canonical.sha256_hex(row.terms),
        "spki_sha256": key.spki_sha256,
        "signature_b64": base64.b64encode(row.signature or b"").decode(),
    }
    sides = [base.licensor_id, row.assignor_id, row.assignee_id]
    await facts.record(session, "assignment.signed", row.id, payload, parties=sides, now=now)


def _three(deal: Deal) -> list[UUID]:
    return [one for one in (deal.licensor_id, deal.assignor_id, deal.licensee_id) if one]
