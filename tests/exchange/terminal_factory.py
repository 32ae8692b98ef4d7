"""Commands as people give them at a terminal, and the keys of two who decide."""

from typer import Typer
from typer.testing import CliRunner

from contracts.refusal import Refusal
from exchange import clock
from exchange.context import Context
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, api_key, person

RUNNER = CliRunner()


def run(app: Typer, *words: str) -> tuple[int, str]:
    """The exit code and what was printed; of a refusal its code, its sentence and its data."""
    done = RUNNER.invoke(app, list(words), input=f"{PASSWORD}\n")  # where it is asked for
    if isinstance(done.exception, Refusal):
        return 1, f"{done.exception.code} {done.exception.detail} {done.exception.data}"
    return done.exit_code, done.output


async def approvers(context: Context) -> dict[str, str]:
    """Keys of two approvers of one house: `one` and `other`."""
    now, keys = clock.now(), {}
    async with context.db.transaction() as session:
        home = await party(session, now=now)
        for name in ("one", "other"):
            who = await person(session, party_id=home.id, role="approver", now=now)
            keys[name] = await api_key(session, person=who, now=now)
    return keys
