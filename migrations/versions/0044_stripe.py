"""Stripe: nothing yet."""

revision = "0044"
down_revision = "0043"


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
