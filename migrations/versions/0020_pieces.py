"""Pieces of an examination, taken by workers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0020"
down_revision = "0019"

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "examination",
        sa.Column(
            "master_id", sa.Uuid(), sa.ForeignKey("master.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("pieces", sa.Integer(), nullable=False),
        sa.Column("record", pg.JSONB(), nullable=False),
        sa.Column("sums", pg.JSONB(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.CheckConstraint("tier IN ('sampled', 'full')", name="examination_tier_is_known"),
        sa.CheckConstraint("pieces > 0", name="examination_has_pieces"),
        sa.CheckConstraint(
            "jsonb_typeof(record) = 'object' AND jsonb_typeof(sums) = 'object'",
            name="examination_says_objects",
        ),
    )
    _pieces()


def downgrade() -> None:
    op.drop_table("examination_piece")
    op.drop_table("examination")


def _pieces() -> None:
    op.create_table(
        "examination_piece",
        sa.Column(
            "master_id",
            sa.Uuid(),
            sa.ForeignKey("examination.master_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("span", pg.JSONB(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("done_bp", sa.Integer(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.CheckConstraint("number >= 0", name="examination_piece_counts_from_zero"),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done')", name="examination_piece_state_is_known"
        ),
        sa.CheckConstraint("attempts >= 0", name="examination_piece_attempts_count"),
        sa.CheckConstraint("done_bp BETWEEN 0 AND 10000", name="examination_piece_done_is_a_share"),
        sa.CheckConstraint(
            "state = 'waiting' OR (worker IS NOT NULL AND started_at IS NOT NULL)",
            name="examination_piece_taken_by_somebody",
        ),
        sa.CheckConstraint(
            "(state = 'done') = (ended_at IS NOT NULL)", name="examination_piece_done_has_ended"
        ),
        sa.CheckConstraint("jsonb_typeof(span) = 'object'", name="examination_piece_has_a_span"),
    )
