"""A register anybody of the trade recognises, and a question to it: is the second round free?

A film is licensed to a pay channel in Germany, Austria and Switzerland, exclusively, for two years;
the licensor promised it to keep the film off free television there as long. A satellite operator
then asks for a second round (二轮) all over Europe, from the second of those years on. Everything
is a value: the real engine judges it, and no database is needed.
"""

from typing import Any
from uuid import UUID

from contracts.encumbrances import rules as encumbrances
from contracts.encumbrances.rules import Burden
from contracts.rights import axes
from contracts.rights import rules as rights
from contracts.rights.instants import micros
from contracts.rights.logic import Span
from contracts.rights.region import Box
from contracts.titles import availability, explaining, judging
from contracts.titles.availability import Place
from contracts.titles.register import Node, Out, Register, Tree

FILM = Node(UUID("01a20000-0000-7000-8000-000000000001"), 0, 2**30, "珠江之花",
            "Flower of the Pearl River")  # fmt: skip
GRANT = UUID("01a20000-0000-7000-8000-000000000002")
PROMISE = UUID("01a20000-0000-7000-8000-000000000003")
CHANNEL = UUID("01a20000-0000-7000-8000-000000000004")
PLACE = Place(FILM.work_id, (FILM.first, FILM.after))
_THERE: dict[str, Any] = {
    "right": "broadcasting",
    "territories": ["DE", "AT", "CH"],
    "languages": ["*"],
    "tz": "Europe/Berlin",
    "first_day": "2027-01-01",
    "last_day": "2028-12-31",
}
PAY_TV = _THERE | {
    "media": ["satellite.pay", "cable.pay", "digital-pay"],
    "exclusivity": "exclusive",
    "runs_max": 6,
}
HOLDBACK = _THERE | {"media": ["satellite.free", "terrestrial.free", "cable.free"]}
SECOND_ROUND: dict[str, Any] = _THERE | {
    "media": ["satellite"],
    "territories": ["150"],
    "first_day": "2028-01-01",
    "last_day": "2030-12-31",
    "exclusivity": "exclusive",
    "runs_max": 4,
    "round_no": 2,
}


def register() -> Register:
    """Return the register: a tree of one film, a grant, a promise."""
    tree = Tree((FILM,))
    sold, promised = rights.resolve(PAY_TV), encumbrances.resolve(HOLDBACK)
    box = Box(
        tree.all,
        axes.uses(sold.right, sold.media),
        sold.territories,
        sold.languages,
        micros(sold.window.start),
        micros(sold.window.end),
    )
    span = Span.fixed(sold.window.start, sold.window.end)
    burden = Burden(
        PROMISE, "holdback", PLACE.units, promised.uses, promised.territories, promised.languages,
        span, waits_for=None, beneficiary=CHANNEL,
    )  # fmt: skip
    out = Out(GRANT, "effective", box, sold.exclusivity, grantee=CHANNEL)
    return Register(tree, outs=[out], burdens=[burden])


def answer() -> dict[str, Any]:
    """Return the answer to the question whether the second round is free, as on the wire."""
    kept = register()
    question = availability.question_of([SECOND_ROUND], PLACE)
    found = judging.judge(kept, question)
    return explaining.answer_out(found, kept.tree, viewer=None, zone=SECOND_ROUND["tz"])
