"""Screens and incidents of auctions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0031"
down_revision = "0030"

INSTANT = sa.DateTime(timezone=True)
INCIDENT_CHECKS = {
    "kind_is_known": "kind IN ('pause', 'resume', 'rebid', 'void', 'default')",
    "state_is_known": "state IN ('proposed', 'done', 'refused')",
    "reason_is_short": "char_length(reason) BETWEEN 1 AND 500",
    "is_decided_by_somebody": (
        "(state = 'proposed') = (decided_by IS NULL) "
        "AND (decided_by IS NULL) = (decided_at IS NULL)"
    ),
    "takes_two": "kind IN ('pause', 'resume') OR decided_by <> proposed_by",
}


def upgrade() -> None:
    op.create_table(
        "incident",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("auction_id", sa.Uuid(), sa.ForeignKey("auction.id"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", JSONB(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        *(
            sa.CheckConstraint(rule, name=f"incident_{name}")
            for name, rule in INCIDENT_CHECKS.items()
        ),
    )
    op.create_index(
        "incident_waiting",
        "incident",
        ["proposed_at"],
        postgresql_where=sa.text("state = 'proposed'"),
    )
    op.create_index("incident_of_auction", "incident", ["auction_id", "proposed_at"])
    op.execute(
        "-- squawk-ignore require-concurrent-index-creation -- logs of auctions are new: 0024\n"
        "CREATE INDEX auction_event_extended ON auction_event (at) WHERE kind = 'extended'"
    )
    op.create_table(
        "screen_run",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("ran_at", INSTANT, nullable=False),
        sa.Column("auctions", sa.Integer(), nullable=False),
        sa.Column("leads", sa.Integer(), nullable=False),
        sa.Column("findings", JSONB(), nullable=False),
        sa.Column("findings_sha256", sa.String(), nullable=False),
        sa.CheckConstraint("auctions >= 0 AND leads >= 0", name="screen_run_counts"),
        sa.CheckConstraint("findings_sha256 ~ '^[0-9a-f]{64}$'", name="screen_run_sha256_is_hex"),
        sa.CheckConstraint("jsonb_typeof(findings) = 'array'", name="screen_run_has_findings"),
    )


def downgrade() -> None:
    op.drop_table("screen_run")
    op.drop_index("auction_event_extended", "auction_event")
    op.drop_table("incident")
