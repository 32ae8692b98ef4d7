"""What a dishonest exchange could change in the evidence of a trade, and which check finds it."""

import json
from collections.abc import Callable
from typing import Any

from contracts import canonical, ids
from tests.conftest import NOW

Files = dict[str, bytes]


def edit_json(files: Files, name: str, change: Callable[[Any], None]) -> None:
    value = json.loads(files[name])
    change(value)
    files[name] = canonical.dumps(value)


def edit_event(files: Files, kind: str, change: Callable[[Any], None]) -> None:
    lines = files["events.jsonl"].splitlines()
    for number, line in enumerate(lines):
        event = json.loads(line)
        if event["kind"] == kind:
            change(event)
            lines[number] = canonical.dumps(event)
            break
    files["events.jsonl"] = b"".join(line + b"\n" for line in lines)


def drop_event(files: Files, kind: str) -> None:
    lines = files["events.jsonl"].splitlines()
    gone = next(line for line in lines if json.loads(line)["kind"] == kind)
    del files[f"proofs/{json.loads(gone)['index']}.tlog-proof"]
    files["events.jsonl"] = b"".join(line + b"\n" for line in lines if line != gone)


def a_proof(files: Files) -> str:
    return next(name for name in files if name.startswith("proofs/"))


def spoil_hash(files: Files) -> None:
    name = a_proof(files)
    lines = files[name].decode().split("\n")
    lines[2] = "A" * 43 + "="
    files[name] = "\n".join(lines).encode()


def spoil_posting(files: Files) -> None:
    edit_json(files, "postings.json", lambda v: v[0]["lines"][0].update(amount_minor=1))


def shift_posting(files: Files) -> None:
    def shift(journals: Any) -> None:
        for line in journals[-1]["lines"]:
            line["amount_minor"] += 5 if line["amount_minor"] > 0 else -5

    edit_json(files, "postings.json", shift)


FORGERIES: dict[str, tuple[Callable[[Files], None], str]] = {
    "a record is changed": (
        lambda f: edit_event(f, "bid.placed", lambda e: e["record"].update(paddle=9)),
        "leaves",
    ),
    "a blind is changed": (
        lambda f: edit_event(f, "bid.placed", lambda e: e.update(blind="00" * 32)),
        "leaves",
    ),
    "a time is changed": (
        lambda f: edit_event(
            f, "bid.placed", lambda e: e.update(recorded_at="2026-11-22T08:00:00Z")
        ),
        "leaves",
    ),
    "a leaf is changed": (
        lambda f: edit_event(f, "bid.placed", lambda e: e.update(leaf='{"prev":null}')),
        "inclusion proofs",
    ),
    "a fact is about something else": (
        lambda f: edit_event(f, "deal.opened", lambda e: e.update(subject=str(ids.new(NOW)))),
        "chains of facts",
    ),
    "a bid is left out": (lambda f: drop_event(f, "bid.placed"), "chains of facts"),
    "the settlement is left out": (lambda f: drop_event(f, "settlement.booked"), "stage"),
    "a proof is left out": (lambda f: f.__delitem__(a_proof(f)), "inclusion proofs"),
    "a proof leads elsewhere": (spoil_hash, "inclusion proofs"),
    "a file calls itself a proof": (
        lambda f: f.update({"proofs/x": b"x"}),
        "inclusion proofs",
    ),
    "the listing is changed": (
        lambda f: edit_json(f, "listing.json", lambda v: v.update(party="x")),
        "listing record",
    ),
    "the probe is changed": (
        lambda f: edit_json(f, "probe.json", lambda v: v.update(uhd=False)),
        "listing record",
    ),
    "the fingerprint is changed": (
        lambda f: edit_json(f, "fingerprint.json", lambda v: v.update(version="u0")),
        "listing record",
    ),
    "the terms are changed": (
        lambda f: edit_json(f, "terms.json", lambda v: v["consideration"].update(amount="1.00")),
        "terms",
    ),
    "the contract is changed": (
        lambda f: f.update({"contract.pdf": f["contract.pdf"] + b"\n%%EOF\n"}),
        "contract signatures",
    ),
    "the text as typeset is another": (
        lambda f: f.update({"base.pdf": f["base.pdf"][:-1]}),
        "contract copies",
    ),
    "the text as typeset is left out": (lambda f: f.__delitem__("base.pdf"), "contract copies"),
    "the copy of a signature is another's": (
        lambda f: f.update({"signatures/1-licensor.cms": f["signatures/2-licensee.cms"]}),
        "contract copies",
    ),
    "a copy of a signature is left out": (
        lambda f: f.__delitem__("signatures/2-licensee.cms"),
        "contract copies",
    ),
    "a signature that the contract lacks": (
        lambda f: f.update({"signatures/3-nobody.cms": b"x"}),
        "contract copies",
    ),
    "the contract is no contract": (
        lambda f: f.update({"contract.pdf": b"%PDF-1.7\n"}),
        "contract file",
    ),
    "a posting is changed": (spoil_posting, "postings balance"),
    "postings are changed in balance": (shift_posting, "settlement"),
    "a journal is left out": (
        lambda f: edit_json(f, "postings.json", lambda v: v.pop()),
        "settlement",
    ),
    "no postings": (lambda f: f.update({"postings.json": b"[]"}), "settlement"),
    "postings are no JSON": (lambda f: f.update({"postings.json": b"{"}), "postings balance"),
    "the checkpoint is changed": (
        lambda f: f.update({"checkpoint.txt": b"x" + f["checkpoint.txt"]}),
        "checkpoint",
    ),
    "the facts cannot be read": (lambda f: f.update({"events.jsonl": b"{}\n"}), "facts"),
}
