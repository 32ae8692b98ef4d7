"""`exchange log compare` and `exchange log split-view`: has everybody been shown the same log?

For the parties, who hold checkpoints and no database: two checkpoints from two people are enough.
"""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from contracts.evidence import archive, opened
from contracts.log import proof, splitting
from contracts.log.note import BadNote, Verifier
from contracts.log.site import LogSite, Source
from contracts.log.splitting import SplitView
from exchange.log_remote import TIMEOUT_S, LogAway, RemoteSite
from exchange.terminal import Json

err = Console(stderr=True)
KEY_PATH = "/v1/log/key"
ZIP = b"PK"
Key = Annotated[
    str,
    typer.Option(
        help="The log's key (vkey), a file or evidence bundle with it, or an exchange's address. "
        "Take it from what you have kept, not from whoever shows you a checkpoint."
    ),
]
Shown = Annotated[
    str,
    typer.Argument(
        help="A checkpoint: a file or URL that holds it, a proof (tlog-proof), an evidence bundle."
    ),
]


def compare(
    one: Shown,
    other: Shown,
    key: Key,
    log: Annotated[
        str | None,
        typer.Option(help="The published log (prefix or folder); needed for trees of two sizes."),
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Write the proof of a split view here.")] = None,
    as_json: Json = False,
) -> None:
    """Tell whether two checkpoints are of one history; if not, print the proof. Needs no database.

    Exit status: 0 when they are, 1 with the proof when the log has signed two histories.
    """
    verifier = _key(key)
    signed = [_checkpoint(where) for where in (one, other)]
    with ExitStack() as stack:
        source = None if log is None else _source(log, stack)
        found = splitting.compare(*signed, key=verifier, log=source)
    sizes = sorted(splitting.opened(text, verifier).size for text in signed)
    if as_json:
        proved = None if found is None else found.text
        document = {"consistent": found is None, "sizes": sizes, "proof": proved}
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    elif found is None:
        sys.stdout.write(f"consistent: {sizes[0]} leaves begin the {sizes[1]} leaves\n")
    else:
        _tell(found, verifier)
    if found is not None:
        if keep is not None:
            keep.write_text(found.text, encoding="utf-8")
        elif not as_json:
            sys.stdout.write(found.text)
        sys.exit(1)


def split_view(
    file: Annotated[str, typer.Argument(help="The proof: a file or URL.")], key: Key
) -> None:
    """Check somebody's proof that a log has signed two histories; exit status 0 if it proves it."""
    verifier = _key(key)
    said = splitting.parse(_read(file).decode(errors="replace"))
    splitting.check(said, key=verifier)
    _tell(said, verifier)
    sys.stdout.write(f"proved: {verifier.name} has signed two histories\n")


def _tell(found: SplitView, key: Verifier) -> None:
    """Say what the proof says."""
    small, large = (splitting.opened(one, key) for one in (found.first, found.second))
    err.print(
        f"[bold red]split view[/]: {key.name} has signed two histories",
        highlight=False,
        soft_wrap=True,
    )
    for said in (small, large):
        err.print(
            f"  {said.size} leaves with root {said.root.hex()}", highlight=False, soft_wrap=True
        )
    if small.size != large.size:
        err.print(
            f"  the second one's first {small.size} leaves have root {found.begins.hex()}",
            highlight=False,
            soft_wrap=True,
        )


def _key(given: str) -> Verifier:
    """Return the log's key as given, from a file or bundle, or as an exchange publishes it."""
    if given.startswith(("http://", "https://")):
        return Verifier.parse(_read(given.rstrip("/") + KEY_PATH).decode(errors="replace").strip())
    if not Path(given).is_file():
        return Verifier.parse(given)
    raw = _read(given)
    raw = _part(raw, opened.LOG_KEY)
    return Verifier.parse(raw.decode(errors="replace").strip())


def _checkpoint(where: str) -> str:
    """Return the signed checkpoint in a file, in a proof, in an evidence bundle or at a URL.

    Raises:
        BadNote: there is none.
        LogAway: it cannot be read.
    """
    try:
        text = _part(_read(where), opened.CHECKPOINT).decode()
    except UnicodeDecodeError as error:
        raise BadNote(f"{where} holds no checkpoint.") from error
    return proof.parse(text).checkpoint if text.startswith(proof.HEADER) else text


def _part(raw: bytes, name: str) -> bytes:
    """Return a file out of an evidence bundle, or what is no bundle as it is."""
    if not raw.startswith(ZIP):
        return raw
    try:
        return archive.unpack(raw).files.get(name, b"")
    except archive.NotAnArchive as error:
        raise BadNote(f"This is no evidence bundle: {error}.") from error


def _source(where: str, stack: ExitStack) -> Source:
    if not where.startswith(("http://", "https://")):
        return LogSite(Path(where))
    client = stack.enter_context(httpx.Client(timeout=TIMEOUT_S, follow_redirects=False))
    return RemoteSite(where, client)


def _read(where: str) -> bytes:
    try:
        if where.startswith(("http://", "https://")):
            answer = httpx.get(where, timeout=TIMEOUT_S, follow_redirects=False)
            return answer.raise_for_status().content
        return Path(where).read_bytes()
    except (httpx.HTTPError, OSError) as error:
        raise LogAway(f"{where} cannot be read: {error}") from error
