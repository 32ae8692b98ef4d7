"""kill -9 while a contract is certified, signed and archived: nothing is ever half-signed."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts import canonical
from contracts.deals import queries, verification
from contracts.deals.sealing import ROLES
from contracts.deals.tables import Deal
from contracts.parties.gateway import LocalAuthority
from contracts.titles import queries as titles
from exchange.db import Database
from exchange.settings import Settings
from tests.conftest import NOW, ROOT
from tests.contracts.deals_factory import Signatory, opened_deal, signatory

EVERY = "SOAK_ROUND" in os.environ  # the gate kills at some of the steps, the soak at each
SEED = int(os.environ.get("SOAK_ROUND", "1"))
KILLS = 6
# How many files there are, and who has signed the last of them, in each state.
FILES = {"drafted": 0, "certified": 2, "licensor_signed": 3, "executed": 4}
KINDS = ("deal.certified", "deal.signed", "deal.executed", "grant.made", "deal.archived")


@dataclass
class Machine:
    """Starts processes that carry a contract on, and kills them where it is told to."""

    running: subprocess.Popen[str]
    folder: Path

    def carry(self, deal: UUID, *, until: str | None) -> int:
        """Return the signal that ended the process; 0 when it came to its end."""
        assert self.running.stdin and self.running.stdout
        self.running.stdin.write(json.dumps({"deal": str(deal), "last": until}) + "\n")
        self.running.stdin.flush()
        return int(self.running.stdout.readline())

    def steps(self) -> list[str]:
        return (self.folder / "steps.txt").read_text().splitlines()


@pytest.fixture
def machine(database_url: str, settings: Settings, tmp_path: Path) -> Iterator[Machine]:
    command = [
        sys.executable, "-m", "tests.contracts.signing_crash",
        database_url, str(settings.keys), str(tmp_path),
    ]  # fmt: skip
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as running:  # fmt: skip
        assert running.stdin
        yield Machine(running, tmp_path)
        running.stdin.close()


@dataclass
class Contract:
    """A deal whose two sides have their keys in a folder, and how it is checked."""

    db: Database
    deal_id: UUID
    authority: LocalAuthority
    sides: dict[str, Signatory]

    async def whole(self) -> tuple[Deal, int]:
        """Check all that is stored; return the deal and the number of its files."""
        async with self.db.transaction() as session:
            deal = await queries.get_deal(session, self.deal_id)
            rows = await session.execute(
                text("SELECT pdf, sha256 FROM deal_document WHERE deal_id = :id ORDER BY revision"),
                {"id": self.deal_id},
            )
            files = [(bytes(row.pdf), row.sha256) for row in rows]
            signed = await session.execute(
                text("SELECT count(*) FROM signing_session WHERE deal_id = :id "
                     "AND completed_at IS NOT NULL AND signature IS NOT NULL"),
                {"id": self.deal_id},
            )  # fmt: skip
            told = await session.execute(
                text("SELECT kind, count(*) AS n FROM fact WHERE subject = ANY(:about) "
                     "AND kind = ANY(:kinds) GROUP BY kind"),
                {"about": [deal.id, deal.work_id], "kinds": list(KINDS)},
            )  # fmt: skip
            facts = {row.kind: row.n for row in told}
            held = {one.state for one in await titles.grants_of_work(session, deal.work_id)}
        least = FILES[deal.signing]
        archived = len(files) - least
        assert archived in ((0, 1) if deal.signing == "executed" else (0,))
        signers = max(least - 1, 0)
        assert signed.scalar_one() == max(signers - 1, 0)
        wanted = [signers >= 1, max(signers - 1, 0), signers == 3, signers == 3, archived]
        assert [facts.get(kind, 0) for kind in KINDS] == [int(n) for n in wanted]
        assert ("effective" in held) == (deal.signing == "executed")
        for (before, _), (after, _) in pairwise(files):
            assert after.startswith(before)
        assert all(canonical.sha256_hex(pdf) == sha256 for pdf, sha256 in files)
        if files:
            assert files[least - 1][1] == deal.pdf_sha256
            self.checked(files[-1][0], deal, signers=signers)
        return deal, len(files)

    def checked(self, pdf: bytes, deal: Deal, *, signers: int) -> None:
        keys = {"exchange": self.authority.certifier.spki_sha256}
        keys |= {role: side.key.spki_sha256 for role, side in self.sides.items()}
        verification.require_sound(
            pdf, self.authority.root_pem,
            keys={role: keys[role] for role in ROLES[:signers]}, terms=deal.terms,
        )  # fmt: skip


async def agreed(db: Database, authority: LocalAuthority, folder: Path) -> Contract:
    """A deal whose terms are frozen; nothing is certified yet."""
    async with db.transaction() as session:
        licensor = await signatory(session, authority, kind="rights_holder", now=NOW)
        licensee = await signatory(session, authority, kind="broadcaster", now=NOW)
        deal = await opened_deal(session, licensor=licensor.party, licensee=licensee.party, now=NOW)
    sides = {"licensor": licensor, "licensee": licensee}
    own = folder / str(deal.id)
    own.mkdir()
    for role, side in sides.items():
        told = {
            "party": str(side.party.id), "key": str(side.key.id), "pem": side.key_pem.decode(),
        }  # fmt: skip
        (own / f"{role}.json").write_text(json.dumps(told))
    return Contract(db, deal.id, authority, sides)


async def test_a_kill_at_any_step_of_signing_leaves_a_whole_contract_that_goes_on(
    db: Database, settings: Settings, machine: Machine
) -> None:
    authority = LocalAuthority.open(settings.keys)
    first = await agreed(db, authority, machine.folder)
    assert machine.carry(first.deal_id, until=None) == 0
    assert (await first.whole())[1] == 5
    every = machine.steps()
    assert len(set(every)) == len(every) > 60
    drawn = sorted(random.Random(SEED).sample(range(len(every)), KILLS))
    plan = every if EVERY else [every[place] for place in drawn]
    second = await agreed(db, authority, machine.folder)
    files = 0
    for step in plan:
        assert machine.carry(second.deal_id, until=step) == 9, step
        deal, now_there = await second.whole()
        assert now_there >= files, step
        files = now_there
    assert machine.carry(second.deal_id, until="never") == 0
    deal, files = await second.whole()
    assert (deal.signing, files) == ("executed", 5)
    async with db.transaction() as session:
        last = await queries.document(session, second.deal_id)
    found = verification.check_signatures(last.pdf, authority.root_pem)
    assert [(one.role, one.good, one.level) for one in found] == [
        (role, True, "B-LTA") for role in ROLES
    ]
