"""Fee schedules take two people: prepared by one, announced when another approves.

What is announced was approved: the same schedule, for the same day, by the person and at the
instant of the approval. What was announced before stays as it is.
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0080"
down_revision = "0079"

INSTANT = sa.DateTime(timezone=True)
_PLAIN = "LANGUAGE plpgsql SET search_path = public, pg_temp AS $$\n"
RULES = {
    "state_is_known": "state IN ('prepared', 'approved', 'refused')",
    "needs_two_people": "prepared_by <> decided_by",
    "decided_by_whom_and_when": "(state = 'prepared') = (decided_by IS NULL) "
    "AND (decided_by IS NULL) = (decided_at IS NULL)",
    "refused_with_a_reason": "(state = 'refused') = (reason IS NOT NULL)",
    "sha256_is_hex": "sha256 ~ '^[0-9a-f]{64}$' AND content_sha256 ~ '^[0-9a-f]{64}$'",
    "comes_before": "valid_from > (prepared_at AT TIME ZONE 'Asia/Shanghai')::date",
}
# The row says what its content says, and stays.
KEPT = f"""
CREATE FUNCTION fee_proposal_stays() RETURNS trigger {_PLAIN}
DECLARE said jsonb;
BEGIN
  IF tg_op = 'INSERT' THEN
    said := convert_from(new.content, 'UTF8')::jsonb;
    IF said - 'schedule' IS DISTINCT FROM jsonb_build_object(
        'announcement', new.id, 'valid_from', new.valid_from)
      OR said -> 'schedule' ->> 'id' IS DISTINCT FROM new.schedule
    THEN
      RAISE EXCEPTION 'fee proposal % is not what its content says', new.id
        USING errcode = '23514', constraint = 'fee_proposal_says_what_it_is';
    END IF;
    RETURN new;
  END IF;
  IF (new.valid_from, new.schedule, new.sha256, new.prepared_at)
      IS DISTINCT FROM (old.valid_from, old.schedule, old.sha256, old.prepared_at)
    OR (old.state <> 'prepared' AND (new.decided_at, new.reason)
      IS DISTINCT FROM (old.decided_at, old.reason))
  THEN
    RAISE EXCEPTION 'a fee proposal never changes what it says'
      USING errcode = '23514', constraint = 'fee_proposal_stays';
  END IF;
  RETURN new;
END $$
"""
APPROVED = f"""
CREATE FUNCTION fee_announcement_is_approved() RETURNS trigger {_PLAIN}
BEGIN
  IF NOT EXISTS (SELECT FROM fee_proposal p
    WHERE p.id = new.id AND p.state = 'approved'
      AND (p.valid_from, p.schedule, p.sha256) = (new.valid_from, new.schedule, new.sha256)
      AND (p.decided_by, p.decided_at) = (new.announced_by, new.announced_at)
      AND encode(sha256(new.content), 'hex') = new.sha256
      AND convert_from(p.content, 'UTF8')::jsonb -> 'schedule'
        = convert_from(new.content, 'UTF8')::jsonb)
  THEN
    RAISE EXCEPTION 'fee schedule % was not approved', new.id
      USING errcode = '23514', constraint = 'fee_announcement_is_approved';
  END IF;
  RETURN new;
END $$
"""
# An approval that announced nothing could announce later, when its day has begun.
ANNOUNCED = f"""
CREATE FUNCTION fee_proposal_is_announced() RETURNS trigger {_PLAIN}
BEGIN
  IF new.state = 'approved' AND NOT EXISTS (SELECT FROM fee_announcement a WHERE a.id = new.id)
  THEN
    RAISE EXCEPTION 'fee proposal % was approved and not announced', new.id
      USING errcode = '23514', constraint = 'fee_proposal_is_announced';
  END IF;
  RETURN NULL;
END $$
"""
TRIGGERS = (
    "CREATE TRIGGER fee_proposal_kept BEFORE INSERT OR UPDATE ON fee_proposal "
    "FOR EACH ROW EXECUTE FUNCTION fee_proposal_stays()",
    "CREATE TRIGGER fee_announcement_is_approved BEFORE INSERT ON fee_announcement "
    "FOR EACH ROW EXECUTE FUNCTION fee_announcement_is_approved()",
    "CREATE CONSTRAINT TRIGGER fee_proposal_is_announced AFTER UPDATE ON fee_proposal "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fee_proposal_is_announced()",
)


def upgrade() -> None:
    """Make the table of what is prepared, and hold announcements to their approvals."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "fee_proposal",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("schedule", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("prepared_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("prepared_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        *(sa.CheckConstraint(rule, name=f"fee_proposal_{name}") for name, rule in RULES.items()),
    )
    op.create_index(
        "ix_fee_proposal_waiting", "fee_proposal", ["prepared_at"],
        postgresql_where=sa.text("state = 'prepared'"),
    )  # fmt: skip
    guard = import_module("migrations.versions.0046_proofs").guard
    arguments = "'fee-announcement', 'prepared', 'content', 'content_sha256', 'prepared_by'"
    op.execute(guard("fee_proposal", arguments))
    for statement in (KEPT, APPROVED, ANNOUNCED, *TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    """Let one person announce again; what was announced stays."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TRIGGER fee_announcement_is_approved ON fee_announcement")
    op.drop_table("fee_proposal")
    for name in ("fee_announcement_is_approved", "fee_proposal_stays", "fee_proposal_is_announced"):
        op.execute(f"DROP FUNCTION {name}()")
