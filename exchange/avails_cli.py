"""Commands on avails: files of offers, and what is free."""

import asyncio
import hashlib
import json
import sys
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contracts import ids
from contracts.avails import files, rules, service
from contracts.avails.findings import Report
from contracts.avails.service import Plan
from contracts.odrl import compare as odrl
from contracts.odrl import policy as odrl_policy
from contracts.odrl import reading as odrl_reading
from contracts.rights.logic import Verdict
from exchange import clock, free_cli
from exchange.context import open_context
from exchange.settings import Settings
from exchange.terminal import Json

app = typer.Typer(help="Avails: files of offers, and what is free.", no_args_is_help=True)
out = Console()
File = Annotated[
    Path, typer.Argument(help="A workbook (XLSX) or XML of avails.", exists=True, dir_okay=False)
]
Lang = Annotated[str, typer.Option("--lang", help="Language of the report: en or zh.")]
_COLOURS = {"error": "red", "warning": "yellow", "info": "dim"}


@app.callback()
def avails() -> None:
    """Avails: files of offers, and what is free."""


app.command("check")(free_cli.check)
app.command("list")(free_cli.list_free)
app.command("example")(free_cli.example)


@app.command("check-file")
def check_file(file: File, as_json: Json = False, lang: Lang = "en") -> None:
    """Check a file of avails by itself, without a database; exit status 0 only without errors."""
    read = files.read(file.read_bytes())
    if as_json:
        _print({"form": read.document.form, "version": read.document.version,
                **read.report.as_dict()})  # fmt: skip
    else:
        _show(read.report, lang)
    sys.exit(1 if read.report.errors else 0)


@app.command("import")
def import_file(
    file: File,
    party: Annotated[UUID, typer.Option(help="Whose offers these are: the id of the party.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report and compare; write nothing.")
    ] = False,
    as_json: Json = False,
    lang: Lang = "en",
) -> None:
    """Import a file of avails into the register of this exchange, whole or not at all."""
    content = file.read_bytes()
    plan = asyncio.run(_import(content, party, dry_run=dry_run))
    counts = rules.counts(plan.changes)
    if as_json:
        _print({"dry_run": dry_run, "counts": counts, "changes": plan.told(),
                **plan.report.as_dict()})  # fmt: skip
    else:
        _show(plan.report, lang)
        _show_changes(plan)
        said = ", ".join(f"{count} {what}" for what, count in counts.items())
        done = "nothing was written" if dry_run or plan.report.errors else "applied"
        out.print(f"{said}; {done}")
    sys.exit(1 if plan.report.errors else 0)


async def _import(content: bytes, party_id: UUID, *, dry_run: bool) -> Plan:
    read, now = files.read(content), clock.now()
    context = open_context(Settings())
    try:
        async with context.db.transaction() as session:
            plan = await service.plan(session, read, party_id=party_id)
            if not dry_run and not plan.report.errors:
                await service.import_(
                    session,
                    ids.new(now),
                    party_id=party_id,
                    read=read,
                    sha256=hashlib.sha256(content).hexdigest(),
                    now=now,
                )
        return plan
    finally:
        await context.db.close()


def _show(report: Report, lang: str) -> None:
    table = Table()
    for name in ("where", "column", "", "what", "how to fix"):
        table.add_column(name, overflow="fold")
    for finding in report.findings:
        severity = finding.severity.value
        table.add_row(
            escape(str(finding.place)),
            escape(finding.column or ""),
            f"[{_COLOURS[severity]}]{severity}[/]",
            escape(finding.message(lang)),
            escape(finding.fix(lang)),
        )
    if report.findings:
        out.print(table)
    out.print(f"{report.errors} errors, {report.warnings} warnings")


def _show_changes(plan: Plan) -> None:
    table = Table("ALID", "line", "title", "", "field", "before", "after")
    for change in plan.told():
        first = [change[name] for name in ("alid", "key", "title", "what")]
        for name, (before, after) in change["fields"].items() or [("", ("", ""))]:
            cells = (*first, name, json.dumps(before, ensure_ascii=False),
                     json.dumps(after, ensure_ascii=False))  # fmt: skip
            table.add_row(*(escape(str(cell)) for cell in cells))
    if table.row_count:
        out.print(table)


def _print(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


_VERDICTS = {Verdict.COMPATIBLE: ("green", 0), Verdict.CONFLICT: ("red", 3),
             Verdict.UNKNOWN: ("yellow", 4)}  # fmt: skip
Policy = Annotated[
    Path,
    typer.Argument(
        help="An ODRL policy: .ttl, .jsonld, .json or .nt.", exists=True, dir_okay=False
    ),
]


@app.command("compare")
def compare_policies(first: Policy, second: Policy, as_json: Json = False) -> None:
    """Tell whether two ODRL policies collide: Conflict, Compatible or Unknown, and why.

    Exit status 0: compatible, 3: conflict, 4: unknown. (1: a file is refused, 2: wrong usage.)
    """
    found = odrl.compare(*(_policy(path) for path in (first, second)))
    colour, status = _VERDICTS[found.verdict]
    if as_json:
        _print(found.as_dict())
    else:
        out.print(f"[{colour}]{found.verdict.value.capitalize()}[/]")
        for reason in found.reasons:
            table = Table("axis", escape(reason.first), escape(reason.second))
            for axis in reason.axes:
                table.add_row(escape(axis.axis), escape(axis.first), escape(axis.second))
            out.print(table)
    sys.exit(status)


def _policy(path: Path) -> odrl_policy.Policy:
    form = odrl_reading.SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise typer.BadParameter(f"{path.name} does not end in .ttl, .jsonld, .json or .nt")
    with path.open("rb") as opened:
        content = opened.read(odrl_reading.MOST_BYTES + 1)
    return odrl_reading.read(content.decode("utf-8", "replace"), form=form)
