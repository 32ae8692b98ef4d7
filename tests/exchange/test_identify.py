import json
import subprocess
import sys
from pathlib import Path

import pytest

from exchange import identify


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("exchange"), "identify", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_tells_what_a_text_is() -> None:
    done = run("（粤）剧审字（2021）第001号", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert (told["kind"], told["canonical"]) == ("tv-drama-permit", "(粤)剧审字(2021)第001号")
    assert told["parts"] == {"issuer": "粤", "year": "2021", "number": "001"}


def test_the_command_tells_what_is_wrong_and_fails() -> None:
    done = run("10.5240/485E-0E15-5AF1-A4C1-2DA6-X")
    assert done.returncode == 1
    assert "EIDR" in done.stdout and "would be G" in done.stdout


@pytest.mark.parametrize("text", ["hello", "", "\0", "[red]"])
def test_what_nothing_tells_is_said_so(text: str) -> None:
    told = identify.tell(text)
    assert (told.kind, told.good, told.doubts) == (None, False, [])
    assert told.as_dict()["name_en"] is None
