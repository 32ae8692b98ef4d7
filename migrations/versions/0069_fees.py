"""Fees by schedules that are announced, and what every deal agreed about them.

A schedule in force is named by the sale and by the contract, so an announcement is never changed,
and a settlement keeps what it was reckoned of. Settlements from before have a flat rate on their
lines and no row here.
"""

import sqlalchemy as sa
from alembic import op

revision = "0069"
down_revision = "0075"

INSTANT = sa.DateTime(timezone=True)
KINDS = ("price", "instalment", "deferral", "royalties", "interest")
STAYS = (
    "CREATE TRIGGER fee_announcement_stays BEFORE UPDATE OR DELETE ON fee_announcement "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER fee_announcement_stays_whole BEFORE TRUNCATE ON fee_announcement "
    "EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER settlement_fee_stays BEFORE UPDATE OR DELETE ON settlement_fee "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER settlement_fee_stays_whole BEFORE TRUNCATE ON settlement_fee "
    "EXECUTE FUNCTION refuse_change()",
)


def upgrade() -> None:
    """Make both tables, and let a buyer's fee be settled beside the price."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _announcement()
    _fee()
    for statement in STAYS:
        op.execute(statement)
    _settle((*KINDS, "service-fee"))


def downgrade() -> None:
    """Drop both tables; a buyer's fee that was settled stays as it is."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _settle(KINDS)
    op.drop_table("settlement_fee")
    op.drop_table("fee_announcement")


def _settle(kinds: tuple[str, ...]) -> None:
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- the next statement puts a wider one in its place\n"
        "ALTER TABLE settlement DROP CONSTRAINT settlement_kind_is_known"
    )
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.execute(
        "ALTER TABLE settlement ADD CONSTRAINT settlement_kind_is_known "
        f"CHECK (kind IN ({listed})) NOT VALID"
    )


def _announcement() -> None:
    op.create_table(
        "fee_announcement",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("schedule", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("announced_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("announced_at", INSTANT, nullable=False),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="fee_announcement_sha256_is_hex"),
        sa.CheckConstraint(
            "char_length(schedule) BETWEEN 1 AND 500", name="fee_announcement_has_a_name"
        ),
        sa.CheckConstraint(
            "valid_from > (announced_at AT TIME ZONE 'Asia/Shanghai')::date",
            name="fee_announcement_comes_before",
        ),
    )
    op.create_index("ix_fee_announcement_day", "fee_announcement", ["valid_from", "announced_at"])
    op.create_index("ix_fee_announcement_sha256", "fee_announcement", ["sha256"])


def _fee() -> None:
    amounts = ("listed_minor", "price_minor", "before_minor", "seller_minor", "buyer_minor")
    op.create_table(
        "settlement_fee",
        sa.Column("deal_id", sa.Uuid(), sa.ForeignKey("settlement.deal_id"), primary_key=True),
        sa.Column("schedule", sa.String(), nullable=False),
        sa.Column("schedule_sha256", sa.String(), nullable=False),
        sa.Column("sale", sa.String(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in amounts),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.CheckConstraint(
            "schedule_sha256 ~ '^[0-9a-f]{64}$'", name="settlement_fee_sha256_is_hex"
        ),
        sa.CheckConstraint("sale IN ('bid', 'negotiated')", name="settlement_fee_sale_is_known"),
        sa.CheckConstraint(
            "listed_minor > 0 AND price_minor > 0 AND before_minor >= 0 AND seller_minor >= 0 "
            "AND buyer_minor >= 0",
            name="settlement_fee_amounts",
        ),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="settlement_fee_currency_is_a_code"),
    )
