"""The bank as the staff sees it: accounts, payees' accounts, payment files, suspended money."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import calendar, ids
from contracts.money import EXPONENTS
from exchange.api import bank as api
from exchange.api import payees as payees_api
from exchange.api import statements as statements_api
from exchange.api import suspense as suspense_api
from exchange.api.deps import Now, Session
from exchange.console import deciding
from exchange.console.deciding import Verdict
from exchange.identity.rules import Caller
from exchange.portal import names, render
from exchange.portal.forms import Sent, shape
from exchange.portal.language import Language, mark
from exchange.portal.visitors import Staff
from settlement.invoices import queries as invoices
from settlement.payees import queries as payees

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
    ("card-clearing", mark("A payout of the card provider")),
)


@router.get("")
async def bank_page(request: Request, visitor: Staff, session: Session, now: Now) -> Response:
    """Show how each account stands, and all that waits for a person."""
    spoken, caller = render.speaks(request), visitor.caller
    positions = (await api.list_positions(session=session, caller=caller)).items
    named = {one.id: one.name for one in positions}
    files = await api.list_payment_files(session=session, caller=caller, after=None, limit=PAGE)
    return render.page(
        request,
        "bank.html",
        positions=positions,
        payees=await _payees(session, caller, spoken),
        files=[{**one.model_dump(), "account": named[one.account_id]} for one in files.items],
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
    items = [
        {
            **item.model_dump(),
            "name": await names.party(session, item.party_id, spoken=spoken),
            "where": await payees.get(session, item.payee_account_id),
        }
        for item in found.items
    ]
    told = await statements_api.list_file_reports(
        batch_id=batch_id, session=session, caller=visitor.caller
    )
    return render.page(
        request,
        "payment_file.html",
        reports=told.items,
        file={**found.model_dump(), "items": items},
        prepared_by_name=await names.person(session, found.prepared_by),
        decided_by_name=await names.person(session, found.decided_by),
        prepared_by_me=found.prepared_by == visitor.caller.person_id,
    )


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
        **{name: form.text(name) for name in fields},
    )
    await api.follow_bank_account(
        account_id=form.id("account_id"), body=body, response=Response(), session=session,
        caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, "/console/bank")


@router.post("/payees/{account_id}")
async def send_payee(
    request: Request, account_id: UUID, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Verify or refuse exactly the account that the page showed."""
    said = {"content_sha256": form.text("content_sha256")}
    told: dict[str, Any] = {"session": session, "caller": visitor.caller, "now": now}
    if form.text("act") == "verify":
        body = shape(payees_api.VerificationIn, evidence=form.text("why"), **said)
        await payees_api.verify_bank_account(account_id=account_id, body=body, **told)
    else:
        refusal = shape(payees_api.BankAccountRefusalIn, reason=form.text("why"), **said)
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
async def send_file_verdict(
    *,
    request: Request,
    batch_id: UUID,
    verdict: Verdict,
    visitor: Staff,
    form: Sent,
    session: Session,
    now: Now,
) -> Response:
    """Approve or refuse exactly the file that the page showed."""
    told: dict[str, Any] = {"session": session, "caller": visitor.caller, "now": now}
    if verdict == "approval":
        body = await deciding.approval(session, visitor, form, now=now)
        await api.approve_payment_file(batch_id=batch_id, body=body, **told)
    else:
        await api.refuse_payment_file(batch_id=batch_id, body=deciding.refusal(form), **told)
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
    part = {"kind": kind, "name": name, "amount_minor": form.whole("amount_minor")}
    body = shape(suspense_api.ReleaseIn, items=[item_id], parts=[part])
    await suspense_api.propose_release(
        release_id=form.id("release_id"), body=body, response=Response(), session=session,
        caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, "/console/bank")


@router.post("/releases/{release_id}/{verdict}")
async def send_release_verdict(
    *,
    request: Request,
    release_id: UUID,
    verdict: Verdict,
    visitor: Staff,
    form: Sent,
    session: Session,
    now: Now,
) -> Response:
    """Approve or refuse exactly the release that the page showed."""
    told: dict[str, Any] = {"session": session, "caller": visitor.caller, "now": now}
    if verdict == "approval":
        body = await deciding.approval(session, visitor, form, now=now)
        await suspense_api.approve_release(release_id=release_id, body=body, **told)
    else:
        refusal = deciding.refusal(form)
        await suspense_api.refuse_release(release_id=release_id, body=refusal, **told)
    return render.see(request, "/console/bank")


async def _payees(session: AsyncSession, caller: Caller, spoken: Language) -> list[dict[str, Any]]:
    waiting = await payees_api.list_waiting_bank_accounts(session=session, caller=caller)
    return [
        {**one.model_dump(), "party": await names.party(session, one.party_id, spoken=spoken)}
        for one in waiting.items
    ]


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
    return spoken.say(dict(TARGETS).get(part.name, part.name))
