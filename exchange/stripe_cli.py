"""`exchange stripe reconcile`: the provider's balance beside the ledger, now and not once a day.

Exit status: 0 when they agree, 3 when differences are open, 1 when the provider gave no answer or
its list does not make its balance.
"""

import asyncio
import json
import sys
from collections.abc import Sequence

import typer
from rich.table import Table

from contracts.refusal import Kind, Refusal
from exchange import clock
from exchange.context import open_context
from exchange.settings import Settings
from exchange.terminal import Json, major, out
from settlement.clearing import queries
from settlement.clearing.tables import PspCutoff, PspItem
from settlement.stripe import balancing, watching
from settlement.stripe.gateway import AnswerLost, open_gateway

app = typer.Typer(help="The payment provider.", no_args_is_help=True)


class ProviderAway(Refusal):
    """The payment provider gave no answer."""

    kind, code = Kind.UNAVAILABLE, "provider-away"
    hint = "Try again in a moment; nothing was concluded."


@app.callback()
def provider() -> None:
    """The payment provider (支付渠道): its balance, and what differs from the ledger."""


@app.command()
def reconcile(as_json: Json = False) -> None:
    """Compare ledger and provider now; name every difference. Again: nothing changes."""
    cutoffs, items = asyncio.run(_compared(Settings()))
    if as_json:
        sys.stdout.write(json.dumps(_plain(cutoffs, items)) + "\n")
    else:
        _tell(cutoffs, items)
    sys.exit(3 if items else 0)


async def _compared(settings: Settings) -> tuple[Sequence[PspCutoff], Sequence[PspItem]]:
    context, now = open_context(settings), clock.now()
    gateway = open_gateway(
        api_key=settings.stripe_api_key.get_secret_value(), api_base=settings.stripe_api_base
    )
    try:
        await watching.watch_due(context.db, gateway, now=now)
        cutoffs = await balancing.compare(context.db, gateway, now=now)
        async with context.db.sessions() as session:
            return cutoffs, await queries.open_items(session)
    except AnswerLost as lost:
        raise ProviderAway("The payment provider gave no answer.", reason=str(lost)) from lost
    finally:
        await gateway.close()
        await context.db.close()


def _plain(cutoffs: Sequence[PspCutoff], items: Sequence[PspItem]) -> dict[str, object]:
    return {
        "cutoffs": [one.model_dump(mode="json", exclude={"id"}) for one in cutoffs],
        "differences": [one.model_dump(mode="json", exclude={"closed_at"}) for one in items],
    }


def _tell(cutoffs: Sequence[PspCutoff], items: Sequence[PspItem]) -> None:
    table = Table("currency", "movements", "ledger", "provider", "difference", "items")
    for one in cutoffs:
        amounts = (one.ledger_minor, one.provider_minor, one.open_minor)
        said = [major(minor, one.currency) for minor in amounts]
        table.add_row(one.currency, str(one.entries), *said, str(one.items))
    out.print(table)
    for item in items:
        said = [major(minor, item.currency) for minor in (item.ledger_minor, item.provider_minor)]
        since, due = item.opened_at.date().isoformat(), item.due_on.isoformat()
        out.print(
            f"{item.reference}: ledger {said[0]}, provider {said[1]}; since {since}, due {due}"
        )
