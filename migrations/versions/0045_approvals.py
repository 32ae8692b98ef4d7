"""Approvals: two people, one content, once; and no transfer that its payout did not say.

The database keeps the whole chain for itself: what goes to the provider is a row of the payout, the
rows are what the payout's content says, the content has the hash that was approved, and who
approved it is another person than who made it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"

INSTANT = sa.DateTime(timezone=True)
_PLAIN = "LANGUAGE plpgsql SET search_path = public, pg_temp AS $$\n"

CHECKS = {
    "approval_object_type": "object_type ~ '^[a-z][a-z-]{1,39}$'",
    "approval_object_hash_is_hex": "object_hash ~ '^[0-9a-f]{64}$'",
    "approval_needs_two_people": "maker_id <> checker_id",
    "approval_outcome_is_known": "outcome IN ('approved', 'refused')",
    "approval_refused_with_a_reason": "(outcome = 'refused') = (reason IS NOT NULL)",
    "approval_reason_has_length": "char_length(reason) BETWEEN 1 AND 500",
    "approval_expires_later": "expires_at > decided_at",
    "approval_used_in_time": ("used_at IS NULL OR (outcome = 'approved' AND used_at < expires_at)"),
}

MADE = f"""
CREATE FUNCTION approval_is_made() RETURNS trigger {_PLAIN}
BEGIN
  IF NOT EXISTS (SELECT FROM person p
    WHERE p.id = new.checker_id AND p.role = 'approver' AND p.state = 'active')
  THEN
    RAISE EXCEPTION 'person % approves nothing', new.checker_id
      USING errcode = '23514', constraint = 'approval_by_an_approver';
  END IF;
  IF new.used_at IS NOT NULL OR new.expires_at > new.decided_at + interval '24 hours' THEN
    RAISE EXCEPTION 'approval % is made unused, for a day', new.id
      USING errcode = '23514', constraint = 'approval_for_a_day';
  END IF;
  IF new.proof_id IS NOT NULL AND NOT EXISTS (SELECT FROM person_proof p
    WHERE p.id = new.proof_id AND p.person_id = new.checker_id
      AND p.proved_at <= new.decided_at AND new.decided_at < p.expires_at)
  THEN
    RAISE EXCEPTION 'proof % is not of person % now', new.proof_id, new.checker_id
      USING errcode = '23514', constraint = 'approval_proof_is_fresh';
  END IF;
  RETURN new;
END $$
"""

KEPT = f"""
CREATE FUNCTION approval_is_kept() RETURNS trigger {_PLAIN}
BEGIN
  IF tg_op <> 'UPDATE' OR old.used_at IS NOT NULL
    OR to_jsonb(new) - 'used_at' <> to_jsonb(old) - 'used_at'
  THEN
    RAISE EXCEPTION 'an approval never changes, and is used once'
      USING errcode = '23514', constraint = 'approval_stays';
  END IF;
  RETURN new;
END $$
"""

PAYOUT = f"""
CREATE FUNCTION payout_is_kept() RETURNS trigger {_PLAIN}
DECLARE said jsonb; rows jsonb;
BEGIN
  IF tg_op = 'DELETE' THEN
    RAISE EXCEPTION 'a payout stays' USING errcode = '23514', constraint = 'payout_stays';
  ELSIF tg_op = 'INSERT' THEN
    IF new.state <> 'prepared' OR encode(sha256(new.content), 'hex') <> new.content_sha256 THEN
      RAISE EXCEPTION 'payout % begins prepared, with the hash of its content', new.id
        USING errcode = '23514', constraint = 'payout_begins_prepared';
    END IF;
    RETURN new;
  END IF;
  IF (new.id, new.deal_id, new.content, new.content_sha256, new.prepared_by, new.prepared_at)
      IS DISTINCT FROM (old.id, old.deal_id, old.content, old.content_sha256, old.prepared_by,
        old.prepared_at)
    OR (old.state <> 'prepared' AND (new.decided_by, new.decided_at, new.reason)
      IS DISTINCT FROM (old.decided_by, old.decided_at, old.reason))
  THEN
    RAISE EXCEPTION 'payout % never changes what it says, or who decided it', new.id
      USING errcode = '23514', constraint = 'payout_stays';
  END IF;
  IF new.state = old.state THEN
    RETURN new;
  END IF;
  IF (old.state, new.state) NOT IN
    (('prepared', 'approved'), ('prepared', 'refused'), ('approved', 'paid'))
  THEN
    RAISE EXCEPTION 'payout % does not become % from %', new.id, new.state, old.state
      USING errcode = '23514', constraint = 'payout_goes_on';
  END IF;
  IF old.state = 'prepared' AND NOT EXISTS (SELECT FROM approval a
    WHERE a.object_type = 'payout' AND a.object_id = new.id
      AND a.object_hash = new.content_sha256 AND a.outcome = new.state
      AND a.maker_id = new.prepared_by AND a.checker_id = new.decided_by
      AND (a.used_at IS NOT NULL OR new.state = 'refused'))
  THEN
    RAISE EXCEPTION 'payout % is not % by person %', new.id, new.state, new.decided_by
      USING errcode = '23514', constraint = 'payout_is_decided_by_another';
  END IF;
  IF new.state = 'approved' THEN
    said := convert_from(new.content, 'UTF8')::jsonb -> 'transfers';
    SELECT jsonb_agg(jsonb_build_object('party', t.party_id::text, 'account', t.account,
        'amount_minor', t.amount_minor, 'currency', t.currency)) INTO rows
      FROM payout_transfer t WHERE t.payout_id = new.id;
    IF jsonb_array_length(said) <> jsonb_array_length(rows) OR NOT (said @> rows AND rows @> said)
    THEN
      RAISE EXCEPTION 'payout % has other transfers than it says', new.id
        USING errcode = '23514', constraint = 'payout_pays_what_it_says';
    END IF;
  END IF;
  RETURN new;
