"""Accounts at banks, payees' accounts, payment files and statements for tests."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids
from contracts.money import Money
from settlement.bank import reading
from settlement.bank import service as files
from settlement.bank.rules import APPROVED
from settlement.bank.service import Following
from settlement.bank.tables import BankAccount, PaymentBatch
from settlement.collecting import service as collections
from settlement.payees import service as payees
from settlement.payees.rules import Details
from settlement.payees.tables import PayeeBankAccount
from settlement.payouts import service as payouts
from settlement.payouts.tables import Payout
from settlement.reconciliation import crediting, releasing
from settlement.reconciliation import service as reconciliation
from settlement.reconciliation.rules import Part
from settlement.reconciliation.service import Imported
from settlement.reconciliation.tables import SuspenseItem
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import person
from tests.settlement.approvals_factory import decided
from tests.settlement.settlement_factory import Trade, invoiced


def iban(country: str = "DE") -> str:
    """A valid IBAN of its own."""
    body = f"{uuid4().int % 10**18:018d}"
    digits = int(body + "".join(str(int(letter, 36)) for letter in country) + "00")
    return f"{country}{98 - digits % 97:02d}{body}"


async def staff(session: AsyncSession, role: str = "approver") -> UUID:
    home = await party(session, now=NOW)
    return (await person(session, party_id=home.id, role=role, now=NOW)).id


async def followed(
    session: AsyncSession, currency: str = "EUR", *, instruct_only: bool = False
) -> BankAccount:
    """An account at a bank whose statements are imported."""
    details = Details("iban", iban(), "UHD Exchange", currency, "Treuhandbank AG")
    following = Following("Escrow", details, "DEUTDEFF", instruct_only=instruct_only)
    account, _ = await files.open_account(
        session, ids.new(NOW), account=following, person_id=await staff(session), now=NOW
    )
    return account


async def collecting(session: AsyncSession, account: BankAccount, *, now: datetime = NOW) -> None:
    """Have payers of the account's currency told to wire into it, as two people decide."""
    proposal, _ = await collections.propose(
        session, ids.new(now), account_id=account.id, person_id=await staff(session), now=now
    )
    decision = await decided(session, await staff(session), proposal.sha256, now=now)
    await collections.approve(session, proposal.id, decision=decision, now=now)


async def with_bank_account(
    session: AsyncSession, party_id: UUID, *, currency: str = "EUR", now: datetime = NOW
) -> PayeeBankAccount:
    """An account of a payee, declared by one person and verified by another."""
    details = Details("iban", iban(), "Payee GmbH", currency, "Hausbank AG", None, "Trade name")
    account, _ = await payees.declare(
        session,
        ids.new(now),
        party_id=party_id,
        details=details,
        person_id=await staff(session, "holder"),
        now=now,
    )
    decision = await decided(session, await staff(session), account.sha256, now=now)
    return await payees.verify(
        session, account.id, decision=decision, evidence="Called back.", now=now
    )


@dataclass
class Bank:
    """A bank that keeps one account and writes its statements as camt.053."""

    account: BankAccount
    balance_minor: int = 0
    number: int = 0
    lines: list[str] = field(default_factory=list)

    def line(
        self, amount_minor: int, *, ref: str | None = None, text: str = "", **more: str
    ) -> None:
        """Move money; a credit is positive."""
        side, whose = ("CRDT", "Dbtr") if amount_minor >= 0 else ("DBIT", "Cdtr")
        refs = "".join(f"<{key}>{value}</{key}>" for key, value in more.items() if key[0].isupper())
        refs += f"<EndToEndId>{ref}</EndToEndId>" if ref else ""
        batch = f"<Btch><PmtInfId>{more['batch']}</PmtInfId></Btch>" if "batch" in more else ""
        number = (
            f"<{whose}Acct><Id><IBAN>{more['account']}</IBAN></Id></{whose}Acct>"
            if "account" in more
            else ""
        )
        back = f"<RtrInf><Rsn><Cd>{more['back']}</Cd></Rsn></RtrInf>" if "back" in more else ""
        self.lines.append(
            f'<Ntry><Amt Ccy="{self.account.currency}">{_major(amount_minor)}</Amt>'
            f"<CdtDbtInd>{side}</CdtDbtInd><Sts>BOOK</Sts><BookgDt><Dt>2026-11-22</Dt></BookgDt>"
            f"<NtryDtls>{batch}<TxDtls><Refs>{refs}</Refs><RltdPties><{whose}>"
            f"<Nm>{more.get('name', 'Somebody')}</Nm></{whose}>{number}</RltdPties>"
            f"<RmtInf><Ustrd>{text}</Ustrd></RmtInf>{back}</TxDtls></NtryDtls></Ntry>"
        )
        self.balance_minor += amount_minor

    def statement(self, opening_minor: int) -> bytes:
        """Close the day: what was moved since the last statement."""
        self.number += 1
        body = "".join(
            f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="'
            f'{self.account.currency}">{_major(value)}</Amt><CdtDbtInd>'
            f"{'CRDT' if value >= 0 else 'DBIT'}</CdtDbtInd><Dt><Dt>2026-11-22</Dt></Dt></Bal>"
            for code, value in (("OPBD", opening_minor), ("CLBD", self.balance_minor))
        ) + "".join(self.lines)
        self.lines = []
        return self._document("053", "BkToCstmrStmt", "Stmt", body)

    def notification(self) -> bytes:
        """Tell what was moved, without closing the day; the lines stay for the statement."""
        return self._document("054", "BkToCstmrDbtCdtNtfctn", "Ntfctn", "".join(self.lines))

    def _document(self, number: str, message: str, kind: str, body: str) -> bytes:
        return (
            f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{number}.001.02"><{message}>'
            f"<{kind}><Id>{number}-{self.number}</Id><Acct><Id><IBAN>{self.account.number}</IBAN>"
            f"</Id><Ccy>{self.account.currency}</Ccy></Acct>{body}</{kind}></{message}></Document>"
        ).encode()


