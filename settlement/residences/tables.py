"""Rows of tax residences."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, String, text
from sqlmodel import Field, SQLModel

from contracts import column
from settlement.residences.rules import Residence, Treaty


class TaxResidence(SQLModel, table=True):
    """Where a party is resident for tax: recorded by one person, decided by another."""

    __tablename__ = "tax_residence"
    __table_args__ = (
        CheckConstraint(
            "state IN ('prepared', 'approved', 'refused')", name="tax_residence_state_is_known"
        ),
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="tax_residence_country_is_a_code"),
        CheckConstraint(
            "num_nonnulls(certificate_no, evidence, evidence_sha256, valid_from, valid_to) "
            "IN (0, 5) AND (certificate_no IS NULL OR country <> 'CN')",
            name="tax_residence_treaty_is_whole",
        ),
        CheckConstraint("valid_from <= valid_to", name="tax_residence_treaty_lasts"),
        CheckConstraint(
            "char_length(certificate_no) BETWEEN 1 AND 64 "
            "AND char_length(evidence) BETWEEN 1 AND 500",
            name="tax_residence_treaty_is_shown",
        ),
        CheckConstraint(
            "evidence_sha256 ~ '^[0-9a-f]{64}$'", name="tax_residence_evidence_is_hashed"
        ),
        CheckConstraint("prepared_by <> decided_by", name="tax_residence_needs_two_people"),
        CheckConstraint(
            "(state = 'prepared') = (decided_by IS NULL) "
            "AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="tax_residence_decided_by_whom_and_when",
        ),
        CheckConstraint(
            "(state = 'refused') = (reason IS NOT NULL)", name="tax_residence_refused_with_a_reason"
        ),
        CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name="tax_residence_sha256_is_hex"),
        Index(
            "ix_tax_residence_one_open",
            "party_id",
            unique=True,
            postgresql_where=text("state = 'prepared'"),
        ),
    )

    id: UUID = Field(primary_key=True)
    party_id: UUID = Field(foreign_key="party.id", index=True)
    country: str = Field(sa_column=Column(String(2), nullable=False))
    since: date
    certificate_no: str | None = None
    evidence: str | None = None
    evidence_sha256: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    state: str
    content: bytes = Field(sa_column=column.octets())
    content_sha256: str
    prepared_by: UUID = Field(foreign_key="person.id")
    prepared_at: datetime = Field(sa_column=column.instant())
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    reason: str | None = None

    def residence(self) -> Residence:
        """The value that the rules know."""
        return Residence(self.country, self.since, self._treaty())

    def _treaty(self) -> Treaty | None:
        number, evidence, sha256 = self.certificate_no, self.evidence, self.evidence_sha256
        first, last = self.valid_from, self.valid_to
        if number is None or evidence is None or sha256 is None or first is None or last is None:
            return None
        return Treaty(number, evidence, sha256, first, last)
