"""What limits a bidder: connections (关联关系), blocks (拉黑), credit lines (授信额度)."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.money import MOST_MINOR, Money, WrongCurrency
from contracts.parties import queries as parties
from contracts.refusal import IdReused, InvalidContent, Malformed, Unknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.api.once import wait_turn
from exchange.identity.rules import Role
from listings.admissions import barring, kinship, queries
from listings.admissions.tables import PartyBlock, PartyRelation

router = APIRouter(route_class=JsonRoute, tags=["admissions"])

_SIGNED = (*problems.SIGNED, Unknown)
_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_NODE = "bank-account:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
Kind = Literal["owner", "director", "bank-account", "key", "address"]
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
Currency = Annotated[str, Path(pattern="^[A-Z]{3}$", description="ISO 4217")]


class RelationIn(Shape):
    """A connection: to a party of the exchange, or to something that others may have too."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "owner", "other_party_id": _ID, "share_bp": 6_000, "evidence": "公司章程"},
                {"kind": "bank-account", "value": "示例账号 001", "evidence": "开户许可证"},
            ]
        }
    )

    kind: Annotated[Kind, Field(description="股东, 董事监事高管, 银行账户, 密钥, 注册地址")]
    other_party_id: UUID | None = None
    value: Annotated[
        Annotated[str, Field(max_length=200)] | None,
        Field(description="Of a person, account, key or address; only its hash is kept."),
    ] = None
    share_bp: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=10_000)] | None,
        Field(description="Of an owner; from 2500 on it connects."),
    ] = None
    evidence: Annotated[Reason, Field(description="What shows it.")]


class RelationOut(Shape):
    """A connection as staff read it."""

    id: UUID
    party_id: UUID
    kind: Kind
    node: Annotated[str, Field(description="What it leads to; a hash where it is no party.")]
    share_bp: int | None
    evidence: str
    declared_at: AwareDatetime
    ended_at: AwareDatetime | None


class RelationDeclaredOut(RelationOut):
    """A connection just declared, and how many bidders it suspended in running auctions."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "party_id": _ID,
                    "kind": "bank-account",
                    "node": _NODE,
                    "share_bp": None,
                    "evidence": "开户许可证",
                    "declared_at": "2026-11-22T09:00:00Z",
                    "ended_at": None,
                    "suspended": 0,
                }
            ]
        }
    )

    suspended: int


class BlockIn(Shape):
    """Why a party may not bid, until when, and whether for one work alone."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"reason": "竞得后拒签合同", "until": "2027-11-22T00:00:00Z"}]
        }
    )

    reason: Reason
    until: AwareDatetime | None = None
    work_id: UUID | None = None


class BlockOut(Shape):
    """A block."""

    id: UUID
    party_id: UUID
    work_id: UUID | None
    reason: str
    until: AwareDatetime | None
    placed_at: AwareDatetime
    lifted_at: AwareDatetime | None


class CreditLineIn(Shape):
    """The most a party may be bound for over all auctions in the currency."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"limit_minor": 500_000_000}]})

    limit_minor: Annotated[int, Field(strict=True, ge=0, le=MOST_MINOR)]


class CreditLineOut(Shape):
    """A credit line."""

    currency: str
    limit_minor: int
    set_at: AwareDatetime


class ExposureOut(Shape):
    """What a party is bound for in one auction now."""

    auction_id: UUID
    currency: str
    amount_minor: int


class LimitsOut(Shape):
    """What a party may bid; blocks and connections are for staff alone (null for itself)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "credit_lines": [
                        {
                            "currency": "CNY",
                            "limit_minor": 500_000_000,
                            "set_at": "2026-11-22T09:00:00Z",
                        }
                    ],
                    "exposures": [
                        {"auction_id": _ID, "currency": "CNY", "amount_minor": 101_000_000}
                    ],
                    "blocks": None,
                    "relations": None,
                }
            ]
        }
    )

    credit_lines: Sequence[CreditLineOut]
    exposures: Sequence[ExposureOut]
    blocks: Sequence[BlockOut] | None
    relations: Sequence[RelationOut] | None


@router.get("/parties/{party_id}/limits", responses=problems.responses(*_SIGNED))
async def get_limits(party_id: UUID, session: Session, caller: Signed) -> LimitsOut:
    """Read what limits a party's bids: its own, or anybody's for staff."""
    caller.need("read")
    if not caller.is_staff and party_id != caller.party_id:
        raise Unknown("There is no such party.", party=str(party_id))
    await parties.get_party(session, party_id)
    lines = await queries.credit_lines(session, party_id)
    exposures = await queries.exposures(session, party_id)
    staff = caller.is_staff
    return LimitsOut(
        credit_lines=[
            CreditLineOut(currency=line.currency, limit_minor=line.limit_minor, set_at=line.set_at)
            for line in lines
        ],
        exposures=[
            ExposureOut(
                auction_id=one.auction_id, currency=one.currency, amount_minor=one.amount_minor
            )
            for one in exposures
        ],
        blocks=[_block(one) for one in await queries.blocks_of(session, party_id)]
        if staff
        else None,
        relations=[_relation(one) for one in await queries.relations_of(session, party_id)]
        if staff
        else None,
    )


