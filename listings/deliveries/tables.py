"""Rows of deliveries: what was handed over, released keys, complaints, keys to seal to."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column


def _of_delivery(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["deal_id", "delivery_id"], ["delivery.deal_id", "delivery.id"], name=f"{table}_delivery"
    )


class DeliveryKey(SQLModel, table=True):
    """An X25519 key of a party: content keys are sealed to it; only the party opens them."""

    __tablename__ = "delivery_key"
    __table_args__ = (
        CheckConstraint("octet_length(public) = 32", name="delivery_key_is_32_bytes"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="delivery_key_sha256_is_hex"),
        CheckConstraint("state IN ('active', 'revoked')", name="delivery_key_state_is_known"),
        CheckConstraint(
            "(state = 'revoked') = (revoked_at IS NOT NULL)", name="delivery_key_revoked_when"
        ),
    )

    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    public: bytes = Field(sa_column=column.octets())
    sha256: str = Field(unique=True)
    state: str = "active"
    registered_at: datetime = Field(sa_column=column.instant())
    revoked_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class Delivery(SQLModel, table=True):
    """One handing over of one master under a deal; what was promised in it never changes."""

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint("number > 0", name="delivery_number_is_positive"),
        CheckConstraint("manifest_sha256 ~ '^[0-9a-f]{64}$'", name="delivery_manifest_is_hashed"),
        CheckConstraint("master_sha256 ~ '^[0-9a-f]{64}$'", name="delivery_names_its_master"),
        CheckConstraint("octet_length(escrow) = 80", name="delivery_escrow_is_an_envelope"),
        CheckConstraint("char_length(place) <= 2000", name="delivery_place_is_short"),
        CheckConstraint(
            "state IN ('offered', 'released', 'accepted', 'disputed', 'replaced')",
            name="delivery_state_is_known",
        ),
        CheckConstraint(
            "(state IN ('offered', 'replaced')) = (released_at IS NULL) "
            "AND (released_at IS NULL) = (accept_by IS NULL)",
            name="delivery_released_has_time",
        ),
        CheckConstraint(
            "(state IN ('offered', 'released')) = (settled_at IS NULL)",
            name="delivery_settled_has_time",
        ),
        CheckConstraint(
            "(state = 'accepted') = (how IS NOT NULL) "
            "AND coalesce(how IN ('said', 'deemed'), true)",
            name="delivery_accepted_how",
        ),
        Index(
            "delivery_one_stands", "deal_id", "master_sha256", unique=True,
            postgresql_where=text("state IN ('offered', 'released', 'accepted')"),
        ),
        Index("delivery_due", "accept_by", postgresql_where=text("state = 'released'")),
    )  # fmt: skip

    deal_id: UUID = Field(primary_key=True, foreign_key="deal.id")
    id: UUID = Field(primary_key=True)
    number: int
    master_sha256: str
    manifest: bytes = Field(sa_column=column.octets())
    manifest_sha256: str
    escrow: bytes = Field(sa_column=column.octets())
    place: str
    state: str = "offered"
    how: str | None = None
    offered_at: datetime = Field(sa_column=column.instant())
    released_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    accept_by: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    settled_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class DeliveryRelease(SQLModel, table=True):
    """The content's key, sealed to a key of the licensee; handed out once its fact is sealed."""

    __tablename__ = "delivery_release"
    __table_args__ = (
        CheckConstraint("octet_length(sealed) = 80", name="delivery_release_is_an_envelope"),
        CheckConstraint("by IN ('exchange', 'licensor')", name="delivery_release_by_is_known"),
        _of_delivery("delivery_release"),
    )

    deal_id: UUID = Field(primary_key=True)
    delivery_id: UUID = Field(primary_key=True)
    key_id: UUID = Field(primary_key=True, foreign_key="delivery_key.id")
    by: str = Field(primary_key=True)
    sealed: bytes = Field(sa_column=column.octets())
    fact_id: UUID = Field(foreign_key="fact.id")
    released_at: datetime = Field(sa_column=column.instant())


class DeliveryComplaint(SQLModel, table=True):
    """A complaint that was judged: upheld, or rejected."""

    __tablename__ = "delivery_complaint"
    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="delivery_complaint_sha256_is_hex"),
        CheckConstraint(
            "verdict IN ('upheld', 'rejected')", name="delivery_complaint_verdict_is_known"
        ),
        _of_delivery("delivery_complaint"),
    )

    deal_id: UUID = Field(primary_key=True)
    delivery_id: UUID = Field(primary_key=True)
    sha256: str = Field(primary_key=True)
    segment: int
    verdict: str
    reason: str
    filed_at: datetime = Field(sa_column=column.instant())
