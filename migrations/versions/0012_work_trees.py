"""Works as trees: series, seasons, episodes, edits; dates of protection."""

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
