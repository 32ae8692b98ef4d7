"""Refunds of bank transfers: each with a payment file of its own, under the refund's approval.

What goes to the bank is, to the byte, what the approved refund names by its hash.
"""

import sqlalchemy as sa
from alembic import op

revision = "0072"
down_revision = "0074"

TO_A_BANK = {
    "refund_goes_somewhere": "goes_to IN ('card', 'payer-account', 'verified-account')",
    "refund_to_a_bank_has_a_file": "(goes_to = 'card') = (document IS NULL) "
    "AND (goes_to = 'card') = (account_id IS NULL) "
    "AND (goes_to = 'card') = (to_account IS NULL) "
    "AND (goes_to = 'card') = (to_holder IS NULL)",
    "refund_to_a_verified_account": "(goes_to = 'verified-account') "
    "= (payee_account_id IS NOT NULL)",
    "refund_to_a_bank_is_no_instruction": "goes_to = 'card' OR intent_id IS NULL",
}
# Its arguments are those of migration 0046; files of refunds have the rule below instead.
DECIDED = (
    "EXECUTE FUNCTION decided_by_another('payment-file', 'prepared', 'document', 'sha256', "
    "'prepared_by')"
)
REFUNDS = """
CREATE FUNCTION payment_batch_is_its_refund() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF (tg_op = 'UPDATE' AND old.refund_id IS DISTINCT FROM new.refund_id) OR NOT EXISTS (
    SELECT FROM refund r
    JOIN approval a ON a.object_type = 'refund' AND a.object_id = r.id
      AND a.object_hash = r.content_sha256 AND a.outcome = 'approved'
      AND a.maker_id = r.prepared_by AND a.checker_id = r.decided_by AND a.used_at IS NOT NULL
    WHERE r.id = new.refund_id AND new.id = r.id AND r.account_id = new.account_id
      AND encode(sha256(new.document), 'hex') = new.sha256
      AND convert_from(r.content, 'UTF8')::jsonb -> 'bank' ->> 'document_sha256' = new.sha256
      AND new.items = 1 AND new.sum_minor = r.amount_minor AND new.currency = r.currency
      AND new.prepared_by = r.prepared_by AND new.decided_by = r.decided_by
      AND new.state IN ('approved', 'settled'))
  THEN
    RAISE EXCEPTION 'payment file % is not what its refund was approved for', new.id
      USING errcode = '23514', constraint = 'payment_batch_is_its_refund';
  END IF;
  RETURN new;
END $$
"""


def upgrade() -> None:
    """Let refunds name an account, and payment files and their items be of a refund."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "refund", sa.Column("goes_to", sa.String(), nullable=False, server_default="card")
    )
    for name, kind in (
        ("account_id", sa.Uuid()), ("payee_account_id", sa.Uuid()), ("to_account", sa.String()),
        ("to_holder", sa.String()), ("document", sa.LargeBinary()),
    ):  # fmt: skip
        op.add_column("refund", sa.Column(name, kind, nullable=True))
    _refers("refund", "account_id", "bank_account")
    _refers("refund", "payee_account_id", "payee_bank_account")
    op.add_column("payment_batch", sa.Column("refund_id", sa.Uuid(), nullable=True))
    _refers("payment_batch", "refund_id", "refund")
    op.add_column("payment_item", sa.Column("refund_id", sa.Uuid(), nullable=True))
    _refers("payment_item", "refund_id", "refund")
    for table in ("payment_batch", "payment_item"):
        op.create_index(f"ix_{table}_refund_id", table, ["refund_id"], unique=True)
    _pays_one_thing(
        "CASE WHEN num_nonnulls(remittance_id, refund_id) = 0 THEN 3 ELSE 0 END "
        "AND num_nonnulls(remittance_id, refund_id) <= 1"
    )
    for name, rule in TO_A_BANK.items():
        op.execute(f"ALTER TABLE refund ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")
    op.execute(REFUNDS)
    _guard(
        f"BEFORE INSERT OR UPDATE ON payment_batch FOR EACH ROW WHEN (new.refund_id IS NULL) "
        f"{DECIDED}"
    )
    op.execute(
        "CREATE TRIGGER payment_batch_is_not_deleted BEFORE DELETE ON payment_batch "
        f"FOR EACH ROW {DECIDED}"
    )
    for name, when in (
        ("payment_batch_is_its_refund", "INSERT ON payment_batch FOR EACH ROW "
         "WHEN (new.refund_id IS NOT NULL)"),
        ("payment_batch_stays_its_refund", "UPDATE ON payment_batch FOR EACH ROW "
         "WHEN (new.refund_id IS NOT NULL OR old.refund_id IS NOT NULL)"),
    ):  # fmt: skip
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {when} EXECUTE FUNCTION payment_batch_is_its_refund()"
        )


def _refers(table: str, column: str, to: str) -> None:
    op.execute(
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_fkey "
        f"FOREIGN KEY ({column}) REFERENCES {to} (id) NOT VALID"
    )


def _pays_one_thing(rule: str) -> None:
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- another of the same name follows at once\n"
        "ALTER TABLE payment_item DROP CONSTRAINT payment_item_pays_one_thing"
    )
    op.execute(
        "ALTER TABLE payment_item ADD CONSTRAINT payment_item_pays_one_thing CHECK ("
        f"num_nonnulls(payout_id, party_id, payee_account_id) = {rule}) NOT VALID"
    )


def _guard(when: str) -> None:
    op.execute("DROP TRIGGER payment_batch_is_decided ON payment_batch")
    op.execute(f"CREATE TRIGGER payment_batch_is_decided {when}")


def downgrade() -> None:
    """Take it back; refunds that went to an account stay in the ledger, their files go."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name in ("payment_batch_is_its_refund", "payment_batch_stays_its_refund",
                 "payment_batch_is_not_deleted"):  # fmt: skip
        op.execute(f"DROP TRIGGER {name} ON payment_batch")
    _guard(f"BEFORE INSERT OR UPDATE OR DELETE ON payment_batch FOR EACH ROW {DECIDED}")
    op.execute("DROP FUNCTION payment_batch_is_its_refund()")
    _pays_one_thing("CASE WHEN remittance_id IS NULL THEN 3 ELSE 0 END")
    op.drop_column("payment_item", "refund_id")
    op.drop_column("payment_batch", "refund_id")
    for name in TO_A_BANK:
        op.drop_constraint(name, "refund")
    for name in ("document", "to_holder", "to_account", "payee_account_id", "account_id",
                 "goes_to"):  # fmt: skip
        op.drop_column("refund", name)
