"""Screener links."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

INSTANT = sa.DateTime(timezone=True)
CHECKS = {
    "state_is_known": "state IN ('preparing', 'ready', 'failed', 'ended')",
    "names_its_viewer": "char_length(viewer) BETWEEN 1 AND 60",
    "views_are_bounded": "most_views BETWEEN 1 AND 1000",
    "counts_views": "views >= 0 AND views <= coalesce(most_views, views)",
    "secret_is_hashed": "secret_sha256 ~ '^[0-9a-f]{64}$'",
    "done_is_a_share": "done_bp BETWEEN 0 AND 10000",
    "ends_after_it_begins": "expires_at > created_at",
}


def upgrade() -> None:
    op.create_table(
        "screener",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("master_id", sa.Uuid(), sa.ForeignKey("master.id"), nullable=False),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("viewer", sa.String(), nullable=False),
        sa.Column("most_views", sa.Integer(), nullable=True),
        sa.Column("views", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("done_bp", sa.Integer(), nullable=False),
        sa.Column("secret_sha256", sa.String(), nullable=False, unique=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        *(sa.CheckConstraint(rule, name=f"screener_{name}") for name, rule in CHECKS.items()),
    )
    op.create_index("ix_screener_master_id", "screener", ["master_id"])
    op.create_index(
        "ix_screener_over",
        "screener",
        ["expires_at"],
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.create_table(
        "screener_viewing",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("screener_id", sa.Uuid(), sa.ForeignKey("screener.id"), nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
    )
    op.create_index("ix_screener_viewing_screener_id", "screener_viewing", ["screener_id"])


def downgrade() -> None:
    op.drop_table("screener_viewing")
    op.drop_table("screener")
