"""Fapiao of the exchange's commission, beside those of the price: each invoice may have both."""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0073"
down_revision = "0070"

LIVE = "state <> 'refused'"
INDEXES = {
    "ix_fapiao_one_blue": ("invoice_id", f"{LIVE} AND red_letter_id IS NULL"),
    "ix_fapiao_one_red": ("red_letter_id", LIVE),
}
WAS = ("(new.id, new.invoice_id,", "(old.id, old.invoice_id,")
NOW = ("(new.id, new.kind, new.invoice_id,", "(old.id, old.kind, old.invoice_id,")


def upgrade() -> None:
    """Say of each fapiao what it is of; those there are, are of prices."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "fapiao",
        sa.Column("kind", sa.String(), nullable=False, server_default=sa.text("'price'")),
    )
    op.execute(
        "ALTER TABLE fapiao ADD CONSTRAINT fapiao_kind_is_known "
        "CHECK (kind IN ('price', 'commission')) NOT VALID"
    )
    for name, (column, live) in INDEXES.items():
        op.execute(
            "-- squawk-ignore require-concurrent-index-deletion -- it is made anew\n"
            f"DROP INDEX {name}"
        )
        op.create_index(
            name, "fapiao", [column, "kind"], unique=True, postgresql_where=sa.text(live)
        )
    op.execute(_kept(NOW))


def downgrade() -> None:
    """Know those of prices alone again; others keep it from going back where both are there."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_kept(WAS))
    for name, (column, live) in INDEXES.items():
        op.drop_index(name, "fapiao")
        op.create_index(name, "fapiao", [column], unique=True, postgresql_where=sa.text(live))
    op.drop_constraint("fapiao_kind_is_known", "fapiao")
    op.drop_column("fapiao", "kind")


def _kept(said: tuple[str, str]) -> str:
    """Return the function that keeps fapiao, with what of them never changes."""
    body: str = import_module("migrations.versions.0060_fapiao").KEPT
    replaced = body.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    for was, now in zip(WAS, said, strict=True):
        assert was in replaced  # noqa: S101 - the function of 0060 has this clause.
        replaced = replaced.replace(was, now)
    return replaced