END $$
"""

TRANSFER = f"""
CREATE FUNCTION payout_transfer_is_kept() RETURNS trigger {_PLAIN}
BEGIN
  IF tg_op = 'DELETE' OR (tg_op = 'UPDATE'
    AND (new.payout_id, new.party_id, new.account, new.amount_minor, new.currency)
      IS DISTINCT FROM (old.payout_id, old.party_id, old.account, old.amount_minor, old.currency))
  THEN
    RAISE EXCEPTION 'a transfer stays what was prepared'
      USING errcode = '23514', constraint = 'payout_transfer_stays';
  END IF;
  IF (tg_op = 'INSERT') <> ('prepared' =
    (SELECT p.state FROM payout p WHERE p.id = new.payout_id))
  THEN
    RAISE EXCEPTION 'a transfer is added to what is prepared, and moves when it is approved'
      USING errcode = '23514', constraint = 'payout_transfer_in_time';
  END IF;
  RETURN new;
END $$
"""

# An instruction that names a payout is one of its transfers, to the unit and the account.
OUTBOUND = f"""
CREATE FUNCTION outbound_is_approved() RETURNS trigger {_PLAIN}
DECLARE asked jsonb; paid record;
BEGIN
  SELECT p.id, p.state INTO paid FROM payout p WHERE p.id = new.object_id;
  IF new.op <> 'transfer.create' OR NOT FOUND THEN
    RETURN new;
  END IF;
  asked := convert_from(new.payload, 'UTF8')::jsonb;
  IF paid.state <> 'approved' OR NOT EXISTS (SELECT FROM payout_transfer t
    WHERE t.payout_id = paid.id AND t.state = 'pending'
      AND new.object_key = 'transfer:' || t.payout_id || ':' || t.party_id
      AND t.account = asked ->> 'destination' AND t.amount_minor::text = asked ->> 'amount'
      AND lower(t.currency) = asked ->> 'currency')
  THEN
    RAISE EXCEPTION 'payout % was not approved to make this transfer', new.object_id
      USING errcode = '23514', constraint = 'outbound_transfer_is_approved';
  END IF;
  RETURN new;
END $$
"""

TRIGGERS = (
    ("approval", "approval_is_made", "BEFORE INSERT", "ROW"),
    ("approval", "approval_is_kept", "BEFORE UPDATE OR DELETE", "ROW"),
    ("payout", "payout_is_kept", "BEFORE INSERT OR UPDATE OR DELETE", "ROW"),
    ("payout_transfer", "payout_transfer_is_kept", "BEFORE INSERT OR UPDATE OR DELETE", "ROW"),
    ("outbound", "outbound_is_approved", "BEFORE INSERT", "ROW"),
)


def upgrade() -> None:
    """Create the rows of proofs and approvals, and the triggers that keep them."""
    op.create_table(
        "person_proof",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("proved_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("expires_at > proved_at", name="person_proof_expires_later"),
    )
    op.create_index("ix_person_proof_person_id", "person_proof", ["person_id"])
    _approval()
    for function in (MADE, KEPT, PAYOUT, TRANSFER, OUTBOUND):
        op.execute(function)
    for table, function, when, each in TRIGGERS:
        op.execute(
            f"CREATE TRIGGER {function} {when} ON {table} "
            f"FOR EACH {each} EXECUTE FUNCTION {function}()"
        )


def _approval() -> None:
    op.create_table(
        "approval",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("object_type", sa.String(), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("object_hash", sa.String(), nullable=False),
        sa.Column("maker_id", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("checker_id", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("proof_id", sa.Uuid(), sa.ForeignKey("person_proof.id"), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("proof_id"),
        *[sa.CheckConstraint(rule, name=name) for name, rule in CHECKS.items()],
    )
    op.create_index("ix_approval_object", "approval", ["object_type", "object_id"])
    op.create_index(
        "ix_approval_used_once",
        "approval",
        ["object_type", "object_id", "object_hash"],
        unique=True,
        postgresql_where=sa.text("used_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop them again; what was approved keeps its payout's own columns."""
    for table, function, _, _ in TRIGGERS:
        op.execute(f"DROP TRIGGER {function} ON {table}")
        op.execute(f"DROP FUNCTION {function}()")
    op.drop_table("approval")
    op.drop_table("person_proof")