@router.put(
    "/parties/{party_id}/credit-lines/{currency}",
    dependencies=[Depends(wait_turn)],
    responses=problems.responses(*_SIGNED, Malformed, WrongCurrency),
)
async def set_credit_line(
    party_id: UUID,
    currency: Currency,
    body: CreditLineIn,
    session: Session,
    caller: Signed,
    now: Now,
) -> CreditLineOut:
    """Set a party's credit line in a currency; it holds for bids from now on."""
    caller.need("money", Role.OPERATOR)
    await parties.get_party(session, party_id)
    line = await barring.set_credit_line(
        session,
        party_id,
        Money(body.limit_minor, currency),
        person_id=caller.person_id,
        now=now,
    )
    return CreditLineOut(currency=line.currency, limit_minor=line.limit_minor, set_at=line.set_at)


@router.put(
    "/parties/{party_id}/blocks/{block_id}",
    responses=problems.responses(*_SIGNED, Malformed, IdReused),
)
async def block_party(
    party_id: UUID, block_id: UUID, body: BlockIn, session: Session, caller: Signed, now: Now
) -> BlockOut:
    """Bar a party from bidding; the bids that it has placed stand."""
    caller.need("deal", Role.OPERATOR)
    await parties.get_party(session, party_id)
    if body.until is not None and body.until <= now:
        raise InvalidContent("The block would have ended.", field="until")
    given = PartyBlock(
        id=block_id,
        party_id=party_id,
        work_id=body.work_id,
        reason=body.reason.strip(),
        until=body.until,
        placed_by=caller.person_id,
        placed_at=now,
    )
    return _block(await barring.block(session, given))


@router.post("/parties/{party_id}/blocks/{block_id}/lift", responses=problems.responses(*_SIGNED))
async def lift_block(
    party_id: UUID, block_id: UUID, session: Session, caller: Signed, now: Now
) -> BlockOut:
    """Lift a block before it ends."""
    caller.need("deal", Role.OPERATOR)
    await parties.get_party(session, party_id)
    return _block(await barring.lift_block(session, block_id, person_id=caller.person_id, now=now))


@router.put(
    "/parties/{party_id}/relations/{relation_id}",
    responses=problems.responses(*_SIGNED, Malformed, IdReused),
)
async def declare_relation(
    party_id: UUID, relation_id: UUID, body: RelationIn, session: Session, caller: Signed, now: Now
) -> RelationDeclaredOut:
    """Declare a connection of a party; bidders that it connects with a seller are suspended."""
    caller.need("deal", Role.OPERATOR)
    await parties.get_party(session, party_id)
    relation = PartyRelation(
        id=relation_id,
        party_id=party_id,
        party_node=kinship.party_node(party_id),
        kind=body.kind,
        node=await _node(session, body),
        share_bp=body.share_bp,
        evidence=body.evidence.strip(),
        declared_by=caller.person_id,
        declared_at=now,
    )
    row, suspended = await barring.declare_relation(session, relation)
    return RelationDeclaredOut(**_relation(row).model_dump(), suspended=suspended)


@router.post(
    "/parties/{party_id}/relations/{relation_id}/end", responses=problems.responses(*_SIGNED)
)
async def end_relation(
    party_id: UUID, relation_id: UUID, session: Session, caller: Signed, now: Now
) -> RelationOut:
    """End a connection that is no more; suspended bidders are reinstated one by one."""
    caller.need("deal", Role.OPERATOR)
    await parties.get_party(session, party_id)
    return _relation(
        await barring.end_relation(session, relation_id, person_id=caller.person_id, now=now)
    )


async def _node(session: Session, body: RelationIn) -> str:
    if (body.other_party_id is None) == (body.value is None):
        raise InvalidContent("Give other_party_id or value, one of them.", field="value")
    if (body.kind == kinship.OWNER) != (body.share_bp is not None):
        raise InvalidContent("An owner has a share, and nobody else.", field="share_bp")
    if body.other_party_id is None:
        return kinship.shared_node(body.kind, body.value or "")
    await parties.get_party(session, body.other_party_id)
    return kinship.party_node(body.other_party_id)


def _relation(row: PartyRelation) -> RelationOut:
    return RelationOut(**row.model_dump(include=set(RelationOut.model_fields)))


def _block(row: PartyBlock) -> BlockOut:
    return BlockOut(**row.model_dump(include=set(BlockOut.model_fields)))
