"""Rows of offers: rights open to offers, negotiations, and their versions, which never change."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Column, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from contracts import column
from listings.offers.rules import Thread


class Offerable(SQLModel, table=True):
    """A right that its holder lets others make offers for, and how it may be paid for."""

    __tablename__ = "offerable"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'closed')", name="offerable_state_is_known"),
        CheckConstraint(
            "audience IN ('broadcasters', 'counterparty')", name="offerable_audience_is_known"
        ),
        CheckConstraint("cardinality(models) BETWEEN 1 AND 6", name="offerable_has_models"),
        CheckConstraint(
            "models <@ ARRAY['flat', 'instalments', 'guarantee-share', 'guarantee-tiers', "
            "'per-run', 'share']::varchar[]",
            name="offerable_models_are_known",
        ),
        CheckConstraint("jsonb_typeof(\"right\") = 'object'", name="offerable_right_is_an_object"),
        CheckConstraint(
            "(state = 'closed') = (closed_at IS NOT NULL)", name="offerable_closed_when"
        ),
    )

    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    work_id: UUID = Field(foreign_key="work.id", index=True)
    master_id: UUID = Field(foreign_key="master.id")
    listing_id: UUID | None = Field(default=None, foreign_key="listing.id")
    right: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    models: list[str] = Field(sa_column=Column(ARRAY(String()), nullable=False))
    audience: str
    state: str = "open"
    created_at: datetime = Field(sa_column=column.instant())
    closed_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class Offer(SQLModel, table=True):
    """A negotiation between a licensor and a licensee; its row's lock orders what they say."""

    __tablename__ = "offer"
    __table_args__ = (
        CheckConstraint(
            "state IN ('open', 'accepted', 'declined', 'withdrawn', 'expired')",
            name="offer_state_is_known",
        ),
        CheckConstraint("licensor_id <> licensee_id", name="offer_has_two_sides"),
        CheckConstraint("opened_by IN ('licensor', 'licensee')", name="offer_opened_by_a_side"),
        CheckConstraint("(state = 'open') = (ended_at IS NULL)", name="offer_ended_when"),
        CheckConstraint("versions BETWEEN 1 AND 50", name="offer_has_versions"),
        Index("ix_offer_due", "expires_at", postgresql_where=text("state = 'open'")),
    )

    id: UUID = Field(primary_key=True)
    licensor_id: UUID = Field(foreign_key="party.id", index=True)
    licensee_id: UUID = Field(foreign_key="party.id", index=True)
    opened_by: str
    state: str = "open"
    versions: int = 1
    request_id: UUID | None = None
    accepted_version: UUID | None = None
    reason: str | None = None
    expires_at: datetime = Field(sa_column=column.instant())
    created_at: datetime = Field(sa_column=column.instant())
    ended_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))

    @property
    def sides(self) -> dict[str, UUID]:
        """The parties by their side."""
        return {"licensor": self.licensor_id, "licensee": self.licensee_id}

    def side_of(self, party_id: UUID) -> str | None:
        """Return the side that a party is on, or None."""
        return next((side for side, party in self.sides.items() if party == party_id), None)


class OfferVersion(SQLModel, table=True):
    """What one side said, word for word; `asked` is what it sent, to know it again."""

    __tablename__ = "offer_version"
    __table_args__ = (
        CheckConstraint("by_side IN ('licensor', 'licensee')", name="offer_version_by_a_side"),
        CheckConstraint("number >= 1", name="offer_version_counts_from_one"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="offer_version_sha256_is_hex"),
        CheckConstraint("expires_at > made_at", name="offer_version_lasts"),
    )

    offer_id: UUID = Field(primary_key=True, foreign_key="offer.id")
    number: int = Field(primary_key=True)
    id: UUID = Field(unique=True)
    by_side: str
    person_id: UUID
    asked: bytes = Field(sa_column=column.octets())
    content: bytes = Field(sa_column=column.octets())
    sha256: str
    expires_at: datetime = Field(sa_column=column.instant())
    made_at: datetime = Field(sa_column=column.instant())


def thread(offer: Offer, latest: OfferVersion) -> Thread:
    """Return a negotiation as the rules know it."""
    return Thread(
        offer.state, offer.versions, latest.by_side, latest.id, latest.sha256, latest.expires_at
    )
