"""Rows of screeners and of their viewings."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from contracts import column


class Screener(SQLModel, table=True):
    """A link by which one viewer may watch one master's proxy with the viewer's name in it.

    Only the SHA-256 of the link's secret is kept. The film is the object
    `derived/<master_id>/screeners/<id>.mp4` while the state is `ready`.
    """

    __tablename__ = "screener"
    __table_args__ = (
        CheckConstraint(
            "state IN ('preparing', 'ready', 'failed', 'ended')", name="screener_state_is_known"
        ),
        CheckConstraint("char_length(viewer) BETWEEN 1 AND 60", name="screener_names_its_viewer"),
        CheckConstraint("most_views BETWEEN 1 AND 1000", name="screener_views_are_bounded"),
        CheckConstraint(
            "views >= 0 AND views <= coalesce(most_views, views)", name="screener_counts_views"
        ),
        CheckConstraint("secret_sha256 ~ '^[0-9a-f]{64}$'", name="screener_secret_is_hashed"),
        CheckConstraint("done_bp BETWEEN 0 AND 10000", name="screener_done_is_a_share"),
        CheckConstraint("expires_at > created_at", name="screener_ends_after_it_begins"),
        Index("ix_screener_over", "expires_at", postgresql_where=text("state <> 'ended'")),
    )

    id: UUID = Field(primary_key=True)
    master_id: UUID = Field(foreign_key="master.id", index=True)
    party_id: UUID = Field(foreign_key="party.id")
    viewer: str
    most_views: int | None = None
    views: int = 0
    state: str = "preparing"
    done_bp: int = 0
    secret_sha256: str = Field(unique=True)
    created_at: datetime = Field(sa_column=column.instant())
    expires_at: datetime = Field(sa_column=column.instant())
    revoked_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class Viewing(SQLModel, table=True):
    """One use of a screener's link: from pressing the button, for at most twelve hours."""

    __tablename__ = "screener_viewing"

    id: UUID = Field(primary_key=True)
    screener_id: UUID = Field(foreign_key="screener.id", index=True)
    opened_at: datetime = Field(sa_column=column.instant())
