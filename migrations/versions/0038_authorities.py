"""Keys with certificates of other authorities, vouched for by earlier keys; published lists."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"

INSTANT = sa.DateTime(timezone=True)
LIST = {
    "hash_is_hex": "content_sha256 ~ '^[0-9a-f]{64}$'",
    "entries_not_negative": "entries >= 0",
    "lasts": "next_update > made_at",
}
WHOLE = "(endorsed_by IS NULL) = (endorsement IS NULL) AND endorsed_by <> id"


def upgrade() -> None:
    op.add_column("party_key", sa.Column("issuer", sa.String(), nullable=True))
    op.add_column("party_key", sa.Column("endorsed_by", sa.Uuid(), nullable=True))
    op.add_column("party_key", sa.Column("endorsement", sa.LargeBinary(), nullable=True))
    op.create_foreign_key(
        "party_key_endorsed_by_fkey", "party_key", "party_key", ["endorsed_by"], ["id"]
    )
    op.execute(
        f"ALTER TABLE party_key ADD CONSTRAINT party_key_endorsement_is_whole CHECK ({WHOLE}) "
        "NOT VALID"
    )
    op.create_table(
        "key_reset",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("allowed_by", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("allowed_at", INSTANT, nullable=False),
        sa.Column("used_by", sa.Uuid(), sa.ForeignKey("party_key.id"), nullable=True, unique=True),
        sa.CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="key_reset_says_why"),
    )
    op.create_index("ix_key_reset_party_id", "key_reset", ["party_id"])
    op.create_table(
        "revocation_list",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("next_update", INSTANT, nullable=False),
        *(sa.CheckConstraint(rule, name=f"revocation_list_{n}") for n, rule in LIST.items()),
    )
    op.create_index("ix_revocation_list_made_at", "revocation_list", ["made_at"])
    op.execute(
        "CREATE TRIGGER revocation_list_stays BEFORE UPDATE OR DELETE ON revocation_list "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER revocation_list_stays_whole BEFORE TRUNCATE ON revocation_list "
        "EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.drop_table("revocation_list")
    op.drop_table("key_reset")
    op.drop_constraint("party_key_endorsement_is_whole", "party_key")
    op.drop_constraint("party_key_endorsed_by_fkey", "party_key")
    for name in ("endorsement", "endorsed_by", "issuer"):
        op.drop_column("party_key", name)
