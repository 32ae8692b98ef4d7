"""Sealed bids and the keys that open them."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"

INSTANT = sa.DateTime(timezone=True)
HOLDER = "holder IN ('seller', 'exchange', 'auditor')"
TABLES = ("sealed_key", "sealed_acknowledgement", "sealed_share", "sealed_reveal")
AFTER_CLOSE = ("sealed_share", "sealed_reveal")


def upgrade() -> None:
    op.create_table(
        "sealed_key",
        sa.Column("auction_id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("key_sha256", sa.String(), nullable=False),
        sa.Column("registered_at", INSTANT, nullable=False),
        sa.CheckConstraint("key_sha256 ~ '^[0-9a-f]{64}$'", name="sealed_key_hash_is_hex"),
    )
    op.create_table(
        "sealed_acknowledgement",
        sa.Column(
            "auction_id", sa.Uuid(), sa.ForeignKey("sealed_key.auction_id"), primary_key=True
        ),
        sa.Column("holder", sa.String(), primary_key=True),
        *_who(),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("acknowledged_at", INSTANT, nullable=False),
        sa.CheckConstraint(HOLDER, name="sealed_acknowledgement_holder"),
    )
    op.create_table(
        "sealed_share",
        sa.Column("auction_id", sa.Uuid(), sa.ForeignKey("auction.id"), primary_key=True),
        sa.Column("holder", sa.String(), primary_key=True),
        *_who(),
        sa.Column("share", sa.LargeBinary(), nullable=False),
        sa.Column("handed_in_at", INSTANT, nullable=False),
        sa.CheckConstraint(HOLDER, name="sealed_share_holder"),
        sa.CheckConstraint("octet_length(share) = 32", name="sealed_share_length"),
    )
    op.create_table(
        "sealed_reveal",
        sa.Column("auction_id", sa.Uuid(), sa.ForeignKey("auction.id"), primary_key=True),
        sa.Column("bid_id", sa.Uuid(), primary_key=True),
        *_who(),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("revealed_at", INSTANT, nullable=False),
        sa.CheckConstraint("octet_length(nonce) = 32", name="sealed_reveal_nonce"),
    )
    _only_after_the_close()
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("DROP FUNCTION sealed_until_the_close()")


def _who() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
    )


def _only_after_the_close() -> None:
    op.execute(
        "CREATE FUNCTION sealed_until_the_close() RETURNS trigger LANGUAGE plpgsql "
        "SET search_path = public, pg_temp AS $$ BEGIN "
        "IF (SELECT state FROM auction WHERE id = NEW.auction_id) IS DISTINCT FROM 'closed' "
        "THEN RAISE EXCEPTION 'auction % is sealed until its close', NEW.auction_id "
        "USING errcode = '23514'; END IF; RETURN NEW; END $$"
    )
    for table in AFTER_CLOSE:
        op.execute(
            f"CREATE TRIGGER {table}_after_close BEFORE INSERT ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION sealed_until_the_close()"
        )
