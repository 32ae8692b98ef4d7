"""`exchange conformance FILE`: is a file what a profile wants of it, without a database.

Exit status 0: it conforms; 3: something blocks; 4: something decisive was not measured. (1: the
file, the profile or what is declared is refused, 2: wrong usage.)
"""

import asyncio
import hashlib
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import anyio
import anyio.to_thread
import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from contracts import canonical
from exchange import clock
from exchange.settings import Settings
from listings.examinations import passing
from listings.masters import gateway, probing
from listings.masters.conformance import declared as declarations
from listings.masters.conformance import policy, press, profiles, rules
from listings.masters.conformance.values import Profile, Tier
from listings.masters.gateway import Sandbox

out, err = Console(), Console(stderr=True)
STATUS = {True: 0, False: 3, None: 4}
COLOURS = {
    "PASS": "green", "FAIL": "bold red", "WARN": "yellow", "NOT_APPLICABLE": "dim",
    "NOT_MEASURED": "dim", "UNSUPPORTED": "magenta",
}  # fmt: skip
WORDS = {
    "zh": {
        "PASS": "通过", "FAIL": "不通过", "WARN": "存疑", "NOT_APPLICABLE": "不适用",
        "NOT_MEASURED": "未测量", "UNSUPPORTED": "无法解码", "block": "否决", "major": "主要",
        "minor": "次要", "info": "提示", "file": "文件", "picture": "图像", "light": "画面",
        "sound": "声音", "declared": "申报", "check": "检查项", "wanted": "要求", "seen": "所见",
        "clause": "依据", "conforms": "符合", "fails": "不符合", "open": "尚不能判定",
        "label": "可加注超高清标识", "probe": "仅文件头", "sampled": "抽样", "full": "逐帧",
        "undecided": "尚待测量", "blocking": "否决项", "more": "另有 {} 处", "name": "名称",
        "source": "依据文件", "checks": "检查项数",
    },
    "en": {
        "NOT_APPLICABLE": "not applicable", "NOT_MEASURED": "not measured", "file": "The file",
        "picture": "Format of the picture", "light": "What the pictures show",
        "sound": "The sound", "declared": "What was declared",
        "UNSUPPORTED": "unsupported", "conforms": "conforms", "fails": "does not conform",
        "open": "cannot be told yet", "label": "may carry the UHD label",
        "probe": "headers alone", "sampled": "sampled pictures", "full": "every picture",
        "undecided": "to be measured", "blocking": "blocking", "more": "and {} more",
    },
}  # fmt: skip
IDLE = ("NOT_MEASURED", "NOT_APPLICABLE")  # told in a line: there is nothing to see
MOST_PLACES = 5  # of a finding on the screen; the JSON has the rest
Report = Callable[[str, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Looked:
    """What was read of a file, and its pictures where it was decoded."""

    record: Mapping[str, Any]
    sha256: str | None = None
    measures: Mapping[str, Any] | None = None
    thumbnails: Sequence[press.Thumbnail] = ()


def conformance(  # noqa: PLR0913 - an option for each thing that can be asked.
    file: Annotated[
        Path | None, typer.Argument(help="A video file.", exists=True, dir_okay=False)
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="The profile; without it the master's own (4K or 8K).")
    ] = None,
    tier: Annotated[
        Tier, typer.Option(help="How closely to look: headers, a picture a second, every picture.")
    ] = Tier.SAMPLED,
    declared: Annotated[
        Path | None,
        typer.Option(help="JSON of what only people can tell.", exists=True, dir_okay=False),
    ] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write the report as PDF/A, too.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document for programs.")
    ] = False,
    list_them: Annotated[bool, typer.Option("--profiles", help="List the profiles.")] = False,
    as_policy: Annotated[
        bool, typer.Option("--policy", help="Print the profile as a MediaConch policy.")
    ] = False,
    lang: Annotated[str, typer.Option(help="Language of the report: en or zh.")] = "en",
) -> None:
    """Judge a file by a profile of conformance: what is wanted, what was seen, what to do."""
    words = {**{key: key for key in WORDS["zh"]}, **WORDS["zh" if lang == "zh" else "en"]}
    if list_them:
        _list(words, lang, as_json=as_json)
        return
    if as_policy:
        named = profile or profiles.DEFAULT_4K
        sys.stdout.write(policy.xml(profiles.get(named, clock.now().date())))
        return
    if file is None:
        raise typer.BadParameter("name a file, or ask for --profiles or --policy")
    told = {} if declared is None else _read_declared(declared)
    wanted = None if profile is None else profiles.get(profile, clock.now().date())
    document = asyncio.run(_judge(file.resolve(), wanted, tier, told, pdf=pdf))
    if as_json:
        _print(document)
    else:
        _show(document, words, lang)
    sys.exit(STATUS[document["conforms"]])


