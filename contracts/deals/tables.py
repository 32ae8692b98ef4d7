"""Rows of deals: frozen terms with their state, revisions of the contract, signing sessions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Index,
    Uuid,
    text,
)
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.deals import lifecycle
from contracts.deals.lifecycle import Life
from contracts.money import Money


class Deal(SQLModel, table=True):
    """A contract (合同): its terms never change, its three regions of state do."""

    __tablename__ = "deal"
    __table_args__ = (
        CheckConstraint(
            "signing IN ('drafted', 'certified', 'licensor_signed', 'executed', 'voided', "
            "'declined', 'expired')",
            name="deal_signing_is_known",
        ),
        CheckConstraint(
            "performance IN ('pending', 'effective', 'paid')", name="deal_performance_is_known"
        ),
        CheckConstraint(
            "ended IN ('expired', 'terminated', 'superseded', 'rescinded')",
            name="deal_ended_is_known",
        ),
        CheckConstraint("amount_minor > 0", name="deal_amount_is_positive"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="deal_currency_is_a_code"),
        CheckConstraint("licensor_id <> licensee_id", name="deal_has_two_sides"),
        CheckConstraint(
            "NOT (work_id = ANY (further_works)) AND cardinality(further_works) <= 199",
            name="deal_works_are_apart",
        ),
        CheckConstraint("terms_sha256 ~ '^[0-9a-f]{64}$'", name="deal_terms_sha256_is_hex"),
        CheckConstraint(
            "signing IN ('drafted', 'voided', 'declined', 'expired') "
            "OR (base_sha256 IS NOT NULL AND pdf_sha256 IS NOT NULL)",
            name="deal_certified_has_document",
        ),
        CheckConstraint(
            "(signing = 'executed') = (executed_at IS NOT NULL)", name="deal_executed_has_time"
        ),
        CheckConstraint(
            "performance = 'pending' OR signing = 'executed'", name="deal_performs_when_executed"
        ),
        CheckConstraint(
            "(auction_id IS NULL) <> (offer_id IS NULL)", name="deal_follows_one_agreement"
        ),
        CheckConstraint("ended IS NULL OR signing = 'executed'", name="deal_ended_was_in_force"),
        CheckConstraint("(ended IS NULL) = (ended_at IS NULL)", name="deal_ended_has_time"),
        CheckConstraint(
            "end_cause IS NULL OR end_cause IN ('cause', 'mutual', 'convenience')",
            name="deal_end_cause_is_known",
        ),
        CheckConstraint(
            "(ended = 'terminated') IS TRUE = (end_cause IS NOT NULL)",
            name="deal_end_cause_says_why",
        ),
        CheckConstraint(
            "(signing = 'declined') = (declined_by IS NOT NULL) "
            "AND coalesce(declined_by IN (licensor_id, licensee_id), true)",
            name="deal_declined_by_a_side",
        ),
        CheckConstraint(
            "(supersedes IS NULL) = (patch IS NULL) AND supersedes <> id",
            name="deal_amendment_has_a_patch",
        ),
        CheckConstraint(
            "assignor_id IS NULL OR (supersedes IS NOT NULL AND assignor_id NOT IN "
            "(licensor_id, licensee_id))",
            name="deal_assignor_is_none_of_both",
        ),
        Index(
            "ix_deal_assignor_id", "assignor_id", postgresql_where=text("assignor_id IS NOT NULL")
        ),
        Index(
            "deal_one_amendment",
            "supersedes",
            unique=True,
            postgresql_where=text("signing NOT IN ('voided', 'declined', 'expired')"),
        ),
    )

    id: UUID = Field(primary_key=True)
    work_id: UUID = Field(foreign_key="work.id", index=True)
    contract_no: str = Field(unique=True)
    # Of a package (多部作品): the works that its terms name after `work_id`.
    further_works: list[UUID] = Field(
        default_factory=list,
        sa_column=Column(ARRAY(Uuid()), nullable=False, server_default=text("'{}'")),
    )
    listing_id: UUID | None = Field(default=None, index=True)
    auction_id: UUID | None = None
    offer_id: UUID | None = Field(default=None, index=True)
    licensor_id: UUID = Field(foreign_key="party.id", index=True)
    licensee_id: UUID = Field(foreign_key="party.id", index=True)
    terms: bytes = Field(sa_column=column.octets())
    terms_sha256: str
    amount_minor: int = Field(sa_column=column.minor())
    currency: str
    signing: str = "drafted"
    performance: str = "pending"
    ended: str | None = None
    end_cause: str | None = None
    ended_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    declined_by: UUID | None = None
    supersedes: UUID | None = Field(default=None, foreign_key="deal.id")
    # Who hands the contract on (转让): a party to it until now, and to this deal's text alone.
    assignor_id: UUID | None = Field(default=None, foreign_key="party.id")
    # RFC 6902 as RFC 8785 bytes: what turns the terms of the deal superseded into these.
    patch: bytes | None = Field(default=None, sa_column=column.octets(nullable=True))
    base_sha256: str | None = None
    pdf_sha256: str | None = None
    created_at: datetime = Field(sa_column=column.instant())
    executed_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))

    @property
    def price(self) -> Money:
        """The agreed price."""
        return Money(self.amount_minor, self.currency)

    @property
    def life(self) -> Life:
        """Where it stands in its four regions."""
        return lifecycle.life_of(
            signing=self.signing, performance=self.performance, ended=self.ended,
            cause=self.end_cause,
        )  # fmt: skip


class DealDocument(SQLModel, table=True):
    """One revision of a contract's PDF: 0 rendered, 1 certified, 2 and 3 signed, then archives."""

    __tablename__ = "deal_document"
    __table_args__ = (
        CheckConstraint("revision >= 0", name="deal_document_revision_is_known"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="deal_document_sha256_is_hex"),
    )

    deal_id: UUID = Field(primary_key=True, foreign_key="deal.id")
    revision: int = Field(primary_key=True)
    pdf: bytes = Field(sa_column=column.octets())
    sha256: str
    made_at: datetime = Field(sa_column=column.instant())


