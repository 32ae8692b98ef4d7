"""Proofs: every approval is given in person, and every decision about money has its approval.

Payment files, releases from suspense, deposits' movements and refunds are held to the rule that
payouts have been held to: what was prepared never changes, and its state leaves the waiting one
only with an approval, or a refusal, of exactly that content by another person.
"""

from alembic import op

revision = "0046"
down_revision = "0045"

# The arguments: what approvals call the thing, the state in which it waits, and the columns of its
# content, of the content's hash and of its maker. Rows without a maker are made by a rule.
DECIDED = """
CREATE FUNCTION decided_by_another() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE was jsonb; now_is jsonb := to_jsonb(new); waiting text := tg_argv[1];
BEGIN
  IF tg_op = 'DELETE' THEN
    RAISE EXCEPTION 'a % stays', tg_argv[0] USING errcode = '23514', constraint = 'decision_stays';
  ELSIF now_is ->> tg_argv[4] IS NULL THEN
    RETURN new;
  ELSIF tg_op = 'INSERT' THEN
    IF now_is ->> 'state' <> waiting
      OR encode(sha256((now_is ->> tg_argv[2])::bytea), 'hex') <> now_is ->> tg_argv[3]
    THEN
      RAISE EXCEPTION 'a % begins %, with the hash of its content', tg_argv[0], waiting
        USING errcode = '23514', constraint = 'decision_begins_open';
    END IF;
    RETURN new;
  END IF;
  was := to_jsonb(old);
  IF now_is ->> 'id' <> was ->> 'id' OR now_is ->> tg_argv[2] <> was ->> tg_argv[2]
    OR now_is ->> tg_argv[3] <> was ->> tg_argv[3]
    OR now_is ->> tg_argv[4] IS DISTINCT FROM was ->> tg_argv[4]
    OR (was ->> 'state' <> waiting AND (now_is ->> 'state' = waiting
      OR now_is ->> 'decided_by' IS DISTINCT FROM was ->> 'decided_by'
      OR (now_is ->> 'state' = 'refused') <> (was ->> 'state' = 'refused')))
  THEN
    RAISE EXCEPTION 'a % never changes what it says, or who decided it', tg_argv[0]
      USING errcode = '23514', constraint = 'decision_stays';
  END IF;
  IF was ->> 'state' = waiting AND now_is ->> 'state' <> waiting AND NOT EXISTS (
    SELECT FROM approval a
      WHERE a.object_type = tg_argv[0] AND a.object_id = (now_is ->> 'id')::uuid
        AND a.object_hash = now_is ->> tg_argv[3]
        AND a.maker_id = (now_is ->> tg_argv[4])::uuid
        AND a.checker_id = (now_is ->> 'decided_by')::uuid
        AND CASE now_is ->> 'state' WHEN 'refused' THEN a.outcome = 'refused'
          ELSE a.outcome = 'approved' AND a.used_at IS NOT NULL END)
  THEN
    RAISE EXCEPTION '% % is not decided by person %', tg_argv[0], now_is ->> 'id',
      now_is ->> 'decided_by' USING errcode = '23514', constraint = 'decided_by_another';
  END IF;
  RETURN new;
END $$
"""
GUARDED = {
    "payment_batch": "'payment-file', 'prepared', 'document', 'sha256', 'prepared_by'",
    "recon_match": "'suspense-release', 'proposed', 'content', 'sha256', 'proposed_by'",
    "deposit_movement": "'deposit-movement', 'prepared', 'content', 'content_sha256', "
    "'prepared_by'",
    "refund": "'refund', 'prepared', 'content', 'content_sha256', 'prepared_by'",
}
PROVED = "outcome = 'refused' OR proof_id IS NOT NULL"
# What was approved before may have no proof; then the rule is for what comes.
VALIDATED = f"""
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM approval WHERE NOT ({PROVED})) THEN
    ALTER TABLE approval VALIDATE CONSTRAINT approval_proved_in_person;
  END IF;
END $$
"""


def upgrade() -> None:
    """Ask every approval for its proof, and hold four more kinds of rows to their approvals."""
    op.execute(
        f"ALTER TABLE approval ADD CONSTRAINT approval_proved_in_person CHECK ({PROVED}) NOT VALID"
    )
    op.execute(VALIDATED)
    op.execute(DECIDED)
    for table, arguments in GUARDED.items():
        op.execute(guard(table, arguments))


def downgrade() -> None:
    """Let them go by their own columns again."""
    for table in GUARDED:
        op.execute(f"DROP TRIGGER {table}_is_decided ON {table}")
    op.execute("DROP FUNCTION decided_by_another()")
    op.drop_constraint("approval_proved_in_person", "approval")


def guard(table: str, arguments: str) -> str:
    """Return the trigger that holds a table to its approvals."""
    return (
        f"CREATE TRIGGER {table}_is_decided BEFORE INSERT OR UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION decided_by_another({arguments})"
    )
