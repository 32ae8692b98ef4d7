"""An auction decided again from its log, by both programs, and compared with what is stored."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.refusal import Kind, Refusal, Unknown
from listings.auctions import chain, export, model, queries, rulebook, rules, verify_auction
from listings.auctions.export import ResultAwaited
from listings.bundles import certificate, gateway
from listings.bundles import queries as bundles

VERIFY_S = 600  # a log of a million events takes some minutes
SOLVER_S = 300.0


class SecondSolverAway(Refusal):
    """The second solver is not installed, or it did not answer in time."""

    kind, code = Kind.UNAVAILABLE, "second-solver-away"
    hint = "Install the package `pyscipopt`, or verify without --second-solver."


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of it: the hash of each result, and what the verifier said."""

    auction: UUID
    events: int
    stored_sha256: str
    rules_sha256: str
    verifier_sha256: str | None
    verifier: dict[str, Any]

    @property
    def agrees(self) -> bool:
        """Whether the stored result is what both programs give."""
        return {self.stored_sha256} == {self.rules_sha256, self.verifier_sha256}

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "auction": str(self.auction),
            "agrees": self.agrees,
            "events": self.events,
            "stored_sha256": self.stored_sha256,
            "rules_sha256": self.rules_sha256,
            "verifier_sha256": self.verifier_sha256,
            "verifier": {key: self.verifier[key] for key in ("holds", "said", "seq")
                         if key in self.verifier},
        }  # fmt: skip


async def replay(session: AsyncSession, auction_id: UUID) -> Replayed:
    """Decide an auction again from its log.

    Raises:
        Unknown: there is no such auction, or it has no log.
        ResultAwaited: there is no result to compare with.
    """
    auction = await queries.get_auction(session, auction_id)
    rows = await queries.log(session, auction_id)
    if not rows:
        raise Unknown("This auction was held before auctions had logs.")
    if auction.result is None:
        raise ResultAwaited("There is no result to compare with.", state=auction.state)
    events = await queries.events(session, auction_id)
    awarded = max(event.seq for event in events if event.kind == "awarded")
    again = canonical.dumps(rules.award(queries.book(auction), events[:awarded]))
    lines = export.lines(
        auction.rulebook,
        auction.rulebook_sha256,
        ((chain.event(row.seq, row.kind, row.at, row.body), row.hash) for row in rows),
    )
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.writelines(lines)
        file.flush()
        _, said = verified(Path(file.name))
    return Replayed(
        auction=auction_id,
        events=len(rows),
        stored_sha256=canonical.sha256_hex(auction.result),
        rules_sha256=canonical.sha256_hex(again),
        verifier_sha256=said.get("result_sha256"),
        verifier=said,
    )


def verified(log: Path, *, python: str = sys.executable) -> tuple[int, dict[str, Any]]:
    """Run the stand-alone verifier on an exported log; return its exit status and what it said.

    Args:
        log: the JSON lines.
        python: any Python from 3.9 on; it runs isolated, so that it cannot see the exchange.
    """
    program = str(verify_auction.__file__)
    done = subprocess.run(  # noqa: S603 - our own program, no shell.
        [python, "-I", program, "--json", str(log)],
        capture_output=True, text=True, check=False, timeout=VERIFY_S,
    )  # fmt: skip
    if not done.stdout:
        return done.returncode or 2, {"holds": False, "said": done.stderr.strip(), "seq": None}
    return done.returncode, json.loads(done.stdout)


async def confirmed(log: bytes) -> list[bool]:
    """Ask a second solver (SCIP) of what a package auction's certificate leaves to a solver.

    The log has been verified before. Each answer is one claim that nothing better fits: the
    winners by value, then by the rulebook's preference and lot; the best without each winner; the
    core. There are none where the certificate claims nothing, or for another method.

    Args:
        log: the JSON lines.

    Raises:
        SecondSolverAway: it is not installed, or gave no answer in time.
    """
    head, *lines = log.splitlines()
    events = [_event(canonical.loads(line)) for line in lines]
    solved = bundles.latest(events, "solved")
    if solved is None:
        return []
    posed = bundles.posed(rulebook.read(canonical.loads(head)["rulebook"]), events)
    asked = certificate.asked(posed, certificate.claims(posed, solved.body))
    try:
        answers = await gateway.confirm(asked, limit_s=SOLVER_S)
    except gateway.SolverDied as died:
        raise SecondSolverAway(str(died)) from died
    return [bool(answer["holds"]) for answer in answers]


def _event(line: dict[str, Any]) -> rules.Event:
    return rules.Event(line["seq"], line["kind"], model.instant(line["at"]), line["body"])
