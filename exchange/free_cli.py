"""Commands on what is free: `exchange avails check`, `list` and `example`.

Exit status 0: all of it is free; 3: some of it or nothing; 4: not known yet. (1: the question is
refused, 2: wrong usage.)
"""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from contracts.rights import axes, notation, vocabulary
from contracts.rights import rules as rights
from contracts.rights.algebra import Exclusivity
from contracts.titles import availability, explaining, judging
from contracts.titles.availability import Place, Scope
from contracts.titles.judging import Answer, Match
from contracts.titles.register import Question, Register
from exchange import clock, saying
from exchange.context import open_context
from exchange.demo import avails as example_register
from exchange.settings import Settings
from exchange.terminal import Json

out = Console()
_STATUS = {"free": 0, "partly": 3, "no": 3, "unknown": 4}


class Tongue(Enum):
    """The language of the answer."""

    ENGLISH = "en"
    CHINESE = "zh"


Lang = Annotated[Tongue, typer.Option("--lang", help="Language of the answer.")]
WorkId = Annotated[UUID, typer.Argument(metavar="WORK", help="The id of the work.")]
Territories = Annotated[
    str, typer.Option("--territories", help="Where, in notation: '+WRD -US -CA'.")
]
Languages = Annotated[
    list[str], typer.Option("--language", help="BCP 47, zh:dubbed, or *; repeatable.")
]
Media = Annotated[
    list[str], typer.Option("--media", help="Repeatable: satellite.pay. A bundle has its own.")
]
FirstDay = Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")]
LastDay = Annotated[datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="Last day.")]
Zone = Annotated[str, typer.Option("--tz", help="IANA time zone of the days.")]
Exclusive = Annotated[bool, typer.Option("--exclusive", help="独占; otherwise 普通.")]
MinimumDays = Annotated[
    int, typer.Option("--minimum-days", min=0, max=36525, help="Shorter stretches do not count.")
]
Sole = Annotated[bool, typer.Option("--sole", help="排他: beside the owner's own use alone.")]


def check(  # noqa: PLR0913 - the options of a command are its arguments.
    work: WorkId,
    right: Annotated[
        str, typer.Option("--right", help="A right of art. 10: broadcasting; or 播映权: telecast.")
    ],
    territories: Territories,
    first_day: FirstDay,
    last_day: LastDay,
    media: Media = [],  # noqa: B006 - typer copies defaults.
    languages: Languages = ["*"],  # noqa: B006 - typer copies defaults.
    tz: Zone = explaining.ZONE,
    exclusive: Exclusive = False,
    sole: Sole = False,
    runs: Annotated[int | None, typer.Option("--runs", help="How many runs.")] = None,
    grantor: Annotated[UUID | None, typer.Option("--grantor", help="Not the owners.")] = None,
    cover_all: Annotated[bool, typer.Option("--cover-all", help="All of it or nothing.")] = False,
    minimum_days: MinimumDays = 0,
    as_json: Json = False,
    lang: Lang = Tongue.ENGLISH,
) -> None:
    """Is exactly this free? And if not, why not, and what is?"""
    first = first_day.date()
    included, excluded = axes.TERRITORIES.said(notation.territories(territories, on=first))
    bundle = right if right in {part.bundle for part in vocabulary.BUNDLES} else None
    if bundle and media:
        raise typer.BadParameter(f"{bundle} is a bundle, which has its media")
    wire = {
        "right": right, "bundle": bundle, "media": media,
        "territories": list(included), "excluded": list(excluded),
        "languages": languages, "first_day": first, "last_day": last_day.date(), "tz": tz,
        "exclusivity": _exclusivity(exclusive=exclusive, sole=sole).value, "runs_max": runs,
    }  # fmt: skip
    wires = rights.expand(wire)
    minimum = timedelta(days=minimum_days)
    register, question = asyncio.run(
        _asked(work, lambda place: availability.question_of(wires, place, grantor=grantor))
    )
    match = Match.ALL if cover_all else Match.ANY
    answer = judging.judge(register, question, match=match, minimum=minimum)
    _tell(_told(answer, register, tz), as_json=as_json, lang=lang)


def list_free(  # noqa: PLR0913 - the options of a command are its arguments.
    work: WorkId,
    first_day: FirstDay,
    last_day: LastDay,
    territories: Territories = "+WRD",
    exclusive: Exclusive = False,
    minimum_days: MinimumDays = 0,
    as_json: Json = False,
    lang: Lang = Tongue.ENGLISH,
) -> None:
    """What is free of a work and its parts, by all rights, and why is the rest not?"""
    window = rights.window_of(first_day.date(), last_day.date(), explaining.ZONE)
    scope = Scope(territories=notation.territories(territories, on=first_day.date()))
    exclusivity = _exclusivity(exclusive=exclusive, sole=False)
    register, question = asyncio.run(
        _asked(
            work,
            lambda place: availability.question_about(
                place, scope=scope, window=window, exclusivity=exclusivity
            ),
        )
    )
    answer = judging.judge(register, question, minimum=timedelta(days=minimum_days))
    _tell(_told(answer, register, explaining.ZONE), as_json=as_json, lang=lang)


def example(as_json: Json = False, lang: Lang = Tongue.ENGLISH) -> None:
    """Ask a small register whether a second round is free; needs no database."""
    _tell(example_register.answer(), as_json=as_json, lang=lang)


async def _asked(work: UUID, build: Callable[[Place], Question]) -> tuple[Register, Question]:
    """Return what of the register bears on a question about a work, and the question."""
    context = open_context(Settings())
    try:
        async with context.db.transaction() as session:
            question = build(await availability.locate(session, work))
            return await availability.load(session, question, now=clock.now()), question
    finally:
        await context.db.close()


def _exclusivity(*, exclusive: bool, sole: bool) -> Exclusivity:
    if exclusive:
        return Exclusivity.EXCLUSIVE
    return Exclusivity.SOLE if sole else Exclusivity.NON_EXCLUSIVE


def _told(answer: Answer, register: Register, zone: str) -> dict[str, Any]:
    return explaining.answer_out(answer, register.tree, viewer=None, zone=zone)


def _tell(told: Mapping[str, Any], *, as_json: bool, lang: Tongue) -> None:
    """Print an answer, and end with the status that says it in a number."""
    if as_json:
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    else:
        saying.say_answer(out, told, lang.value)
    sys.exit(_STATUS[told["outcome"]])
