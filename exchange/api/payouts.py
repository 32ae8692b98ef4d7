"""Payouts: accounts of payees, what is paid out, who prepared it and who decided it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.refusal import IdReused, Malformed, Unknown
from exchange.api import problems
from exchange.api.decisions import DECIDED, PROVING, ApprovalIn, RefusalIn, approving, refusing
from exchange.api.deps import Ctx, Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.once import OnceRoute
from exchange.identity.rules import (
    STAFF,
    Caller,
    Role,
)
from settlement.payouts import onboarding, queries, rules, service
from settlement.payouts.rules import (
    PayoutAccountActive,
    PayoutAccountMissing,
    PayoutAccountNotReady,
    PayoutAlreadyPrepared,
    SettlementNotFunded,
)
from settlement.payouts.tables import Payout, PayoutAccount, PayoutTransfer
from settlement.taxes import gateway as taxes

router = APIRouter(route_class=OnceRoute, tags=["payouts"])

_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class PayoutAccountIn(Shape):
    """Where the organisation is established."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"country": "HK"}]})

    country: Annotated[str, Field(pattern="^[A-Z]{2}$", description="ISO 3166-1 alpha-2")]


class OnboardingOut(Shape):
    """A link to the provider's page, good for one visit; null while the provider is asked."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": None, "until": None}]})

    url: str | None
    until: AwareDatetime | None


class PayoutAccountOut(Shape):
    """Where a party is paid (收款账户)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "party_id": _ID,
                    "country": "HK",
                    "state": "ready",
                    "provider_id": "acct_1",
                    "capability": "inactive",
                    "onboarding": None,
                }
            ]
        }
    )

    party_id: UUID
    country: str
    state: Literal["requested", "ready", "failed"]
    provider_id: str | None
    capability: Annotated[
        Literal["active", "pending", "inactive"] | None,
        Field(description="Whether the provider lets it be paid; null until it was asked."),
    ]
    onboarding: Annotated[
        OnboardingOut | None,
        Field(description="Told to its own organisation alone, once it asked for a link."),
    ]


class PayoutIn(Shape):
    """Which deal is paid out; amounts follow from its settlement."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"deal_id": _ID}]})

    deal_id: UUID


class TransferOut(Shape):
    """One payee's part."""

    party_id: UUID
    account: str
    amount_minor: int
    currency: str
    state: Literal["pending", "sending", "made"]
    provider_id: str | None
    waits_for: Annotated[
        Literal["onboarding"] | None,
        Field(description="`onboarding`: approved, and sent once the payee's account is active."),
    ]


class PayoutWithheldOut(Shape):
    """One tax withheld of one payee's gross, by a row of the tax rules."""

    party_id: UUID
    gross_minor: int
    tax: str
    rule: str
    legal_basis: str
    amount_minor: int
    currency: str


class PayoutOut(Shape):
    """A payout: `content_sha256` is over everything it will do."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "deal_id": _ID,
                    "state": "prepared",
                    "content_sha256": _HASH,
                    "prepared_by": _ID,
                    "prepared_at": "2026-11-22T09:00:00Z",
                    "decided_by": None,
                    "decided_at": None,
                    "reason": None,
                    "transfers": [
                        {
                            "party_id": _ID,
                            "account": "acct_1",
                            "amount_minor": 79_800_000,
                            "currency": "CNY",
                            "state": "pending",
                            "provider_id": None,
                            "waits_for": None,
                        }
                    ],
                    "withheld": [],
                }
            ]
        }
    )

    id: UUID
    deal_id: UUID
    state: Literal["prepared", "approved", "refused", "paid"]
    content_sha256: str
    prepared_by: UUID
    prepared_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    reason: str | None
    transfers: Sequence[TransferOut]
    withheld: Annotated[
        Sequence[PayoutWithheldOut],
        Field(description="Of payees abroad: with what they are paid it makes their gross."),
    ]


class PayoutPage(Shape):
    """A page of payouts."""

    items: Sequence[PayoutOut]
    next: UUID | None


@router.put(
    "/parties/{party_id}/payout-account",
    status_code=201,
    responses={
        200: {"model": PayoutAccountOut, "description": "It was asked for before."},
        **problems.signed(Malformed, Unknown, IdReused),
    },
)
async def open_payout_account(
    party_id: UUID,
    body: PayoutAccountIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> PayoutAccountOut:
    """Ask for an account into which one's own organisation is paid; read it until `ready`."""
    caller.need("money", Role.HOLDER)
    _own(party_id, caller)
    account, new = await service.open_account(session, party_id, country=body.country, now=now)
    if not new:
        response.status_code = 200
    return _account_out(account, now=now)


@router.post(
    "/parties/{party_id}/payout-account/onboarding",
    responses=problems.signed(Malformed, Unknown, PayoutAccountNotReady, PayoutAccountActive),
)
async def start_onboarding(
    party_id: UUID, session: Session, caller: Signed, context: Ctx, now: Now
) -> PayoutAccountOut:
    """Ask for a link to the provider's page on which the account is onboarded (开通收款账户).

    Read the account until `onboarding.url` is there; a link is good for one visit and some minutes.
    """
    caller.need("money", Role.HOLDER)
    _own(party_id, caller)
    back = f"{context.settings.public_url}/money"
    account = await onboarding.ask(session, party_id, return_url=back, now=now)
    return _account_out(account, now=now)


