"""Parties for tests."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession
from stdnum.cn import uscc

from contracts import ids
from contracts.parties.tables import Party

_DIGITS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def code(seed: int) -> str:
    """A well-formed 统一社会信用代码 that differs for each seed below 31^9."""
    body = ""
    for _ in range(9):
        seed, rest = divmod(seed, 31)
        body += _DIGITS[rest]
    return f"91110000{body}" + uscc.calc_check_digit(f"91110000{body}")


async def party(
    session: AsyncSession, *, kind: str = "rights_holder", verified: bool = True, now: datetime
) -> Party:
    """A party of its own: every call makes another."""
    id = ids.new(now)
    made = Party(
        id=id,
        kind=kind,
        name_zh="示范机构",
        name_en="Demonstration Organisation",
        uscc=code(id.int % 31**9),
        state="verified" if verified else "registered",
        created_at=now,
    )
    session.add(made)
    await session.flush()
    return made
