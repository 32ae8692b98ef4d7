"""Rows of disclosures: who owns a seller, what was filed for a listing, and each step since."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from contracts import column
from listings.disclosures.progress import Progress
from listings.disclosures.rules import Notice

OWNERSHIP_CHECKS = {
    "is_known": "ownership IN ('state', 'state_controlled', 'other')",
    "threshold_is_for_the_state_owned": "threshold_minor IS NULL OR ownership <> 'other'",
    "threshold_is_an_amount": "threshold_minor >= 0",
}
DISCLOSURE_CHECKS = {
    "state_is_known": (
        "state IN ('filed', 'returned', 'accepted', 'disclosed', 'suspended', 'decided', "
        "'lapsed', 'terminated', 'publicised')"
    ),
    "has_amounts": "floor_minor >= 1 AND assessed_minor >= 1 AND price_minor >= 1",
    "currency_has_form": "currency ~ '^[A-Z]{3}$'",
    "subject_is_known": "subject IN ('assignment', 'licence')",
    "extension_is_long_enough": "extension_days BETWEEN 5 AND 60",
    "runs_for_days": "required_days >= 5 AND elapsed_days >= 0 AND extensions >= 0",
    "ends_after_it_starts": "started_on < last_on AND counted_from < last_on",
    "is_suspended_since": "(state = 'suspended') = (suspended_on IS NOT NULL)",
    "is_public_for_days": (
        "(publicity_from IS NULL) = (publicity_until IS NULL) AND publicity_from < publicity_until "
        "AND (state = 'publicised') = (publicity_from IS NOT NULL)"
    ),
    "basis_is_known": "basis IN ('competition', 'agreement', 'none')",
    "content_is_hashed": "content_sha256 ~ '^[0-9a-f]{64}$'",
}


class PartyOwnership(SQLModel, table=True):
    """Who owns a party; a state-owned one may set the amount from which it discloses licences."""

    __tablename__ = "party_ownership"
    __table_args__ = tuple(
        CheckConstraint(rule, name=f"party_ownership_{name}")
        for name, rule in OWNERSHIP_CHECKS.items()
    )

    party_id: UUID = Field(primary_key=True, foreign_key="party.id")
    ownership: str
    threshold_minor: int | None = Field(default=None, sa_column=column.minor(nullable=True))
    by_exchange: bool
    declared_by: UUID
    declared_at: datetime = Field(sa_column=column.instant())


class Disclosure(SQLModel, table=True):
    """The disclosure of one listing: what was filed, how far it has come, and its result."""

    __tablename__ = "disclosure"
    __table_args__ = (
        *(
            CheckConstraint(rule, name=f"disclosure_{name}")
            for name, rule in DISCLOSURE_CHECKS.items()
        ),
        Index("disclosure_running", "state", "listing_id"),
        Index(
            "disclosure_previous",
            "previous_id",
            unique=True,
            postgresql_where=text("previous_id IS NOT NULL"),
        ),
    )

    listing_id: UUID = Field(primary_key=True, foreign_key="listing.id")
    party_id: UUID = Field(foreign_key="party.id", index=True)
    work_id: UUID = Field(foreign_key="work.id")
    subject: str
    filing: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    content_sha256: str  # of rights, method, currency and floor, as they were filed
    currency: str
    floor_minor: int = Field(sa_column=column.minor())
    assessed_minor: int = Field(sa_column=column.minor())
    assessed_on: date = Field(sa_column=column.day())
    extension_days: int | None = None
    previous_id: UUID | None = Field(default=None, foreign_key="disclosure.listing_id")
    first_on: date | None = Field(default=None, sa_column=column.day(nullable=True))
    changed: bool = False
    consented: bool = False
    state: str = "filed"
    required_days: int | None = None
    started_on: date | None = Field(default=None, sa_column=column.day(nullable=True))
    counted_from: date | None = Field(default=None, sa_column=column.day(nullable=True))
    elapsed_days: int = 0
    last_on: date | None = Field(default=None, sa_column=column.day(nullable=True))
    suspended_on: date | None = Field(default=None, sa_column=column.day(nullable=True))
    extensions: int = 0
    basis: str | None = None
    price_minor: int | None = Field(default=None, sa_column=column.minor(nullable=True))
    publicity_from: date | None = Field(default=None, sa_column=column.day(nullable=True))
    publicity_until: date | None = Field(default=None, sa_column=column.day(nullable=True))
    filed_at: datetime = Field(sa_column=column.instant())

    def notice(self) -> Notice:
        """Return what was filed, as the rules know it."""
        return Notice(
            currency=self.currency,
            floor_minor=self.floor_minor,
            assessed_minor=self.assessed_minor,
            assessed_on=self.assessed_on,
            extension_days=self.extension_days,
            first_on=self.first_on,
            changed=self.changed,
            consented=self.consented,
        )

    def progress(self) -> Progress:
        """Return how far it has come."""
        return Progress(
            state=self.state,
            required_days=self.required_days,
            started_on=self.started_on,
            counted_from=self.counted_from,
            elapsed_days=self.elapsed_days,
            last_on=self.last_on,
            suspended_on=self.suspended_on,
            extensions=self.extensions,
            publicity_from=self.publicity_from,
            publicity_until=self.publicity_until,
        )

    def stand(self, progress: Progress) -> None:
        """Take over how far it has come."""
        self.state = progress.state
        self.required_days = progress.required_days
        self.started_on, self.counted_from = progress.started_on, progress.counted_from
        self.elapsed_days, self.last_on = progress.elapsed_days, progress.last_on
        self.suspended_on, self.extensions = progress.suspended_on, progress.extensions
        self.publicity_from = progress.publicity_from
        self.publicity_until = progress.publicity_until


class DisclosureStep(SQLModel, table=True):
    """One step of a disclosure; `by` is the person who took it, None for the exchange itself."""

    __tablename__ = "disclosure_step"
    __table_args__ = (
        CheckConstraint("number >= 1", name="disclosure_step_from_one"),
        CheckConstraint("kind ~ '^[a-z]+$'", name="disclosure_step_kind"),
        CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="disclosure_step_reason"),
    )

    listing_id: UUID = Field(primary_key=True, foreign_key="disclosure.listing_id")
    number: int = Field(primary_key=True)
    kind: str
    at: datetime = Field(sa_column=column.instant())
    by: UUID | None = None
    reason: str | None = None
    last_on: date | None = Field(default=None, sa_column=column.day(nullable=True))