@router.get("/parties/{party_id}/payout-account", responses=problems.signed(Unknown))
async def get_payout_account(
    party_id: UUID, session: Session, caller: Signed, now: Now
) -> PayoutAccountOut:
    """Return an organisation's payout account to itself and staff."""
    caller.need("read")
    if not caller.is_staff:
        _own(party_id, caller)
    shown = _account_out(await queries.get_account(session, party_id), now=now)
    is_own = party_id == caller.party_id
    return shown if is_own else shown.model_copy(update={"onboarding": None})


@router.put(
    "/payouts/{payout_id}",
    status_code=201,
    responses={
        200: {"model": PayoutOut, "description": "It was prepared before."},
        **problems.signed(
            Malformed,
            Unknown,
            IdReused,
            SettlementNotFunded,
            PayoutAlreadyPrepared,
            PayoutAccountMissing,
        ),
    },
)
async def prepare_payout(
    payout_id: UUID,
    body: PayoutIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> PayoutOut:
    """Prepare the payout of a paid deal (经办); another person decides it."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    payout, new = await service.prepare(
        session, payout_id, deal_id=body.deal_id, person_id=caller.person_id, now=now
    )
    if not new:
        response.status_code = 200
    return await _out(session, payout)


@router.post(
    "/payouts/{payout_id}/approval",
    responses=problems.responses(*DECIDED, *PROVING),
)
async def approve_payout(
    payout_id: UUID, body: ApprovalIn, session: Session, caller: Signed, now: Now
) -> PayoutOut:
    """Approve a payout that another person prepared (复核); its transfers are made at once."""
    decision = await approving(session, caller, body, now=now)
    return await _out(
        session, await service.approve(session, payout_id, decision=decision, now=now)
    )


@router.post("/payouts/{payout_id}/refusal", responses=problems.responses(*DECIDED))
async def refuse_payout(
    payout_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> PayoutOut:
    """Refuse a payout that another person prepared, with a reason; another can be prepared."""
    decision, reason = refusing(caller, body), body.reason.strip()
    payout = await service.refuse(session, payout_id, decision=decision, reason=reason, now=now)
    return await _out(session, payout)


@router.get("/payouts", responses=problems.signed())
async def list_payouts(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> PayoutPage:
    """List every payout, for staff."""
    caller.need("read", *STAFF)
    rows = await queries.page(session, after=page_after(after), limit=limit)
    transfers = await queries.transfers_of(session, [row.id for row in rows])
    items = [_shown(row, transfers[row.id]) for row in rows]
    return PayoutPage(items=items, next=next_after(rows, limit))


@router.get("/payouts/{payout_id}", responses=problems.signed(Unknown))
async def get_payout(payout_id: UUID, session: Session, caller: Signed) -> PayoutOut:
    """Return a payout with its transfers, for staff."""
    caller.need("read", *STAFF)
    return await _out(session, await queries.get_payout(session, payout_id))


def _own(party_id: UUID, caller: Caller) -> None:
    if party_id != caller.party_id:
        raise Unknown("There is no such party.")


def _account_out(account: PayoutAccount, *, now: datetime) -> PayoutAccountOut:
    link = None
    if account.return_url is not None:
        link = OnboardingOut(url=None, until=None)
    elif account.link_until is not None and now < account.link_until:
        link = OnboardingOut(url=account.link_url, until=account.link_until)
    said = account.model_dump(include=set(PayoutAccountOut.model_fields))
    return PayoutAccountOut.model_validate({**said, "onboarding": link})


async def _out(session: AsyncSession, payout: Payout) -> PayoutOut:
    return _shown(payout, await queries.transfers(session, payout.id))


def _shown(payout: Payout, transfers: Sequence[PayoutTransfer]) -> PayoutOut:
    shown = [
        TransferOut.model_validate(
            {
                **row.model_dump(exclude={"payout_id", "intent_id"}),
                "waits_for": "onboarding"
                if rules.waits(payout.state, row.state, row.account)
                else None,
            }
        )
        for row in transfers
    ]
    row = payout.model_dump(exclude={"content", "paid_at"})
    return PayoutOut.model_validate({**row, "transfers": shown, "withheld": _withheld(payout)})


def _withheld(payout: Payout) -> list[PayoutWithheldOut]:
    """Return what the payout's content says is withheld, with the basis of each row."""
    found = []
    for said in canonical.loads(payout.content).get("withheld", []):
        rule = taxes.find_row(said["rule"])
        basis = "" if rule is None else rule.legal_basis
        named = {name: value for name, value in said.items() if name != "party"}
        found.append(
            PayoutWithheldOut.model_validate(
                {**named, "party_id": said["party"], "legal_basis": basis}
            )
        )
    return found
