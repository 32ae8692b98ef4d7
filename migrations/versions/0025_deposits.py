"""Deposits: conserved by constraint, equal to the ledger at every commit; invoices paid in part.

Sums only grow and the terms stay. A movement is decided once; what it says never changes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

INSTANT = sa.DateTime(timezone=True)
OF_DEPOSIT = (["auction_id", "party_id"], ["deposit.auction_id", "deposit.party_id"])
DEPOSIT = {
    "state_is_known": (
        "state IN ('required', 'received', 'frozen', 'released', 'applied', 'forfeited', 'partial')"
    ),
    "currency_is_a_code": "currency ~ '^[A-Z]{3}$'",
    "requires_something": "required_minor >= 1",
    "is_not_negative": (
        "held_minor >= 0 AND released_minor >= 0 AND applied_minor >= 0 AND forfeited_minor >= 0"
    ),
    "is_conserved": (
        "held_minor + released_minor + applied_minor + forfeited_minor = paid_in_minor"
    ),
    "free_until_when": "(free_at IS NULL) = (return_by IS NULL)",
}
MOVEMENT = {
    "kind_is_known": "kind IN ('return', 'forfeit', 'distribute')",
    "state_is_known": "state IN ('prepared', 'approved', 'refused', 'done')",
    "amounts": (
        "amount_minor >= 1 AND fees_minor >= 0 AND shortfall_minor >= 0 AND claim_minor >= 0"
    ),
    "reason": "char_length(reason) BETWEEN 1 AND 500",
    "needs_two_people": "prepared_by <> decided_by",
    "decided_by_whom_and_when": (
        "(state = 'prepared') = (decided_by IS NULL) "
        "AND (decided_by IS NULL) = (decided_at IS NULL)"
    ),
    "returned_by_the_bank": "(kind = 'return' AND state = 'done') = (reference IS NOT NULL)",
    "sha256_is_hex": "content_sha256 ~ '^[0-9a-f]{64}$'",
}
KEEPS = """
CREATE FUNCTION deposit_keeps_its_terms() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$ BEGIN
  IF (OLD.auction_id, OLD.party_id, OLD.seller_id, OLD.currency, OLD.required_minor, OLD.until,
      OLD.forfeits, OLD.required_at)
    IS DISTINCT FROM
     (NEW.auction_id, NEW.party_id, NEW.seller_id, NEW.currency, NEW.required_minor, NEW.until,
      NEW.forfeits, NEW.required_at)
    OR NEW.paid_in_minor < OLD.paid_in_minor OR NEW.released_minor < OLD.released_minor
    OR NEW.applied_minor < OLD.applied_minor OR NEW.forfeited_minor < OLD.forfeited_minor
  THEN
    RAISE EXCEPTION 'deposit of % keeps its terms and its sums', OLD.party_id
      USING errcode = '23514';
  END IF;
  RETURN NEW;
END $$
"""
# Runs at commit and reads the row as it is then: a deposit may change several times before.
MATCHES = """
CREATE FUNCTION deposit_matches_ledger() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE held bigint; booked bigint;
BEGIN
  SELECT held_minor INTO held FROM deposit
    WHERE auction_id = NEW.auction_id AND party_id = NEW.party_id;
  SELECT -balance.posted_minor INTO booked FROM ledger_account account
    JOIN ledger_balance balance ON balance.account_id = account.id
    WHERE account.code = 'deposit:' || NEW.auction_id || ':' || NEW.party_id || ':' || NEW.currency;
  IF held <> coalesce(booked, 0) THEN
    RAISE EXCEPTION 'deposit of % holds %, the ledger says %', NEW.party_id, held, booked
      USING errcode = '23514';
  END IF;
  RETURN NULL;
END $$
"""
DECIDED = """
CREATE FUNCTION deposit_movement_is_decided_once() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$ BEGIN
  IF to_jsonb(OLD) - ARRAY['state', 'decided_by', 'decided_at', 'refused_reason', 'claim_minor',
      'reference']
    IS DISTINCT FROM to_jsonb(NEW) - ARRAY['state', 'decided_by', 'decided_at', 'refused_reason',
      'claim_minor', 'reference']
    OR OLD.state IN ('refused', 'done')
    OR OLD.state = 'approved' AND (NEW.state <> 'done' OR OLD.decided_by <> NEW.decided_by)
  THEN
    RAISE EXCEPTION 'movement % is decided once', OLD.id USING errcode = '23514';
  END IF;
  RETURN NEW;
