"""Listings sold by every method; what a sale keeps secret stands apart."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0032"
down_revision = "0031"

NAME = "listing_sale_has_terms"
ASCENDING = (
    "coalesce(sale ->> 'method' = 'english' AND (sale ->> 'floor_minor')::bigint > 0 "
    "AND (sale ->> 'step_minor')::bigint > 0 AND sale ->> 'currency' ~ '^[A-Z]{3}$', false)"
)
ANY_METHOD = (
    "coalesce(sale ->> 'method' ~ '^[a-z]+$' AND (sale ->> 'floor_minor')::bigint > 0 "
    "AND sale ->> 'currency' ~ '^[A-Z]{3}$', false)"
)


def upgrade() -> None:
    op.add_column("listing", sa.Column("secret", JSONB(), nullable=True))
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- a wider one of the same name follows at once\n"
        f"ALTER TABLE listing DROP CONSTRAINT {NAME}"
    )
    _check(ANY_METHOD)


def downgrade() -> None:
    op.drop_constraint(NAME, "listing")
    _check(ASCENDING)
    op.drop_column("listing", "secret")


def _check(rule: str) -> None:
    """Add the rule for new rows: the old ones were held to the narrower, or are looked at apart."""
    op.execute(f"ALTER TABLE listing ADD CONSTRAINT {NAME} CHECK ({rule}) NOT VALID")