class SigningSession(SQLModel, table=True):
    """A party's turn to sign, begun: the exact bytes prepared for its signature."""

    __tablename__ = "signing_session"
    __table_args__ = (
        CheckConstraint("role IN ('licensor', 'licensee')", name="signing_session_role_is_known"),
        CheckConstraint("expires_at > opened_at", name="signing_session_has_time"),
        CheckConstraint(
            "(completed_at IS NULL) = (signature IS NULL)", name="signing_session_done_is_whole"
        ),
    )

    deal_id: UUID = Field(primary_key=True, foreign_key="deal.id")
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


class DealNotice(SQLModel, table=True):
    """A notice of one side to the other (通知): of a breach, or an offer to end by agreement."""

    __tablename__ = "deal_notice"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('breach', 'payment', 'mutual', 'convenience')",
            name="deal_notice_kind_is_known",
        ),
        CheckConstraint("char_length(text) BETWEEN 1 AND 2000", name="deal_notice_text_is_short"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="deal_notice_sha256_is_hex"),
        CheckConstraint(
            "(key_id IS NULL) = (signature IS NULL)", name="deal_notice_signed_is_whole"
        ),
        CheckConstraint(
            "outcome IN ('terminated', 'cured', 'withdrawn', 'refused', 'overtaken')",
            name="deal_notice_outcome_is_known",
        ),
        CheckConstraint(
            "(outcome IS NULL) = (settled_at IS NULL)", name="deal_notice_outcome_has_time"
        ),
        CheckConstraint(
            "(kind IN ('breach', 'payment', 'convenience') AND received_at IS NOT NULL) "
            "= (cure_by IS NOT NULL)",
            name="deal_notice_cured_by_follows_receipt",
        ),
        Index(
            "deal_notice_one_of_a_side",
            "deal_id",
            "kind",
            "party_id",
            unique=True,
            postgresql_where=text("settled_at IS NULL"),
        ),
    )

    deal_id: UUID = Field(primary_key=True, foreign_key="deal.id")
    id: UUID = Field(primary_key=True)
    kind: str
    party_id: UUID = Field(foreign_key="party.id")
    text: str
    content: bytes = Field(sa_column=column.octets())
    sha256: str
    key_id: UUID | None = Field(default=None, foreign_key="party_key.id")
    signature: bytes | None = Field(default=None, sa_column=column.octets(nullable=True))
    fact_id: UUID = Field(foreign_key="fact.id")
    given_at: datetime = Field(sa_column=column.instant())
    received_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    cure_by: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    outcome: str | None = None
    settled_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class DealAssignment(SQLModel, table=True):
    """A licensee's offer to hand its contract on (合同转让), and its signature over the new terms.

    `id` is that of the deal which opens when it has signed; `terms` are the bytes it signs.
    """

    __tablename__ = "deal_assignment"
    __table_args__ = (
        CheckConstraint("expires_at > made_at", name="deal_assignment_expires_later"),
        CheckConstraint("assignor_id <> assignee_id", name="deal_assignment_is_to_another"),
        CheckConstraint(
            "(signature IS NULL) = (signed_at IS NULL)", name="deal_assignment_signed_is_whole"
        ),
    )

    deal_id: UUID = Field(primary_key=True, foreign_key="deal.id")
    id: UUID = Field(primary_key=True)
    assignor_id: UUID = Field(foreign_key="party.id")
    assignee_id: UUID = Field(foreign_key="party.id")
    key_id: UUID = Field(foreign_key="party_key.id")
    terms: bytes = Field(sa_column=column.octets())
    signature: bytes | None = Field(default=None, sa_column=column.octets(nullable=True))
    made_at: datetime = Field(sa_column=column.instant())
    expires_at: datetime = Field(sa_column=column.instant())
    signed_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class DealTimer(SQLModel, table=True):
    """What happens to a deal at an instant if nothing happens before; `ref` is what it is about."""

    __tablename__ = "deal_timer"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('signing-reminder', 'signing-expiry', 'deemed-receipt', 'cure-end', "
            "'notice-end', 'window-end')",
            name="deal_timer_kind_is_known",
        ),
        CheckConstraint("outcome IN ('fired', 'moot')", name="deal_timer_outcome_is_known"),
        CheckConstraint(
            "(outcome IS NULL) = (settled_at IS NULL)", name="deal_timer_outcome_has_time"
        ),
        Index("deal_timer_due", "due_at", postgresql_where=text("settled_at IS NULL")),
    )

    deal_id: UUID = Field(primary_key=True, foreign_key="deal.id")
    kind: str = Field(primary_key=True)
    ref: UUID = Field(primary_key=True)
    due_at: datetime = Field(sa_column=column.instant())
    settled_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    outcome: str | None = None


class PublishedText(SQLModel, table=True):
    """A version of a clause or template that was published; it stays what it was."""

    __tablename__ = "published_text"
    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="published_text_sha256_is_hex"),
    )

    name: str = Field(primary_key=True)
    id: UUID = Field(unique=True)
    sha256: str
    published_at: datetime = Field(sa_column=column.instant())
