"""The index of pictures: its entries in their order, and their codes minute by minute."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _head()
    _entries()
    _segments()


def downgrade() -> None:
    op.drop_table("index_segment")
    op.drop_table("index_entry")
    op.drop_table("index_head")


def _head() -> None:
    op.create_table(
        "index_head",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name="index_head_is_one_row"),
        sa.CheckConstraint("entries >= 0", name="index_head_counts"),
        sa.CheckConstraint("octet_length(chain) = 32", name="index_head_chain_is_a_hash"),
    )
    op.execute(
        f"INSERT INTO index_head (id, entries, chain) VALUES (1, 0, decode('{'00' * 32}', 'hex'))"
    )


def _entries() -> None:
    op.create_table(
        "index_entry",
        sa.Column("entry", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("master_id", sa.Uuid(), sa.ForeignKey("master.id"), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("codes", sa.Integer(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.Column("dropped_at", INSTANT, nullable=True),
        sa.CheckConstraint("entry > 0", name="index_entry_counts_from_one"),
        sa.CheckConstraint("codes >= 0", name="index_entry_counts_its_codes"),
        sa.CheckConstraint("octet_length(chain) = 32", name="index_entry_chain_is_a_hash"),
    )
    op.create_index(
        "index_entry_once",
        "index_entry",
        ["master_id"],
        unique=True,
        postgresql_where=sa.text("dropped_at IS NULL"),
    )


def _segments() -> None:
    op.create_table(
        "index_segment",
        sa.Column(
            "entry",
            sa.BigInteger(),
            sa.ForeignKey("index_entry.entry", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("seg", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.Column("codes", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("seg >= 0", name="index_segment_counts_from_zero"),
        sa.CheckConstraint("kept > 0 AND kept < 1::bigint << 60", name="index_segment_is_a_minute"),
        sa.CheckConstraint(
            "octet_length(codes) = 32 * bit_count(kept::bit(64))",
            name="index_segment_has_what_it_keeps",
        ),
    )
    # Signs do not compress, and a minute fits into a row: neither is worth a try.
    op.execute("ALTER TABLE index_segment ALTER COLUMN codes SET STORAGE PLAIN")
