"""Published texts: every clause and template with the hash that it will always have."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    op.create_table(
        "published_text",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("id", sa.Uuid(), nullable=False, unique=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="published_text_sha256_is_hex"),
    )
    op.execute(
        "CREATE TRIGGER published_text_stays BEFORE UPDATE OR DELETE ON published_text "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER published_text_stays_whole BEFORE TRUNCATE ON published_text "
        "EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.drop_table("published_text")
