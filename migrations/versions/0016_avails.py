"""Avails: files that were imported, and the lines of offers they left."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0016"
down_revision = "0015"

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _imports()
    _lines()


def downgrade() -> None:
    op.drop_table("avail_line")
    op.drop_table("avail_import")


def _imports() -> None:
    op.create_table(
        "avail_import",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False, index=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("form", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("counts", pg.JSONB(), nullable=False),
        sa.Column("report", pg.JSONB(), nullable=False),
        sa.Column("changes", pg.JSONB(), nullable=False),
        sa.Column("imported_at", INSTANT, nullable=False),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="avail_import_sha256_has_form"),
        sa.CheckConstraint("form IN ('xlsx', 'xml')", name="avail_import_form_is_known"),
        sa.CheckConstraint(
            "jsonb_typeof(counts) = 'object' AND jsonb_typeof(report) = 'object' "
            "AND jsonb_typeof(changes) = 'array'",
            name="avail_import_tells_all",
        ),
    )


def _lines() -> None:
    op.create_table(
        "avail_line",
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), primary_key=True),
        sa.Column("alid", sa.String(), primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("work_id", sa.Uuid(), sa.ForeignKey("work.id"), nullable=True),
        sa.Column("content", pg.JSONB(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("wire", pg.JSONB(), nullable=True),
        sa.Column(
            "import_id", sa.Uuid(), sa.ForeignKey("avail_import.id"), nullable=False, index=True
        ),
        sa.Column("imported_at", INSTANT, nullable=False),
        sa.CheckConstraint("state IN ('offered', 'withdrawn')", name="avail_line_state_is_known"),
        sa.CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name="avail_line_sha256_has_form"),
        sa.CheckConstraint(
            "jsonb_typeof(content) = 'object' AND jsonb_typeof(wire) = 'object'",
            name="avail_line_says_objects",
        ),
        sa.CheckConstraint(
            "char_length(alid) BETWEEN 1 AND 400 AND char_length(key) BETWEEN 1 AND 420",
            name="avail_line_has_names",
        ),
    )
    op.create_index(
        "avail_line_work",
        "avail_line",
        ["work_id"],
        postgresql_where=sa.text("work_id IS NOT NULL"),
    )