async def imported(session: AsyncSession, raw: bytes) -> Imported:
    """Import a file as somebody of the staff."""
    statements = reading.read(raw)
    deposits = await crediting.awaited(session, statements)
    return await reconciliation.import_file(
        session, raw, statements, deposits=deposits,
        person_id=await staff(session, "operator"), now=NOW,
    )  # fmt: skip


async def closed(session: AsyncSession, bank: Bank, *, since: int) -> Imported:
    """Close the bank's day and import its statement."""
    return await imported(session, bank.statement(since))


async def wired(session: AsyncSession, bank: Bank, price: Money) -> Trade:
    """A trade whose buyer paid by bank transfer, naming the invoice."""
    trade = await invoiced(session, price=price, now=NOW)
    before = bank.balance_minor
    bank.line(price.amount_minor, text=f"Invoice {trade.invoice.number}")
    await closed(session, bank, since=before)
    return trade


async def approved_payout(session: AsyncSession, trade: Trade, *, now: datetime = NOW) -> Payout:
    """The payout of a trade, prepared by one person and approved by another."""
    payout, _ = await payouts.prepare(
        session, ids.new(now), deal_id=trade.deal_id, person_id=await staff(session), now=now
    )
    decision = await decided(session, await staff(session), payout.content_sha256, now=now)
    return await payouts.approve(session, payout.id, decision=decision, now=now)


async def prepared_file(
    session: AsyncSession, account: BankAccount, *, now: datetime = NOW
) -> PaymentBatch:
    """A payment file of all that waits in the account's currency."""
    batch, _ = await files.prepare(
        session,
        ids.new(now),
        account_id=account.id,
        execute_on=now.date(),
        person_id=await staff(session),
        now=now,
    )
    return batch


async def approved_file(
    session: AsyncSession, account: BankAccount, *, now: datetime = NOW
) -> PaymentBatch:
    """A payment file that another person approved."""
    batch = await prepared_file(session, account, now=now)
    decision = await decided(session, await staff(session), batch.sha256, now=now)
    done = await files.approve(session, batch.id, decision=decision, now=now)
    assert done.state == APPROVED
    return done


@dataclass(frozen=True)
class Named:
    """As much of a payment file as a report about it names."""

    message_id: str
    items: int
    sum_minor: int


def reported(
    batch: PaymentBatch | Named,
    *,
    id: str = "RPT-1",
    group: str = "",
    order: str = "",
    **payments: str,
) -> bytes:
    """A bank's report about a payment file: statuses as `RJCT` or, with a reason, `RJCT AC04`."""

    def status(name: str, said: str) -> str:
        code, _, reason = said.partition(" ")
        why = f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf>" if reason else ""
        return f"<{name}>{code}</{name}>{why}" if code else ""

    each = "".join(
        f"<TxInfAndSts><OrgnlEndToEndId>{named}</OrgnlEndToEndId>{status('TxSts', said)}"
        "</TxInfAndSts>"
        for named, said in payments.items()
    )
    whole = (
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{batch.message_id}</OrgnlPmtInfId>"
        f"{status('PmtInfSts', order)}{each}</OrgnlPmtInfAndSts>"
        if order or each
        else ""
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>'
        f"<GrpHdr><MsgId>{id}</MsgId><CreDtTm>2026-11-22T10:00:00Z</CreDtTm></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{batch.message_id}</OrgnlMsgId>"
        f"<OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId><OrgnlNbOfTxs>{batch.items}</OrgnlNbOfTxs>"
        f"<OrgnlCtrlSum>{_major(batch.sum_minor)}</OrgnlCtrlSum>{status('GrpSts', group)}"
        f"</OrgnlGrpInfAndSts>{whole}</CstmrPmtStsRpt></Document>"
    ).encode()


async def suspended(session: AsyncSession, account: BankAccount) -> list[SuspenseItem]:
    """The open items of an account, the largest first."""
    wanted = select(SuspenseItem).where(
        col(SuspenseItem.account_id) == account.id, col(SuspenseItem.state) == "open"
    )
    return list(await session.scalars(wanted.order_by(col(SuspenseItem.amount_minor).desc())))


async def files_of_a_bank(session: AsyncSession, *, now: datetime) -> dict[str, str]:
    """A payment file and a release that wait, by the names that paths give them."""
    bank = Bank(await followed(session, "SEK"))
    trade = await wired(session, bank, Money(100_000, "SEK"))
    for owner in trade.owners:
        await with_bank_account(session, owner.id, currency="SEK", now=now)
    await approved_payout(session, trade, now=now)
    batch = await prepared_file(session, bank.account, now=now)
    before = bank.balance_minor
    bank.line(700)
    await closed(session, bank, since=before)
    (item,) = await suspended(session, bank.account)
    release, _ = await releasing.propose(
        session,
        ids.new(now),
        items=[item.id],
        parts=[Part("account", "opening", 700)],
        person_id=await staff(session),
        now=now,
    )
    return {"batch_id": str(batch.id), "release_id": str(release.id)}


def _major(minor: int) -> str:
    return f"{abs(minor) // 100}.{abs(minor) % 100:02d}"
