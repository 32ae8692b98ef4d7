"""Rows of works: what rights are traded in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime
from sqlmodel import Field, SQLModel


class Work(SQLModel, table=True):
    """An audiovisual work (视听作品) as its registrant describes it."""

    __tablename__ = "work"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('film', 'series', 'episode', 'documentary', 'sports', 'variety', "
            "'animation', 'other')",
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
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