def _read_declared(path: Path) -> dict[str, Any]:
    """Read what is declared.

    Raises:
        NotCanonical, BadDeclaration: it is no JSON object of known names.
    """
    value = canonical.loads(path.read_bytes())
    if not isinstance(value, dict):
        raise declarations.BadDeclaration("The file is no JSON object.")
    return declarations.checked(value)


async def _judge(
    path: Path,
    profile: Profile | None,
    tier: Tier,
    declared: Mapping[str, Any],
    *,
    pdf: Path | None,
) -> dict[str, Any]:
    sandbox = await gateway.sandbox(Settings().sandbox)
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("probing", total=10_000)

        async def report(stage: str, done_bp: int) -> None:
            progress.update(task, description=stage, completed=done_bp)

        with tempfile.TemporaryDirectory() as folder:
            looked = await _look(path, Path(folder), sandbox, tier, report)
    now = clock.now()
    wanted = profile or profiles.get(profiles.default(looked.record), now.date())
    found = rules.judge(wanted, looked.record, looked.measures, declared, tier=tier)
    document = {**found.as_dict(), "subject": _subject(path, looked, declared)}
    if pdf is not None:
        subject = [("文件 File", path.name), ("SHA-256", looked.sha256 or "–")]
        printed = await press.press(
            document, subject=subject, measures=looked.measures,
            duration_ms=looked.record["duration_ms"], thumbnails=looked.thumbnails, at=now,
        )  # fmt: skip
        await anyio.Path(pdf).write_bytes(printed)
    return document


async def _look(path: Path, folder: Path, sandbox: Sandbox, tier: Tier, report: Report) -> Looked:
    """Read the headers and, above tier `probe`, decode what can be decoded."""
    record = await probing.read(path, sandbox)
    if tier is Tier.PROBE:
        return Looked(record)
    await report("hashing", 0)
    sha256 = await anyio.to_thread.run_sync(_sha256, path)
    if not record["video"]["decodable"]:
        return Looked(record, sha256)
    passed = await passing.run(
        path, sandbox=sandbox, folder=folder, record=record,
        tier="full" if tier is Tier.FULL else "sampled", report=report,
    )  # fmt: skip
    pictures = [(each.at_ms, each.path.read_bytes()) for each in passed.thumbnails]
    return Looked(record, sha256, passed.measures, pictures)


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _subject(path: Path, looked: Looked, declared: Mapping[str, Any]) -> dict[str, Any]:
    measures = looked.measures
    return {
        "filename": path.name,
        "sha256": looked.sha256,
        "bytes": looked.record["bytes"],
        "probe_sha256": canonical.sha256_hex(canonical.dumps(dict(looked.record))),
        "measures_sha256": measures and canonical.sha256_hex(canonical.dumps(dict(measures))),
        "declared": dict(declared),
    }


