"""Checking a bundle of evidence: offline, without a database, trusting one key alone.

The archive and its signed manifest are checked first and byte for byte; while they do not hold,
nothing else is worth a look. Then the log, the sale, the contract and the money are checked, each
check on its own, so that a report names everything that is wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from contracts.evidence import (
    agreement_checks,
    archive,
    deal_checks,
    life_checks,
    log_checks,
    manifest,
    money_checks,
    origin_checks,
    witness_checks,
)
from contracts.evidence.archive import NotAnArchive
from contracts.evidence.manifest import Manifest
from contracts.evidence.opened import (
    CHECKPOINT,
    EVENTS,
    LOG_KEY,
    REQUIRED,
    REQUIRED_OF_AGREEMENT,
    Bundle,
    Failed,
    Replay,
    amended,
    read_events,
)
from contracts.log import checkpoint, note
from contracts.log.note import Verifier
from contracts.log.policy import Policy
from contracts.refusal import Refusal

MOST_BYTES = 1 << 30  # a contract and its proofs take some megabytes
CHECKS: tuple[tuple[str, Callable[[Bundle], str]], ...] = (
    ("inclusion proofs", log_checks.proofs),
    ("leaves", log_checks.leaves),
    ("chains of facts", log_checks.chains),
    ("witnesses", witness_checks.witnesses),
    ("listing record", deal_checks.listing),
    ("award", origin_checks.origin),
    ("terms", deal_checks.terms),
    ("amendments", life_checks.amendments),
    ("standing", life_checks.standing),
    ("contract file", deal_checks.contract),
    ("contract signatures", deal_checks.signatures),
    ("contract copies", deal_checks.copies),
    ("stage", money_checks.stage),
    ("postings balance", money_checks.balance),
    ("settlement", money_checks.settlement),
)
AGREEMENT_CHECKS: tuple[tuple[str, Callable[[Bundle], str]], ...] = (
    ("inclusion proofs", log_checks.proofs),
    ("leaves", log_checks.leaves),
    ("chains of facts", log_checks.chains),
    ("witnesses", witness_checks.witnesses),
    ("terms", agreement_checks.terms),
    ("rules of the auction", agreement_checks.rulebook),
    ("agreement file", agreement_checks.contract),
    ("agreement signatures", agreement_checks.signatures),
    ("agreement copies", agreement_checks.copies),
)
# What reading a file that is not as it should be may raise.
UNREADABLE = (Refusal, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, whether it holds, what it saw, and where it failed."""

    name: str
    ok: bool
    detail: str
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Every check of a bundle, in order."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return all(check.ok for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "ok": self.ok,
            "checks": [
                {"name": one.name, "ok": one.ok, "detail": one.detail, "where": one.where}
                for one in self.checks
            ],
        }


def verify(
    path: Path,
    *,
    trusted_vkey: str | None = None,
    replay: Replay | None = None,
    trusted: Policy | None = None,
    further: Mapping[str, Callable[[Bundle], str]] = MappingProxyType({}),
) -> Report:
    """Check a bundle.

    Args:
        path: the zip.
        trusted_vkey: the log's verifier key as known from elsewhere; without it the bundle's own
            is used, which shows that the bundle is whole but not who made it.
        replay: decides an auction's log once more; without it the report says so.
        trusted: a policy on witnesses that the checkpoint has to meet.
        further: checks of the caller's own, by name.
    """
    checks: list[Check] = []
    opened = _open(path, trusted_vkey, checks)
    if opened is None:
        return Report(tuple(checks))
    opened = replace(opened, replay=replay)
    own = AGREEMENT_CHECKS if opened.manifest.stage == manifest.SIGNED else CHECKS
    for name, check in (*own, *further.items()):
        _run(checks, name, partial(check, opened))
    if trusted is not None:
        _run(checks, "policy", partial(witness_checks.by_policy, trusted, opened))
    return Report(tuple(checks))


