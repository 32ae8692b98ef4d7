"""A witness as its own process: every answer of the standard, races, and deaths at each step."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from contracts.log import cosignature
from contracts.log.cosignature import Cosigner
from contracts.log.note import Signer
from contracts.log.witness import Asked
from exchange.witness_cli import app
from tests.contracts.test_log_witness import FORKED, SIGNER, asked, signed
from tests.exchange.witness_factory import (
    DIES_BEFORE_IT_REMEMBERS,
    DIES_BEFORE_IT_SIGNS,
    Running,
    a_witness,
    free_port,
)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = a_witness(tmp_path / "witness", "w.example/w1", SIGNER.verifier)
    yield made
    made.stop()


def size_of(running: Running) -> int:
    known = running.opened.remembered()
    return known[SIGNER.name].seen.size if known else 0


def test_a_witness_answers_as_the_standard_says(running: Running) -> None:
    running.start()
    first = running.post(asked(0, 20).body)
    assert first.status_code == 200
    cosigner = running.opened.signer.cosigner
    assert cosignature.found(signed(20) + first.text, cosigner) is not None
    behind = running.post(asked(0, 33).body)
    assert (behind.status_code, behind.text) == (409, "20\n")
    assert behind.headers["content-type"] == "text/x.tlog.size"
    elsewhere = Signer("elsewhere.example", SIGNER.private)
    stranger = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(b"\x09" * 32))
    proof = asked(20, 33).proof
    answers = [
        running.post(Asked(20, proof, signed(33, signer=elsewhere)).body),
        running.post(Asked(20, proof, signed(33, signer=stranger)).body),
        running.post(asked(34, 33).body),
        running.post(b"nonsense"),
        running.post(b"old 20\n" + b"A" * 300_000),
        running.post(Asked(20, proof[:-1], signed(33)).body),
        running.post(asked(20, 20, FORKED[1:]).body),
        httpx.get(f"{running.url}/add-checkpoint"),
        running.post(asked(20, 33).body),
    ]
    assert [answer.status_code for answer in answers] == [
        404, 403, 400, 400, 400, 422, 409, 405, 200,
    ]  # fmt: skip
    assert answers[6].headers["content-type"] != "text/x.tlog.size"
    assert signed(33) in httpx.get(running.url).text


def test_invariant_31_two_processes_on_one_folder_never_go_back(running: Running) -> None:
    other = free_port()
    running.start()
    running.start(port=other)
    ports = (running.port, other)

    def ask(number: int) -> tuple[int, int]:
        size, old = number + 1, 0
        while old <= size:
            answer = running.post(asked(old, size).body, port=ports[number % 2])
            if answer.status_code == 200:
                return size, 200
            assert answer.status_code == 409
            old = int(answer.text)
        return size, 409

    with ThreadPoolExecutor(6) as pool:
        answers = dict(pool.map(ask, range(24)))
    assert (size_of(running), answers[24]) == (24, 200)


def test_invariant_31_a_witness_killed_between_memory_and_answer_goes_on(running: Running) -> None:
    running.start()
    assert running.post(asked(0, 20).body).status_code == 200
    running.stop()
    running.start(DIES_BEFORE_IT_SIGNS)
    with pytest.raises(httpx.TransportError):
        running.post(asked(20, 33).body)
    running.stop()
    assert size_of(running) == 33
    running.start()
    assert running.post(asked(20, 33).body).text == "33\n"
    assert running.post(asked(33, 33).body).status_code == 200
    assert running.post(asked(33, 33, FORKED).body).status_code == 409


def test_a_witness_killed_before_it_remembers_has_cosigned_nothing(running: Running) -> None:
    running.start()
    assert running.post(asked(0, 20).body).status_code == 200
    running.stop()
    running.start(DIES_BEFORE_IT_REMEMBERS)
    with pytest.raises(httpx.TransportError):
        running.post(asked(20, 33).body)
    running.stop()
    assert size_of(running) == 20
    running.start()
    assert running.post(asked(20, 33).body).status_code == 200


def test_the_commands_make_a_witness_and_tell_where_it_stands(tmp_path: Path) -> None:
    run, folder = CliRunner(), str(tmp_path / "mine")
    made = run.invoke(
        app, ["init", "--dir", folder, "--name", "me.example", "--log", SIGNER.verifier.vkey]
    )
    assert made.exit_code == 0
    assert made.stdout.startswith("me.example+")
    told = run.invoke(app, ["status", "--dir", folder])
    assert (told.exit_code, "nothing cosigned yet" in told.stdout) == (0, True)
    witness = Running(tmp_path / "mine", 1).opened
    witness.cosign(asked(0, 33), time_s=1)
    with pytest.raises(Exception, match="Another root"):
        witness.cosign(asked(33, 33, FORKED), time_s=1)
    caught = run.invoke(app, ["status", "--dir", folder, "--json"])
    assert (caught.exit_code, '"size": 33' in caught.stdout) == (1, True)
    away = run.invoke(app, ["init", "--dir", folder, "--log", "http://127.0.0.1:9"])
    assert away.exit_code == 2


def test_threat_22_a_witness_takes_a_second_key_by_command_and_answers_with_two_lines(
    running: Running,
) -> None:
    made = CliRunner().invoke(app, ["init", "--dir", str(running.folder), "--ml-dsa"])
    first, second = made.stdout.splitlines()[:2]
    assert first == running.opened.signer.cosigner.vkey
    running.start()
    answer = running.post(asked(0, 20).body).text
    shown = httpx.get(running.url).text
    for vkey in (first, second):
        assert cosignature.found(signed(20) + answer, Cosigner.parse(vkey)) is not None
        assert vkey in shown
