"""Reading fee schedules: from the tables that ship, and from JSON that staff prepare."""

import csv
import io
from collections.abc import Mapping
from datetime import date
from typing import Any

from contracts.money import EXPONENTS, MOST_MINOR
from contracts.refusal import Kind, Refusal
from settlement.fees import rules
from settlement.fees.rules import Row, Schedule

LONGEST_TEXT = 500
MOST_ROWS = 200


class BadFeeSchedule(Refusal):
    """The schedule does not hold together."""

    kind, code = Kind.INVALID, "bad-fee-schedule"
    hint = (
        "Give tiers from 0 without gap or overlap, the last without an end, rates of 0 to 10000 "
        "basis points with their legal basis, and a currency where amounts are named."
    )


def read_tables(names: str, rows: str) -> Mapping[str, Schedule]:
    """Return schedules by id from CSV texts: one of their names, one of their rows.

    Raises:
        ValueError: see `rules.check`; or a row is of no schedule.
    """
    each = list(csv.DictReader(io.StringIO(rows)))
    named = {row["schedule"]: row for row in csv.DictReader(io.StringIO(names))}
    if {row["schedule"] for row in each} != named.keys():
        raise ValueError("rows and names are not of the same schedules")
    return {
        name: rules.check(
            Schedule(
                id=name,
                name_zh=said["name_zh"],
                name_en=said["name_en"],
                currency=said["currency"] or None,
                seller_minimum_minor=int(said["seller_minimum_minor"]),
                buyer_minimum_minor=int(said["buyer_minimum_minor"]),
                rows=tuple(_row(row) for row in each if row["schedule"] == name),
            )
        )
        for name, said in named.items()
    }


def read_days(table: str, known: Mapping[str, Schedule]) -> tuple[tuple[date, Schedule], ...]:
    """Return from which day which schedule is in force, from CSV text."""
    return tuple(
        (date.fromisoformat(row["valid_from"]), known[row["schedule"]])
        for row in csv.DictReader(io.StringIO(table))
    )


def read_wire(wire: Mapping[str, Any]) -> Schedule:
    """Return the schedule that JSON holds, as `Schedule.wire` writes it.

    Raises:
        BadFeeSchedule: it does not hold together.
    """
    said = dict(wire)
    rows = said.pop("rows")
    if not 1 <= len(rows) <= MOST_ROWS:
        raise BadFeeSchedule("There are too few rows, or too many.", most=MOST_ROWS)
    made = Schedule(**said, rows=tuple(Row(**row) for row in rows))
    if made.currency is not None and made.currency not in EXPONENTS:
        raise BadFeeSchedule("This currency is not handled.", known=sorted(EXPONENTS))
    amounts = [made.seller_minimum_minor, made.buyer_minimum_minor]
    amounts += [row.above_minor for row in made.rows]
    amounts += [row.up_to_minor or 0 for row in made.rows]
    texts = [made.id, made.name_zh, made.name_en]
    texts += [text for row in made.rows for text in (row.legal_basis, row.source)]
    if max(amounts) > MOST_MINOR or any(not 1 <= len(text) <= LONGEST_TEXT for text in texts):
        raise BadFeeSchedule("An amount is too large, or a text is empty or too long.")
    try:
        return rules.check(made)
    except ValueError as error:
        raise BadFeeSchedule(f"{error}.") from error


def read_new(wire: Mapping[str, Any]) -> Schedule:
    """Return a schedule that is to be announced, whose texts are lines without breaks.

    Raises:
        BadFeeSchedule: it does not hold together.
    """
    made = read_wire(wire)
    texts = [made.id, made.name_zh, made.name_en]
    texts += [text for row in made.rows for text in (row.legal_basis, row.source)]
    if any(min(text) < " " for text in texts):
        raise BadFeeSchedule("A text has breaks or signs that nobody sees.")
    return made


def read_typed(wire: Mapping[str, Any]) -> Schedule:
    """Return the schedule of `Schedule.content`, read from its JSON.

    Raises:
        BadFeeSchedule: it does not hold together.
    """
    return read_wire({name: said for name, said in wire.items() if name != "typ"})


def _row(row: Mapping[str, str]) -> Row:
    return Row(
        side=row["side"],
        sale=row["sale"],
        basis=row["basis"],
        above_minor=int(row["above_minor"]),
        up_to_minor=int(row["up_to_minor"]) if row["up_to_minor"] else None,
        rate_bp=int(row["rate_bp"]),
        verified={"yes": True, "no": False}[row["verified"]],
        legal_basis=row["legal_basis"],
        source=row["source"],
    )
