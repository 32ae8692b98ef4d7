"""Encumbrances: holdbacks, options, mandates, pledges, blackouts; events.

Triggers keep what was declared: an encumbrance changes by being lifted, once; a consent never; the
day of an event only with a reason.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0014"
down_revision = "0013"

INSTANT = sa.DateTime(timezone=True)
CHECKS = {
    "kind_is_known": (
        "kind IN ('holdback', 'blackout', 'option', 'first-refusal', 'pledge', 'mandate', "
        "'clearance')"
    ),
    "state_is_known": "state IN ('active', 'lifted')",
    "is_not_empty": (
        "NOT (isempty(units) OR isempty(rights) OR isempty(media) OR isempty(territories) "
        "OR isempty(languages))"
    ),
    "is_of_licensable_rights": "rights <@ int4range(5, 18)::int4multirange",
    "starts_once": "(start_at IS NULL) <> (start_event IS NULL)",
    "ends_once": "end_at IS NULL OR end_event IS NULL",
    "ends_after_it_starts": "end_at > start_at",
    "is_somebodys": (
        "kind IN ('blackout', 'clearance') "
        "OR beneficiary_id IS NOT NULL OR beneficiary_name IS NOT NULL"
    ),
    "pledge_is_registered": "kind <> 'pledge' OR reference IS NOT NULL",
    "texts_are_short": (
        "coalesce(char_length(beneficiary_name), 1) BETWEEN 1 AND 200 "
        "AND coalesce(char_length(reference), 1) BETWEEN 1 AND 100 "
        "AND coalesce(char_length(lifted_reason), 1) BETWEEN 1 AND 500"
    ),
    "document_sha256_is_hex": "document_sha256 ~ '^[0-9a-f]{64}$'",
    "lifted_says_why": (
        "(state = 'lifted') = (lifted_at IS NOT NULL) "
        "AND (state = 'lifted') = (lifted_reason IS NOT NULL)"
    ),
}  # fmt: skip
KEEPS = """
CREATE FUNCTION encumbrance_keeps() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$ BEGIN
  IF OLD.state = 'lifted' OR NEW.state <> 'lifted'
    OR to_jsonb(OLD) - ARRAY['state', 'lifted_at', 'lifted_reason']
      IS DISTINCT FROM to_jsonb(NEW) - ARRAY['state', 'lifted_at', 'lifted_reason']
  THEN
    RAISE EXCEPTION 'encumbrance % is only lifted, once', OLD.id USING errcode = '23514';
  END IF;
  RETURN NEW;
END $$
"""
CORRECTED = """
CREATE FUNCTION work_event_is_corrected() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$ BEGIN
  IF (OLD.work_id, OLD.code) IS DISTINCT FROM (NEW.work_id, NEW.code) OR NEW.reason IS NULL THEN
    RAISE EXCEPTION 'event % changes with a reason', OLD.code USING errcode = '23514';
  END IF;
  RETURN NEW;
END $$
"""
TRIGGERS = {
    "encumbrance_stays": "BEFORE UPDATE ON encumbrance FOR EACH ROW EXECUTE FUNCTION "
    "encumbrance_keeps()",
    "encumbrance_is_kept": "BEFORE DELETE ON encumbrance FOR EACH ROW EXECUTE FUNCTION "
    "refuse_change()",
    "encumbrance_consent_stays": "BEFORE UPDATE OR DELETE ON encumbrance_consent FOR EACH ROW "
    "EXECUTE FUNCTION refuse_change()",
    "work_event_stays": "BEFORE UPDATE ON work_event FOR EACH ROW EXECUTE FUNCTION "
    "work_event_is_corrected()",
    "work_event_is_kept": "BEFORE DELETE ON work_event FOR EACH ROW EXECUTE FUNCTION "
    "refuse_change()",
}


def upgrade() -> None:
    _encumbrances()
    _consents()
    _events()
    op.execute(KEEPS)
    op.execute(CORRECTED)
    for name, when in TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {when}")


def downgrade() -> None:
    op.drop_table("work_event")
    op.drop_table("encumbrance_consent")
    op.drop_table("encumbrance")
    op.execute("DROP FUNCTION work_event_is_corrected()")
    op.execute("DROP FUNCTION encumbrance_keeps()")


def _encumbrances() -> None:
    op.create_table(
        "encumbrance",
        sa.Column("work_id", sa.Uuid(), sa.ForeignKey("work.id"), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("root_id", sa.Uuid(), sa.ForeignKey("work.id"), nullable=False),
        sa.Column("units", pg.INT4RANGE(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("declared_by", sa.Uuid(), sa.ForeignKey("party.id"), nullable=True),
        sa.Column("beneficiary_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=True),
        sa.Column("beneficiary_name", sa.String(), nullable=True),
        sa.Column("grant_id", sa.Uuid(), nullable=True),
        sa.Column("rights", pg.INT4MULTIRANGE(), nullable=False),
        sa.Column("media", pg.INT4MULTIRANGE(), nullable=False),
        sa.Column("territories", pg.INT4MULTIRANGE(), nullable=False),
        sa.Column("languages", pg.INT4MULTIRANGE(), nullable=False),
        sa.Column("start_at", INSTANT, nullable=True),
        sa.Column("start_event", sa.String(), nullable=True),
        sa.Column("end_at", INSTANT, nullable=True),
        sa.Column("end_event", sa.String(), nullable=True),
        sa.Column("wire", pg.JSONB(), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("document_sha256", sa.String(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("lifted_at", INSTANT, nullable=True),
        sa.Column("lifted_reason", sa.String(), nullable=True),
        *(sa.CheckConstraint(rule, name=f"encumbrance_{name}") for name, rule in CHECKS.items()),
    )
    op.create_index(
        "encumbrance_active",
        "encumbrance",
        ["root_id"],
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_index("encumbrance_root", "encumbrance", ["root_id", "id"])


def _consents() -> None:
    op.create_table(
        "encumbrance_consent",
        sa.Column("work_id", sa.Uuid(), primary_key=True),
        sa.Column("encumbrance_id", sa.Uuid(), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("given_by", sa.Uuid(), sa.ForeignKey("party.id"), nullable=True),
        sa.Column("wire", pg.JSONB(), nullable=False),
        sa.Column("document_sha256", sa.String(), nullable=True),
        sa.Column("given_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["work_id", "encumbrance_id"], ["encumbrance.work_id", "encumbrance.id"]
        ),
        sa.CheckConstraint(
            "document_sha256 ~ '^[0-9a-f]{64}$'", name="encumbrance_consent_sha256_is_hex"
        ),
        sa.CheckConstraint(
            "given_by IS NOT NULL OR document_sha256 IS NOT NULL",
            name="encumbrance_consent_has_evidence",
        ),
    )


def _events() -> None:
    op.create_table(
        "work_event",
        sa.Column("work_id", sa.Uuid(), sa.ForeignKey("work.id"), primary_key=True),
        sa.Column("code", sa.String(), primary_key=True),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), sa.ForeignKey("party.id"), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.CheckConstraint("code ~ '^[a-z]+(-[a-z]+)*$'", name="work_event_code_has_form"),
        sa.CheckConstraint(
            "happened_on BETWEEN '1900-01-01' AND '2199-12-31'", name="work_event_is_possible"
        ),
        sa.CheckConstraint(
            "char_length(reason) BETWEEN 1 AND 500", name="work_event_reason_is_short"
        ),
    )
