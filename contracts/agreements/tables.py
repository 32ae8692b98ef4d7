"""Rows of agreements with the exchange: frozen terms, revisions of the file, signing sessions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from contracts import column


class Agreement(SQLModel, table=True):
    """An agreement (协议) of one party with the exchange: certified when it is drawn up.

    `subject_id` is what it is about: the auction of a deposit agreement.
    """

    __tablename__ = "agreement"
    __table_args__ = (
        CheckConstraint("kind = 'deposit'", name="agreement_kind_is_known"),
        CheckConstraint("state IN ('certified', 'signed')", name="agreement_state_is_known"),
        CheckConstraint("terms_sha256 ~ '^[0-9a-f]{64}$'", name="agreement_terms_sha256_is_hex"),
        CheckConstraint("base_sha256 ~ '^[0-9a-f]{64}$'", name="agreement_base_sha256_is_hex"),
        CheckConstraint("pdf_sha256 ~ '^[0-9a-f]{64}$'", name="agreement_pdf_sha256_is_hex"),
        CheckConstraint(
            "(state = 'signed') = (signed_at IS NOT NULL)", name="agreement_signed_has_time"
        ),
        Index("agreement_one_of_a_party", "subject_id", "party_id", "kind", unique=True),
    )

    id: UUID = Field(primary_key=True)
    kind: str
    subject_id: UUID
    party_id: UUID = Field(foreign_key="party.id", index=True)
    terms: bytes = Field(sa_column=column.octets())
    terms_sha256: str
    base_sha256: str
    pdf_sha256: str  # with the last signature, without the archives that follow
    state: str = "certified"
    created_at: datetime = Field(sa_column=column.instant())
    signed_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class AgreementDocument(SQLModel, table=True):
    """One revision of an agreement's PDF: 0 rendered, 1 certified, 2 signed, then archives."""

    __tablename__ = "agreement_document"
    __table_args__ = (
        CheckConstraint("revision >= 0", name="agreement_document_revision_is_known"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="agreement_document_sha256_is_hex"),
    )

    agreement_id: UUID = Field(primary_key=True, foreign_key="agreement.id")
    revision: int = Field(primary_key=True)
    pdf: bytes = Field(sa_column=column.octets())
    sha256: str
    made_at: datetime = Field(sa_column=column.instant())


class AgreementSession(SQLModel, table=True):
    """A party's signature, begun: the exact bytes prepared for it."""

    __tablename__ = "agreement_session"
    __table_args__ = (
        CheckConstraint("role = 'bidder'", name="agreement_session_role_is_known"),
        CheckConstraint("expires_at > opened_at", name="agreement_session_has_time"),
        CheckConstraint(
            "(completed_at IS NULL) = (signature IS NULL)", name="agreement_session_done_is_whole"
        ),
        Index(
            "agreement_session_signs_once",
            "agreement_id",
            unique=True,
            postgresql_where=text("completed_at IS NOT NULL"),
        ),
    )

    agreement_id: UUID = Field(primary_key=True, foreign_key="agreement.id")
    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id")
    key_id: UUID = Field(foreign_key="party_key.id")
    role: str
    spki_sha256: str
    certificate_pem: str
    on_sha256: str  # the revision that the signature is put upon
    prepared: bytes = Field(sa_column=column.octets())
    document_digest: bytes = Field(sa_column=column.octets())
    gap_start: int
    gap_end: int
    tbs: bytes = Field(sa_column=column.octets())
    opened_at: datetime = Field(sa_column=column.instant())
    expires_at: datetime = Field(sa_column=column.instant())
    completed_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    signature: bytes | None = Field(default=None, sa_column=column.octets(nullable=True))
