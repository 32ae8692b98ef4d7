"""Rows of parties: legal persons and the public keys they sign with."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, Index, text
from sqlmodel import Field, SQLModel

from contracts import column


class Party(SQLModel, table=True):
    """A legal person (法人): a rights holder, a broadcaster, or the exchange itself."""

    __tablename__ = "party"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('rights_holder', 'broadcaster', 'exchange')", name="party_kind_is_known"
        ),
        CheckConstraint(
            "(kind = 'exchange') = (id = '00000000-0000-7000-8000-000000000001')",
            name="party_exchange_is_one",
        ),
        CheckConstraint("state IN ('registered', 'verified')", name="party_state_is_known"),
        CheckConstraint(
            "char_length(name_zh) BETWEEN 1 AND 200 AND char_length(name_en) BETWEEN 1 AND 200",
            name="party_has_names",
        ),
        CheckConstraint(
            "CASE kind WHEN 'exchange' THEN uscc = '' "
            "ELSE uscc ~ '^[0-9]{8}[0-9A-HJ-NPQRTUWXY]{10}$' END",
            name="party_code_has_form",
        ),
        Index("ix_party_to_verify", "created_at", postgresql_where=text("state = 'registered'")),
    )

    id: UUID = Field(primary_key=True)
    kind: str
    name_zh: str
    name_en: str
    uscc: str = Field(unique=True)  # 统一社会信用代码; empty for the exchange itself
    state: str = "registered"
    created_at: datetime = Field(sa_column=column.instant())


class PartyKey(SQLModel, table=True):
    """A public key whose private half only the party has, with its certificate and the chain."""

    __tablename__ = "party_key"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'revoked')", name="party_key_state_is_known"),
        CheckConstraint(
            "(state = 'revoked') = (revoked_at IS NOT NULL)", name="party_key_revoked_when"
        ),
        CheckConstraint("spki_sha256 ~ '^[0-9a-f]{64}$'", name="party_key_hash_is_hex"),
        CheckConstraint(
            "(endorsed_by IS NULL) = (endorsement IS NULL) AND endorsed_by <> id",
            name="party_key_endorsement_is_whole",
        ),
    )

    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    spki_sha256: str = Field(unique=True)
    public_key_pem: str
    certificate_pem: str
    state: str = "active"
    registered_at: datetime = Field(sa_column=column.instant())
    revoked_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    issuer: str | None = None  # RFC 4514; null: the exchange's own authority
    endorsed_by: UUID | None = Field(default=None, foreign_key="party_key.id")
    endorsement: bytes | None = None  # what that key signed; see `endorsing`


class KeyReset(SQLModel, table=True):
    """Leave by the exchange's staff to register one key that no earlier key vouches for."""

    __tablename__ = "key_reset"
    __table_args__ = (
        CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="key_reset_says_why"),
    )

    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    allowed_by: UUID
    reason: str
    allowed_at: datetime = Field(sa_column=column.instant())
    used_by: UUID | None = Field(default=None, foreign_key="party_key.id", unique=True)


class RevocationList(SQLModel, table=True):
    """A published list of revoked certificates; the latest is the one in force."""

    __tablename__ = "revocation_list"
    __table_args__ = (
        CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name="revocation_list_hash_is_hex"),
        CheckConstraint("entries >= 0", name="revocation_list_entries_not_negative"),
        CheckConstraint("next_update > made_at", name="revocation_list_lasts"),
    )

    id: UUID = Field(primary_key=True)
    der: bytes
    content_sha256: str  # of what it names, so that nothing new makes no new list
    entries: int
    made_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False, index=True))
    next_update: datetime = Field(sa_column=column.instant())
