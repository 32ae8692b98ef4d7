"""Disclosure of what is for sale, and of its result."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0028"
down_revision = "0027"

INSTANT = sa.DateTime(timezone=True)
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


def upgrade() -> None:
    op.create_table(
        "party_ownership",
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), primary_key=True),
        sa.Column("ownership", sa.String(), nullable=False),
        sa.Column("threshold_minor", sa.BigInteger(), nullable=True),
        sa.Column("by_exchange", sa.Boolean(), nullable=False),
        sa.Column("declared_by", sa.Uuid(), nullable=False),
        sa.Column("declared_at", INSTANT, nullable=False),
        *(
            sa.CheckConstraint(rule, name=f"party_ownership_{name}")
            for name, rule in OWNERSHIP_CHECKS.items()
        ),
    )
    _disclosures()
    op.create_table(
        "disclosure_step",
        sa.Column("listing_id", sa.Uuid(), sa.ForeignKey("disclosure.listing_id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("last_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("listing_id", "number"),
        sa.CheckConstraint("number >= 1", name="disclosure_step_from_one"),
        sa.CheckConstraint("kind ~ '^[a-z]+$'", name="disclosure_step_kind"),
        sa.CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="disclosure_step_reason"),
    )


def downgrade() -> None:
    op.drop_table("disclosure_step")
    op.drop_table("disclosure")
    op.drop_table("party_ownership")


def _disclosures() -> None:
    op.create_table(
        "disclosure",
        sa.Column("listing_id", sa.Uuid(), sa.ForeignKey("listing.id"), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("work_id", sa.Uuid(), sa.ForeignKey("work.id"), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("filing", JSONB(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("floor_minor", sa.BigInteger(), nullable=False),
        sa.Column("assessed_minor", sa.BigInteger(), nullable=False),
        sa.Column("assessed_on", sa.Date(), nullable=False),
        sa.Column("extension_days", sa.Integer(), nullable=True),
        sa.Column("previous_id", sa.Uuid(), sa.ForeignKey("disclosure.listing_id"), nullable=True),
        sa.Column("first_on", sa.Date(), nullable=True),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.Column("consented", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("required_days", sa.Integer(), nullable=True),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("counted_from", sa.Date(), nullable=True),
        sa.Column("elapsed_days", sa.Integer(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=True),
        sa.Column("suspended_on", sa.Date(), nullable=True),
        sa.Column("extensions", sa.Integer(), nullable=False),
        sa.Column("basis", sa.String(), nullable=True),
        sa.Column("price_minor", sa.BigInteger(), nullable=True),
        sa.Column("publicity_from", sa.Date(), nullable=True),
        sa.Column("publicity_until", sa.Date(), nullable=True),
        sa.Column("filed_at", INSTANT, nullable=False),
        *(
            sa.CheckConstraint(rule, name=f"disclosure_{name}")
            for name, rule in DISCLOSURE_CHECKS.items()
        ),
    )
    op.create_index("ix_disclosure_party_id", "disclosure", ["party_id"])
    op.create_index("disclosure_running", "disclosure", ["state", "listing_id"])
    op.create_index(
        "disclosure_previous",
        "disclosure",
        ["previous_id"],
        unique=True,
        postgresql_where=sa.text("previous_id IS NOT NULL"),
    )
