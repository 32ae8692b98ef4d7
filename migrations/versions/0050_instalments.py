"""Instalments: a price paid in parts, invoices that fall due, and the rate of those paid late."""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0052"

KINDS = {
    True: "kind IN ('price', 'instalment', 'deferral', 'royalties', 'interest')",
    False: "kind IN ('price', 'royalties', 'interest')",
}
MODELS = {
    True: "models <@ ARRAY['flat', 'instalments', 'guarantee-share', 'per-run', 'share']"
    "::varchar[]",
    False: "models <@ ARRAY['flat', 'guarantee-share', 'per-run', 'share']::varchar[]",
}
PART = "(part IS NULL OR part >= 1) AND (kind NOT IN ('instalment', 'deferral') OR part >= 2)"
LATE = "late_bp BETWEEN 0 AND 10000 AND (late_bp IS NULL OR due_at IS NOT NULL)"


def upgrade() -> None:
    """Let prices have parts, and invoices days on which they are due."""
    op.add_column("settlement", sa.Column("part", sa.Integer(), nullable=True))
    op.add_column("invoice", sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("invoice", sa.Column("late_bp", sa.Integer(), nullable=True))
    _replace("settlement", "settlement_kind_is_known", KINDS[True])
    _replace("offerable", "offerable_models_are_known", MODELS[True])
    _replace("offerable", "offerable_has_models", "cardinality(models) BETWEEN 1 AND 5")
    _add("settlement", "settlement_part_counts", PART)
    _add("invoice", "invoice_late_rate_in_range", LATE)
    op.create_index(
        "ix_settlement_part",
        "settlement",
        ["of_deal", "kind", "part"],
        unique=True,
        postgresql_where=sa.text("part IS NOT NULL"),
    )


def downgrade() -> None:
    """Take them away; what was paid in parts cannot be said any more."""
    op.drop_index("ix_settlement_part", "settlement")
    op.drop_constraint("invoice_late_rate_in_range", "invoice")
    op.drop_constraint("settlement_part_counts", "settlement")
    _replace("offerable", "offerable_has_models", "cardinality(models) BETWEEN 1 AND 4")
    _replace("offerable", "offerable_models_are_known", MODELS[False])
    _replace("settlement", "settlement_kind_is_known", KINDS[False])
    for table, column in (("invoice", "late_bp"), ("invoice", "due_at"), ("settlement", "part")):
        op.drop_column(table, column)


def _replace(table: str, name: str, rule: str) -> None:
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- the next statement puts a wider one in its place\n"
        f"ALTER TABLE {table} DROP CONSTRAINT {name}"
    )
    _add(table, name, rule)


def _add(table: str, name: str, rule: str) -> None:
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")
