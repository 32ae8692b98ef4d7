"""Contracts that change hands, and contracts that end early as a clause allows."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"

INSTANT = sa.DateTime(timezone=True)
# Rules that are widened: table, name, before, now.
CHECKS = (
    (
        "deal", "end_cause_is_known",
        "end_cause IS NULL OR end_cause IN ('cause', 'mutual')",
        "end_cause IS NULL OR end_cause IN ('cause', 'mutual', 'convenience')",
    ),
    (
        "deal_notice", "kind_is_known",
        "kind IN ('breach', 'mutual')",
        "kind IN ('breach', 'mutual', 'convenience')",
    ),
    (
        "deal_notice", "cured_by_follows_receipt",
        "(kind = 'breach' AND received_at IS NOT NULL) = (cure_by IS NOT NULL)",
        "(kind IN ('breach', 'convenience') AND received_at IS NOT NULL) = (cure_by IS NOT NULL)",
    ),
    (
        "deal_timer", "kind_is_known",
        "kind IN ('signing-reminder', 'signing-expiry', 'deemed-receipt', 'cure-end', "
        "'window-end')",
        "kind IN ('signing-reminder', 'signing-expiry', 'deemed-receipt', 'cure-end', "
        "'notice-end', 'window-end')",
    ),
)  # fmt: skip
ASSIGNED = (
    "assignor_id IS NULL OR (supersedes IS NOT NULL AND assignor_id NOT IN "
    "(licensor_id, licensee_id))"
)
ASSIGNMENT = {
    "expires_later": "expires_at > made_at",
    "is_to_another": "assignor_id <> assignee_id",
    "signed_is_whole": "(signature IS NULL) = (signed_at IS NULL)",
}


def upgrade() -> None:
    _checks("now")
    op.add_column("deal", sa.Column("assignor_id", sa.Uuid(), nullable=True))
    op.execute(
        "ALTER TABLE deal ADD CONSTRAINT deal_assignor_id_fkey "
        "FOREIGN KEY (assignor_id) REFERENCES party (id) NOT VALID"
    )
    op.execute(f"ALTER TABLE deal ADD CONSTRAINT deal_assignor_is_none_of_both "
               f"CHECK ({ASSIGNED}) NOT VALID")  # fmt: skip
    op.create_index(
        "ix_deal_assignor_id", "deal", ["assignor_id"],
        postgresql_where=sa.text("assignor_id IS NOT NULL"),
    )  # fmt: skip
    op.create_table(
        "deal_assignment",
        sa.Column("deal_id", sa.Uuid(), sa.ForeignKey("deal.id"), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("assignor_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("assignee_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("key_id", sa.Uuid(), sa.ForeignKey("party_key.id"), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("signed_at", INSTANT, nullable=True),
        *(sa.CheckConstraint(r, name=f"deal_assignment_{n}") for n, r in ASSIGNMENT.items()),
    )


def downgrade() -> None:
    op.drop_table("deal_assignment")
    op.drop_index("ix_deal_assignor_id", "deal")
    op.drop_constraint("deal_assignor_is_none_of_both", "deal")
    op.drop_constraint("deal_assignor_id_fkey", "deal")
    op.drop_column("deal", "assignor_id")
    _checks("before")


def _checks(which: str) -> None:
    """Put rules of the same names in place; rows of the wider kinds stay as they are."""
    for table, name, before, now in CHECKS:
        rule = now if which == "now" else before
        op.execute(
            "-- squawk-ignore ban-drop-constraint -- another of the same name follows at once\n"
            f"ALTER TABLE {table} DROP CONSTRAINT {table}_{name}"
        )
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_{name} CHECK ({rule}) NOT VALID")
