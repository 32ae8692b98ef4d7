"""Conformance: what was measured and declared of masters, and the reports made of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0019"
down_revision = "0018"

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _measures()
    _declarations()
    _reports()


def downgrade() -> None:
    op.drop_table("conformance_report")
    op.drop_table("master_declaration")
    op.drop_table("master_measures")


def _master() -> sa.Column[object]:
    return sa.Column(
        "master_id", sa.Uuid(), sa.ForeignKey("master.id", ondelete="CASCADE"), primary_key=True
    )


def _measures() -> None:
    op.create_table(
        "master_measures",
        _master(),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("content", pg.JSONB(), nullable=False),
        sa.Column("measured_at", INSTANT, nullable=False),
        sa.CheckConstraint("tier IN ('sampled', 'full')", name="master_measures_tier_is_known"),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="master_measures_sha256_is_hex"),
        sa.CheckConstraint("jsonb_typeof(content) = 'object'", name="master_measures_is_an_object"),
    )


def _declarations() -> None:
    op.create_table(
        "master_declaration",
        _master(),
        sa.Column("content", pg.JSONB(), nullable=False),
        sa.Column("declared_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "jsonb_typeof(content) = 'object'", name="master_declaration_is_an_object"
        ),
    )


def _reports() -> None:
    op.create_table(
        "conformance_report",
        _master(),
        sa.Column("profile", sa.String(), primary_key=True),
        sa.Column("sha256", sa.String(), primary_key=True),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("uhd_label", sa.Boolean(), nullable=True),
        sa.Column("document", pg.JSONB(), nullable=False),
        sa.Column("judged_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "tier IN ('probe', 'sampled', 'full')", name="conformance_report_tier_is_known"
        ),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="conformance_report_sha256_is_hex"),
        sa.CheckConstraint(
            "jsonb_typeof(document) = 'object'", name="conformance_report_is_an_object"
        ),
    )