def _show(document: Mapping[str, Any], words: Mapping[str, str], lang: str) -> None:
    table = Table("", words["check"], "", words["seen"], box=box.SIMPLE_HEAD, pad_edge=False)
    table.columns[-1].overflow = "fold"
    group = ""
    for each in document["findings"]:
        if each["result"] in IDLE:
            continue
        if each["group"] != group:
            group = each["group"]
            table.add_section()
            table.add_row("", f"[bold]{words[group]}[/]")
        table.add_row(*_cells(each, words, lang))
    out.print(table)
    for result in IDLE:
        named = [each["id"] for each in document["findings"] if each["result"] == result]
        if named:
            out.print(f"{words[result]}: {', '.join(named)}", style="dim", highlight=False)
    _verdict(document, words, lang)


def _cells(each: Mapping[str, Any], words: Mapping[str, str], lang: str) -> list[str]:
    """Return the cells of a finding: what was seen, and below it what is wanted and what to do."""
    result, code = each["result"], "zh" if lang == "zh" else "en"
    clause = f"{each['standard']} {each['clause']}" + ("" if each["verified"] else " *")
    name = f"{escape(each['name'][code])}\n[dim]{escape(clause)}[/]"
    shown, lines = f"[{COLOURS[result]}]{words[result]}[/]", [escape(each["seen"])]
    if result == "PASS":
        same = each["seen"] == each["wanted"]
        asked = "" if same else f" [dim]({escape(each['wanted'])})[/]"
        return [each["id"], name, shown, lines[0] + asked]
    lines.append(f"[dim]{words['wanted']}: {escape(each['wanted'])}[/]")
    if each["where"]:
        places = [f"{_clock(start)}–{_clock(end)}" for start, end in each["where"][:MOST_PLACES]]
        rest = each["places"] - len(places)
        lines.append(", ".join([*places, *([words["more"].format(rest)] if rest else [])]))
    lines += [f"[dim]{escape(told[code])}[/]" for told in (each["note"], each["hint"]) if told]
    return [each["id"], name, f"{shown}\n{words[each['severity']]}", "\n".join(lines)]


def _clock(ms: int) -> str:
    minutes, rest = divmod(ms, 60_000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000 // 100}"


def _verdict(document: Mapping[str, Any], words: Mapping[str, str], lang: str) -> None:
    said = {True: ("green", "conforms"), False: ("bold red", "fails"), None: ("yellow", "open")}
    colour, word = said[document["conforms"]]
    profile = document["profile"]
    named = profile["name"]["zh" if lang == "zh" else "en"]
    counts = ", ".join(f"{words[name]} {n}" for name, n in document["counts"].items() if n)
    out.print(f"{profile['id']} · {named}", markup=False, highlight=False)
    out.print(f"{words[document['tier']]}; {counts}", markup=False, highlight=False)
    label = f" · {words['label']}" if document["uhd_label"] else ""
    out.print(f"[{colour}]{words[word]}[/]{label}")
    for name in ("blocking", "undecided"):
        if document[name]:
            out.print(f"{words[name]}: {', '.join(document[name])}", highlight=False)
    star = {"zh": "* 数值未在原文中核对。", "en": "* The figure was not checked in the original."}
    out.print(star["zh" if lang == "zh" else "en"], style="dim", highlight=False)


def _list(words: Mapping[str, str], lang: str, *, as_json: bool) -> None:
    found = [profiles.get(name, clock.now().date()) for name in profiles.names()]
    told = [
        {
            "id": each.id, "name": dict(each.name), "source": each.source,
            "valid_from": f"{each.valid_from}", "valid_to": each.valid_to and f"{each.valid_to}",
            "labels": each.labels, "checks": len(each.requirements), "sha256": each.sha256,
        }
        for each in found
    ]  # fmt: skip
    if as_json:
        _print({"profiles": told})
        return
    table = Table("", words["name"], words["checks"], words["source"])
    for each in found:
        name = each.name["zh" if lang == "zh" else "en"]
        table.add_row(each.id, escape(name), str(len(each.requirements)), escape(each.source))
    out.print(table)


def _print(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
