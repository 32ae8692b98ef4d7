"""Tables of masters."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "master",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False, index=True),
        sa.Column("work_id", sa.Uuid(), sa.ForeignKey("work.id"), nullable=True, index=True),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("declared_bytes", sa.BigInteger(), nullable=False),
        sa.Column("received_bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("done_bp", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("probe", JSONB(), nullable=True),
        sa.Column("fingerprint", JSONB(), nullable=True),
        sa.Column("refusal", JSONB(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("examined_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("declared_bytes > 0", name="master_is_not_empty"),
        sa.CheckConstraint(
            "received_bytes BETWEEN 0 AND declared_bytes", name="master_holds_what_was_declared"
        ),
        sa.CheckConstraint(
            "state IN ('uploading', 'received', 'examining', 'ready', 'refused')",
            name="master_state_is_known",
        ),
        sa.CheckConstraint(
            "stage IN ('uploading', 'waiting', 'hashing', 'probing', 'decoding', 'fingerprinting', "
            "'done')",
            name="master_stage_is_known",
        ),
        sa.CheckConstraint("done_bp BETWEEN 0 AND 10000", name="master_done_is_a_share"),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="master_sha256_is_hex"),
        sa.CheckConstraint(
            "state = 'uploading' OR (sha256 IS NOT NULL AND received_bytes = declared_bytes)",
            name="master_received_is_whole",
        ),
        sa.CheckConstraint(
            "state <> 'ready' OR (probe IS NOT NULL AND fingerprint IS NOT NULL)",
            name="master_ready_is_examined",
        ),
        sa.CheckConstraint(
            "(state = 'refused') = (refusal IS NOT NULL)", name="master_refused_says_why"
        ),
    )
    op.create_table(
        "fingerprint_segment",
        sa.Column(
            "master_id", sa.Uuid(), sa.ForeignKey("master.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("track", sa.String(), primary_key=True),
        sa.Column("seg", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("codes", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("track IN ('video', 'query', 'audio')", name="segment_track_is_known"),
        sa.CheckConstraint("seg >= 0", name="segment_counts_from_zero"),
    )


def downgrade() -> None:
    op.drop_table("fingerprint_segment")
    op.drop_table("master")
