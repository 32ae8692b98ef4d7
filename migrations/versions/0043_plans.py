"""Plans: settlements of claims under a deal, and what licensees report for their royalties.

A claim is a settlement of its own whose id is no deal's; `of_deal` names the deal it is under.
Reports and statements are only ever added.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"

# The price of a deal is settled under the deal's own id, so that id has to be a deal's.
OF_A_DEAL = """
CREATE FUNCTION settlement_is_of_a_deal() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF new.of_deal IS NULL AND NOT EXISTS (SELECT FROM deal WHERE id = new.deal_id) THEN
    RAISE EXCEPTION 'settlement % is of no deal', new.deal_id USING errcode = '23503';
  END IF;
  IF new.of_deal IS NOT NULL AND EXISTS (SELECT FROM deal WHERE id = new.deal_id) THEN
    RAISE EXCEPTION 'claim % has the id of a deal', new.deal_id USING errcode = '23505';
  END IF;
  RETURN NULL;
END $$
"""
CHECKS = {
    "settlement_kind_is_known": "kind IN ('price', 'royalties', 'interest')",
    "settlement_claim_is_under_a_deal": "(kind = 'price') = (of_deal IS NULL)",
}
REPORT = {
    "usage_report_period_has_days": "first_day <= last_day",
    "usage_report_counts": "version >= 1 AND runs >= 0",
    "usage_report_sha256_is_hex": "sha256 ~ '^[0-9a-f]{64}$'",
}
STATEMENT = {
    "royalty_statement_counts": "number >= 1 AND runs >= 0",
    "royalty_statement_recoups_what_was_earned": (
        "recouped_minor BETWEEN 0 AND earned_minor AND unrecouped_minor >= 0 "
        "AND payable_minor = earned_minor - recouped_minor"
    ),
    "royalty_statement_asks_for_the_difference": (
        "due_minor >= 0 AND carried_minor >= 0 AND before_minor >= 0 "
        "AND before_minor + due_minor - carried_minor = payable_minor"
    ),
    "royalty_statement_claims_what_is_due": "(due_minor > 0) = (claim_id IS NOT NULL)",
    "royalty_statement_currency_is_a_code": "currency ~ '^[A-Z]{3}$'",
    "royalty_statement_waterfall_is_hex": "waterfall_sha256 ~ '^[0-9a-f]{64}$'",
}
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("settlement", sa.Column("of_deal", sa.Uuid(), nullable=True))
    op.add_column(
        "settlement",
        sa.Column("kind", sa.String(), nullable=False, server_default=sa.text("'price'")),
    )
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- the trigger below keeps it for prices\n"
        "ALTER TABLE settlement DROP CONSTRAINT settlement_deal_id_fkey"
    )
    op.execute(
        "ALTER TABLE settlement ADD CONSTRAINT settlement_of_deal_fkey "
        "FOREIGN KEY (of_deal) REFERENCES deal (id) NOT VALID"
    )
    for name, rule in CHECKS.items():
        op.execute(f"ALTER TABLE settlement ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")
    op.execute(OF_A_DEAL)
    op.execute(
        "CREATE TRIGGER settlement_of_a_deal AFTER INSERT OR UPDATE OF deal_id, of_deal "
        "ON settlement FOR EACH ROW EXECUTE FUNCTION settlement_is_of_a_deal()"
    )
    _report()
    _statement()
    for table in ("usage_report", "royalty_statement"):
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_stays_whole BEFORE TRUNCATE ON {table} "
            "EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.drop_table("royalty_statement")
    op.drop_table("usage_report")
    op.execute("DROP TRIGGER settlement_of_a_deal ON settlement")
    op.execute("DROP FUNCTION settlement_is_of_a_deal()")
    for name in CHECKS:
        op.drop_constraint(name, "settlement")
    op.drop_column("settlement", "kind")
    op.drop_column("settlement", "of_deal")
    op.execute(
        "ALTER TABLE settlement ADD CONSTRAINT settlement_deal_id_fkey "
        "FOREIGN KEY (deal_id) REFERENCES deal (id) NOT VALID"
    )


def _report() -> None:
    op.create_table(
        "usage_report",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("deal_id", sa.Uuid(), sa.ForeignKey("deal.id"), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        _minor("receipts_minor"),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("reported_by", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("reported_at", INSTANT, nullable=False),
        sa.UniqueConstraint("deal_id", "first_day", "version", name="usage_report_is_a_version"),
        *_checked(REPORT),
    )


def _statement() -> None:
    op.create_table(
        "royalty_statement",
        sa.Column("report_id", sa.Uuid(), sa.ForeignKey("usage_report.id"), primary_key=True),
        sa.Column("deal_id", sa.Uuid(), sa.ForeignKey("deal.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        _minor("receipts_minor"),
        sa.Column("runs", sa.Integer(), nullable=False),
        *(
            _minor(f"{name}_minor")
            for name in (
                "earned", "recouped", "unrecouped", "payable", "before", "due", "carried"
            )
        ),
        sa.Column("claim_id", sa.Uuid(), sa.ForeignKey("settlement.deal_id"), nullable=True),
        sa.Column("waterfall_sha256", sa.String(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.UniqueConstraint("claim_id"),
        sa.UniqueConstraint("deal_id", "number", name="royalty_statement_in_sequence"),
        *_checked(STATEMENT),
    )  # fmt: skip


def _checked(rules: dict[str, str]) -> list[sa.CheckConstraint]:
    return [sa.CheckConstraint(rule, name=name) for name, rule in rules.items()]


def _minor(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False)
