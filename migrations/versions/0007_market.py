"""Tables of the market: listings; auctions, bids and paddles."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"

INSTANT = sa.DateTime(timezone=True)

AUCTION_CHECKS = {
    "auction_state": "state IN ('open', 'closed')",
    "auction_currency": "currency ~ '^[A-Z]{3}$'",
    "auction_rulebook_hash": "rulebook_sha256 ~ '^[0-9a-f]{64}$'",
    "auction_amounts": "floor_minor >= 1 AND step_minor >= 1",
    "auction_soft_close": "soft_close_s BETWEEN 0 AND 3600",
    "auction_times": "opens_at < closes_at AND closes_at <= hard_stop_at",
    "auction_counts": "extensions >= 0 AND bids >= extensions",
    "auction_leader": (
        "(bids = 0) = (leading_bid IS NULL) AND (bids = 0) = (leading_amount_minor IS NULL)"
    ),
    "auction_leads_above_floor": "leading_amount_minor >= floor_minor",
    "auction_closed": "(state = 'closed') = (closed_at IS NOT NULL)",
}


def upgrade() -> None:
    _listings()
    _published_listings_stay()
    _auctions()
    _bids()
    _auction_rules_stay()


def downgrade() -> None:
    for table in ("paddle", "bid", "auction", "catalogue_epoch", "listing"):
        op.drop_table(table)
    op.execute("DROP FUNCTION auction_keeps_its_word()")
    op.execute("DROP FUNCTION listing_keeps_its_word()")


def _listings() -> None:
    op.create_table(
        "listing",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False, index=True),
        sa.Column("work_id", sa.Uuid(), sa.ForeignKey("work.id"), nullable=False, index=True),
        sa.Column("master_id", sa.Uuid(), sa.ForeignKey("master.id"), nullable=False, index=True),
        sa.Column("auction_id", sa.Uuid(), nullable=False, unique=True),
        sa.Column("rights", JSONB(), nullable=False),
        sa.Column("sale", JSONB(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=True, unique=True),
        sa.Column("published_at", INSTANT, nullable=True),
        sa.Column("publication_fact", sa.Uuid(), sa.ForeignKey("fact.id"), nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("drafted_at", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'published', 'sold', 'unsold', 'withdrawn')",
            name="listing_state_is_known",
        ),
        sa.CheckConstraint(
            "(state = 'draft') = (published_at IS NULL) AND (state = 'draft') = (epoch IS NULL) "
            "AND (state = 'draft') = (publication_fact IS NULL)",
            name="listing_published_when",
        ),
        sa.CheckConstraint(
            "(state IN ('draft', 'published')) = (ended_at IS NULL)", name="listing_ended_when"
        ),
        sa.CheckConstraint(
            "jsonb_typeof(rights) = 'array' AND jsonb_array_length(rights) > 0",
            name="listing_offers_rights",
        ),
        sa.CheckConstraint(
            "coalesce(sale ->> 'method' = 'english' AND (sale ->> 'floor_minor')::bigint > 0 "
            "AND (sale ->> 'step_minor')::bigint > 0 AND sale ->> 'currency' ~ '^[A-Z]{3}$', "
            "false)",
            name="listing_sale_has_terms",
        ),
    )
    op.create_table(
        "catalogue_epoch",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="catalogue_epoch_is_one_row"),
        sa.CheckConstraint("epoch >= 0", name="catalogue_epoch_counts"),
    )
    op.execute("INSERT INTO catalogue_epoch (id, epoch) VALUES (1, 0)")


def _published_listings_stay() -> None:
    frozen = (
        "id", "party_id", "work_id", "master_id", "auction_id", "rights", "sale", "epoch",
        "published_at", "publication_fact", "created_at",
    )  # fmt: skip
    old, new = (", ".join(f"{row}.{name}" for name in frozen) for row in ("OLD", "NEW"))
    op.execute(
        "CREATE FUNCTION listing_keeps_its_word() RETURNS trigger LANGUAGE plpgsql "
        "SET search_path = public, pg_temp AS $$ BEGIN "
        f"IF OLD.state <> 'draft' AND (({old}) IS DISTINCT FROM ({new}) OR NEW.state = 'draft' "
        "OR OLD.ended_at IS NOT NULL) "
        "THEN RAISE EXCEPTION 'listing % keeps its word', OLD.id USING errcode = '23514'; END IF; "
        "RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER listing_stays BEFORE UPDATE ON listing "
        "FOR EACH ROW EXECUTE FUNCTION listing_keeps_its_word()"
    )


def _auctions() -> None:
    op.create_table(
        "auction",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("work_id", sa.Uuid(), nullable=False, index=True),
        sa.Column("listing_id", sa.Uuid(), nullable=False, unique=True),
        sa.Column("seller_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("barred", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("rulebook", sa.LargeBinary(), nullable=False),
        sa.Column("rulebook_sha256", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("floor_minor", sa.BigInteger(), nullable=False),
        sa.Column("step_minor", sa.BigInteger(), nullable=False),
        sa.Column("opens_at", INSTANT, nullable=False),
        sa.Column("announced_closes_at", INSTANT, nullable=False),
        sa.Column("closes_at", INSTANT, nullable=False),
        sa.Column("soft_close_s", sa.Integer(), nullable=False),
        sa.Column("hard_stop_at", INSTANT, nullable=False),
        sa.Column("extensions", sa.Integer(), nullable=False),
        sa.Column("leading_bid", sa.Uuid(), nullable=True),
        sa.Column("leading_amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("bids", sa.Integer(), nullable=False),
        sa.Column("closed_at", INSTANT, nullable=True),
        *(sa.CheckConstraint(rule, name=name) for name, rule in AUCTION_CHECKS.items()),
    )
    op.create_index(
        "auction_due", "auction", ["closes_at"], postgresql_where=sa.text("state = 'open'")
    )


def _bids() -> None:
    op.create_table(
        "bid",
        sa.Column("auction_id", sa.Uuid(), sa.ForeignKey("auction.id"), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("paddle", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("closes_at", INSTANT, nullable=False),
        sa.UniqueConstraint("auction_id", "sequence", name="bid_sequence"),
        sa.CheckConstraint("sequence >= 1", name="bid_sequence_from_one"),
        sa.CheckConstraint("paddle >= 1", name="bid_paddle_from_one"),
        sa.CheckConstraint("amount_minor >= 1", name="bid_amount"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="bid_currency"),
    )
    op.create_table(
        "paddle",
        sa.Column("auction_id", sa.Uuid(), sa.ForeignKey("auction.id"), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), primary_key=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.UniqueConstraint("auction_id", "number", name="paddle_number"),
        sa.CheckConstraint("number >= 1", name="paddle_from_one"),
    )


def _auction_rules_stay() -> None:
    frozen = (
        "id", "work_id", "listing_id", "seller_id", "barred", "rulebook", "rulebook_sha256",
        "currency", "floor_minor", "step_minor", "opens_at", "announced_closes_at", "soft_close_s",
        "hard_stop_at",
    )  # fmt: skip
    old, new = (", ".join(f"{row}.{name}" for name in frozen) for row in ("OLD", "NEW"))
    op.execute(
        "CREATE FUNCTION auction_keeps_its_word() RETURNS trigger LANGUAGE plpgsql "
        "SET search_path = public, pg_temp AS $$ BEGIN "
        f"IF ({old}) IS DISTINCT FROM ({new}) OR OLD.state = 'closed' "
        "OR NEW.closes_at < OLD.closes_at OR NEW.bids < OLD.bids "
        "OR NEW.leading_amount_minor < OLD.leading_amount_minor + OLD.step_minor "
        "AND NEW.leading_bid IS DISTINCT FROM OLD.leading_bid "
        "THEN RAISE EXCEPTION 'auction % keeps its word', OLD.id USING errcode = '23514'; END IF; "
        "RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER auction_stays BEFORE UPDATE ON auction "
        "FOR EACH ROW EXECUTE FUNCTION auction_keeps_its_word()"
    )
    for table in ("bid", "paddle"):
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
