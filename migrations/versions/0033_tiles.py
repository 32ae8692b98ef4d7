"""Nothing yet: the log's tiles are made of what its tables hold."""

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Change nothing."""


def downgrade() -> None:
    """Change nothing."""
