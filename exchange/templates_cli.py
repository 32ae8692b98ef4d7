"""`exchange templates`: read the templates of contracts and their clauses, without a database."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from contracts.deals import publishing, templates
from contracts.deals.templates import Template
from exchange.terminal import Json

app = typer.Typer(help="Templates of contracts (合同模板).", invoke_without_command=True)
out = Console()


@app.callback()
def listed(context: typer.Context, as_json: Json = False) -> None:
    """List every version of every template; `show` prints one with its clauses."""
    if context.invoked_subcommand is not None:
        return
    if as_json:
        _print([publishing.record_of(one) for one in templates.TEMPLATES])
        return
    table = Table("template", "version", "title", "著作权法", "sha256")
    for one in templates.TEMPLATES:
        table.add_row(
            one.id,
            one.version + (" (retired)" if one.is_retired else ""),
            one.words["title"]["zh"],
            f"art. {one.article}" if one.article else "—",
            one.sha256[:16] + "…",
        )
    out.print(table)


@app.command()
def show(
    template_id: Annotated[str, typer.Argument(help="e.g. network-licence-zh-en")],
    version: Annotated[str, typer.Option(help="The one in use by default.")] = "",
    as_json: Json = False,
) -> None:
    """Print a template: its title and every clause in Chinese and English."""
    one = templates.version_of(template_id, version) if version else templates.current(template_id)
    if as_json:
        _print({**publishing.record_of(one), "clauses": _texts(one)})
        return
    title = one.words["title"]
    _say(f"{title['zh']} / {title['en']}", f"{one.id} version {one.version} {one.sha256}", "")
    for number, clause in enumerate(one.every_clause(), 1):
        name, heading = f"{clause.ref}/{clause.version}", clause.title
        _say(f"{number}. {heading['zh']} / {heading['en']}  ({name})")
        _say(clause.zh, clause.en, "")


def _texts(one: Template) -> list[dict[str, object]]:
    return [
        {**clause.named(), "title": dict(clause.title), "zh": clause.zh, "en": clause.en}
        for clause in one.every_clause()
    ]


def _say(*lines: str) -> None:
    for line in lines:
        out.print(line, markup=False, highlight=False)


def _print(document: object) -> None:
    out.print_json(json.dumps(document, ensure_ascii=False), highlight=False)
