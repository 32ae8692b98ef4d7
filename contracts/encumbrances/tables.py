"""Rows of encumbrances: what limits a work, what was consented to, and when events happened.

The box is kept in the numbers of the vocabulary, as a grant's is; moments are kept in the words.
What was declared never changes (migration 0014 has triggers): it is lifted, and declared anew.
"""

from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, text
from sqlalchemy.dialects.postgresql import INT4MULTIRANGE, INT4RANGE, JSONB, Range
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.encumbrances.rules import Terms
from contracts.rights import axes, vocabulary
from contracts.rights.axes import Axis

ACTIVE = "active"
CHECKS = {
    "kind_is_known": (
        "kind IN ('holdback', 'blackout', 'option', 'first-refusal', 'pledge', 'mandate', "
        "'clearance')"
    ),
    "state_is_known": "state IN ('active', 'lifted')",
    "is_not_empty": (
        "NOT (isempty(units) OR isempty(rights) OR isempty(media) OR isempty(territories) "
        "OR isempty(languages))"
    ),
    "is_of_licensable_rights": "rights <@ int4range(5, 18)::int4multirange",
    "starts_once": "(start_at IS NULL) <> (start_event IS NULL)",
    "ends_once": "end_at IS NULL OR end_event IS NULL",
    "ends_after_it_starts": "end_at > start_at",
    "is_somebodys": (
        "kind IN ('blackout', 'clearance') "
        "OR beneficiary_id IS NOT NULL OR beneficiary_name IS NOT NULL"
    ),
    "pledge_is_registered": "kind <> 'pledge' OR reference IS NOT NULL",
    "texts_are_short": (
        "coalesce(char_length(beneficiary_name), 1) BETWEEN 1 AND 200 "
        "AND coalesce(char_length(reference), 1) BETWEEN 1 AND 100 "
        "AND coalesce(char_length(lifted_reason), 1) BETWEEN 1 AND 500"
    ),
    "document_sha256_is_hex": "document_sha256 ~ '^[0-9a-f]{64}$'",
    "lifted_says_why": (
        "(state = 'lifted') = (lifted_at IS NOT NULL) "
        "AND (state = 'lifted') = (lifted_reason IS NOT NULL)"
    ),
}  # fmt: skip


class Encumbrance(SQLModel, table=True):
    """A promise or charge (负担) on a work, and on all that stands or will stand below it.

    `declared_by` is the owner who declared it, null for the exchange; `grant_id` the licence that a
    holdback belongs to; `start_at` and `end_at` are known instants, null where an event sets them.
    """

    __tablename__ = "encumbrance"
    __table_args__ = (
        *(CheckConstraint(rule, name=f"encumbrance_{name}") for name, rule in CHECKS.items()),
        Index("encumbrance_active", "root_id", postgresql_where=text("state = 'active'")),
        Index("encumbrance_root", "root_id", "id"),
    )
    model_config: ClassVar[Any] = {"arbitrary_types_allowed": True}

    work_id: UUID = Field(primary_key=True, foreign_key="work.id")
    id: UUID = Field(primary_key=True)
    root_id: UUID = Field(foreign_key="work.id")
    units: Range[int] = Field(sa_column=Column(INT4RANGE, nullable=False))
    kind: str
    state: str = ACTIVE
    declared_by: UUID | None = Field(default=None, foreign_key="party.id")
    beneficiary_id: UUID | None = Field(default=None, foreign_key="party.id")
    beneficiary_name: str | None = None
    grant_id: UUID | None = None
    rights: list[Range[int]] = Field(sa_column=Column(INT4MULTIRANGE, nullable=False))
    media: list[Range[int]] = Field(sa_column=Column(INT4MULTIRANGE, nullable=False))
    territories: list[Range[int]] = Field(sa_column=Column(INT4MULTIRANGE, nullable=False))
    languages: list[Range[int]] = Field(sa_column=Column(INT4MULTIRANGE, nullable=False))
    start_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    start_event: str | None = None
    end_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    end_event: str | None = None
    wire: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    reference: str | None = None
    document_sha256: str | None = None
    created_at: datetime = Field(sa_column=column.instant())
    lifted_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    lifted_reason: str | None = None


class EncumbranceConsent(SQLModel, table=True):
    """A box in which the beneficiary of an encumbrance lets others be; `given_by` null: through
    the exchange, which holds the document that says so."""

    __tablename__ = "encumbrance_consent"
    __table_args__ = (
        ForeignKeyConstraint(
            ["work_id", "encumbrance_id"], ["encumbrance.work_id", "encumbrance.id"]
        ),
        CheckConstraint(
            "document_sha256 ~ '^[0-9a-f]{64}$'", name="encumbrance_consent_sha256_is_hex"
        ),
        CheckConstraint(
            "given_by IS NOT NULL OR document_sha256 IS NOT NULL",
            name="encumbrance_consent_has_evidence",
        ),
    )

    work_id: UUID = Field(primary_key=True)
    encumbrance_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    given_by: UUID | None = Field(default=None, foreign_key="party.id")
    wire: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    document_sha256: str | None = None
    given_at: datetime = Field(sa_column=column.instant())


class WorkEvent(SQLModel, table=True):
    """The day on which something happened to a work: what windows are counted from."""

    __tablename__ = "work_event"
    __table_args__ = (
        CheckConstraint("code ~ '^[a-z]+(-[a-z]+)*$'", name="work_event_code_has_form"),
        CheckConstraint(
            "happened_on BETWEEN '1900-01-01' AND '2199-12-31'", name="work_event_is_possible"
        ),
        CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="work_event_reason_is_short"),
    )

    work_id: UUID = Field(primary_key=True, foreign_key="work.id")
    code: str = Field(primary_key=True)
    happened_on: date = Field(sa_column=column.day())
    recorded_by: UUID | None = Field(default=None, foreign_key="party.id")
    reason: str | None = None
    recorded_at: datetime = Field(sa_column=column.instant())


def columns(terms: Terms) -> dict[str, Any]:
    """Return what an encumbrance says as the columns of its row."""
    numbers = {code: vocabulary.RIGHTS[code].number for code in terms.rights}
    start, end, span = terms.when.start, terms.when.end, terms.when.span({})
    return {
        "rights": [Range(number, number + 1) for number in sorted(numbers.values())],
        "media": _spans(axes.MEDIA, terms.media),
        "territories": _spans(axes.TERRITORIES, terms.territories),
        "languages": _spans(axes.LANGUAGES, terms.languages),
        "start_at": None if start.event else span.start_latest,
        "start_event": start.event,
        "end_at": span.end_latest if end and not end.event else None,
        "end_event": end and end.event,
    }


def _spans(axis: Axis, mask: int) -> list[Range[int]]:
    return [Range(low, high) for low, high in axis.ranges(mask)]
