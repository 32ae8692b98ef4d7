"""Sweeps: the provider's balance paid out to our bank, by two people, each instruction approved."""

import sqlalchemy as sa
from alembic import op

revision = "0064"
down_revision = "0067"

INSTANT = sa.DateTime(timezone=True)
CHECKS = {
    "state_is_known": "state IN ('prepared', 'approved', 'refused', 'in_transit', 'paid', "
    "'failed')",
    "needs_two_people": "prepared_by <> decided_by",
    "decided_by_whom_and_when": "(state = 'prepared') = (decided_by IS NULL) "
    "AND (decided_by IS NULL) = (decided_at IS NULL)",
    "refused_why": "(state = 'refused') = (refused_reason IS NOT NULL)",
    "made_has_an_id": "(state IN ('in_transit', 'paid', 'failed')) = (provider_id IS NOT NULL) "
    "AND (provider_id IS NULL) = (made_at IS NULL)",
    "approved_has_an_intent": "(state IN ('prepared', 'refused')) = (intent_id IS NULL)",
    "lands_once_approved": "landed_at IS NULL OR intent_id IS NOT NULL",
    "amount_is_positive": "amount_minor > 0",
    "currency_is_a_code": "currency ~ '^[A-Z]{3}$'",
    "sha256_is_hex": "content_sha256 ~ '^[0-9a-f]{64}$'",
    "descriptor_is_plain": "descriptor ~ '^[A-Z0-9]{16}$'",
}
DECIDED = (
    "CREATE TRIGGER sweep_is_decided BEFORE INSERT OR UPDATE OR DELETE ON sweep "
    "FOR EACH ROW EXECUTE FUNCTION decided_by_another('sweep', 'prepared', 'content', "
    "'content_sha256', 'prepared_by')"
)
# What was decided on is what the row says, and what the row says is what is sent.
KEPT = """
CREATE FUNCTION sweep_is_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE said jsonb;
BEGIN
  said := convert_from(new.content, 'UTF8')::jsonb;
  IF said ->> 'sweep' <> new.id::text OR said ->> 'account' <> new.account_id::text
    OR said ->> 'amount_minor' <> new.amount_minor::text OR said ->> 'currency' <> new.currency
    OR said ->> 'descriptor' <> new.descriptor
  THEN
    RAISE EXCEPTION 'sweep % is other than what is decided on', new.id
      USING errcode = '23514', constraint = 'sweep_is_what_it_says';
  END IF;
  RETURN new;
END $$
"""
CAUSE = """
CREATE FUNCTION outbound_sweep_is_approved() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE asked jsonb;
BEGIN
  asked := convert_from(new.payload, 'UTF8')::jsonb;
  IF NOT EXISTS (SELECT FROM sweep s
    JOIN approval a ON a.object_type = 'sweep' AND a.object_id = s.id
      AND a.object_hash = s.content_sha256 AND a.outcome = 'approved'
      AND a.maker_id = s.prepared_by AND a.checker_id = s.decided_by AND a.used_at IS NOT NULL
    WHERE s.id = new.object_id AND s.intent_id = new.id
      AND new.object_key = 'sweep:' || s.id AND s.amount_minor::text = asked ->> 'amount'
      AND lower(s.currency) = asked ->> 'currency'
      AND s.descriptor = asked ->> 'statement_descriptor' AND asked -> 'destination' IS NULL)
  THEN
    RAISE EXCEPTION 'instruction % pays out what nobody approved', new.id
      USING errcode = '23514', constraint = 'outbound_sweep_is_approved';
  END IF;
  RETURN NULL;
END $$
"""
# What is on its way at a cut-off is the sweeps that left and did not land, less those that landed
# before the provider was heard of.
TRANSIT = """
CREATE FUNCTION psp_cutoff_names_transit() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE named bigint;
BEGIN
  SELECT coalesce(sum(s.amount_minor *
    (CASE WHEN s.provider_id IS NOT NULL AND s.state <> 'failed' THEN 1 ELSE 0 END
      - CASE WHEN s.landed_at IS NOT NULL THEN 1 ELSE 0 END)), 0)
    INTO named FROM sweep s WHERE s.currency = new.currency;
  IF new.in_transit_minor <> named THEN
    RAISE EXCEPTION 'cut-off % does not name what is on its way', new.id
      USING errcode = '23514', constraint = 'psp_cutoff_names_transit';
  END IF;
  RETURN new;
END $$
"""
OPS = "'payment_intent.create', 'account.create', 'transfer.create', 'refund.create', "
RULES = "'end-to-end', 'provider-id', 'batch-id', 'invoice-number', 'by-hand'"


