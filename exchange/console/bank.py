"""The bank as the staff sees it: accounts, payees' accounts, payment files, suspended money."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import calendar, ids
from contracts.money import EXPONENTS
from contracts.parties import queries as parties
from exchange.api import bank as api
from exchange.api import collecting as collecting_api
from exchange.api import payees as payees_api
from exchange.api import statements as statements_api
from exchange.api import suspense as suspense_api
from exchange.api.deps import Now, Session
from exchange.console import deciding
from exchange.console.deciding import Decided, Verdict
from exchange.identity.rules import Caller
from exchange.portal import names, render
from exchange.portal.forms import Sent, shape
from exchange.portal.language import Language, mark
from exchange.portal.visitors import Staff
from settlement.bank import queries as bank
from settlement.invoices import queries as invoices
from settlement.payees import queries as payees
from settlement.payees import rules as payee_rules
from settlement.refunds import queries as refunds
from settlement.remittances import queries as remittances
from settlement.sweeps import queries as sweeps

router = APIRouter(prefix="/console/bank")
PAGE = 50
SCHEMES = (
    ("iban", "IBAN"),
    ("cnaps", mark("Chinese account with a bank number (CNAPS)")),
    ("other", mark("As the bank's statements write it")),
)
TARGETS = (
    ("invoice", mark("An invoice (its number)")),
    ("bank-fees", mark("Bank fees")),
    ("opening", mark("Money from before")),
    ("sweep", mark("A sweep (its words for the bank)")),
    ("card-clearing", mark("A payout of the card provider that was not ordered here")),
)


@router.get("")
async def bank_page(request: Request, visitor: Staff, session: Session, now: Now) -> Response:
    """Show how each account stands, and all that waits for a person."""
    spoken, caller = render.speaks(request), visitor.caller
    stand = await api.list_positions(session=session, caller=caller)
    positions = stand.items
    named = {one.id: one.name for one in positions}
    files = await api.list_payment_files(session=session, caller=caller, after=None, limit=PAGE)
    return render.page(
        request,
        "bank.html",
        positions=positions,
        unexplained=[one for one in stand.suspense if one.unexplained_minor],
        payees=await _payees(session, caller, spoken),
        files=[{**one.model_dump(), "account": named[one.account_id]} for one in files.items],
        collecting=(await collecting_api.list_collecting(session=session, caller=caller)).items,
        suspense=await _suspense(session, caller, named, now=now),
        releases=await _releases(
            session, caller, spoken, {one.id: one.currency for one in positions}
        ),
        me=caller.person_id,
        today=calendar.day_of(now).isoformat(),
        new_id=lambda: ids.new(now),
        schemes=[(code, spoken.say(said)) for code, said in SCHEMES],
        targets=[(code, spoken.say(said)) for code, said in TARGETS],
        currencies=[(code, code) for code in EXPONENTS],
    )


@router.get("/files/{batch_id}")
async def file_page(request: Request, batch_id: UUID, visitor: Staff, session: Session) -> Response:
    """Show a payment file with all that its decision is about."""
    spoken = render.speaks(request)
    found = await api.get_payment_file(batch_id=batch_id, session=session, caller=visitor.caller)
    items = [{**item.model_dump(), **await _goes_to(session, item, spoken)} for item in found.items]
    told = await statements_api.list_file_reports(
        batch_id=batch_id, session=session, caller=visitor.caller
    )
    return render.page(
        request,
        "payment_file.html",
        reports=told.items,
        file={**found.model_dump(), "items": items},
        account=await bank.get_account(session, found.account_id),
        prepared_by_name=await names.person(session, found.prepared_by),
        decided_by_name=await names.person(session, found.decided_by),
        prepared_by_me=found.prepared_by == visitor.caller.person_id,
    )


async def _goes_to(session: AsyncSession, item: api.ItemOut, spoken: Language) -> dict[str, Any]:
    """Return who is paid and where: a payee or bidder, a payer, or a remittance's tax authority."""
    if item.party_id is not None and item.payee_account_id is not None:
        name = await names.party(session, item.party_id, spoken=spoken)
        return {"name": name, "where": await payees.get(session, item.payee_account_id)}
    if item.refund_id is not None:
        refund = await refunds.get_refund(session, item.refund_id)
        _, _, number = (refund.to_account or "").partition(":")
        where = {"holder": refund.to_holder, "bank_name": "", "number": number}
        return {
            "name": await names.party(session, refund.payer_id, spoken=spoken),
            "where": {**where, "member_id": None},
        }
    assert item.remittance_id is not None  # noqa: S101 - a CHECK: it pays one of the three.
    one = await remittances.get_remittance(session, item.remittance_id)
    office = await remittances.find_authority(session, one.authority, one.currency)
    name = one.authority if office is None else spoken.pick(office.name_zh, office.name_en)
    return {"name": name, "where": office}


