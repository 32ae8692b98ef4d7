"""Settlement: plans, invoices and payments, instructions sent, events received, payouts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

INSTANT = sa.DateTime(timezone=True)

# A plan that does not add up never commits. Checked once for each settlement, when its transaction
# ends; lines that came later would be refused by the same sum.
ADDS_UP = """
CREATE FUNCTION settlement_adds_up() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE gross bigint; planned bigint;
BEGIN
  SELECT gross_minor INTO gross FROM settlement WHERE deal_id = new.deal_id;
  SELECT coalesce(sum(amount_minor), 0) INTO planned FROM settlement_line
    WHERE deal_id = new.deal_id;
  IF gross IS DISTINCT FROM planned THEN
    RAISE EXCEPTION 'the lines of settlement % add up to %, not to %', new.deal_id, planned, gross
      USING errcode = '23514';
  END IF;
  RETURN NULL;
END $$
"""
TRIGGERS = (
    "CREATE CONSTRAINT TRIGGER settlement_adds_up AFTER INSERT OR UPDATE OF gross_minor "
    "ON settlement DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION settlement_adds_up()",
    "CREATE CONSTRAINT TRIGGER settlement_line_adds_up AFTER INSERT ON settlement_line "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION settlement_adds_up()",
    "CREATE TRIGGER settlement_line_stays BEFORE UPDATE OR DELETE ON settlement_line "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER settlement_line_stays_whole BEFORE TRUNCATE ON settlement_line "
    "EXECUTE FUNCTION refuse_change()",
)
TABLES = (
    "inbound_event", "payout_transfer", "payout", "payout_account", "outbound", "payment",
    "invoice", "invoice_series", "settlement_line", "settlement",
)  # fmt: skip


def upgrade() -> None:
    _settlement()
    _invoice()
    _payment()
    _outbound()
    _payout()
    _payout_transfer()
    _inbound()
    for statement in (ADDS_UP, *TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION settlement_adds_up()")


def _settlement() -> None:
    op.create_table(
        "settlement",
        sa.Column("deal_id", sa.Uuid(), sa.ForeignKey("deal.id"), primary_key=True),
        sa.Column("work_id", sa.Uuid(), nullable=False),
        _ref("licensor_id", "party.id", index=True),
        _ref("licensee_id", "party.id", index=True),
        sa.Column("gross_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("terms_sha256", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("planned_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "state IN ('awaiting_payment', 'funded', 'paying', 'paid_out')",
            name="settlement_state_is_known",
        ),
        sa.CheckConstraint("gross_minor > 0", name="settlement_gross_is_positive"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="settlement_currency_is_a_code"),
        sa.CheckConstraint("licensor_id <> licensee_id", name="settlement_has_two_sides"),
    )
    op.create_table(
        "settlement_line",
        sa.Column("deal_id", sa.Uuid(), sa.ForeignKey("settlement.deal_id"), primary_key=True),
        sa.Column("line", sa.Integer(), primary_key=True),
        _ref("payee_id", "party.id", index=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("basis_minor", sa.BigInteger(), nullable=False),
        sa.Column("rate_bp", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint("kind IN ('commission', 'share')", name="settlement_line_kind_is_known"),
        sa.CheckConstraint("amount_minor >= 0", name="settlement_line_is_not_negative"),
        sa.CheckConstraint("rate_bp BETWEEN 0 AND 10000", name="settlement_line_rate_in_range"),
    )


def _invoice() -> None:
    op.create_table(
        "invoice_series",
        sa.Column("series", sa.String(), primary_key=True),
        sa.Column("year", sa.Integer(), primary_key=True),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.CheckConstraint("last_number >= 1", name="invoice_series_counts"),
    )
    op.create_table(
        "invoice",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("number", sa.String(), nullable=False, unique=True),
        _ref("deal_id", "settlement.deal_id", unique=True),
        _ref("payer_id", "party.id", index=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.Column("paid_at", INSTANT, nullable=True),
        sa.Column("paid_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("state IN ('issued', 'paid')", name="invoice_state_is_known"),
        sa.CheckConstraint("(state = 'paid') = (paid_at IS NOT NULL)", name="invoice_paid_when"),
        sa.CheckConstraint("(state = 'paid') = (paid_by IS NOT NULL)", name="invoice_paid_by_one"),
        sa.CheckConstraint("amount_minor > 0", name="invoice_amount_is_positive"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="invoice_currency_is_a_code"),
    )


def _payment() -> None:
    op.create_table(
        "payment",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _ref("invoice_id", "invoice.id", index=True),
        _ref("payer_id", "party.id"),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=True, unique=True),
        sa.Column("client_secret", sa.String(), nullable=True),
        sa.Column("charge_id", sa.String(), nullable=True, unique=True),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("next_check_at", INSTANT, nullable=True),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.CheckConstraint("method IN ('card')", name="payment_method_is_known"),
        sa.CheckConstraint(
            "state IN ('requested', 'ready', 'succeeded', 'failed')", name="payment_state_is_known"
        ),
        sa.CheckConstraint(
            "state <> 'ready' OR provider_id IS NOT NULL", name="payment_ready_has_an_object"
        ),
        sa.CheckConstraint("amount_minor > 0", name="payment_amount_is_positive"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="payment_currency_is_a_code"),
    )
    op.create_index(
        "ix_payment_one_open",
        "payment",
        ["invoice_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('requested', 'ready')"),
    )
    op.create_index(
        "ix_payment_check",
        "payment",
        ["next_check_at"],
        postgresql_where=sa.text("state = 'ready'"),
    )


def _outbound() -> None:
    op.create_table(
        "outbound",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("op", sa.String(), nullable=False),
        sa.Column("object_key", sa.String(), nullable=False, unique=True),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("payload_sha256", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("idem_key", sa.String(), nullable=False, unique=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("ever_unknown", sa.Boolean(), nullable=False),
        sa.Column("first_sent_at", INSTANT, nullable=True),
        sa.Column("last_sent_at", INSTANT, nullable=True),
        sa.Column("next_at", INSTANT, nullable=False),
        sa.Column("provider_id", sa.String(), nullable=True, unique=True),
        sa.Column("fault", sa.String(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "op IN ('payment_intent.create', 'account.create', 'transfer.create')",
            name="outbound_op_is_known",
        ),
        sa.CheckConstraint(
            "state IN ('intent', 'sent', 'unknown', 'done', 'failed')",
            name="outbound_state_is_known",
        ),
        sa.CheckConstraint(
            "(state = 'done') = (provider_id IS NOT NULL)", name="outbound_done_has_an_object"
        ),
        sa.CheckConstraint(
            "state <> 'unknown' OR ever_unknown", name="outbound_doubt_is_remembered"
        ),
        sa.CheckConstraint("attempt >= 1 AND tries >= 0", name="outbound_counts"),
    )
    op.create_index(
        "ix_outbound_due",
        "outbound",
        ["next_at"],
        postgresql_where=sa.text("state IN ('intent', 'sent', 'unknown')"),
    )


def _payout() -> None:
    op.create_table(
        "payout_account",
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), primary_key=True),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=True, unique=True),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "state IN ('requested', 'ready', 'failed')", name="payout_account_state_is_known"
        ),
        sa.CheckConstraint(
            "(state = 'ready') = (provider_id IS NOT NULL)", name="payout_account_ready_has_an_id"
        ),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name="payout_account_country_is_a_code"),
    )
    op.create_table(
        "payout",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _ref("deal_id", "settlement.deal_id", index=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        _ref("prepared_by", "person.id"),
        sa.Column("prepared_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("paid_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "state IN ('prepared', 'approved', 'refused', 'paid')", name="payout_state_is_known"
        ),
        sa.CheckConstraint("prepared_by <> decided_by", name="payout_needs_two_people"),
        sa.CheckConstraint(
            "(state = 'prepared') = (decided_by IS NULL) "
            "AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="payout_decided_by_whom_and_when",
        ),
        sa.CheckConstraint(
            "(state = 'refused') = (reason IS NOT NULL)", name="payout_refused_with_a_reason"
        ),
        sa.CheckConstraint(
            "char_length(reason) BETWEEN 1 AND 500", name="payout_reason_has_length"
        ),
        sa.CheckConstraint("content_sha256 ~ '^[0-9a-f]{64}$'", name="payout_sha256_is_hex"),
    )
    op.create_index(
        "ix_payout_one_live",
        "payout",
        ["deal_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'refused'"),
    )


def _payout_transfer() -> None:
    op.create_table(
        "payout_transfer",
        sa.Column("payout_id", sa.Uuid(), sa.ForeignKey("payout.id"), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), primary_key=True),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("intent_id", sa.Uuid(), sa.ForeignKey("outbound.id"), nullable=True, unique=True),
        sa.Column("provider_id", sa.String(), nullable=True, unique=True),
        sa.CheckConstraint(
            "state IN ('pending', 'sending', 'made')", name="payout_transfer_state_is_known"
        ),
        sa.CheckConstraint(
            "(state = 'made') = (provider_id IS NOT NULL)", name="payout_transfer_made_has_an_id"
        ),
        sa.CheckConstraint(
            "(state = 'pending') = (intent_id IS NULL)", name="payout_transfer_sent_has_an_intent"
        ),
        sa.CheckConstraint("amount_minor > 0", name="payout_transfer_amount_is_positive"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="payout_transfer_currency_is_a_code"),
    )


def _inbound() -> None:
    op.create_table(
        "inbound_event",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("payment_intent", sa.String(), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", INSTANT, nullable=False),
        sa.Column("handled_at", INSTANT, nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.UniqueConstraint("provider", "event_id", name="inbound_event_is_stored_once"),
        sa.CheckConstraint("tries >= 0", name="inbound_event_counts"),
    )
    op.create_index(
        "ix_inbound_event_due",
        "inbound_event",
        ["next_at"],
        postgresql_where=sa.text("handled_at IS NULL"),
    )


def _ref(name: str, target: str, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid(), sa.ForeignKey(target), nullable=False, **more)
