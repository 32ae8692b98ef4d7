"""Rows of the catalogue: listings (挂牌), and the count of publications."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from contracts import column


class Listing(SQLModel, table=True):
    """What is for sale and on which terms; rights and sale are frozen by publication.

    `epoch` counts publications: whoever compared its master with all listings up to one epoch has
    only those of later ones left to compare with.
    """

    __tablename__ = "listing"
    __table_args__ = (
        CheckConstraint(
            "state IN ('draft', 'published', 'sold', 'unsold', 'withdrawn')",
            name="listing_state_is_known",
        ),
        CheckConstraint(
            "(state = 'draft') = (published_at IS NULL) AND (state = 'draft') = (epoch IS NULL) "
            "AND (state = 'draft') = (publication_fact IS NULL)",
            name="listing_published_when",
        ),
        CheckConstraint(
            "(state IN ('draft', 'published')) = (ended_at IS NULL)", name="listing_ended_when"
        ),
        CheckConstraint(
            "jsonb_typeof(rights) = 'array' AND jsonb_array_length(rights) > 0",
            name="listing_offers_rights",
        ),
        CheckConstraint(
            "coalesce(sale ->> 'method' ~ '^[a-z]+$' AND (sale ->> 'floor_minor')::bigint > 0 "
            "AND sale ->> 'currency' ~ '^[A-Z]{3}$', false)",
            name="listing_sale_has_terms",
        ),
    )

    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    work_id: UUID = Field(foreign_key="work.id", index=True)
    master_id: UUID = Field(foreign_key="master.id", index=True)
    auction_id: UUID = Field(unique=True)
    rights: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    sale: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    # What the sale keeps to itself until the close: the amount of a hidden reserve (保留价).
    secret: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB, nullable=True))
    state: str = "draft"
    epoch: int | None = Field(
        default=None, sa_column=Column(BigInteger, nullable=True, unique=True)
    )
    published_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    publication_fact: UUID | None = Field(default=None, foreign_key="fact.id")
    ended_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    drafted_at: datetime = Field(sa_column=column.instant())
    created_at: datetime = Field(sa_column=column.instant())


class CatalogueEpoch(SQLModel, table=True):
    """The number of publications so far, in one row whose lock puts publications in order."""

    __tablename__ = "catalogue_epoch"
    __table_args__ = (
        CheckConstraint("id = 1", name="catalogue_epoch_is_one_row"),
        CheckConstraint("epoch >= 0", name="catalogue_epoch_counts"),
    )

    id: int = Field(primary_key=True)
    epoch: int = Field(sa_column=Column(BigInteger, nullable=False))
