"""Taxes withheld from payees abroad (代扣代缴): residences, what is withheld, certificates."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.deals.gateway import PressFailed
from contracts.money import Money
from contracts.refusal import IdReused, Malformed, Unknown
from exchange.api import problems
from exchange.api.decisions import (
    DECIDED,
    PROVING,
    ApprovalIn,
    RefusalIn,
    approving,
    refusing,
)
from exchange.api.deps import Limit, Now, Session, Signed, next_after, page_after
from exchange.api.invoices import PDF, pdf_of
from exchange.api.once import OnceRoute
from exchange.api.withholding_shapes import (
    CutOut,
    KeptOut,
    TaxResidenceIn,
    TaxResidenceOut,
    TaxResidencePage,
    WithheldOut,
    WithheldPage,
    WithholdingOut,
)
from exchange.identity.rules import Role
from settlement.plans import queries as plans
from settlement.recoveries import queries as recoveries
from settlement.remittances import certifying
from settlement.remittances import queries as remittances
from settlement.residences import queries as residences
from settlement.residences import service as recording
from settlement.residences.rules import TaxResidenceOpen
from settlement.residences.tables import TaxResidence
from settlement.withholding import printing, queries
from settlement.withholding import service as withholding
from settlement.withholding.gateway import CERTIFICATE
from settlement.withholding.rules import Cut, WithheldNotRemitted
from settlement.withholding.tables import WithheldTax

router = APIRouter(route_class=OnceRoute, tags=["withholding"])


@router.put(
    "/parties/{party_id}/tax-residences/{residence_id}",
    status_code=201,
    responses={
        200: {"model": TaxResidenceOut, "description": "It was recorded before."},
        **problems.signed(Malformed, Unknown, IdReused, TaxResidenceOpen),
    },
)
async def record_tax_residence(
    party_id: UUID,
    residence_id: UUID,
    body: TaxResidenceIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> TaxResidenceOut:
    """Record where a party is resident for tax, for staff (经办); another person decides."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    row, new = await recording.prepare(
        session,
        residence_id,
        party_id=party_id,
        said=body.residence(),
        person_id=caller.person_id,
        now=now,
    )
    if not new:
        response.status_code = 200
    return _residence(row)


@router.post(
    "/tax-residences/{residence_id}/approval", responses=problems.responses(*DECIDED, *PROVING)
)
async def approve_tax_residence(
    residence_id: UUID, body: ApprovalIn, session: Session, caller: Signed, now: Now
) -> TaxResidenceOut:
    """Approve a residence that another person recorded (复核)."""
    decision = await approving(session, caller, body, now=now)
    return _residence(await recording.approve(session, residence_id, decision=decision, now=now))