END $$
"""
TRIGGERS = {
    "deposit_stays": "BEFORE UPDATE ON deposit FOR EACH ROW EXECUTE FUNCTION "
    "deposit_keeps_its_terms()",
    "deposit_is_kept": "BEFORE DELETE ON deposit FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "deposit_receipt_stays": "BEFORE UPDATE OR DELETE ON deposit_receipt FOR EACH ROW EXECUTE "
    "FUNCTION refuse_change()",
    "deposit_movement_stays": "BEFORE UPDATE ON deposit_movement FOR EACH ROW EXECUTE FUNCTION "
    "deposit_movement_is_decided_once()",
    "deposit_movement_is_kept": "BEFORE DELETE ON deposit_movement FOR EACH ROW EXECUTE FUNCTION "
    "refuse_change()",
}


def upgrade() -> None:
    _deposits()
    _receipts()
    _movements()
    for function in (KEEPS, MATCHES, DECIDED):
        op.execute(function)
    for name, when in TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {when}")
    op.execute(
        "CREATE CONSTRAINT TRIGGER deposit_is_booked AFTER INSERT OR UPDATE ON deposit "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION deposit_matches_ledger()"
    )
    op.add_column(
        "invoice",
        sa.Column("deposit_minor", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    )
    op.execute(
        "ALTER TABLE invoice ADD CONSTRAINT invoice_deposit_is_part_of_it "
        "CHECK (deposit_minor BETWEEN 0 AND amount_minor) NOT VALID"
    )


def downgrade() -> None:
    op.drop_constraint("invoice_deposit_is_part_of_it", "invoice")
    op.drop_column("invoice", "deposit_minor")
    for table in ("deposit_movement", "deposit_receipt", "deposit"):
        op.drop_table(table)
    for function in (
        "deposit_keeps_its_terms", "deposit_matches_ledger", "deposit_movement_is_decided_once",
    ):  # fmt: skip
        op.execute(f"DROP FUNCTION {function}()")


def _minor(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _deposits() -> None:
    op.create_table(
        "deposit",
        sa.Column("auction_id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), primary_key=True),
        sa.Column("seller_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        _minor("required_minor"),
        _minor("paid_in_minor"),
        _minor("held_minor"),
        _minor("released_minor"),
        _minor("applied_minor"),
        _minor("forfeited_minor"),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("until", INSTANT, nullable=True),
        sa.Column("forfeits", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("required_at", INSTANT, nullable=False),
        sa.Column("frozen_at", INSTANT, nullable=True),
        sa.Column("free_at", INSTANT, nullable=True),
        sa.Column("return_by", sa.Date(), nullable=True),
        *(sa.CheckConstraint(rule, name=f"deposit_{name}") for name, rule in DEPOSIT.items()),
    )
    op.create_index(
        "deposit_to_return", "deposit", ["return_by"], postgresql_where=sa.text("held_minor > 0")
    )
    op.create_index("deposit_of_party", "deposit", ["party_id"])


def _receipts() -> None:
    op.create_table(
        "deposit_receipt",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("auction_id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        _minor("amount_minor"),
        sa.Column("reference", sa.String(), nullable=False, unique=True),
        sa.Column("credited_at", INSTANT, nullable=False),
        sa.Column("recorded_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(*OF_DEPOSIT, name="deposit_receipt_of_deposit"),
        sa.CheckConstraint("amount_minor >= 1", name="deposit_receipt_is_positive"),
        sa.CheckConstraint(
            "char_length(reference) BETWEEN 1 AND 100", name="deposit_receipt_reference"
        ),
    )
    op.create_index("deposit_receipt_deposit", "deposit_receipt", ["auction_id", "party_id"])


def _movements() -> None:
    op.create_table(
        "deposit_movement",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("auction_id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        _minor("amount_minor"),
        sa.Column("reason", sa.String(), nullable=False),
        _minor("fees_minor"),
        _minor("shortfall_minor"),
        _minor("claim_minor"),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("prepared_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("prepared_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("refused_reason", sa.String(), nullable=True),
        sa.Column("reference", sa.String(), nullable=True, unique=True),
        sa.ForeignKeyConstraint(*OF_DEPOSIT, name="deposit_movement_of_deposit"),
        *(
            sa.CheckConstraint(rule, name=f"deposit_movement_{name}")
            for name, rule in MOVEMENT.items()
        ),
    )
    op.create_index(
        "deposit_movement_one_waits",
        "deposit_movement",
        ["auction_id", "party_id"],
        unique=True,
        postgresql_where=sa.text("state = 'prepared'"),
    )
    op.create_index("deposit_movement_deposit", "deposit_movement", ["auction_id", "party_id"])
