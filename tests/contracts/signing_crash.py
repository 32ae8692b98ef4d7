"""Carries a contract from its terms to its archive, in processes that stop dead at a named step.

Reads a line of JSON for each process: the deal, and the step where it ends. Answers with the number
of the signal that ended the process, or 0 when the contract is archived. The parties keep what
theirs would: the id of the session before it is opened, the signature before it is sent; after a
crash they say the same again.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.deals import archiving, lasting, sealing, service, verification
from contracts.deals.gateway import TypstPress
from contracts.facts import service as facts
from contracts.parties.gateway import LocalAuthority
from contracts.titles import service as titles
from exchange.db import Database
from exchange.demo import signer
from tests.conftest import NOW
from tests.contracts.crashing import Steps, serve, stop


class Named(Steps):
    """Names each step that is passed, notes it, and stops the process at the one that was named."""

    def __init__(self, last: str | None, notes: Path) -> None:
        self.phase, self.last, self.notes = "start", last, notes
        self.seen: Counter[str] = Counter()

    def passed(self, step: str) -> None:
        name = f"{self.phase}: {step}"
        self.seen[name] += 1
        name = f"{name} #{self.seen[name]}"
        if self.last is None:
            with self.notes.open("a") as noted:
                noted.write(f"{name}\n")
        if name == self.last:
            stop()


def prepare(steps: Steps) -> None:
    steps.around(TypstPress, "contract", "typesetting")
    steps.around(TypstPress, "stamp", "drawing")
    for name in ("certify", "prepare", "time_stamp", "complete"):
        steps.around(sealing, name, name)
    steps.around(archiving, "archive", "archive")
    steps.around(verification, "require_sound", "check")
    steps.around(AsyncSession, "flush", "rows")
    steps.around(facts, "record", "fact")
    steps.around(titles, "make_effective", "rights")
    steps.around(Database, "_commit", "commit")


class Party:
    """One side: its key, and what it has written down about its signature."""

    def __init__(self, folder: Path, role: str) -> None:
        told = json.loads((folder / f"{role}.json").read_text())
        self.party_id, self.key_id = UUID(told["party"]), UUID(told["key"])
        self.key_pem = told["pem"].encode()
        self._session, self._signature = folder / f"{role}.session", folder / f"{role}.signature"

    def session_id(self) -> UUID:
        if not self._session.exists():
            _write(self._session, ids.new(NOW).bytes)
        return UUID(bytes=self._session.read_bytes())

    def signature(self, tbs: bytes) -> bytes:
        if not self._signature.exists():
            _write(self._signature, signer.sign_tbs(self.key_pem, tbs))
        return self._signature.read_bytes()


def _write(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


async def work(url: str, keys: Path, folder: Path, deal: UUID, steps: Named) -> None:
    """Certify, let both sides sign, archive; whatever is done already stays as it is."""
    db, authority, press = Database(url), LocalAuthority.open(keys), TypstPress()
    steps.phase = "certifying"
    async with db.transaction() as session:
        await service.certify(session, deal, press=press, certifier=authority.certifier, now=NOW)
    for role in sealing.ROLES[1:]:
        party = Party(folder, role)
        steps.phase = f"{role} begins"
        async with db.transaction() as session:
            begun, _ = await service.open_session(
                session, deal, party.session_id(),
                party_id=party.party_id, key_id=party.key_id, press=press, now=NOW,
            )  # fmt: skip
            tbs = begun.tbs
        steps.phase = f"{role} signs"
        async with db.transaction() as session:
            await service.complete_session(
                session, deal, party.session_id(), party_id=party.party_id,
                signature=party.signature(tbs), certifier=authority.certifier, now=NOW,
            )  # fmt: skip
    steps.phase = "archiving"
    async with db.transaction() as session:
        await lasting.archive(session, deal, authority=authority, now=NOW)
    await db.close()


def main() -> None:
    url, keys, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])

    async def until(line: str) -> None:
        told = json.loads(line)
        steps = Named(told["last"], folder / "steps.txt")
        prepare(steps)
        await work(url, keys, folder / told["deal"], UUID(told["deal"]), steps)

    serve(until)


if __name__ == "__main__":
    main()
