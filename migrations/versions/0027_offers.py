"""Offers and requests for proposals; deals of a part of a listing's rights, and of offers."""

from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0027"
down_revision = "0026"

INSTANT = sa.DateTime(timezone=True)
KEPT = (
    "id", "work_id", "contract_no", "listing_id", "auction_id", "licensor_id", "licensee_id",
    "terms", "terms_sha256", "amount_minor", "currency", "created_at",
)  # fmt: skip
KEEP_TERMS = """
CREATE OR REPLACE FUNCTION keep_terms() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF ({new}) IS DISTINCT FROM ({old})
  THEN RAISE EXCEPTION 'the terms of a deal are frozen' USING errcode = '23514';
  END IF;
  IF OLD.signing = 'executed'
     AND (NEW.signing, NEW.base_sha256, NEW.pdf_sha256, NEW.executed_at)
     IS DISTINCT FROM (OLD.signing, OLD.base_sha256, OLD.pdf_sha256, OLD.executed_at)
  THEN RAISE EXCEPTION 'an executed deal stays executed' USING errcode = '23514';
  END IF;
  RETURN NEW;
END $$
"""
OFFERABLE = {
    "state_is_known": "state IN ('open', 'closed')",
    "audience_is_known": "audience IN ('broadcasters', 'counterparty')",
    "has_models": "cardinality(models) BETWEEN 1 AND 4",
    "models_are_known": (
        "models <@ ARRAY['flat', 'guarantee-share', 'per-run', 'share']::varchar[]"
    ),
    "right_is_an_object": "jsonb_typeof(\"right\") = 'object'",
    "closed_when": "(state = 'closed') = (closed_at IS NOT NULL)",
}
OFFER = {
    "state_is_known": "state IN ('open', 'accepted', 'declined', 'withdrawn', 'expired')",
    "has_two_sides": "licensor_id <> licensee_id",
    "opened_by_a_side": "opened_by IN ('licensor', 'licensee')",
    "ended_when": "(state = 'open') = (ended_at IS NULL)",
    "has_versions": "versions BETWEEN 1 AND 50",
}
VERSION = {
    "by_a_side": "by_side IN ('licensor', 'licensee')",
    "counts_from_one": "number >= 1",
    "sha256_is_hex": "sha256 ~ '^[0-9a-f]{64}$'",
    "lasts": "expires_at > made_at",
}
REQUEST = {
    "state_is_known": "state IN ('open', 'opened', 'withdrawn')",
    "sha256_is_hex": "sha256 ~ '^[0-9a-f]{64}$'",
    "has_time": "deadline_at > made_at",
    "ended_when": "(state = 'open') = (ended_at IS NULL)",
}
PROPOSAL = {
    "state_is_known": "state IN ('sealed', 'replaced', 'withdrawn', 'opened')",
    "commitment_is_hex": "commitment ~ '^[0-9a-f]{64}$'",
    "nonce_is_32_bytes": "octet_length(nonce) = 32",
}


def upgrade() -> None:
    _deals()
    _offers()
    _requests()


def downgrade() -> None:
    for table in ("proposal", "proposal_request", "offer_version", "offer", "offerable"):
        op.drop_table(table)
    op.execute(_keep_terms(KEPT))
    op.drop_constraint("deal_follows_one_agreement", "deal")
    op.drop_index("ix_deal_offer_id", "deal")
    op.drop_index("ix_deal_listing_id", "deal")
    op.drop_column("deal", "offer_id")
    op.alter_column("deal", "auction_id", nullable=False)
    op.alter_column("deal", "listing_id", nullable=False)
    op.create_unique_constraint("deal_listing_id_key", "deal", ["listing_id"])


def _deals() -> None:
    """Let several deals follow one listing, and a deal follow an offer."""
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- one listing may be sold in parts from now on\n"
        "ALTER TABLE deal DROP CONSTRAINT deal_listing_id_key"
    )
    for name in ("listing_id", "auction_id"):
        op.execute(
            "-- squawk-ignore ban-drop-not-null -- every reader knows deals without it from here\n"
            f"ALTER TABLE deal ALTER COLUMN {name} DROP NOT NULL"
        )
    op.add_column("deal", sa.Column("offer_id", sa.Uuid(), nullable=True))
    for name in ("listing_id", "offer_id"):
        op.execute(
            "-- squawk-ignore require-concurrent-index-creation -- deals are few, and written "
            "seldom\n"
            f"CREATE INDEX ix_deal_{name} ON deal ({name})"
        )
    op.execute(
        "ALTER TABLE deal ADD CONSTRAINT deal_follows_one_agreement "
        "CHECK ((auction_id IS NULL) <> (offer_id IS NULL)) NOT VALID"
    )
    op.execute(_keep_terms((*KEPT, "offer_id")))


def _keep_terms(columns: tuple[str, ...]) -> str:
    new, old = (", ".join(f"{row}.{name}" for name in columns) for row in ("NEW", "OLD"))
    return KEEP_TERMS.format(new=new, old=old)


def _checks(table: str, rules: dict[str, str]) -> list[sa.CheckConstraint]:
    return [sa.CheckConstraint(rule, name=f"{table}_{name}") for name, rule in rules.items()]


def _party(name: str, *, index: bool = True) -> sa.Column[UUID]:
    return sa.Column(name, sa.Uuid(), sa.ForeignKey("party.id"), nullable=False, index=index)


def _offers() -> None:
    op.create_table(
        "offerable",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _party("party_id"),
        sa.Column("work_id", sa.Uuid(), sa.ForeignKey("work.id"), nullable=False, index=True),
        sa.Column("master_id", sa.Uuid(), sa.ForeignKey("master.id"), nullable=False),
        sa.Column("listing_id", sa.Uuid(), sa.ForeignKey("listing.id"), nullable=True),
        sa.Column("right", pg.JSONB(), nullable=False),
        sa.Column("models", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("closed_at", INSTANT, nullable=True),
        *_checks("offerable", OFFERABLE),
    )
    op.create_table(
        "offer",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _party("licensor_id"),
        _party("licensee_id"),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("versions", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.Column("accepted_version", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        *_checks("offer", OFFER),
    )
    op.create_index(
        "ix_offer_due", "offer", ["expires_at"], postgresql_where=sa.text("state = 'open'")
    )
    op.create_table(
        "offer_version",
        sa.Column("offer_id", sa.Uuid(), sa.ForeignKey("offer.id"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("id", sa.Uuid(), nullable=False, unique=True),
        sa.Column("by_side", sa.String(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("asked", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        *_checks("offer_version", VERSION),
    )
    op.execute(
        "CREATE TRIGGER offer_version_stays BEFORE UPDATE OR DELETE ON offer_version "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def _requests() -> None:
    op.create_table(
        "proposal_request",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _party("party_id"),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("invited", sa.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("deadline_at", INSTANT, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        *_checks("proposal_request", REQUEST),
    )
    op.create_index(
        "ix_proposal_request_due",
        "proposal_request",
        ["deadline_at"],
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "proposal",
        sa.Column("request_id", sa.Uuid(), sa.ForeignKey("proposal_request.id"), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        _party("party_id"),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("asked", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("commitment", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=True),
        *_checks("proposal", PROPOSAL),
    )
    op.create_index(
        "proposal_one_of_a_party",
        "proposal",
        ["request_id", "party_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('sealed', 'opened')"),
    )
