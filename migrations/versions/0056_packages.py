"""Deals of several works: which works a contract is of, besides the one that it names first."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0056"
down_revision = "0059"

ONCE = "NOT (work_id = ANY (further_works)) AND cardinality(further_works) <= 199"


def upgrade() -> None:
    """Add the column; no deal until now is of several works."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "deal",
        sa.Column(
            "further_works", ARRAY(sa.Uuid()), nullable=False, server_default=sa.text("'{}'")
        ),
    )
    op.execute(
        "-- squawk-ignore constraint-missing-not-valid -- the column is new, the lock is had\n"
        f"ALTER TABLE deal ADD CONSTRAINT deal_works_are_apart CHECK ({ONCE})"
    )
    op.execute(
        "CREATE TRIGGER deal_keeps_works BEFORE UPDATE OF further_works ON deal FOR EACH ROW "
        "WHEN (NEW.further_works IS DISTINCT FROM OLD.further_works) "
        "EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """Drop it again."""
    op.execute("DROP TRIGGER deal_keeps_works ON deal")
    op.drop_constraint("deal_works_are_apart", "deal")
    op.drop_column("deal", "further_works")
