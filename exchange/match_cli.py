"""`exchange match FILE --listing ID`: is a delivered file the listed work?

Exit status 0: it is (the same bytes, picture or content); 3: it is another, or something was cut,
added or altered; 4: that cannot be told. (1: the file or the question is refused, 2: wrong usage.)
"""

import asyncio
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import anyio.to_thread
import httpx
import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from contracts.refusal import Kind, Refusal
from exchange.settings import Settings
from listings.examinations import passing
from listings.masters import gateway, probing
from listings.masters.fingerprint import CODE_BYTES
from listings.masters.gateway import Sandbox
from listings.recognition.delivery import Delivered
from listings.recognition.relation import Footage

out, err = Console(), Console(stderr=True)
STATUS = {"identical": 0, "same-picture": 0, "same-content": 0, "changed": 3, "different": 3,
          "unknown": 4}  # fmt: skip
COLOURS = {0: "green", 3: "bold red", 4: "yellow"}
SAID = {
    "en": {
        "identical": "Identical: the same bytes as listed.",
        "same-picture": "The same coded picture as listed, in another wrapper or with other sound.",
        "same-content": "The listed work from beginning to end, encoded again.",
        "changed": "The listed work, altered:",
        "different": "Not the listed work.",
        "unknown": "That cannot be told: too little of it can be recognised.",
        "cut": "something is missing", "added": "something was added",
        "speed": "it runs at another speed",
        "mirrored": "left and right are exchanged", "upended": "top and bottom are exchanged",
        "sound": "the sound is another", "missing": "missing of the work",
        "extra": "added in the file", "length": "length",
        "technical": "Less than listed", "listed": "listed", "delivered": "delivered",
        "coverage": "of the listed work found", "sure": "sure", "fact": "Recorded as fact",
    },
    "zh": {
        "identical": "完全一致：与挂牌文件字节相同。",
        "same-picture": "画面码流与挂牌文件相同，封装或声音不同。",
        "same-content": "与挂牌作品内容一致，经重新编码。",
        "changed": "是挂牌作品，但有改动：",
        "different": "不是挂牌作品。",
        "unknown": "无法判定：可识别的画面太少。",
        "cut": "有缺失", "added": "有增加", "speed": "播放速度不同", "mirrored": "左右镜像",
        "upended": "上下颠倒", "sound": "声音不同", "missing": "作品缺失的部分",
        "extra": "文件多出的部分", "length": "时长", "technical": "技术规格低于挂牌",
        "listed": "挂牌", "delivered": "交付", "coverage": "找到的挂牌作品", "sure": "把握",
        "fact": "已存证，事实编号",
    },
}  # fmt: skip


class ExchangeRefused(Refusal):
    """The exchange said no, or could not be reached."""

    kind, code = Kind.UNAVAILABLE, "exchange-refused"
    hint = "Check --exchange, --key and the id of the listing."


def match(
    file: Annotated[Path, typer.Argument(help="The delivered file.", exists=True, dir_okay=False)],
    listing: Annotated[UUID, typer.Option(help="The id of the listing.")],
    key: Annotated[
        str, typer.Option(envvar="EXCHANGE_KEY", help="An API key; better in EXCHANGE_KEY.")
    ],
    exchange: Annotated[str, typer.Option(help="Where the exchange is.")] = "http://127.0.0.1:8000",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document for programs.")
    ] = False,
    lang: Annotated[str, typer.Option(help="Language of the answer: en or zh.")] = "en",
) -> None:
    """Tell whether a file is the listed work: identical, encoded again, cut, or another.

    The file is read here, in the sandbox, and stays here; hashes and codes alone are sent.
    """
    answer = asyncio.run(match_file(file.resolve(), listing, exchange=exchange, key=key))
    if as_json:
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    else:
        show(answer, lang)
    sys.exit(STATUS[answer["outcome"]])


async def match_file(path: Path, listing: UUID, *, exchange: str, key: str) -> dict[str, Any]:
    """Ask with the hash alone; decode only when the file is not the listed one byte for byte.

    Raises:
        ExchangeRefused: the exchange said no, or did not answer.
        Examination: the file cannot be read.
    """
    sandbox = await gateway.sandbox(Settings().sandbox)
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("hashing", total=10_000)

        async def report(stage: str, done_bp: int) -> None:
            progress.update(task, description=stage, completed=done_bp)

        sha256 = await anyio.to_thread.run_sync(_sha256, path)
        record = await probing.read(path, sandbox)
        nothing = Footage(video=np.zeros((0, CODE_BYTES), np.uint8), sha256=sha256)
        asked = Delivered(sha256, record["video"], nothing)
        answer = await _ask(asked, listing, exchange=exchange, key=key)
        if answer["outcome"] == "identical" or not record["video"]["decodable"]:
            return answer
        delivered = await _decode(path, sha256, record, sandbox, report)
        await report("comparing", 0)
        return await _ask(delivered, listing, exchange=exchange, key=key)


def show(answer: Mapping[str, Any], lang: str) -> None:
    """Print an answer for people."""
    words = SAID["zh" if lang == "zh" else "en"]
    colour = COLOURS[STATUS[answer["outcome"]]]
    out.print(f"[{colour}]{words[answer['outcome']]}[/]")
    for change in answer["changes"]:
        out.print(f"  {words[change]}", markup=False, highlight=False)
    if answer["segments"]:
        found = f"{words['coverage']}: {answer['coverage_bp'] / 100:.1f} %"
        sure = f"{words['sure']}: {answer['confidence_bp'] / 100:.1f} %"
        out.print(f"{found}; {sure}", markup=False, highlight=False)
    for name, title in (("missing", "missing"), ("added", "extra")):
        spans = [(_clock(span["from_ms"]), _clock(span["length_ms"])) for span in answer[name]]
        _table((words[title], words["length"]), spans)
    technical = [(less["what"], less["listed"], less["delivered"]) for less in answer["technical"]]
    _table((words["technical"], words["listed"], words["delivered"]), technical)
    if answer["fact"]:
        out.print(f"{words['fact']} {answer['fact']}", markup=False, highlight=False)


async def _decode(
    path: Path, sha256: str, record: Mapping[str, Any], sandbox: Sandbox, report: passing.Report
) -> Delivered:
    with tempfile.TemporaryDirectory() as folder:
        passed = await passing.run(
            path, sandbox=sandbox, folder=Path(folder), record=record, report=report
        )
    footage = Footage(
        video=passed.codes.video, query=passed.codes.query, audio=passed.audio, sha256=sha256,
        essence=passed.essence.get("video"),
    )  # fmt: skip
    return Delivered(sha256, record["video"], footage)


async def _ask(delivered: Delivered, listing: UUID, *, exchange: str, key: str) -> dict[str, Any]:
    """Send what is known of the file.

    Raises:
        ExchangeRefused: it said no, with its own words; or nobody answered.
    """
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/octet-stream"}
    try:
        async with httpx.AsyncClient(timeout=600, trust_env=False) as client:
            answer = await client.post(
                f"{exchange.rstrip('/')}/v1/listings/{listing}/matches",
                content=delivered.written(), headers=headers,
            )  # fmt: skip
        told: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as away:
        raise ExchangeRefused(f"{exchange} does not answer as an exchange.") from away
    if not answer.is_success:
        raise ExchangeRefused(f"{told.get('detail')} ({told.get('code')})")
    return told


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _table(names: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(*names)
    for row in rows:
        table.add_row(*map(escape, map(str, row)))
    if rows:
        out.print(table)


def _clock(ms: int) -> str:
    minutes, rest = divmod(ms, 60_000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000 // 100}"
