"""Who signs in to the demo, as a terminal shows it."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from exchange.demo import cast as people
from exchange.demo import play
from exchange.demo.cast import Cast
from exchange.demo.state import State


@pytest.mark.parametrize("name", ["trade.json", "trade-0123456789ab.json"])
def test_what_is_typed_to_sign_in_is_whole_on_a_terminal_of_80_columns(
    tmp_path: Path, name: str
) -> None:
    cast = Cast("http://127.0.0.1:8000", State(tmp_path / name))
    shown = StringIO()
    Console(file=shown, width=80).print(play.sign_ins(cast))
    for slot in [member.slot for member in people.MEMBERS] + [slot for slot, *_ in people.STAFF]:
        assert cast.email(slot) in shown.getvalue()
        assert cast.password(slot) in shown.getvalue()
