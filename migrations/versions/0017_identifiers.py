"""One work for an EIDR or ISAN: under two, the same right could be sold twice."""

from alembic import op

revision = "0017"
down_revision = "0016"

ONCE = {"work_eidr_once": "eidr", "work_isan_once": "isan"}


def upgrade() -> None:
    for name, column in ONCE.items():
        op.create_index(name, "work", [column], unique=True)


def downgrade() -> None:
    for name in ONCE:
        op.drop_index(name)
