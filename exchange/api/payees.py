"""Bank accounts of payees (收款账户): declared by them, verified by somebody else."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.money import EXPONENTS, WrongCurrency
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
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.api.once import OnceRoute
from exchange.identity.rules import STAFF, Caller, Role
from settlement.approvals.rules import AlreadyDecided
from settlement.payees import queries, rules, service
from settlement.payees.tables import PayeeBankAccount

router = APIRouter(route_class=OnceRoute, tags=["bank"])

MOST = 200
_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
# Names go into payment files: what a file may hold, and nothing that cannot be seen.
Name = Annotated[
    str, Field(min_length=1, max_length=rules.LONGEST_NAME, pattern=r"^[^\x00-\x1f]+$")
]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$", description="ISO 4217")]
Why = Annotated[str, Field(min_length=1, max_length=rules.LONGEST_EVIDENCE, pattern=r"\S")]


class BankDetailsIn(Shape):
    """An account at a bank: an IBAN, or a number with the bank's twelve digits (CNAPS 行号)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "scheme": "cnaps",
                    "number": "6222020200012345678",
                    "member_id": "102100099996",
                    "holder": "示范影业有限公司",
                    "bank_name": "示范银行北京分行",
                    "currency": "CNY",
                }
            ]
        }
    )

    scheme: Literal["iban", "cnaps"]
    number: Annotated[str, Field(min_length=5, max_length=50)]
    member_id: Annotated[str | None, Field(description="With `cnaps` only.")] = None
    holder: Name
    bank_name: Name
    currency: Currency
    name_reason: Annotated[
        Why | None,
        Field(description="Why the holder has another name than the organisation, where it has."),
    ] = None

    def details(self) -> rules.Details:
        """The value that the rules know.

        Raises:
            WrongCurrency: the exchange does not pay in this currency.
        """
        handled(self.currency)
        return rules.Details(
            self.scheme, self.number, self.holder, self.currency, self.bank_name, self.member_id,
            self.name_reason and self.name_reason.strip(),
        )  # fmt: skip


class VerificationIn(ApprovalIn):
    """The hash of the account that was read, how it was verified, and a fresh proof."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"content_sha256": _HASH, "proof": _ID, "evidence": "回拨确认 (called back)"}
            ]
        }
    )

    evidence: Why


class BankAccountOut(Shape):
    """A payee's account; `usable_from` lies 72 hours after the verification of a change."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "party_id": _ID,
                    "scheme": "iban",
                    "number": "DE89370400440532013000",
                    "member_id": None,
                    "holder": "Example Film GmbH",
                    "bank_name": "Example Bank",
                    "currency": "EUR",
                    "state": "verified",
                    "content_sha256": _HASH,
                    "declared_at": "2026-11-22T09:00:00Z",
                    "declared_by": _ID,
                    "decided_at": "2026-11-22T10:00:00Z",
                    "decided_by": _ID,
                    "evidence": "called back",
                    "usable_from": "2026-11-22T10:00:00Z",
                    "name_reason": None,
                    "withdrawn_at": None,
                }
            ]
        }
    )

    id: UUID
    party_id: UUID
    scheme: Literal["iban", "cnaps"]
    number: str
    member_id: str | None
    holder: str
    bank_name: str
    currency: str
    state: Literal["declared", "verified", "refused", "superseded", "withdrawn"]
    content_sha256: str
    declared_at: AwareDatetime
    declared_by: UUID
    decided_at: AwareDatetime | None
    decided_by: UUID | None
    evidence: str | None
    usable_from: AwareDatetime | None
    name_reason: str | None
    withdrawn_at: AwareDatetime | None


class BankAccountsOut(Shape):
    """Accounts of payees."""

    items: Sequence[BankAccountOut]