@router.post("/tax-residences/{residence_id}/refusal", responses=problems.responses(*DECIDED))
async def refuse_tax_residence(
    residence_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> TaxResidenceOut:
    """Refuse a residence that another person recorded, with a reason."""
    decision, reason = refusing(caller, body), body.reason.strip()
    row = await recording.refuse(session, residence_id, decision=decision, reason=reason, now=now)
    return _residence(row)


@router.get("/tax-residences", responses=problems.signed())
async def list_tax_residences(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> TaxResidencePage:
    """List the residences recorded of one's own organisation; staff see everybody's."""
    caller.need("read")
    rows = await residences.page(
        session, party_id=caller.for_party, after=page_after(after), limit=limit
    )
    return TaxResidencePage(items=[_residence(row) for row in rows], next=next_after(rows, limit))


@router.get("/tax-residences/{residence_id}", responses=problems.signed(Unknown))
async def get_tax_residence(
    residence_id: UUID, session: Session, caller: Signed
) -> TaxResidenceOut:
    """Return a residence to its party and staff."""
    caller.need("read")
    return _residence(await residences.get(session, residence_id, party_id=caller.for_party))


@router.get("/withheld-taxes", responses=problems.signed())
async def list_withheld_taxes(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> WithheldPage:
    """List what was withheld of one's own organisation; staff see everybody's."""
    caller.need("read")
    rows = await queries.page(
        session, party_id=caller.for_party, after=page_after(after), limit=limit
    )
    return WithheldPage(items=await _withheld(session, rows), next=next_after(rows, limit))


@router.get("/withheld-taxes/{withheld_id}", responses=problems.signed(Unknown))
async def get_withheld_tax(withheld_id: UUID, session: Session, caller: Signed) -> WithheldOut:
    """Return a withheld tax to its payee and staff."""
    caller.need("read")
    row = await queries.get(session, withheld_id, party_id=caller.for_party)
    return (await _withheld(session, [row]))[0]


@router.get(
    "/withheld-taxes/{withheld_id}/certificate",
    response_class=Response,
    responses={
        **PDF,
        **problems.signed(Unknown, WithheldNotRemitted, PressFailed),
    },
)
async def print_withholding_certificate(
    withheld_id: UUID, session: Session, caller: Signed
) -> Response:
    """Print the certificate of a withheld tax in both languages, for its payee and staff."""
    caller.need("read")
    one, at = await certifying.certified(session, withheld_id, party_id=caller.for_party)
    pdf = await CERTIFICATE.print(printing.page(one), at=at)
    return pdf_of(pdf, one.number)


@router.get("/settlements/{deal_id}/withholding", responses=problems.signed(Unknown))
async def get_settlement_withholding(
    deal_id: UUID, session: Session, caller: Signed, now: Now
) -> WithholdingOut:
    """Return what is withheld of a settlement: a payee sees its own, staff everybody's."""
    caller.need("read")
    settlement = await plans.get_settlement(session, deal_id)
    payees = await plans.payees(session, deal_id)
    seen = [one for one in payees if caller.is_staff or one.payee_id == caller.party_id]
    if not seen and not caller.is_staff:
        raise Unknown("There is no such settlement.")
    final = settlement.state in ("paying", "paid_out")
    if final:
        whose = {one.payee_id for one in seen}
        rows = (await queries.of_deals(session, [deal_id]))[deal_id]
        shown = _kept([row for row in rows if row.party_id in whose])
    else:
        taken = await recoveries.taken(session, deal_id)
        owed = {
            one.payee_id: Money(one.amount_minor - taken.get(one.line, 0), settlement.currency)
            for one in seen
        }
        cuts = await withholding.reckon(session, owed, payer_id=settlement.licensee_id, now=now)
        shown = [_cut(one) for one in cuts if one.kept]
    return WithholdingOut(
        deal_id=deal_id, currency=settlement.currency, is_final=final, payees=shown
    )


def _cut(one: Cut) -> CutOut:
    return CutOut(
        party_id=one.party_id,
        country=one.country,
        certificate_no=one.certificate_no,
        gross_minor=one.gross.amount_minor,
        net_minor=one.net.amount_minor,
        withheld=[
            KeptOut(
                tax=kept.rule.code,
                rule=kept.rule.id,
                legal_basis=kept.rule.legal_basis,
                rate_bp=kept.rule.rate_bp,
                amount_minor=kept.amount.amount_minor,
            )
            for kept in one.kept
        ],
    )


def _kept(rows: Sequence[WithheldTax]) -> list[CutOut]:
    by_payee: dict[UUID, list[WithheldTax]] = {}
    for row in rows:
        by_payee.setdefault(row.party_id, []).append(row)
    return [
        CutOut(
            party_id=payee,
            country=several[0].country,
            certificate_no=next(
                (one.certificate_no for one in several if one.certificate_no), None
            ),
            gross_minor=several[0].gross_minor,
            net_minor=several[0].gross_minor - sum(one.amount_minor for one in several),
            withheld=[
                KeptOut.model_validate(one.model_dump(include=set(KeptOut.model_fields)))
                for one in several
            ],
        )
        for payee, several in sorted(by_payee.items())
    ]


async def _withheld(session: AsyncSession, rows: Sequence[WithheldTax]) -> list[WithheldOut]:
    there = await remittances.of_withheld(session, [row.id for row in rows])
    back = await queries.returns(session, [row.id for row in rows])
    found = []
    for row in rows:
        remittance = there.get(row.id)
        gone: dict[str, int] = {"reversed": 0, "claimed": 0}
        for one in back[row.id]:
            gone[one.state] += one.amount_minor
        more: dict[str, Any] = {
            "reversed_minor": gone["reversed"],
            "claimed_minor": gone["claimed"],
            "remittance_id": None if remittance is None else remittance.id,
            "remittance_state": None if remittance is None else remittance.state,
            "receipt_no": None if remittance is None else remittance.receipt_no,
        }
        found.append(WithheldOut.model_validate({**row.model_dump(exclude={"created_at"}), **more}))
    return found


def _residence(row: TaxResidence) -> TaxResidenceOut:
    return TaxResidenceOut.model_validate(row.model_dump(exclude={"content"}))
