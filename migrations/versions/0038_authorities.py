"""Certificate authorities."""

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
