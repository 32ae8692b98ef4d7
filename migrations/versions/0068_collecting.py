"""The account into which a currency is wired: one in force, decided by two people.

What was decided never changes, so the account that an invoice named at any time can be told.
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0068"
down_revision = "0064"

INSTANT = sa.DateTime(timezone=True)
RULES = {
    "currency_is_a_code": "currency ~ '^[A-Z]{3}$'",
    "state_is_known": "state IN ('proposed', 'approved', 'refused', 'ended')",
    "needs_two_people": "proposed_by <> decided_by",
    "decided_by_whom_and_when": (
        "(state = 'proposed') = (decided_by IS NULL) AND "
        "(decided_by IS NULL) = (decided_at IS NULL)"
    ),
    "refused_with_a_reason": "(state = 'refused') = (reason IS NOT NULL)",
    "ended_when": "(state = 'ended') = (ended_at IS NOT NULL)",
    "sha256_is_hex": "sha256 ~ '^[0-9a-f]{64}$'",
}
STAYS = """
CREATE FUNCTION collecting_account_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF (new.account_id, new.currency, new.proposed_at)
    IS DISTINCT FROM (old.account_id, old.currency, old.proposed_at)
    OR (old.state <> 'proposed' AND (new.decided_at, new.reason)
      IS DISTINCT FROM (old.decided_at, old.reason))
    OR (new.state <> old.state AND (old.state, new.state) NOT IN
      (('proposed', 'approved'), ('proposed', 'refused'), ('approved', 'ended')))
    OR (old.state = 'ended' AND new.ended_at <> old.ended_at)
  THEN
    RAISE EXCEPTION 'where a currency was wired never changes'
      USING errcode = '23514', constraint = 'collecting_account_stays';
  END IF;
  RETURN new;
END $$
"""


def upgrade() -> None:
    """Create the table, and let an account name its bank."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("bank_account", sa.Column("bank_name", sa.String(), nullable=True))
    op.create_table(
        "collecting_account",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("account_id", sa.Uuid(), sa.ForeignKey("bank_account.id"), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("proposed_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        *(
            sa.CheckConstraint(rule, name=f"collecting_account_{name}")
            for name, rule in RULES.items()
        ),
    )
    op.create_index("ix_collecting_account_account_id", "collecting_account", ["account_id"])
    for name, state in (("in_force", "approved"), ("waiting", "proposed")):
        op.create_index(
            f"ix_collecting_account_{name}", "collecting_account", ["currency"], unique=True,
            postgresql_where=sa.text(f"state = '{state}'"),
        )  # fmt: skip
    guard = import_module("migrations.versions.0046_proofs").guard
    arguments = "'collecting-account', 'proposed', 'content', 'sha256', 'proposed_by'"
    op.execute(guard("collecting_account", arguments))
    op.execute(STAYS)
    op.execute(
        "CREATE TRIGGER collecting_account_kept BEFORE UPDATE ON collecting_account "
        "FOR EACH ROW EXECUTE FUNCTION collecting_account_stays()"
    )


def downgrade() -> None:
    """Drop them again."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("collecting_account")
    op.execute("DROP FUNCTION collecting_account_stays()")
    op.drop_column("bank_account", "bank_name")