@router.post("/accounts")
async def send_account(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Follow an account."""
    fields = ("name", "scheme", "number", "holder", "bank_name", "currency")
    body = shape(
        api.FollowedIn,
        member_id=form.maybe("member_id"),
        bic=form.maybe("bic"),
        instruct_only=form.text("whose") != "own",
        **{name: form.text(name) for name in fields},
    )
    await api.follow_bank_account(
        account_id=form.id("account_id"), body=body, response=Response(), session=session,
        caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, "/console/bank")


@router.post("/collecting")
async def send_collecting(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Propose the account into which its currency is wired; another person decides."""
    await collecting_api.propose_collecting(
        proposal_id=form.id("proposal_id"),
        body=shape(collecting_api.CollectingIn, account_id=form.text("account_id")),
        response=Response(), session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, "/console/bank")


@router.post("/collecting/{proposal_id}/{verdict}")
async def send_collecting_verdict(request: Request, proposal_id: UUID, sent: Decided) -> Response:
    """Approve or refuse exactly the account that the page showed."""
    await sent.decide(
        collecting_api.approve_collecting, collecting_api.refuse_collecting, proposal_id=proposal_id
    )
    return render.see(request, "/console/bank")


@router.post("/payees/{account_id}/{verdict}")
async def send_payee(
    *,
    request: Request,
    account_id: UUID,
    verdict: Verdict,
    visitor: Staff,
    form: Sent,
    session: Session,
    now: Now,
) -> Response:
    """Verify or refuse exactly the account that the page showed."""
    told: dict[str, Any] = {"session": session, "caller": visitor.caller, "now": now}
    if verdict == "approval":
        given = await deciding.approval(session, visitor, form, now=now)
        body = shape(payees_api.VerificationIn, evidence=form.text("evidence"), **dict(given))
        await payees_api.verify_bank_account(account_id=account_id, body=body, **told)
    else:
        refusal = deciding.refusal(form)
        await payees_api.refuse_bank_account(account_id=account_id, body=refusal, **told)
    return render.see(request, "/console/bank")


@router.post("/files")
async def send_file(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Prepare a payment file; another person decides."""
    batch_id = form.id("batch_id")
    body = shape(api.BatchIn, account_id=form.text("account_id"), execute_on=form.day("execute_on"))
    await api.prepare_payment_file(
        batch_id=batch_id, body=body, response=Response(), session=session, caller=visitor.caller,
        now=now,
    )  # fmt: skip
    return render.see(request, f"/console/bank/files/{batch_id}")


@router.post("/files/{batch_id}/document")
async def fetch_document(batch_id: UUID, visitor: Staff, session: Session, now: Now) -> Response:
    """Give out an approved payment file."""
    return await api.give_payment_file(
        batch_id=batch_id, session=session, caller=visitor.caller, now=now
    )


@router.post("/files/{batch_id}/{verdict}")
async def send_file_verdict(request: Request, batch_id: UUID, sent: Decided) -> Response:
    """Approve or refuse exactly the file that the page showed."""
    await sent.decide(api.approve_payment_file, api.refuse_payment_file, batch_id=batch_id)
    return render.see(request, f"/console/bank/files/{batch_id}")


@router.post("/suspense/{item_id}")
async def send_release(
    request: Request, item_id: UUID, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Propose what one item of suspended money is, as a whole; another person decides."""
    kind, name = "account", form.text("target")
    if name == "invoice":
        invoice = await invoices.get_invoice_numbered(session, form.text("number").upper())
        kind, name = "invoice", str(invoice.id)
    if name == "sweep":
        found = await sweeps.get_sweep_named(session, form.text("number").upper())
        kind, name = "sweep", str(found.id)
    part = {"kind": kind, "name": name, "amount_minor": form.whole("amount_minor")}
    body = shape(suspense_api.ReleaseIn, items=[item_id], parts=[part])
    await suspense_api.propose_release(
        release_id=form.id("release_id"), body=body, response=Response(), session=session,
        caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, "/console/bank")


@router.post("/releases/{release_id}/{verdict}")
async def send_release_verdict(request: Request, release_id: UUID, sent: Decided) -> Response:
    """Approve or refuse exactly the release that the page showed."""
    await sent.decide(
        suspense_api.approve_release, suspense_api.refuse_release, release_id=release_id
    )
    return render.see(request, "/console/bank")


async def _payees(session: AsyncSession, caller: Caller, spoken: Language) -> list[dict[str, Any]]:
    waiting = await payees_api.list_waiting_bank_accounts(session=session, caller=caller)
    told = []
    for one in waiting.items:
        party = await parties.get_party(session, one.party_id)
        registered = (party.name_zh, party.name_en)
        told.append(
            {
                **one.model_dump(),
                "party": spoken.pick(*registered),
                "registered": registered,
                "differs": not payee_rules.is_held_by(one.holder, registered),
            }
        )
    return told


async def _suspense(
    session: AsyncSession, caller: Caller, named: dict[UUID, str], *, now: Now
) -> list[dict[str, Any]]:
    found = await suspense_api.list_suspense(
        session=session, caller=caller, now=now, after=None, limit=PAGE
    )
    return [
        {
            **one.model_dump(),
            "account": named[one.account_id],
            "owner": await names.person(session, one.owner_id),
        }
        for one in found.items
    ]


async def _releases(
    session: AsyncSession, caller: Caller, spoken: Language, currencies: dict[UUID, str]
) -> list[dict[str, Any]]:
    found = await suspense_api.list_releases(session=session, caller=caller)
    return [
        {
            **one.model_dump(),
            "by": await names.person(session, one.proposed_by),
            "currency": currencies[one.account_id],
            "parts": [
                {**part.model_dump(), "said": await _said(session, part, spoken)}
                for part in one.parts
            ],
        }
        for one in found.items
    ]


async def _said(session: AsyncSession, part: suspense_api.ReleasePart, spoken: Language) -> str:
    """Return what a part is, for people: the invoice's number, the account's name."""
    if part.kind == "invoice":
        return (await invoices.get_invoice_of(session, UUID(part.name), payer_id=None)).number
    if part.kind == "sweep":
        return (await sweeps.get_sweep(session, UUID(part.name))).descriptor
    return spoken.say(dict(TARGETS).get(part.name, part.name))
