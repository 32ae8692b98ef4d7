"""Rows of identity: people, browser sessions, failed sign-ins and API keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Column, DateTime, LargeBinary, String
from sqlmodel import Field, SQLModel

from contracts import column


class Person(SQLModel, table=True):
    """A natural person who acts for one party."""

    __tablename__ = "person"
    __table_args__ = (
        CheckConstraint(
            "role IN ('holder', 'broadcaster', 'operator', 'approver', 'auditor')",
            name="person_role_is_known",
        ),
        CheckConstraint("state IN ('active', 'suspended')", name="person_state_is_known"),
        CheckConstraint("email = lower(email)", name="person_email_is_lower_case"),
        CheckConstraint("char_length(name) BETWEEN 1 AND 100", name="person_has_a_name"),
    )

    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    email: str = Field(unique=True)
    name: str
    password_hash: str
    role: str
    state: str = "active"
    created_at: datetime = Field(sa_column=column.instant())


class SignIn(SQLModel, table=True):
    """A browser session; the browser holds the token, this row only its SHA-256."""

    __tablename__ = "sign_in"
    __table_args__ = (
        CheckConstraint("octet_length(id_hash) = 32", name="sign_in_id_is_a_hash"),
        CheckConstraint("expires_at > created_at", name="sign_in_expires_later"),
    )

    id_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    person_id: UUID = Field(foreign_key="person.id", index=True)
    csrf_token: str
    expires_at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), nullable=False, index=True)
    )
    created_at: datetime = Field(sa_column=column.instant())


class SignInFailures(SQLModel, table=True):
    """How often an e-mail address failed to sign in since `since`; known address or not."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (
        CheckConstraint("octet_length(email_hash) = 32", name="sign_in_failures_id_is_a_hash"),
        CheckConstraint("failures > 0", name="sign_in_failures_are_counted"),
    )

    email_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    failures: int
    since: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False, index=True))


class PersonProof(SQLModel, table=True):
    """A person who signed in already gave the password again, to decide one thing (重新认证)."""

    __tablename__ = "person_proof"
    __table_args__ = (CheckConstraint("expires_at > proved_at", name="person_proof_expires_later"),)

    id: UUID = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    proved_at: datetime = Field(sa_column=column.instant())
    expires_at: datetime = Field(sa_column=column.instant())


class ApiKey(SQLModel, table=True):
    """An API key; the program holds the secret, this row only its SHA-256."""

    __tablename__ = "api_key"
    __table_args__ = (
        CheckConstraint("octet_length(secret_sha256) = 32", name="api_key_secret_is_a_hash"),
        CheckConstraint(
            "scopes <@ ARRAY['read', 'list', 'bid', 'deal', 'money']::varchar[] "
            "AND cardinality(scopes) > 0",
            name="api_key_scopes_are_known",
        ),
        CheckConstraint("prefix IN ('rx_test_', 'rx_live_')", name="api_key_prefix_is_known"),
        CheckConstraint("char_length(name) BETWEEN 1 AND 100", name="api_key_has_a_name"),
        CheckConstraint("char_length(last4) = 4", name="api_key_shows_four"),
    )

    id: UUID = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    name: str
    prefix: str
    secret_sha256: bytes = Field(sa_column=Column(LargeBinary, unique=True, nullable=False))
    last4: str
    scopes: list[str] = Field(sa_column=Column(ARRAY(String()), nullable=False))
    expires_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    revoked_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    created_at: datetime = Field(sa_column=column.instant())