def _open(path: Path, trusted_vkey: str | None, checks: list[Check]) -> Bundle | None:
    """Open a bundle whose archive, manifest, key and checkpoint hold; None when they do not."""
    files: dict[str, bytes] = {}
    state: dict[str, Any] = {}
    steps: tuple[tuple[str, Callable[[], str]], ...] = (
        ("archive", lambda: _archive(path, files)),
        ("manifest", lambda: _manifest(files, trusted_vkey, state)),
        ("log key", lambda: _log_key(state["key"], trusted_vkey)),
        ("checkpoint", lambda: _checkpoint(files, state)),
        ("facts", lambda: _events(files, state)),
    )
    for name, step in steps:
        if not _run(checks, name, step) and not (name == "archive" and files):
            return None
    if not all(check.ok for check in checks):
        return None
    return Bundle(
        files, state["manifest"], state["key"], state["checkpoint"], state["events"],
        before=state["before"],
    )  # fmt: skip


def _run(checks: list[Check], name: str, check: Callable[[], str]) -> bool:
    try:
        checks.append(Check(name, True, check()))
    except Failed as failed:
        checks.append(Check(name, False, str(failed), failed.where))
    except UNREADABLE as error:
        checks.append(Check(name, False, f"cannot be read: {error}", name))
    return checks[-1].ok


def _archive(path: Path, files: dict[str, bytes]) -> str:
    if path.stat().st_size > MOST_BYTES:
        raise Failed(path.name, "is larger than any bundle")
    try:
        unpacked = archive.unpack(path.read_bytes())
    except NotAnArchive as broken:
        raise Failed(broken.where, "the zip cannot be read from here on") from broken
    files.update(unpacked.files)
    if unpacked.broken_at is not None:
        raise Failed(unpacked.broken_at, "the zip is not as it was made")
    return f"{len(files)} files, as they were packed"


def _manifest(files: Mapping[str, bytes], trusted_vkey: str | None, state: dict[str, Any]) -> str:
    _require(files, (manifest.FILE, LOG_KEY))
    try:
        key = Verifier.parse((trusted_vkey or files[LOG_KEY].decode()).strip())
    except UNREADABLE as error:
        raise Failed(LOG_KEY, f"is not a log's key ({error})") from error
    try:
        text = note.open_note(files[manifest.FILE].decode(), trusted=[key])
    except UNREADABLE as error:
        raise Failed(manifest.FILE, f"is not signed by the log's key ({error})") from error
    state["key"], state["manifest"] = key, manifest.parse(text)
    of_agreement = state["manifest"].stage == manifest.SIGNED
    _require(files, REQUIRED_OF_AGREEMENT if of_agreement else REQUIRED)
    _compare(files, state["manifest"])
    if files[LOG_KEY].decode() != key.vkey + "\n":
        raise Failed(LOG_KEY, "is not the key that is trusted")
    return f"{len(files) - 1} files have the hashes that were signed"


def _require(files: Mapping[str, bytes], names: Sequence[str]) -> None:
    for name in names:
        if name not in files:
            raise Failed(name, "is missing")


def _compare(files: Mapping[str, bytes], signed: Manifest) -> None:
    found = manifest.of(files, deal=signed.deal, stage=signed.stage).hashes
    names = (set(found) | set(signed.hashes)) - {manifest.FILE}
    wrong = sorted(name for name in names if found.get(name) != signed.hashes.get(name))
    if wrong:
        raise Failed(", ".join(wrong[:5]), "not the file that was signed for")


def _log_key(key: Verifier, trusted_vkey: str | None) -> str:
    if trusted_vkey is None:
        return f"{key.vkey} (the bundle's own: compare it with the one the exchange publishes)"
    return f"{key.vkey} (given)"


def _checkpoint(files: Mapping[str, bytes], state: dict[str, Any]) -> str:
    key: Verifier = state["key"]
    try:
        opened = checkpoint.open_checkpoint(
            files[CHECKPOINT].decode(), origin=key.name, trusted=[key]
        )
    except UNREADABLE as error:
        raise Failed(CHECKPOINT, f"is not signed by the log's key ({error})") from error
    state["checkpoint"] = opened
    return f"{opened.origin}, {opened.size} leaves"


def _events(files: Mapping[str, bytes], state: dict[str, Any]) -> str:
    try:
        state["events"], state["before"] = read_events(files[EVENTS]), amended(files)
    except UNREADABLE as error:
        raise Failed(EVENTS, f"cannot be read ({error})") from error
    return f"{len(state['events'])} facts"
