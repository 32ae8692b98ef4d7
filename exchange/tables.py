"""Rows of the worker: which reactions have taken effect."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, DateTime
from sqlmodel import Field, SQLModel


class ReactionDone(SQLModel, table=True):
    """A reaction to a fact whose effect is committed; at most one per pair."""

    __tablename__ = "reaction_done"

    fact_id: UUID = Field(primary_key=True, foreign_key="fact.id")
    reaction: str = Field(primary_key=True)
    done_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
