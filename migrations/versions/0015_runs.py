"""Runs: the log of telecasts, what was cancelled of it, and how showings make runs."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

INSTANT = sa.DateTime(timezone=True)
GRANT = (["work_id", "grant_id"], ["rights_grant.work_id", "rights_grant.id"])
TABLES = ("run_rule", "telecast", "telecast_cancelled")
RULE_CHECKS = {
    "repeats_are_few": "repeats_max BETWEEN 0 AND 99",
    "hours_are_possible": "within_hours BETWEEN 1 AND 744",
    "days_are_possible": "within_days BETWEEN 1 AND 31",
    "day_starts_by_noon": "day_starts_min BETWEEN 0 AND 720",
    "repeats_have_one_validity": (
        "num_nonnulls(within_hours, within_days) = CASE repeats_max WHEN 0 THEN 0 ELSE 1 END"
    ),
}


def upgrade() -> None:
    _rules()
    _telecasts()
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _rules() -> None:
    op.create_table(
        "run_rule",
        sa.Column("work_id", sa.Uuid(), primary_key=True),
        sa.Column("grant_id", sa.Uuid(), primary_key=True),
        sa.Column("repeats_max", sa.Integer(), nullable=False),
        sa.Column("within_hours", sa.Integer(), nullable=True),
        sa.Column("within_days", sa.Integer(), nullable=True),
        sa.Column("same_channel", sa.Boolean(), nullable=False),
        sa.Column("day_starts_min", sa.Integer(), nullable=False),
        sa.Column("agreed_by", sa.Uuid(), sa.ForeignKey("party.id"), nullable=True),
        sa.Column("agreed_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(*GRANT),
        *(sa.CheckConstraint(rule, name=f"run_rule_{name}") for name, rule in RULE_CHECKS.items()),
    )
    op.create_index("run_rule_of_grant", "run_rule", ["grant_id"])


def _telecasts() -> None:
    op.create_table(
        "telecast",
        sa.Column("work_id", sa.Uuid(), primary_key=True),
        sa.Column("grant_id", sa.Uuid(), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("logged_by", sa.Uuid(), sa.ForeignKey("party.id"), nullable=True),
        sa.Column("logged_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(*GRANT),
        sa.CheckConstraint(
            "char_length(channel) BETWEEN 1 AND 200", name="telecast_channel_is_short"
        ),
        sa.CheckConstraint("char_length(zone) BETWEEN 1 AND 64", name="telecast_zone_is_short"),
    )
    op.create_index("telecast_of_grant", "telecast", ["grant_id"])
    op.create_table(
        "telecast_cancelled",
        sa.Column("work_id", sa.Uuid(), primary_key=True),
        sa.Column("grant_id", sa.Uuid(), primary_key=True),
        sa.Column("telecast_id", sa.Uuid(), primary_key=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("cancelled_by", sa.Uuid(), sa.ForeignKey("party.id"), nullable=True),
        sa.Column("cancelled_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["work_id", "grant_id", "telecast_id"],
            ["telecast.work_id", "telecast.grant_id", "telecast.id"],
        ),
        sa.CheckConstraint(
            "char_length(reason) BETWEEN 1 AND 500", name="telecast_cancelled_says_why"
        ),
    )
