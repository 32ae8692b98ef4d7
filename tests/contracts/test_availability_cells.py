"""The engine of availability and a count of cells give the same answers, market after market."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contracts.encumbrances.rules import Burden
from contracts.rights import axes, region
from contracts.rights.algebra import Exclusivity
from contracts.rights.instants import micros
from contracts.rights.logic import Span
from contracts.rights.region import Box, Region
from contracts.titles import judging
from contracts.titles import register as titles
from contracts.titles.judging import Answer, Match, Severity
from contracts.titles.register import OWNERS, Node, Out, Question, Register, Tree
from contracts.window import Window
from tests.contracts import availability_cells as cells
from tests.contracts import campaign
from tests.contracts.availability_cells import HOURS, ONE, SERIES, TWO, Market, Rights, Use, Wish
from tests.contracts.rights_cells import leaves

Capture = pytest.CaptureFixture[str]
BEGIN = datetime(2027, 5, 1, tzinfo=UTC)
BLOCKS = {SERIES: (0, 2**30), ONE: (2**20, 2**21), TWO: (2**21, 2**21 + 2**20)}
IDS = {name: UUID(int=place + 1) for place, name in enumerate(BLOCKS)}
PARTIES = {"licensee": UUID(int=50), "buyer": UUID(int=51)}
OWNER = UUID(int=49)
HELD = {"owners": OWNERS, "first": UUID(int=60), "second": UUID(int=61)}
NAMES = list(BLOCKS)


def at(hour: int) -> datetime:
    return BEGIN + timedelta(hours=hour)


def tree(market: Market) -> Tree:
    return Tree(
        tuple(
            Node(
                IDS[name], *BLOCKS[name],
                protected_until=micros(at(market.protected[name]))
                if name in market.protected else None,
            )
            for name in NAMES
        )
    )  # fmt: skip


def masks(rights: Rights) -> tuple[int, int, int]:
    """Return uses, territories and languages as the engine is told them."""
    return (
        sum(1 << use for use in rights.uses),
        axes.TERRITORIES.mask(rights.places),
        axes.LANGUAGES.mask(rights.languages),
    )


def box(works: Tree, rights: Rights) -> Box:
    units = works.mask(BLOCKS[rights.work])
    return Box(units, *masks(rights), micros(at(rights.start)), micros(at(rights.end)))


def told(market: Market) -> Register:
    works = tree(market)
    outs = [
        Out(UUID(int=100 + number), grant.state, box(works, grant.rights),
            Exclusivity(grant.strength), HELD[grant.under])
        for number, grant in enumerate(market.grants)
    ]  # fmt: skip
    burdens = [
        Burden(
            UUID(int=200 + number), promise.kind, BLOCKS[promise.rights.work],
            *masks(promise.rights), Span(*(at(hour) for end in promise.ends for hour in end)),
            None, PARTIES[promise.serves] if promise.serves else None,
        )
        for number, promise in enumerate(market.promises)
    ]  # fmt: skip
    holdings = [
        titles.Holding(
            HELD[one.name], PARTIES["licensee"], box(works, one.rights), Exclusivity(one.strength),
            one.depth, one.runs_left,
        )
        for one in market.holdings
    ]  # fmt: skip
    quarrel = [UUID(int=48)] if market.quarrel else []
    return Register(works, frozenset({OWNER}), holdings, outs, burdens, quarrel)


def asked(wish: Wish, dice: random.Random) -> Question:
    owners = dice.choice([None, OWNER])
    return Question(
        IDS[SERIES], BLOCKS[wish.rights.work], *masks(wish.rights),
        Window(at(wish.rights.start), at(wish.rights.end)), Exclusivity(wish.strength),
        wish.runs, wish.depth, PARTIES["licensee"] if wish.of == "licensee" else owners,
        PARTIES[wish.by] if wish.by else None,
    )  # fmt: skip


def uses(boxes: Iterable[Box]) -> set[Use]:
    """Return the uses of the engine's boxes in the words of the market."""
    return {
        (NAMES[unit], axes.TERRITORIES.leaves[place].code, use, axes.LANGUAGES.leaves[tongue].code,
         hour)
        for one in boxes
        for unit in leaves(one.units) for place in leaves(one.territories)
        for use in leaves(one.uses) for tongue in leaves(one.languages)
        for hour in range(_hour(one.start), _hour(one.end))
    }  # fmt: skip


def _hour(instant: int) -> int:
    return max(0, min(HOURS, (instant - micros(BEGIN)) // 3_600_000_000))


def of(given: Region) -> set[Use]:
    return uses(region.boxes(given))


def availability_agrees(dice: random.Random) -> bool:
    """Compare both verdicts, what is free, what may be, and that all that is not free is told."""
    market, wish = cells.random_market(dice), cells.random_wish(dice)
    register = told(market)
    question, least = asked(wish, dice), timedelta(hours=wish.minimum)
    expected = cells.opinion(market, wish)
    every, part = (
        judging.judge(register, question, match=match, minimum=least)
        for match in (Match.ALL, Match.ANY)
    )
    return (
        every.outcome.value == expected.all_of_it
        and part.outcome.value == expected.any_of_it
        and of(part.free) == of(every.free) == expected.free
        and of(part.unknown) == expected.maybe
        and _is_explained(part, wish)
    )


def _is_explained(answer: Answer, wish: Wish) -> bool:
    """Tell whether every use that is not free has a reason, and none that is free has a blocker."""
    blocked, open_to = (
        uses(reason.box for reason in answer.reasons if reason.severity is severity)
        for severity in (Severity.BLOCKER, Severity.UNKNOWN)
    )
    wanted, free, maybe = wish.rights.cells(), of(answer.free), of(answer.unknown)
    if not blocked | open_to <= wanted:
        return False
    if wish.of != "owners" or wish.minimum > 1:
        return bool(answer.reasons) or answer.outcome.value == "free" or wish.minimum > 1
    return blocked == wanted - free - maybe and maybe <= open_to


def test_availability_and_a_count_of_cells_agree(capsys: Capture) -> None:
    count = campaign.size(1_000, 40_000)
    campaign.play("availability", availability_agrees, count, capsys)
