"""Auctions of every method: their log, refused bids, ingress.

Auctions opened before have no log (`head_sha256` is NULL): those that are closed stay as they are,
those still open are closed with the version that opened them before this one takes over.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

revision = "0024"
down_revision = "0023"

INSTANT = sa.DateTime(timezone=True)
OLD_CHECKS = {
    "auction_state": "state IN ('open', 'closed')",
    "auction_amounts": "floor_minor >= 1 AND step_minor >= 1",
    "auction_times": "opens_at < closes_at AND closes_at <= hard_stop_at",
    "auction_counts": "extensions >= 0 AND bids >= extensions",
    "auction_leader": (
        "(bids = 0) = (leading_bid IS NULL) AND (bids = 0) = (leading_amount_minor IS NULL)"
    ),
    "auction_leads_above_floor": "leading_amount_minor >= floor_minor",
    "auction_closed": "(state = 'closed') = (closed_at IS NOT NULL)",
}
CHECKS = {
    "auction_state": "state IN ('open', 'paused', 'closed', 'void')",
    "auction_amounts": "floor_minor >= 1 AND step_minor >= 1 AND leading_amount_minor >= 1",
    "auction_times": "opens_at < closes_at AND closes_at <= hard_stop_at",
    "auction_counts": "extensions >= 0 AND bids >= 0 AND seq >= 0",
    "auction_closed": "(state IN ('closed', 'void')) = (closed_at IS NOT NULL)",
    "auction_head": "octet_length(head_sha256) = 32 AND (head_sha256 IS NULL) = (seq IS NULL)",
    "auction_result": "result IS NULL OR state IN ('closed', 'void')",
}
NEW_COLUMNS: dict[str, TypeEngine[Any]] = {
    "method": sa.String(),
    "supersedes": sa.Uuid(),
    "seq": sa.BigInteger(),
    "head_sha256": sa.LargeBinary(),
    "standing": JSONB(),
    "due_at": INSTANT,
    "result": sa.LargeBinary(),
    "secret": JSONB(),
}
NULLABLE_NOW = ("step_minor", "soft_close_s", "hard_stop_at")
FROZEN_BEFORE = (
    "id", "work_id", "listing_id", "seller_id", "barred", "rulebook", "rulebook_sha256",
    "currency", "floor_minor", "step_minor", "opens_at", "announced_closes_at", "soft_close_s",
    "hard_stop_at",
)  # fmt: skip
FROZEN = (*FROZEN_BEFORE[:-1], "method", "supersedes", "secret")
BREAKS_BEFORE = (
    "OLD.state = 'closed' OR NEW.closes_at < OLD.closes_at OR NEW.bids < OLD.bids "
    "OR NEW.leading_amount_minor < OLD.leading_amount_minor + OLD.step_minor "
    "AND NEW.leading_bid IS DISTINCT FROM OLD.leading_bid"
)
BREAKS = (
    "OLD.state = 'void' OR OLD.state = 'closed' AND NEW.state NOT IN ('closed', 'void') "
    "OR NEW.closes_at < OLD.closes_at AND OLD.method NOT IN ('fixed', 'dutch') "
    "OR NEW.hard_stop_at < OLD.hard_stop_at "
    "OR NEW.bids < OLD.bids OR NEW.extensions < OLD.extensions OR NEW.seq < OLD.seq "
    "OR (NEW.seq = OLD.seq) IS DISTINCT FROM (NEW.head_sha256 = OLD.head_sha256)"
)
BID_COLUMNS: dict[str, TypeEngine[Any]] = {
    "content": sa.LargeBinary(),
    "leads": sa.Boolean(),
    "price_minor": sa.BigInteger(),
    "event_sha256": sa.LargeBinary(),
    "fact_id": sa.Uuid(),
    "commitment": sa.String(),
    "blind": sa.LargeBinary(),
    "message": sa.LargeBinary(),
}


def upgrade() -> None:
    _auctions()
    _stays(FROZEN, BREAKS)
    _events()
    _bids()
    _ingress()


def downgrade() -> None:
    for table in ("outage", "ingress", "refused_bid", "auction_event"):
        op.drop_table(table)
    for name in BID_COLUMNS:
        op.drop_column("bid", name)
    op.alter_column("bid", "amount_minor", nullable=False)
    op.drop_index("auction_due", "auction")
    op.create_index(
        "auction_due", "auction", ["closes_at"], postgresql_where=sa.text("state = 'open'")
    )
    op.drop_index("auction_of_listing", "auction")
    op.create_unique_constraint("auction_listing_id_key", "auction", ["listing_id"])
    for name in CHECKS:
        op.drop_constraint(name, "auction")
    for name, rule in OLD_CHECKS.items():
        op.create_check_constraint(name, "auction", rule)
    _stays(FROZEN_BEFORE, BREAKS_BEFORE)
    for name in NEW_COLUMNS:
        op.drop_column("auction", name)
    for name in NULLABLE_NOW:
        op.alter_column("auction", name, nullable=False)
    op.execute("ALTER TABLE auction RESET (fillfactor)")


def _auctions() -> None:
    for name, kind in NEW_COLUMNS.items():
        op.add_column("auction", sa.Column(name, kind, nullable=True))
    for name in NULLABLE_NOW:
        _may_miss("auction", name)
    for name in OLD_CHECKS:
        op.execute(
            "-- squawk-ignore ban-drop-constraint -- wider ones follow at once\n"
            f"ALTER TABLE auction DROP CONSTRAINT {name}"
        )
    for name, rule in CHECKS.items():
        op.execute(f"ALTER TABLE auction ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- void auctions no longer count, see below\n"
        "ALTER TABLE auction DROP CONSTRAINT auction_listing_id_key"
    )
    op.execute(
        "-- squawk-ignore require-concurrent-index-creation -- a few thousand rows at most\n"
        "CREATE UNIQUE INDEX auction_of_listing ON auction (listing_id) WHERE state <> 'void'"
    )
    op.execute(
        "-- squawk-ignore require-concurrent-index-deletion -- a few thousand rows at most\n"
        "DROP INDEX auction_due"
    )
    op.execute(
        "-- squawk-ignore require-concurrent-index-creation -- a few thousand rows at most\n"
        "CREATE INDEX auction_due ON auction (due_at) WHERE due_at IS NOT NULL"
    )
    # Every batch of bids rewrites the row: free space beside it keeps the new one on its page.
    op.execute("ALTER TABLE auction SET (fillfactor = 50)")


def _may_miss(table: str, column: str) -> None:
    op.execute(
        "-- squawk-ignore ban-drop-not-null -- only the code of this version reads it\n"
        f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL"
    )


def _stays(frozen: tuple[str, ...], breaks: str) -> None:
    old, new = (", ".join(f"{row}.{name}" for name in frozen) for row in ("OLD", "NEW"))
    op.execute(
        "CREATE OR REPLACE FUNCTION auction_keeps_its_word() RETURNS trigger LANGUAGE plpgsql "
        "SET search_path = public, pg_temp AS $$ BEGIN "
        f"IF ({old}) IS DISTINCT FROM ({new}) OR {breaks} "
        "THEN RAISE EXCEPTION 'auction % keeps its word', OLD.id USING errcode = '23514'; END IF; "
        "RETURN NEW; END $$"
    )


def _events() -> None:
    op.create_table(
        "auction_event",
        sa.Column("auction_id", sa.Uuid(), sa.ForeignKey("auction.id"), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("seq >= 0", name="auction_event_seq"),
        sa.CheckConstraint("kind ~ '^[a-z]+$'", name="auction_event_kind"),
        sa.CheckConstraint("octet_length(hash) = 32", name="auction_event_hash"),
    )
    _append_only("auction_event")


def _bids() -> None:
    _may_miss("bid", "amount_minor")
    for name, kind in BID_COLUMNS.items():
        op.add_column("bid", sa.Column(name, kind, nullable=True))
    op.create_table(
        "refused_bid",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("auction_id", sa.Uuid(), sa.ForeignKey("auction.id"), nullable=False, index=True),
        sa.Column("bid_id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("told", sa.LargeBinary(), nullable=False),
    )
    _append_only("refused_bid")


def _ingress() -> None:
    op.create_table(
        "ingress",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("beat_at", INSTANT, nullable=False),
        sa.Column("watermark", INSTANT, nullable=False),
    )
    op.execute("ALTER TABLE ingress SET (fillfactor = 50)")
    op.create_table(
        "outage",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("began_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=False, index=True),
        sa.CheckConstraint("began_at < ended_at", name="outage_lasts"),
    )
    _append_only("outage")


def _append_only(table: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
