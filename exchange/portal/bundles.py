"""Package auctions: composing packages of cells, and who got which part and why it pays that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.money import Money
from contracts.rights import wording
from contracts.works import queries as works
from exchange import door
from exchange.api import bundles as api
from exchange.api.deps import Now, Session
from exchange.identity.rules import Role
from exchange.portal import render
from exchange.portal.forms import Form, Sent
from exchange.portal.language import Language, mark
from exchange.portal.visitors import MaybeVisitor, SignedIn, Visitor
from listings.auctions import contents
from listings.auctions import queries as auctions
from listings.auctions.methods import package as rules
from listings.auctions.model import Book
from listings.bundles import cells, posing, queries
from listings.bundles.posing import Posed

router = APIRouter(prefix="/auctions/{auction_id}")
STAGES: Mapping[str, str] = {
    "started": mark("The solver begins"),
    "winners": mark("Looking for the best way to sell"),
    "vcg": mark("Working out what each winner is worth to the others"),
    "core": mark("Looking for groups that offered more than is to be paid"),
    "died": mark("The solver ended; another one begins"),
    "solved": mark("Solved"),
}
FALLBACKS: Mapping[str, str] = {
    "winners-unproven": mark(
        "Time ran out before the best way was proved; everybody pays its bid."
    ),
    "prices-unproven": mark("Time ran out before the prices were proved; everybody pays its bid."),
}
Cell = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One place of a grid: its cells by column, None where nothing is offered."""

    name: str
    cells: list[Cell | None]

    @property
    def codes(self) -> str:
        """Return the codes of all its cells."""
        return _codes(self.cells)


@dataclass(frozen=True, slots=True)
class Grid:
    """One right in one mode: places by windows."""

    name: str
    columns: list[str]
    rows: list[Row]

    def column(self, place: int) -> str:
        """Return the codes of a whole column."""
        return _codes([row.cells[place] for row in self.rows])


@router.get("/packages")
async def packages_page(
    request: Request, auction_id: UUID, visitor: SignedIn, session: Session, now: Now
) -> Response:
    """Show the cells, and the packages that the visitor has bid for."""
    visitor.caller.need("bid", Role.BROADCASTER)
    mine = await auctions.latest_bids(
        session, auction_id, limit=1, party_id=visitor.caller.party_id
    )
    content = canonical.loads(mine[0].content) if mine and mine[0].content else {}
    listed = list(content.get("packages", ()))
    return await _compose(request, auction_id, session, listed, bid_id=ids.new(now))


@router.post("/packages")
async def change_packages(
    request: Request, auction_id: UUID, visitor: SignedIn, form: Sent, *, session: Session, now: Now
) -> Response:
    """Put a package on the list, take one off it, or bid with the whole list."""
    visitor.caller.need("bid", Role.BROADCASTER)
    _, book = await queries.get_book(session, auction_id)
    listed, wanted = _listed(form), form.text("do")
    if wanted == "place":
        given = {"currency": book.currency, "packages": listed}
        with request.app.state.bidding.receipt() as at:
            await door.place(request.app, visitor.caller, auction_id, form.id("bid_id"), given, at)
        return render.see(request, f"/auctions/{auction_id}/packages")
    if wanted == "add":
        codes = list(dict.fromkeys(code for some in form.many("cell") for code in some.split()))
        amount = form.minor("amount", book.currency)
        listed.append({"cells": codes, "amount_minor": amount})
        given = {"currency": book.currency, "packages": listed}
        rules.check(book, contents.clear(book, given))
    else:
        listed = [one for place, one in enumerate(listed) if wanted != f"remove-{place}"]
    return await _compose(request, auction_id, session, listed, bid_id=ids.new(now))


@router.get("/solution")
async def solution_page(
    request: Request, auction_id: UUID, visitor: MaybeVisitor, session: Session
) -> Response:
    """Show who got which part for how much and why; before that, how far the solver is."""
    solution = await api.get_solution(auction_id, session)
    row, book = await queries.get_book(session, auction_id)
    values = await _explained(session, book, solution, render.speaks(request))
    return render.page(
        request, "solution.html", solution=solution, currency=book.currency,
        auction_id=auction_id, work=await works.get_work(session, row.work_id), own=_own(visitor),
        stages=STAGES, fallbacks=FALLBACKS, state=row.state, **values,
    )  # fmt: skip


