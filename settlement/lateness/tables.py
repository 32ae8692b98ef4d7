"""Rows of lateness: what each day on which an invoice was late costs."""

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from contracts import column


class LateDay(SQLModel, table=True):
    """One day (Beijing) on which an invoice was late, and its interest. Never changed."""

    __tablename__ = "late_day"
    __table_args__ = (
        CheckConstraint("principal_minor > 0", name="late_day_is_of_something"),
        CheckConstraint("amount_minor >= 0", name="late_day_is_not_negative"),
    )

    invoice_id: UUID = Field(primary_key=True, foreign_key="invoice.id")
    day: date = Field(primary_key=True)
    principal_minor: int = Field(sa_column=column.minor())
    amount_minor: int = Field(sa_column=column.minor())
