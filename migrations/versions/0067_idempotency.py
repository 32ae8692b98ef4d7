"""Idempotency keys: what a request was answered, kept in the transaction of its effect."""

import sqlalchemy as sa
from alembic import op

revision = "0067"
down_revision = "0065"

CHECKS = {
    "idempotency_key_is_visible": "key ~ '^[!-~]{1,255}$'",
    "idempotency_key_sha256_is_hex": "request_sha256 ~ '^[0-9a-f]{64}$'",
    "idempotency_key_answer_is_whole": (
        "(status IS NULL) = (answer IS NULL) AND (content_type IS NULL OR status IS NOT NULL)"
    ),
    "idempotency_key_answer_is_a_success": "status BETWEEN 200 AND 299",
}
KEPT = """
CREATE FUNCTION idempotency_key_is_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF old.status IS NOT NULL OR new.status IS NULL
    OR (new.person_id, new.key, new.request_sha256, new.made_at)
      IS DISTINCT FROM (old.person_id, old.key, old.request_sha256, old.made_at)
  THEN
    RAISE EXCEPTION 'a request is answered once'
      USING errcode = '23514', constraint = 'idempotency_key_is_kept';
  END IF;
  RETURN new;
END $$
"""


def upgrade() -> None:
    """Create the rows of keys and the trigger that keeps their answers."""
    op.create_table(
        "idempotency_key",
        sa.Column("person_id", sa.Uuid(), sa.ForeignKey("person.id"), primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("request_sha256", sa.String(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("content_type", sa.String(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        *[sa.CheckConstraint(rule, name=name) for name, rule in CHECKS.items()],
    )
    op.create_index("ix_idempotency_key_made_at", "idempotency_key", ["made_at"])
    op.execute(KEPT)
    op.execute(
        "CREATE TRIGGER idempotency_key_kept BEFORE UPDATE ON idempotency_key "
        "FOR EACH ROW EXECUTE FUNCTION idempotency_key_is_kept()"
    )


def downgrade() -> None:
    """Forget the keys; what they were taken for stays done."""
    op.drop_table("idempotency_key")
    op.execute("DROP FUNCTION idempotency_key_is_kept()")
