"""Accounts of a test's own, and journals and lines written to them by hand."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from tests.conftest import NOW

POST = (
    "SELECT ledger_post(:key, 'invoice.issued', 'me', NULL, now(), CAST(:hash AS bytea), "
    "CAST(:accounts AS bigint[]), CAST(:amounts AS bigint[]))"
)
JOURNAL = (
    "INSERT INTO ledger_journal (idem_key, kind, actor, effective_at, request_hash, lines) "
    "VALUES (:key, 'invoice.issued', 'me', now(), '\\x00', :lines) RETURNING id"
)
POSTING = (
    "INSERT INTO ledger_posting (journal_id, line, account_id, currency, amount_minor) "
    "VALUES (:journal, :line, :account, :currency, :amount)"
)


class Books:
    """Accounts of this test's own: three in CNY, the last with a floor of 0, and two in USD."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.mark = ids.new(NOW).hex
        self.accounts: list[int] = []

    async def open(self) -> None:
        for number, currency in enumerate(("CNY", "CNY", "CNY", "USD", "USD")):
            made = await self.session.execute(
                text(
                    "INSERT INTO ledger_account (code, kind, currency, floor_minor, status) "
                    "VALUES (:code, 'asset', :currency, :floor, 'open') RETURNING id"
                ),
                {
                    "code": f"test:{self.mark}:{number}",
                    "currency": currency,
                    "floor": 0 if number == 2 else None,
                },
            )
            self.accounts.append(made.scalar_one())

    async def post(
        self, key: str, accounts: list[int], amounts: list[int], content: bytes = b"0"
    ) -> int:
        made: int = (
            await self.session.execute(
                text(POST),
                {
                    "key": f"{self.mark}:{key}",
                    "hash": content,
                    "accounts": [self.accounts[number] for number in accounts],
                    "amounts": amounts,
                },
            )
        ).scalar_one()
        return made

    async def journal(self, key: str, lines: int) -> int:
        made: int = (
            await self.session.execute(text(JOURNAL), {"key": f"{self.mark}:{key}", "lines": lines})
        ).scalar_one()
        return made

    async def line(self, journal: int, line: int, account: int, amount: int, **more: str) -> None:
        await self.session.execute(
            text(POSTING + more.get("tail", "")),
            {
                "journal": journal,
                "line": line,
                "account": self.accounts[account],
                "currency": more.get("currency", "CNY"),
                "amount": amount,
            },
        )

    async def commit_checks(self) -> None:
        await self.session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))

    async def posted(self, account: int) -> int:
        found = await self.session.execute(
            text("SELECT posted_minor FROM ledger_balance WHERE account_id = :id"),
            {"id": self.accounts[account]},
        )
        return int(found.scalar_one())
