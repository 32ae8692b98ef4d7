"""The lives of deals: declined, run out, ended and amended; their notices and their timers."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"

INSTANT = sa.DateTime(timezone=True)
SIGNING = "'drafted', 'certified', 'licensor_signed', 'executed', 'voided'"
ENDS = "'expired', 'terminated', 'superseded'"
CHECKS = {
    "signing_is_known": "signing IN ({signing})",
    "ended_is_known": "ended IN ({ends})",
    "certified_has_document": (
        "signing IN ({without}) OR (base_sha256 IS NOT NULL AND pdf_sha256 IS NOT NULL)"
    ),
}
BEFORE = {"signing": SIGNING, "ends": ENDS, "without": "'drafted', 'voided'"}
NOW = {
    "signing": f"{SIGNING}, 'declined', 'expired'",
    "ends": f"{ENDS}, 'rescinded'",
    "without": "'drafted', 'voided', 'declined', 'expired'",
}
ADDED = {
    "ended_was_in_force": "ended IS NULL OR signing = 'executed'",
    "ended_has_time": "(ended IS NULL) = (ended_at IS NULL)",
    "end_cause_is_known": "end_cause IS NULL OR end_cause IN ('cause', 'mutual')",
    "end_cause_says_why": "(ended = 'terminated') IS TRUE = (end_cause IS NOT NULL)",
    "declined_by_a_side": (
        "(signing = 'declined') = (declined_by IS NOT NULL) "
        "AND coalesce(declined_by IN (licensor_id, licensee_id), true)"
    ),
    "amendment_has_a_patch": "(supersedes IS NULL) = (patch IS NULL) AND supersedes <> id",
}
# What has ended has no way out, whoever asks the database.
STAYS = """
CREATE FUNCTION deal_life_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF OLD.signing IN ('executed', 'voided', 'declined', 'expired')
     AND (NEW.signing, NEW.declined_by) IS DISTINCT FROM (OLD.signing, OLD.declined_by)
  THEN RAISE EXCEPTION 'the signing of this deal has ended' USING errcode = '23514';
  END IF;
  IF OLD.ended IS NOT NULL
     AND (NEW.ended, NEW.end_cause, NEW.ended_at)
     IS DISTINCT FROM (OLD.ended, OLD.end_cause, OLD.ended_at)
  THEN RAISE EXCEPTION 'this deal has ended' USING errcode = '23514';
  END IF;
  IF (NEW.supersedes, NEW.patch) IS DISTINCT FROM (OLD.supersedes, OLD.patch)
  THEN RAISE EXCEPTION 'what a deal amends is frozen' USING errcode = '23514';
  END IF;
  RETURN NEW;
