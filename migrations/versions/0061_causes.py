"""Every instruction that moves money says why: an approved payout or refund, or what is taken back.

Checked when the transaction commits: an instruction and its cause are written in either order.
"""

from alembic import op

revision = "0061"
down_revision = "0060"

CAUSE = """
CREATE FUNCTION outbound_has_a_cause() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE asked jsonb; is_caused boolean;
BEGIN
  asked := convert_from(new.payload, 'UTF8')::jsonb;
  IF new.op = 'transfer.create' THEN
    -- outbound_is_approved has compared it with the payout's transfers.
    is_caused := EXISTS (SELECT FROM payout_transfer t
      WHERE t.payout_id = new.object_id AND t.intent_id = new.id);
  ELSIF new.op = 'refund.create' THEN
    is_caused := EXISTS (SELECT FROM refund r
      JOIN payment p ON p.id = r.payment_id
      JOIN approval a ON a.object_type = 'refund' AND a.object_id = r.id
        AND a.object_hash = r.content_sha256 AND a.outcome = 'approved'
        AND a.maker_id = r.prepared_by AND a.checker_id = r.decided_by
        AND a.used_at IS NOT NULL
      WHERE r.id = new.object_id AND r.intent_id = new.id
        AND new.object_key = 'refund:' || r.id AND r.amount_minor::text = asked ->> 'amount'
        AND p.provider_id = asked ->> 'payment_intent');
  ELSIF new.op = 'transfer.reverse' THEN
    is_caused := EXISTS (SELECT FROM recovery r
      JOIN payout y ON y.deal_id = r.deal_id
      JOIN payout_transfer t ON t.payout_id = y.id AND t.party_id = r.payee_id
      WHERE r.id = new.object_id AND r.intent_id = new.id
        AND new.object_key = 'reversal:' || r.id AND r.amount_minor::text = asked ->> 'amount'
        AND t.provider_id = asked ->> 'transfer');
  ELSE
    RETURN NULL;  -- a request to pay, or an account: no money of ours moves
  END IF;
  IF NOT is_caused THEN
    RAISE EXCEPTION 'instruction % moves money that nobody approved to move', new.id
      USING errcode = '23514', constraint = 'outbound_has_a_cause';
  END IF;
  RETURN NULL;
END $$
"""
# What is asked of the provider is what was decided: only how it stands may change.
STAYS = """
CREATE FUNCTION outbound_is_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF tg_op = 'DELETE' OR (new.id, new.op, new.object_key, new.object_id, new.payload,
      new.payload_sha256, new.created_at) IS DISTINCT FROM (old.id, old.op, old.object_key,
      old.object_id, old.payload, old.payload_sha256, old.created_at)
  THEN
    RAISE EXCEPTION 'an instruction stays what was decided'
      USING errcode = '23514', constraint = 'outbound_stays';
  END IF;
  RETURN new;
END $$
"""


def upgrade() -> None:
    """Add the triggers; what is there was made by the same verbs."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(CAUSE)
    op.execute(STAYS)
    op.execute(
        "CREATE CONSTRAINT TRIGGER outbound_has_a_cause AFTER INSERT ON outbound "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION outbound_has_a_cause()"
    )
    op.execute(
        "CREATE TRIGGER outbound_is_kept BEFORE UPDATE OR DELETE ON outbound "
        "FOR EACH ROW EXECUTE FUNCTION outbound_is_kept()"
    )


def downgrade() -> None:
    """Drop them again."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name in ("outbound_has_a_cause", "outbound_is_kept"):
        op.execute(f"DROP TRIGGER {name} ON outbound")
        op.execute(f"DROP FUNCTION {name}()")
