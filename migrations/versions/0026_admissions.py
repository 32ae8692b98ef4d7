"""Admissions, credit lines and exposure, blocks, related parties; paddles bind their party.

A relation or a block only ever ends, once. The state of an admission moves, never its party.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0026"
down_revision = "0025"

INSTANT = sa.DateTime(timezone=True)
ADMISSION = {
    "state_is_known": "state IN ('reserved', 'applied', 'admitted', 'refused', 'suspended')",
    "cap_is_positive": "cap_minor >= 1",
    "reserved_from_one": "reserved_number >= 1",
    "refused_with_a_reason": "state NOT IN ('refused', 'suspended') OR reason IS NOT NULL",
    "reason_is_short": "char_length(reason) BETWEEN 1 AND 500",
    "suspended_when": "(state = 'suspended') = (suspended_at IS NOT NULL)",
    "checked_by_whom_and_when": "(papers_checked_by IS NULL) = (papers_checked_at IS NULL)",
}
RELATION = {
    "kind_is_known": "kind IN ('owner', 'director', 'bank-account', 'key', 'address')",
    "owner_has_a_share": (
        "(kind = 'owner') = (share_bp IS NOT NULL) AND share_bp BETWEEN 1 AND 10000"
    ),
    "node_has_form": (
        "node ~ '^(party:[0-9a-f-]{36}|(person|bank-account|key|address):[0-9a-f]{64})$'"
    ),
    "evidence": "char_length(evidence) BETWEEN 1 AND 500",
    "ended_by_one": "(ended_at IS NULL) = (ended_by IS NULL)",
}
ENDS = """
CREATE FUNCTION {table}_ends_once() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$ BEGIN
  IF OLD.{at} IS NOT NULL OR NEW.{at} IS NULL
    OR to_jsonb(OLD) - ARRAY['{at}', '{by}'] IS DISTINCT FROM to_jsonb(NEW) - ARRAY['{at}', '{by}']
  THEN
    RAISE EXCEPTION '{table} % only ends, once', OLD.id USING errcode = '23514';
  END IF;
  RETURN NEW;
END $$
"""


def upgrade() -> None:
    _paddles()
    _admissions()
    _limits()
    _blocks()
    _relations()
    for table, at, by in (
        ("party_block", "lifted_at", "lifted_by"),
        ("party_relation", "ended_at", "ended_by"),
    ):
        op.execute(ENDS.format(table=table, at=at, by=by))
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_ends_once()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_is_kept BEFORE DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    for table in ("party_relation", "party_block", "exposure", "credit_line", "admission"):
        op.drop_table(table)
    op.execute("DROP FUNCTION party_block_ends_once()")
    op.execute("DROP FUNCTION party_relation_ends_once()")
    op.drop_constraint("paddle_blind_has_length", "paddle")
    op.drop_column("paddle", "admitted_at")
    op.drop_column("paddle", "blind")


def _paddles() -> None:
    op.add_column(
        "paddle",
        sa.Column("blind", sa.LargeBinary(), nullable=False, server_default=sa.text("''::bytea")),
    )
    op.add_column("paddle", sa.Column("admitted_at", INSTANT, nullable=True))
    op.execute(
        "ALTER TABLE paddle ADD CONSTRAINT paddle_blind_has_length "
        "CHECK (octet_length(blind) IN (0, 32)) NOT VALID"
    )


def _admissions() -> None:
    op.create_table(
        "admission",
        sa.Column(
            "auction_id",
            sa.Uuid(),
            sa.ForeignKey("auction.id", deferrable=True, initially="DEFERRED"),
            primary_key=True,
        ),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), primary_key=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reserved_number", sa.Integer(), nullable=True),
        sa.Column("cap_minor", sa.BigInteger(), nullable=True),
        sa.Column("application", pg.JSONB(), nullable=True),
        sa.Column("applied_at", INSTANT, nullable=True),
        sa.Column("papers_checked_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("papers_checked_at", INSTANT, nullable=True),
        sa.Column("suspended_at", INSTANT, nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        *(sa.CheckConstraint(rule, name=f"admission_{name}") for name, rule in ADMISSION.items()),
    )
    op.create_index(
        "admission_waiting",
        "admission",
        ["applied_at"],
        postgresql_where=sa.text("state = 'applied'"),
    )
    op.create_index("admission_of_party", "admission", ["party_id"])


def _limits() -> None:
    op.create_table(
        "credit_line",
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), primary_key=True),
        sa.Column("currency", sa.String(3), primary_key=True),
        sa.Column("limit_minor", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("set_at", INSTANT, nullable=False),
        sa.CheckConstraint("limit_minor >= 0", name="credit_line_is_not_negative"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="credit_line_currency"),
    )
    op.create_table(
        "exposure",
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), primary_key=True),
        sa.Column(
            "auction_id", sa.Uuid(), sa.ForeignKey("auction.id"), primary_key=True, index=True
        ),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_minor >= 0", name="exposure_is_not_negative"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="exposure_currency"),
        # A hot row: room on its page keeps its updates within it.
        postgresql_with={"fillfactor": 70},
    )


def _blocks() -> None:
    op.create_table(
        "party_block",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("work_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("until", INSTANT, nullable=True),
        sa.Column("placed_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("placed_at", INSTANT, nullable=False),
        sa.Column("lifted_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("lifted_at", INSTANT, nullable=True),
        sa.CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="party_block_reason"),
        sa.CheckConstraint("until > placed_at", name="party_block_lasts"),
        sa.CheckConstraint(
            "(lifted_at IS NULL) = (lifted_by IS NULL)", name="party_block_lifted_by_one"
        ),
    )
    op.create_index(
        "party_block_active",
        "party_block",
        ["party_id"],
        postgresql_where=sa.text("lifted_at IS NULL"),
    )


def _relations() -> None:
    op.create_table(
        "party_relation",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("party_node", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("share_bp", sa.Integer(), nullable=True),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("declared_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("declared_at", INSTANT, nullable=False),
        sa.Column("ended_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        *(
            sa.CheckConstraint(rule, name=f"party_relation_{name}")
            for name, rule in RELATION.items()
        ),
    )
    for name, column in (("party_relation_from", "party_node"), ("party_relation_to", "node")):
        op.create_index(
            name, "party_relation", [column], postgresql_where=sa.text("ended_at IS NULL")
        )
