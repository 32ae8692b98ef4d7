"""Examinations for tests: whole or in pieces, in the sandbox, without a database."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from listings.examinations import decoding, examining, passing, reporting
from listings.examinations.commands import Film
from listings.examinations.decoding import Job
from listings.examinations.merging import Found, Passed
from listings.examinations.reporting import Report
from listings.examinations.spans import Span
from listings.masters import probing
from listings.masters.fingerprint import Codes
from listings.masters.gateway import Sandbox


@dataclass(frozen=True)
class Seen:
    """What an examination finds: as the verb that ends it gets it."""

    probe: Mapping[str, Any]
    fingerprint: Mapping[str, Any]
    codes: Codes
    audio: bytes
    passed: Passed


async def examine(
    path: Path, *, sha256: str, sandbox: Sandbox, scratch: Path, report: Report
) -> Seen:
    known = await examining.know(path, sha256=sha256, sandbox=sandbox, report=report)
    examining.check_decodable(known.record)
    await anyio.Path(scratch).mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=scratch))
    passed = await passing.run(
        path, sandbox=sandbox, folder=folder, record=known.record, report=report
    )
    said = examining.fingerprint_record(passed, sums=known.sums, title=None)
    return Seen(known.record, said, passed.codes, passed.audio, passed)


async def record_of(path: Path, sandbox: Sandbox) -> dict[str, Any]:
    return await probing.read(path, sandbox)


async def decode(
    path: Path, span: Span, folder: Path, *, sandbox: Sandbox, record: Mapping[str, Any]
) -> Found:
    await anyio.Path(folder).mkdir(parents=True)
    job = Job(path, Film.of(record), span, "sampled", proxy=False)
    await decoding.decode(job, folder, sandbox=sandbox, report=reporting.silent)
    return Found.of(span, folder)


async def in_pieces(
    path: Path, cut: Sequence[Span], folder: Path, *, sandbox: Sandbox, record: Mapping[str, Any]
) -> Passed:
    """Decode the pieces, the last one first: their order says nothing."""
    found = [
        await decode(path, span, folder / str(span.number), sandbox=sandbox, record=record)
        for span in reversed(cut)
    ]
    joined = folder / "joined"
    await anyio.Path(joined).mkdir()
    return await passing.merge(found, joined, sandbox=sandbox, record=record, tier="sampled")