def upgrade() -> None:
    """Create the rows of sweeps, and let instructions, events and matches be about them."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _sweep()
    for statement in (DECIDED, KEPT, CAUSE, TRANSIT):
        op.execute(statement)
    op.execute(
        "CREATE TRIGGER sweep_is_kept BEFORE INSERT OR UPDATE ON sweep "
        "FOR EACH ROW EXECUTE FUNCTION sweep_is_kept()"
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER outbound_sweep_is_approved AFTER INSERT ON outbound "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.op = 'payout.create') "
        "EXECUTE FUNCTION outbound_sweep_is_approved()"
    )
    op.add_column(
        "psp_cutoff",
        sa.Column("in_transit_minor", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.execute(
        "CREATE TRIGGER psp_cutoff_names_transit BEFORE INSERT ON psp_cutoff "
        "FOR EACH ROW EXECUTE FUNCTION psp_cutoff_names_transit()"
    )
    op.add_column("inbound_event", sa.Column("payout", sa.String(), nullable=True))
    _widen("outbound", "outbound_op_is_known", f"op IN ({OPS}'transfer.reverse', 'payout.create')")
    _widen(
        "recon_match",
        "recon_match_rule_is_known",
        f"rule IN ({RULES}, 'provider-payout', 'provider-arrival')",
    )
    _widen(
        "recon_side",
        "recon_side_book_is_known",
        "side = 'bank' OR kind IN ('invoice', 'payment', 'account', 'sweep')",
    )


def _sweep() -> None:
    op.create_table(
        "sweep",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("account_id", sa.Uuid(), sa.ForeignKey("bank_account.id"), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("descriptor", sa.String(), nullable=False, unique=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("prepared_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("prepared_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("refused_reason", sa.String(), nullable=True),
        sa.Column("intent_id", sa.Uuid(), sa.ForeignKey("outbound.id"), nullable=True, unique=True),
        sa.Column("provider_id", sa.String(), nullable=True, unique=True),
        sa.Column("made_at", INSTANT, nullable=True),
        sa.Column("arrives_on", sa.Date(), nullable=True),
        sa.Column("fault", sa.String(), nullable=True),
        sa.Column("landed_at", INSTANT, nullable=True),
        sa.Column("look_at", INSTANT, nullable=True),
        *[sa.CheckConstraint(rule, name=f"sweep_{name}") for name, rule in CHECKS.items()],
    )
    op.create_index("ix_sweep_account_id", "sweep", ["account_id"])
    _partial("ix_sweep_to_decide", "prepared_at", "state = 'prepared'")
    _partial("ix_sweep_look", "look_at", "look_at IS NOT NULL")
    _partial(
        "ix_sweep_expected",
        "currency",
        "landed_at IS NULL AND state IN ('approved', 'in_transit', 'paid')",
    )


def _partial(name: str, column: str, rule: str) -> None:
    op.create_index(name, "sweep", [column], postgresql_where=sa.text(rule))


def _widen(table: str, name: str, rule: str) -> None:
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- another of the same name follows at once\n"
        f"ALTER TABLE {table} DROP CONSTRAINT {name}"
    )
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")


def downgrade() -> None:
    """Drop them again; rows of the wider kinds stay as they are."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _widen("recon_side", "recon_side_book_is_known",
           "side = 'bank' OR kind IN ('invoice', 'payment', 'account')")  # fmt: skip
    _widen("recon_match", "recon_match_rule_is_known", f"rule IN ({RULES})")
    _widen("outbound", "outbound_op_is_known", f"op IN ({OPS}'transfer.reverse')")
    op.drop_column("inbound_event", "payout")
    op.execute("DROP TRIGGER psp_cutoff_names_transit ON psp_cutoff")
    op.drop_column("psp_cutoff", "in_transit_minor")
    op.execute("DROP TRIGGER outbound_sweep_is_approved ON outbound")
    op.drop_table("sweep")
    for name in ("outbound_sweep_is_approved", "sweep_is_kept", "psp_cutoff_names_transit"):
        op.execute(f"DROP FUNCTION {name}()")