def grids(on: Sequence[Cell], spoken: Language) -> list[Grid]:
    """Return cells as grids of places by windows, one for each right and mode."""
    of = _of(spoken)
    found: dict[str, list[Cell]] = {}
    for cell in on:
        how = cells.mode_name(cell["exclusivity"], of)
        found.setdefault(f"{cells.right_name(cell, of)} · {how}", []).append(cell)
    return [_grid(name, mine, of) for name, mine in found.items()]


def _of(spoken: Language) -> wording.Language:
    return "zh" if spoken.code.startswith("zh") else "en"


def _grid(name: str, mine: Sequence[Cell], of: wording.Language) -> Grid:
    windows = sorted({_window(cell) for cell in mine})
    columns = {_window(cell): cells.days(cell, of) for cell in mine}
    rows: dict[str, dict[tuple[str, str], Cell]] = {}
    for cell in mine:
        rows.setdefault(cells.place_name(cell, of), {})[_window(cell)] = cell
    return Grid(
        name,
        [columns[window] for window in windows],
        [Row(place, [held.get(window) for window in windows]) for place, held in rows.items()],
    )


def _window(cell: Cell) -> tuple[str, str]:
    return cell["right"]["first_day"], cell["right"]["last_day"]


def _codes(on: Sequence[Cell | None]) -> str:
    return " ".join(cell["code"] for cell in on if cell is not None)


def _listed(form: Form) -> list[dict[str, Any]]:
    """Read the packages on the list: each field is an amount and codes."""
    found = []
    for text in form.many("package"):
        amount, *codes = text.split()
        found.append({"cells": codes, "amount_minor": int(amount) if amount.isdecimal() else 0})
    return found


def _said(on: Sequence[Cell], codes: Sequence[str], spoken: Language) -> list[str]:
    """Return what a package holds in few lines."""
    of = _of(spoken)
    merged = cells.rights(on, codes)
    return [cells.name({"right": wire, "exclusivity": wire["exclusivity"]}, of) for wire in merged]


async def _compose(
    request: Request,
    auction_id: UUID,
    session: AsyncSession,
    listed: Sequence[Mapping[str, Any]],
    *,
    bid_id: UUID,
) -> Response:
    row, book = await queries.get_book(session, auction_id)
    known, spoken = {cell["code"]: cell for cell in book.terms["cells"]}, render.speaks(request)
    packages = [
        {
            **one,
            "field": " ".join([str(one["amount_minor"]), *one["cells"]]),
            "said": _said(book.terms["cells"], one["cells"], spoken),
            "least_minor": posing.least(book.terms, [known[code] for code in one["cells"]]),
        }
        for one in listed
        if set(one["cells"]) <= set(known)
    ]
    return render.page(
        request, "packages_bid.html", auction_id=auction_id, auction=row, terms=book.terms,
        work=await works.get_work(session, row.work_id), currency=book.currency,
        grids=grids(book.terms["cells"], spoken), packages=packages, bid_id=bid_id,
        floor=Money(int(book.terms["floor_minor"]), book.currency).decimal(),
    )  # fmt: skip


async def _explained(
    session: AsyncSession, book: Book, solution: api.SolutionOut, spoken: Language
) -> dict[str, Any]:
    """Return winners and reasons in words, and the map of paddles."""
    found = solution.certificate
    if found is None:
        return {"winners": [], "reasons": [], "grids": [], "holders": {}}
    posed = queries.posed(book, await auctions.events(session, book.auction))
    holders: dict[str, list[int]] = {}
    for one in found["winners"]:
        for code in one["cells"]:
            holders.setdefault(code, []).append(one["paddle"])
    return {
        "winners": [_winner(book, one, spoken) for one in found["winners"]],
        "reasons": [_reason(posed, block) for block in found["blocks"] or ()],
        "grids": grids(book.terms["cells"], spoken),
        "holders": holders,
    }


def _winner(book: Book, one: Mapping[str, Any], spoken: Language) -> dict[str, Any]:
    exact = Fraction(one["paid"])
    return {
        **one,
        "said": _said(book.terms["cells"], one["cells"], spoken),
        "exactly": None if exact.denominator == 1 else one["paid"],
    }


def _reason(posed: Posed, block: Mapping[str, Any]) -> dict[str, Any]:
    """Return who would have taken what instead, and what that asks of the payers."""
    named = {(str(one.bid), one.package): one for one in posed.named}
    others = [named[(bid, package)] for bid, package in block["chosen"]]
    return {
        "payers": block["payers"],
        "least_minor": block["least_minor"],
        "others": [(one.paddle, one.amount_minor, len(one.cells)) for one in others],
    }


def _own(visitor: Visitor | None) -> bool:
    return visitor is not None and visitor.role == "broadcaster"
