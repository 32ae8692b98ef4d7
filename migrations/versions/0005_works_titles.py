"""Works, and the register of who owns and holds what."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _works()


def downgrade() -> None:
    op.drop_table("work")


def _works() -> None:
    op.create_table(
        "work",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False, index=True),
        sa.Column("title_zh", sa.String(), nullable=False),
        sa.Column("title_en", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("eidr", sa.String(), nullable=True),
        sa.Column("isan", sa.String(), nullable=True),
        sa.Column("permit_no", sa.String(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('film', 'series', 'episode', 'documentary', 'sports', 'variety', "
            "'animation', 'other')",
            name="work_kind_is_known",
        ),
        sa.CheckConstraint("year BETWEEN 1888 AND 2200", name="work_year_is_possible"),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name="work_country_has_form"),
        sa.CheckConstraint(
            "char_length(title_zh) BETWEEN 1 AND 200 AND char_length(title_en) BETWEEN 1 AND 200",
            name="work_has_titles",
        ),
        sa.CheckConstraint(
            "eidr ~ '^10[.]5240/([0-9A-F]{4}-){5}[0-9A-Z]$'", name="work_eidr_has_form"
        ),
        sa.CheckConstraint(
            "isan ~ '^([0-9A-F]{4}-){4}[0-9A-Z](-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-Z])?$'",
            name="work_isan_has_form",
        ),
    )
