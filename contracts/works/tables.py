"""Rows of works: what rights are traded in.

A work stands in a tree (series, season, episode, edit) whose nodes share `root_id`, and owns the
block of numbers `[unit_first, unit_after)`: rights in a block are rights in all that stands, or
will once stand, inside it. A row's place and its dates never change (migration 0012 has triggers).
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, Integer, text
from sqlmodel import Field, SQLModel

from contracts import column


class Work(SQLModel, table=True):
    """An audiovisual work (视听作品) as its registrant describes it."""

    __tablename__ = "work"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('film', 'series', 'season', 'episode', 'edit', 'documentary', 'sports', "
            "'variety', 'animation', 'other')",
            name="work_kind_is_known",
        ),
        CheckConstraint("year BETWEEN 1888 AND 2200", name="work_year_is_possible"),
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="work_country_has_form"),
        CheckConstraint(
            "char_length(title_zh) BETWEEN 1 AND 200 AND char_length(title_en) BETWEEN 1 AND 200",
            name="work_has_titles",
        ),
        CheckConstraint(
            "eidr ~ '^10[.]5240/([0-9A-F]{4}-){5}[0-9A-Z]$'", name="work_eidr_has_form"
        ),
        CheckConstraint(
            "isan ~ '^([0-9A-F]{4}-){4}[0-9A-Z](-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-Z])?$'",
            name="work_isan_has_form",
        ),
        CheckConstraint(
            "CASE WHEN parent_id IS NULL "
            "THEN root_id = id AND unit_first = 0 AND unit_after = 1073741824 "
            "ELSE root_id <> id AND parent_id <> id AND unit_first > 0 END",
            name="work_root_is_its_own",
        ),
        CheckConstraint(
            "unit_first >= 0 AND unit_after <= 1073741824 "
            "AND unit_after - unit_first IN (1, 1024, 1048576, 1073741824) "
            "AND unit_first % (unit_after - unit_first) = 0",
            name="work_block_is_aligned",
        ),
        CheckConstraint(
            "completed_on BETWEEN '1888-01-01' AND '2200-12-31'",
            name="work_completed_on_is_possible",
        ),
        CheckConstraint(
            "published_on BETWEEN '1888-01-01' AND '2200-12-31' AND published_on >= "
            "coalesce(completed_on, published_on)",
            name="work_published_on_is_possible",
        ),
        CheckConstraint("char_length(dci) BETWEEN 1 AND 200", name="work_dci_is_short"),
        CheckConstraint(
            "registration_no ~ '^.{1,2}作登字-20[0-9]{2}-[A-Z]-[0-9]{8,12}$'",
            name="work_registration_no_has_form",
        ),
        # One work for each: under two, the same right could be sold twice.
        Index("work_eidr_once", "eidr", unique=True),
        Index("work_isan_once", "isan", unique=True),
        Index("work_root_block", "root_id", "unit_first", unique=True),
    )

    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    title_zh: str
    title_en: str
    kind: str
    year: int
    country: str
    eidr: str | None = None
    isan: str | None = None
    permit_no: str | None = None
    dci: str | None = None
    registration_no: str | None = None
    parent_id: UUID | None = Field(default=None, foreign_key="work.id", index=True)
    root_id: UUID
    unit_first: int = Field(
        default=0, sa_column=Column(Integer, nullable=False, server_default=text("0"))
    )
    unit_after: int = Field(
        default=2**30, sa_column=Column(Integer, nullable=False, server_default=text("1073741824"))
    )
    completed_on: date | None = Field(default=None, sa_column=column.day(nullable=True))
    published_on: date | None = Field(default=None, sa_column=column.day(nullable=True))
    created_at: datetime = Field(sa_column=column.instant())