END $$
"""
NOTICE = {
    "kind_is_known": "kind IN ('breach', 'mutual')",
    "text_is_short": "char_length(text) BETWEEN 1 AND 2000",
    "sha256_is_hex": "sha256 ~ '^[0-9a-f]{64}$'",
    "signed_is_whole": "(key_id IS NULL) = (signature IS NULL)",
    "outcome_is_known": ("outcome IN ('terminated', 'cured', 'withdrawn', 'refused', 'overtaken')"),
    "outcome_has_time": "(outcome IS NULL) = (settled_at IS NULL)",
    "cured_by_follows_receipt": "(kind = 'breach' AND received_at IS NOT NULL) "
    "= (cure_by IS NOT NULL)",
}
TIMER = {
    "kind_is_known": (
        "kind IN ('signing-reminder', 'signing-expiry', 'deemed-receipt', 'cure-end', 'window-end')"
    ),
    "outcome_is_known": "outcome IN ('fired', 'moot')",
    "outcome_has_time": "(outcome IS NULL) = (settled_at IS NULL)",
}
# Deals that were there before: those under signature run out, those in force end with their rights.
BACKFILL = (
    "INSERT INTO deal_timer (deal_id, kind, ref, due_at) "
    "SELECT id, 'signing-expiry', id, created_at + interval '30 days' FROM deal "
    "WHERE signing IN ('drafted', 'certified') OR (signing = 'licensor_signed' "
    "AND offer_id IS NULL)",
    "INSERT INTO deal_timer (deal_id, kind, ref, due_at) "
    "SELECT deal.id, 'window-end', deal.id, max(upper(rights_grant.during)) FROM deal "
    "JOIN rights_grant ON rights_grant.work_id = deal.work_id "
    "AND rights_grant.deal_id = deal.id "
    "WHERE deal.signing = 'executed' GROUP BY deal.id",
)


def upgrade() -> None:
    _checks(NOW)
    for name, kind in (
        ("ended_at", INSTANT), ("end_cause", sa.String()), ("declined_by", sa.Uuid()),
        ("supersedes", sa.Uuid()), ("patch", sa.LargeBinary()),
    ):  # fmt: skip
        op.add_column("deal", sa.Column(name, kind, nullable=True))
    op.create_foreign_key("deal_supersedes_fkey", "deal", "deal", ["supersedes"], ["id"])
    for name, rule in ADDED.items():
        op.execute(f"ALTER TABLE deal ADD CONSTRAINT deal_{name} CHECK ({rule}) NOT VALID")
    op.create_index(
        "deal_one_amendment", "deal", ["supersedes"], unique=True,
        postgresql_where=sa.text("signing NOT IN ('voided', 'declined', 'expired')"),
    )  # fmt: skip
    op.execute(STAYS)
    op.execute(
        "CREATE TRIGGER deal_life_stays BEFORE UPDATE ON deal "
        "FOR EACH ROW EXECUTE FUNCTION deal_life_stays()"
    )
    _notices()
    _timers()
    for statement in BACKFILL:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("deal_timer")
    op.drop_table("deal_notice")
    op.execute("DROP TRIGGER deal_life_stays ON deal")
    op.execute("DROP FUNCTION deal_life_stays()")
    op.drop_index("deal_one_amendment", "deal")
    for name in ADDED:
        op.drop_constraint(f"deal_{name}", "deal")
    for name in ("patch", "supersedes", "declined_by", "end_cause", "ended_at"):
        op.drop_column("deal", name)
    _checks(BEFORE)


def _checks(words: dict[str, str]) -> None:
    """Put rules of the same names in place; rows that were there keep the narrower ones."""
    for name, rule in CHECKS.items():
        op.execute(
            "-- squawk-ignore ban-drop-constraint -- another of the same name follows at once\n"
            f"ALTER TABLE deal DROP CONSTRAINT deal_{name}"
        )
        op.execute(
            f"ALTER TABLE deal ADD CONSTRAINT deal_{name} CHECK ({rule.format(**words)}) NOT VALID"
        )


def _notices() -> None:
    op.create_table(
        "deal_notice",
        sa.Column("deal_id", sa.Uuid(), sa.ForeignKey("deal.id"), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("key_id", sa.Uuid(), sa.ForeignKey("party_key.id"), nullable=True),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.Column("fact_id", sa.Uuid(), sa.ForeignKey("fact.id"), nullable=False),
        sa.Column("given_at", INSTANT, nullable=False),
        sa.Column("received_at", INSTANT, nullable=True),
        sa.Column("cure_by", INSTANT, nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("settled_at", INSTANT, nullable=True),
        *(sa.CheckConstraint(rule, name=f"deal_notice_{n}") for n, rule in NOTICE.items()),
    )
    op.create_index(
        "deal_notice_one_of_a_side", "deal_notice", ["deal_id", "kind", "party_id"], unique=True,
        postgresql_where=sa.text("settled_at IS NULL"),
    )  # fmt: skip


def _timers() -> None:
    op.create_table(
        "deal_timer",
        sa.Column("deal_id", sa.Uuid(), sa.ForeignKey("deal.id"), primary_key=True),
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("ref", sa.Uuid(), primary_key=True),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        *(sa.CheckConstraint(rule, name=f"deal_timer_{n}") for n, rule in TIMER.items()),
    )
    op.create_index(
        "deal_timer_due", "deal_timer", ["due_at"],
        postgresql_where=sa.text("settled_at IS NULL"),
    )  # fmt: skip
