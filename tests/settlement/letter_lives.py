"""Lives of deposits that letters of guarantee or wires stand for, for replays."""

from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from settlement.bank.rules import message_id
from settlement.collecting.rules import of_deposit
from settlement.deposits import letters, moving, service
from settlement.deposits.rules import DISTRIBUTE, DRAW, FORFEIT, RETURN, Move, Terms
from settlement.deposits.tables import Deposit, DepositReceipt
from settlement.guarantees.rules import Offer
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import person
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import Bank, followed, with_bank_account
from tests.settlement.bank_lives import pays_by_file, shows
from tests.settlement.lives import Life, Step, decides
from tests.settlement.pledges_factory import REQUIRED, SCAN, asked, letter
from tests.settlement.returns_factory import Staff

RETURN_BY = date(2026, 11, 25)


async def lives(session: AsyncSession, people: Staff) -> list[Life]:
    """Letters that are drawn on, paid to the seller or given back; a wire that goes back."""
    return [
        Life(making.__name__.strip("_"), await making(session, people))
        for making in (_drawn_on, _paid_to_the_seller, _given_back, _wired_back)
    ]


async def _drawn_on(session: AsyncSession, people: Staff) -> list[Step]:
    """A letter is accepted and demanded; what its bank pays is forfeited and distributed."""
    deposit = await asked(session, now=NOW)
    parts = (REQUIRED // 4, REQUIRED - REQUIRED // 4)
    forfeit = Move(FORFEIT, REQUIRED, "winner-refuses")
    share = Move(DISTRIBUTE, REQUIRED, "winner-refuses", fees_minor=500, shortfall_minor=1_000)
    return [
        *await _accepted(session, deposit, people),
        _moves(deposit, Move(DRAW, REQUIRED, "winner-refuses"), people),
        *(_credits(deposit, minor, people) for minor in parts),
        _moves(deposit, forfeit, people),
        _moves(deposit, share, people),
    ]


async def _paid_to_the_seller(session: AsyncSession, people: Staff) -> list[Step]:
    """The seller is paid under a letter that names it: nothing of it is booked."""
    deposit, guarantee_id = await asked(session, now=NOW), ids.new(NOW)

    async def record(session: AsyncSession) -> None:
        await letters.record_payment(
            session, guarantee_id, reference="LG-PAID", person_id=people.maker, now=NOW
        )

    return [
        *await _accepted(session, deposit, people, id=guarantee_id, beneficiary="seller"),
        _moves(deposit, Move(DRAW, REQUIRED, "non-payment"), people),
        decides(record),
    ]


async def _given_back(session: AsyncSession, people: Staff) -> list[Step]:
    """A letter of somebody who did not win is given back."""
    deposit, guarantee_id = await asked(session, now=NOW), ids.new(NOW)

    async def release(session: AsyncSession) -> None:
        await letters.release(session, guarantee_id, person_id=people.maker, now=NOW)

    return [
        *await _accepted(session, deposit, people, id=guarantee_id),
        _sets_free(deposit),
        decides(release),
    ]


async def _wired_back(session: AsyncSession, people: Staff) -> list[Step]:
    """A deposit comes in two wires that name it, and goes back by a payment file."""
    bank, batch_id = Bank(await followed(session, "SEK")), ids.new(NOW)
    whose = (await party(session, kind="broadcaster", now=NOW)).id
    await with_bank_account(session, whose, currency="SEK")
    terms = Terms(
        auction_id=ids.new(NOW), party_id=whose, seller_id=(await party(session, now=NOW)).id,
        required=Money(REQUIRED, "SEK"), until=None, forfeits=("non-payment",),
    )  # fmt: skip
    deposit = await service.require(session, terms, now=NOW)
    named = of_deposit(deposit.auction_id, whose)
    return [
        shows(bank, 5_000, text=f"Deposit {named}"),
        shows(bank, REQUIRED - 5_000, ref=named),
        _sets_free(deposit),
        _moves(deposit, Move(RETURN, REQUIRED, "not-won"), people),
        pays_by_file(batch_id, bank.account, people),
        shows(bank, -REQUIRED, batch=message_id(batch_id)),
    ]


async def _accepted(
    session: AsyncSession,
    deposit: Deposit,
    people: Staff,
    *,
    id: UUID | None = None,
    beneficiary: str = "exchange",
) -> list[Step]:
    """The bidder hands a letter in, and another person accepts it."""
    whose = (deposit.auction_id, deposit.party_id)
    one = Offer(id or ids.new(NOW), *whose, letter(beneficiary=beneficiary), SCAN)
    by = (await person(session, party_id=deposit.party_id, role="broadcaster", now=NOW)).id

    async def offer(session: AsyncSession) -> None:
        await letters.offer(session, one, person_id=by, now=NOW)

    async def accept(session: AsyncSession) -> None:
        row = await letters.service.locked(session, one.id)
        decision = await decided(session, people.checker, row.content_sha256, now=NOW)
        await letters.accept(session, row.id, decision=decision, now=NOW)

    return [decides(offer), decides(accept)]


def _moves(deposit: Deposit, move: Move, people: Staff) -> Step:
    """Two people move a deposit, or draw on what stands for it."""
    movement_id, whose = ids.new(NOW), (deposit.auction_id, deposit.party_id)

    async def do(session: AsyncSession) -> None:
        movement, _ = await moving.prepare(
            session, movement_id, *whose, move=move, person_id=people.maker, now=NOW
        )
        decision = await decided(session, people.checker, movement.content_sha256, now=NOW)
        await moving.approve(session, movement.id, decision=decision, now=NOW)

    return decides(do)


def _credits(deposit: Deposit, minor: int, people: Staff) -> Step:
    """Staff record a credit of the bank."""
    id, whose = ids.new(NOW), (deposit.auction_id, deposit.party_id)

    async def record(session: AsyncSession) -> None:
        receipt = DepositReceipt(
            id=id, auction_id=whose[0], party_id=whose[1], amount_minor=minor,
            reference=f"BANK-{id}", credited_at=NOW, recorded_by=people.maker, recorded_at=NOW,
        )  # fmt: skip
        await service.receive(session, receipt, currency="CNY")

    return decides(record)


def _sets_free(deposit: Deposit) -> Step:
    """The auction is over, and others won it."""
    auction_id = deposit.auction_id

    async def free(session: AsyncSession) -> None:
        await service.set_free(session, auction_id, return_by=RETURN_BY, now=NOW)

    return decides(free)
