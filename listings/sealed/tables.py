"""Rows of sealed auctions: keys, who has shown its share, shares and bids handed in to open.

All are only ever added. A trigger of migration 0030 takes shares and reveals of closed auctions
alone: before the close not even a mistake of ours puts two shares beside the ciphertexts.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from contracts import column

HOLDER = "holder IN ('seller', 'exchange', 'auditor')"


class SealedKey(SQLModel, table=True):
    """The public part of an auction's opening key, registered before the auction opens."""

    __tablename__ = "sealed_key"
    __table_args__ = (
        CheckConstraint("key_sha256 ~ '^[0-9a-f]{64}$'", name="sealed_key_hash_is_hex"),
    )

    auction_id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id")  # the seller
    document: bytes = Field(sa_column=column.octets())  # RFC 8785
    key_sha256: str
    registered_at: datetime = Field(sa_column=column.instant())


class SealedAcknowledgement(SQLModel, table=True):
    """A holder's signature, made with its share, over the key's hash."""

    __tablename__ = "sealed_acknowledgement"
    __table_args__ = (CheckConstraint(HOLDER, name="sealed_acknowledgement_holder"),)

    auction_id: UUID = Field(primary_key=True, foreign_key="sealed_key.auction_id")
    holder: str = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id")
    person_id: UUID
    signature: bytes = Field(sa_column=column.octets())
    acknowledged_at: datetime = Field(sa_column=column.instant())


class SealedShare(SQLModel, table=True):
    """A share that its holder handed in after the close."""

    __tablename__ = "sealed_share"
    __table_args__ = (
        CheckConstraint(HOLDER, name="sealed_share_holder"),
        CheckConstraint("octet_length(share) = 32", name="sealed_share_length"),
    )

    auction_id: UUID = Field(primary_key=True, foreign_key="auction.id")
    holder: str = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id")
    person_id: UUID
    share: bytes = Field(sa_column=column.octets())
    handed_in_at: datetime = Field(sa_column=column.instant())


class SealedReveal(SQLModel, table=True):
    """What a bidder itself said it had sealed, after the close; shown with all the others."""

    __tablename__ = "sealed_reveal"
    __table_args__ = (CheckConstraint("octet_length(nonce) = 32", name="sealed_reveal_nonce"),)

    auction_id: UUID = Field(primary_key=True, foreign_key="auction.id")
    bid_id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id")
    person_id: UUID
    content: bytes = Field(sa_column=column.octets())  # RFC 8785
    nonce: bytes = Field(sa_column=column.octets())
    revealed_at: datetime = Field(sa_column=column.instant())
