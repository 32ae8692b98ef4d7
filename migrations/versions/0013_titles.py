"""Titles: grants under grants, holds that expire, chain of title."""

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
