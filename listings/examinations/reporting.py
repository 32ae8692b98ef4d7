"""How far an examination is: told by whoever works, to whoever asked."""

from collections.abc import Awaitable, Callable

Report = Callable[[str, int], Awaitable[None]]


async def silent(_stage: str, _done_bp: int) -> None:
    """Tell nobody."""


def sparing(report: Report) -> Report:
    """Pass on what moves by a whole percent: each report is a transaction, a master has millions
    of pieces."""
    told: tuple[str, int] | None = None

    async def tell(stage: str, done_bp: int) -> None:
        nonlocal told
        if told != (stage, done_bp // 100):
            told = (stage, done_bp // 100)
            await report(stage, done_bp)

    return tell
