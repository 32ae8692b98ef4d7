"""Go's own log library (golang.org/x/mod/sumdb/tlog) judges the vectors beside us.

With the Rust verifier of `test_log_outside` these are three programs that share no code. Debian:
golang-go, golang-golang-x-mod-dev.
"""

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from contracts.log import merkle

HERE = Path(__file__).parent
VECTORS = HERE.parent / "vectors" / "tlog"


def cases() -> list[dict[str, Any]]:
    paths = sorted((*VECTORS.glob("inclusion/**/*.json"), *VECTORS.glob("consistency/**/*.json")))
    return [json.loads(path.read_text()) for path in paths]


def ours(case: dict[str, Any]) -> bool:
    proof = [base64.b64decode(item) for item in case["proof"] or []]
    if "treeSize" in case:
        leaf, root = (base64.b64decode(case[name] or "") for name in ("leafHash", "root"))
        return merkle.includes(case["leafIdx"], case["treeSize"], leaf, proof, root)
    one, two = (base64.b64decode(case[name] or "") for name in ("root1", "root2"))
    return merkle.extends(case["size1"], case["size2"], one, two, proof)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> list[bool]:
    """Go's verdict on each vector."""
    known = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.mktemp("home")),
        "GO111MODULE": "off", "GOPATH": "/usr/share/gocode",
        "GOCACHE": str(tmp_path_factory.mktemp("go")),
    }  # fmt: skip
    done = subprocess.run(
        ["go", "run", str(HERE / "tlogvectors.go")],
        input=json.dumps(cases()), env=known, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [line == "true" for line in done.stdout.split()]


def test_threat_21_a_verifier_that_errs_would_disagree_with_go_on_a_vector(
    theirs: list[bool],
) -> None:
    told = [(case["desc"], ours(case), go) for case, go in zip(cases(), theirs, strict=True)]
    assert len(told) >= 82
    assert [one for one in told if one[1] != one[2]] == []


def test_go_accepts_and_refuses_what_each_vector_says(theirs: list[bool]) -> None:
    assert theirs == [not case["wantErr"] for case in cases()]
