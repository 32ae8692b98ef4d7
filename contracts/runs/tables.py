"""Rows of runs: the telecasts of a grant as its licensee logs them, and how they make runs.

Telecasts are only ever added; one that was logged wrongly is cancelled by a further row.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.runs.rules import Rule, Showing

RULE_CHECKS = {
    "repeats_are_few": "repeats_max BETWEEN 0 AND 99",
    "hours_are_possible": "within_hours BETWEEN 1 AND 744",
    "days_are_possible": "within_days BETWEEN 1 AND 31",
    "day_starts_by_noon": "day_starts_min BETWEEN 0 AND 720",
    "repeats_have_one_validity": (
        "num_nonnulls(within_hours, within_days) = CASE repeats_max WHEN 0 THEN 0 ELSE 1 END"
    ),
}
_GRANT: tuple[list[str], list[str]] = (
    ["work_id", "grant_id"],
    ["rights_grant.work_id", "rights_grant.id"],
)


class RunRule(SQLModel, table=True):
    """How the showings of a grant make runs (重播计次规则); a grant without one has the plain rule.

    `agreed_by` is the grantor, null for the exchange.
    """

    __tablename__ = "run_rule"
    __table_args__ = (
        ForeignKeyConstraint(*_GRANT),
        *(CheckConstraint(rule, name=f"run_rule_{name}") for name, rule in RULE_CHECKS.items()),
        Index("run_rule_of_grant", "grant_id"),
    )

    work_id: UUID = Field(primary_key=True)
    grant_id: UUID = Field(primary_key=True)
    repeats_max: int
    within_hours: int | None = None
    within_days: int | None = None
    same_channel: bool
    day_starts_min: int
    agreed_by: UUID | None = Field(default=None, foreign_key="party.id")
    agreed_at: datetime = Field(sa_column=column.instant())

    def rule(self) -> Rule:
        """Return the rule."""
        return Rule(
            self.repeats_max,
            self.within_hours,
            self.within_days,
            self.same_channel,
            self.day_starts_min,
        )


class Telecast(SQLModel, table=True):
    """A showing (播出) that a licensee logged, or the exchange (`logged_by` null) for it."""

    __tablename__ = "telecast"
    __table_args__ = (
        ForeignKeyConstraint(*_GRANT),
        CheckConstraint("char_length(channel) BETWEEN 1 AND 200", name="telecast_channel_is_short"),
        CheckConstraint("char_length(zone) BETWEEN 1 AND 64", name="telecast_zone_is_short"),
        Index("telecast_of_grant", "grant_id"),
    )

    work_id: UUID = Field(primary_key=True)
    grant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    channel: str
    started_at: datetime = Field(sa_column=column.instant())
    zone: str
    logged_by: UUID | None = Field(default=None, foreign_key="party.id")
    logged_at: datetime = Field(sa_column=column.instant())

    def showing(self) -> Showing:
        """Return the showing."""
        return Showing(self.id, self.channel, self.started_at, self.zone)


class TelecastCancelled(SQLModel, table=True):
    """Says that a telecast was logged wrongly, and why."""

    __tablename__ = "telecast_cancelled"
    __table_args__ = (
        ForeignKeyConstraint(
            ["work_id", "grant_id", "telecast_id"],
            ["telecast.work_id", "telecast.grant_id", "telecast.id"],
        ),
        CheckConstraint(
            "char_length(reason) BETWEEN 1 AND 500", name="telecast_cancelled_says_why"
        ),
    )

    work_id: UUID = Field(primary_key=True)
    grant_id: UUID = Field(primary_key=True)
    telecast_id: UUID = Field(primary_key=True)
    reason: str
    cancelled_by: UUID | None = Field(default=None, foreign_key="party.id")
    cancelled_at: datetime = Field(sa_column=column.instant())
