"""Deliveries: keys that content keys are sealed to, manifests, releases, complaints."""

from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"

INSTANT = sa.DateTime(timezone=True)
KEY = {
    "is_32_bytes": "octet_length(public) = 32",
    "sha256_is_hex": "sha256 ~ '^[0-9a-f]{64}$'",
    "state_is_known": "state IN ('active', 'revoked')",
    "revoked_when": "(state = 'revoked') = (revoked_at IS NOT NULL)",
}
DELIVERY = {
    "number_is_positive": "number > 0",
    "manifest_is_hashed": "manifest_sha256 ~ '^[0-9a-f]{64}$'",
    "names_its_master": "master_sha256 ~ '^[0-9a-f]{64}$'",
    "escrow_is_an_envelope": "octet_length(escrow) = 80",
    "place_is_short": "char_length(place) <= 2000",
    "state_is_known": "state IN ('offered', 'released', 'accepted', 'disputed', 'replaced')",
    "released_has_time": "(state IN ('offered', 'replaced')) = (released_at IS NULL) "
    "AND (released_at IS NULL) = (accept_by IS NULL)",
    "settled_has_time": "(state IN ('offered', 'released')) = (settled_at IS NULL)",
    "accepted_how": "(state = 'accepted') = (how IS NOT NULL) "
    "AND coalesce(how IN ('said', 'deemed'), true)",
}
RELEASE = {
    "is_an_envelope": "octet_length(sealed) = 80",
    "by_is_known": "by IN ('exchange', 'licensor')",
}
COMPLAINT = {
    "sha256_is_hex": "sha256 ~ '^[0-9a-f]{64}$'",
    "verdict_is_known": "verdict IN ('upheld', 'rejected')",
}
# What was promised stays, and what is settled has no way out, whoever asks the database.
STAYS = """
CREATE FUNCTION delivery_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF (NEW.number, NEW.master_sha256, NEW.manifest, NEW.manifest_sha256, NEW.escrow, NEW.place,
      NEW.offered_at)
     IS DISTINCT FROM
     (OLD.number, OLD.master_sha256, OLD.manifest, OLD.manifest_sha256, OLD.escrow, OLD.place,
      OLD.offered_at)
  THEN RAISE EXCEPTION 'what was promised in a delivery is frozen' USING errcode = '23514';
  END IF;
  IF OLD.state IN ('accepted', 'disputed', 'replaced') AND NEW IS DISTINCT FROM OLD
  THEN RAISE EXCEPTION 'this delivery is settled' USING errcode = '23514';
  END IF;
  RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "delivery_key",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False, unique=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("registered_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        *(sa.CheckConstraint(rule, name=f"delivery_key_{n}") for n, rule in KEY.items()),
    )
    op.create_index("ix_delivery_key_party_id", "delivery_key", ["party_id"])
    _deliveries()
    op.create_table(
        "delivery_release",
        *_of_delivery(),
        sa.Column("key_id", sa.Uuid(), sa.ForeignKey("delivery_key.id"), primary_key=True),
        sa.Column("by", sa.String(), primary_key=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("fact_id", sa.Uuid(), sa.ForeignKey("fact.id"), nullable=False),
        sa.Column("released_at", INSTANT, nullable=False),
        *(sa.CheckConstraint(rule, name=f"delivery_release_{n}") for n, rule in RELEASE.items()),
        _refers("delivery_release"),
    )
    op.create_table(
        "delivery_complaint",
        *_of_delivery(),
        sa.Column("sha256", sa.String(), primary_key=True),
        sa.Column("segment", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("filed_at", INSTANT, nullable=False),
        *(
            sa.CheckConstraint(rule, name=f"delivery_complaint_{n}")
            for n, rule in COMPLAINT.items()
        ),
        _refers("delivery_complaint"),
    )
    for table in ("delivery_release", "delivery_complaint"):
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    for table in ("delivery_complaint", "delivery_release", "delivery"):
        op.drop_table(table)
    op.execute("DROP FUNCTION delivery_stays()")
    op.drop_table("delivery_key")


def _deliveries() -> None:
    op.create_table(
        "delivery",
        sa.Column("deal_id", sa.Uuid(), sa.ForeignKey("deal.id"), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("master_sha256", sa.String(), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.Column("manifest_sha256", sa.String(), nullable=False),
        sa.Column("escrow", sa.LargeBinary(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("how", sa.String(), nullable=True),
        sa.Column("offered_at", INSTANT, nullable=False),
        sa.Column("released_at", INSTANT, nullable=True),
        sa.Column("accept_by", INSTANT, nullable=True),
        sa.Column("settled_at", INSTANT, nullable=True),
        *(sa.CheckConstraint(rule, name=f"delivery_{n}") for n, rule in DELIVERY.items()),
    )
    op.create_index(
        "delivery_one_stands", "delivery", ["deal_id", "master_sha256"], unique=True,
        postgresql_where=sa.text("state IN ('offered', 'released', 'accepted')"),
    )  # fmt: skip
    op.create_index(
        "delivery_due", "delivery", ["accept_by"],
        postgresql_where=sa.text("state = 'released'"),
    )  # fmt: skip
    op.execute(STAYS)
    op.execute(
        "CREATE TRIGGER delivery_stays BEFORE UPDATE ON delivery "
        "FOR EACH ROW EXECUTE FUNCTION delivery_stays()"
    )


def _of_delivery() -> tuple[sa.Column[UUID], sa.Column[UUID]]:
    return (
        sa.Column("deal_id", sa.Uuid(), primary_key=True),
        sa.Column("delivery_id", sa.Uuid(), primary_key=True),
    )


def _refers(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["deal_id", "delivery_id"], ["delivery.deal_id", "delivery.id"], name=f"{table}_delivery"
    )