@router.put(
    "/parties/{party_id}/bank-accounts/{account_id}",
    status_code=201,
    responses={
        200: {"model": BankAccountOut, "description": "It was declared before."},
        **problems.signed(
            Malformed, Unknown, IdReused, WrongCurrency, rules.BankAccountMalformed,
            rules.BankAccountWaits, rules.HolderDiffers,
        ),
    },
)  # fmt: skip
async def declare_bank_account(
    *,
    party_id: UUID,
    account_id: UUID,
    body: BankDetailsIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> BankAccountOut:
    """Declare the account into which one's own organisation is paid; another person verifies it.

    A buyer declares one for what comes back of its bank transfers.
    """
    caller.need("money", Role.HOLDER, Role.BROADCASTER)
    _own(party_id, caller)
    account, new = await service.declare(
        session,
        account_id,
        party_id=party_id,
        details=body.details(),
        person_id=caller.person_id,
        now=now,
    )
    response.status_code = 201 if new else 200
    return shown(account)


@router.get("/parties/{party_id}/bank-accounts", responses=problems.signed(Unknown))
async def list_bank_accounts(party_id: UUID, session: Session, caller: Signed) -> BankAccountsOut:
    """List the bank accounts of one's own organisation, the newest first; staff see any party's."""
    caller.need("read")
    if not caller.is_staff:
        _own(party_id, caller)
    rows = await queries.of_party(session, party_id)
    return BankAccountsOut(items=[shown(row) for row in rows])


@router.post(
    "/parties/{party_id}/bank-accounts/{account_id}/withdrawal",
    responses=problems.signed(Malformed, Unknown, AlreadyDecided),
)
async def withdraw_bank_account(
    party_id: UUID, account_id: UUID, session: Session, caller: Signed, now: Now
) -> BankAccountOut:
    """Take back an account of one's own that waits, so that another can be declared (撤回)."""
    caller.need("money", Role.HOLDER, Role.BROADCASTER)
    _own(party_id, caller)
    return shown(await service.withdraw(session, account_id, party_id=party_id, now=now))


@router.get("/bank/payee-accounts", responses=problems.signed())
async def list_waiting_bank_accounts(session: Session, caller: Signed) -> BankAccountsOut:
    """List the accounts that wait for their verification, the oldest first, for staff."""
    caller.need("read", *STAFF)
    rows = await queries.waiting(session, limit=MOST)
    return BankAccountsOut(items=[shown(row) for row in rows])


@router.post(
    "/bank/payee-accounts/{account_id}/verification",
    responses=problems.responses(*DECIDED, *PROVING),
)
async def verify_bank_account(
    account_id: UUID, body: VerificationIn, session: Session, caller: Signed, now: Now
) -> BankAccountOut:
    """Verify an account (核实): a first one is paid at once, a changed one after 72 hours."""
    decision, evidence = await approving(session, caller, body, now=now), body.evidence.strip()
    account = await service.verify(
        session, account_id, decision=decision, evidence=evidence, now=now
    )
    return shown(account)


@router.post("/bank/payee-accounts/{account_id}/refusal", responses=problems.responses(*DECIDED))
async def refuse_bank_account(
    account_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> BankAccountOut:
    """Refuse an account with a reason; the one before it stays in force."""
    decision, reason = refusing(caller, body), body.reason.strip()
    account = await service.refuse(session, account_id, decision=decision, reason=reason, now=now)
    return shown(account)


def handled(currency: str) -> None:
    """Check that the exchange handles a currency.

    Raises:
        WrongCurrency: it does not.
    """
    if currency not in EXPONENTS:
        raise WrongCurrency("The exchange does not handle it.", known=sorted(EXPONENTS))


def shown(account: PayeeBankAccount) -> BankAccountOut:
    """Return an account as it is told."""
    said = account.model_dump(exclude={"sha256", "content"})
    return BankAccountOut.model_validate({**said, "content_sha256": account.sha256})


def _own(party_id: UUID, caller: Caller) -> None:
    if party_id != caller.party_id:
        raise Unknown("There is no such party.")
