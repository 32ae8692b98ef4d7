"""Titles: grants under grants, holds that expire, chain of title.

A grant takes its root and its block of numbers from its work, and may not exceed the grant it is
made under, whatever wrote the row: triggers see to both.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0013"
down_revision = "0012"

INSTANT = sa.DateTime(timezone=True)
NIL = "'00000000-0000-0000-0000-000000000000'"
LIVE = "WHERE (state IN ('reserved', 'held', 'effective'))"
COLUMNS = (
    "root_id", "units", "under", "sublicence_depth", "round_no", "expires_at", "licensee_name",
    "origin", "ended_reason", "ended_note",
)  # fmt: skip
HELD_BEFORE = (
    "state NOT IN ('held', 'effective') OR (grantee_id IS NOT NULL AND deal_id IS NOT NULL)"
)
CHECKS = {
    "held_names_its_deal": (
        "CASE state "
        "WHEN 'held' THEN grantee_id IS NOT NULL AND (deal_id IS NOT NULL OR source LIKE 'hold:%') "
        "WHEN 'effective' THEN (grantee_id IS NOT NULL AND deal_id IS NOT NULL) "
        "OR (origin = 'recorded' AND (grantee_id IS NOT NULL OR licensee_name IS NOT NULL)) "
        "ELSE true END"
    ),
    "sublicence_is_possible": "sublicence_depth BETWEEN 0 AND 5",
    "round_is_possible": "round_no BETWEEN 1 AND 9",
    "origin_is_known": "origin IN ('exchange', 'recorded')",
    "expires_while_it_waits": (
        "expires_at IS NULL OR state IN ('reserved', 'held', 'released')"
    ),
    "ended_has_a_reason": (
        "ended_reason IS NULL OR (state IN ('released', 'ended') AND ended_reason IN ('expired', "
        "'lifted', 'default', 'expiry-of-option', 'agreement', 'termination', 'parent-ended'))"
    ),
    "ended_note_is_short": (
        "ended_note IS NULL OR (state = 'ended' AND char_length(ended_note) BETWEEN 1 AND 500)"
    ),
    "licensee_name_is_short": "char_length(licensee_name) BETWEEN 1 AND 200",
    "is_not_under_itself": "under <> id",
    "units_are_a_block": "lower(units) >= 0 AND upper(units) <= 1073741824 AND NOT isempty(units)",
}  # fmt: skip
BOX = "right_no WITH &&, media WITH &&, territories WITH &&, languages WITH &&, during WITH &&"
# Equal roots have equal hashes, so this axis refuses nothing that the next one would let pass. But
# between uuids GiST knows no distance and sorts them badly; numbers it keeps apart at any size. One
# bit is dropped because a range may not end beyond the largest number.
ROOT_NO = (
    "int8range(uuid_hash_extended(root_id, 0) >> 1, uuid_hash_extended(root_id, 0) >> 1, '[]')"
)
FROZEN_BEFORE = (
    "work_id", "id", "grantor_id", "source", "right_no", "media", "territories", "languages",
    "during", "lane", "exclusivity", "runs_max", "wire", "created_at",
)  # fmt: skip
FROZEN = (
    *FROZEN_BEFORE, "root_id", "units", "under", "sublicence_depth", "round_no", "origin",
    "licensee_name",
)  # fmt: skip
# Sole (排他) and exclusive (独占) both keep others out; 独占 keeps the grantor out besides.
STRENGTH = "array_position(ARRAY['non-exclusive', 'sole', 'exclusive'], {}.exclusivity)"
STAYS_INSIDE = f"""
CREATE FUNCTION rights_grant_stays_inside() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$ BEGIN
  SELECT work.root_id, int4range(work.unit_first, work.unit_after) INTO NEW.root_id, NEW.units
  FROM work WHERE work.id = NEW.work_id;
  IF NEW.under <> {NIL} AND NOT EXISTS (
    SELECT FROM rights_grant AS held
    WHERE held.root_id = NEW.root_id AND held.id = NEW.under AND held.state = 'effective'
      AND held.grantee_id = NEW.grantor_id AND held.sublicence_depth > NEW.sublicence_depth
      AND NEW.units <@ held.units AND NEW.right_no <@ held.right_no AND NEW.media <@ held.media
      AND NEW.territories <@ held.territories AND NEW.languages <@ held.languages
      AND NEW.during <@ held.during
      AND {STRENGTH.format("NEW")} <= {STRENGTH.format("held")}
      AND (held.runs_max IS NULL OR NEW.runs_max <= held.runs_max)
  ) THEN
    RAISE EXCEPTION 'grant % exceeds what its grantor holds', NEW.id USING errcode = '23514';
  END IF;
  RETURN NEW;
END $$
"""
DOCUMENT_CHECKS = {
    "kind_is_known": (
        "kind IN ('registration-certificate', 'contract', 'assignment', 'licence-in', "
        "'co-owner-consent', 'pledge-contract', 'permit', 'manuscript', 'other')"
    ),
    "state_is_known": "state IN ('declared', 'filed')",
    "has_a_size": "bytes BETWEEN 1 AND 20971520",
    "sha256_is_hex": "sha256 ~ '^[0-9a-f]{64}$'",
    "has_a_name": "char_length(filename) BETWEEN 1 AND 200",
    "names_are_short": (
        "coalesce(char_length(from_party), 1) BETWEEN 1 AND 200 "
        "AND coalesce(char_length(to_party), 1) BETWEEN 1 AND 200"
    ),
    "issued_on_is_possible": "issued_on BETWEEN '1888-01-01' AND '2200-12-31'",
    "is_of_a_kind_that_is_taken": (
        "media_type IN ('application/pdf', 'image/png', 'image/jpeg')"
    ),
    "filed_was_looked_at": (
        "(state = 'filed') = (media_type IS NOT NULL) "
        "AND (state = 'filed') = (filed_at IS NOT NULL)"
    ),
}  # fmt: skip
DOCUMENT_FROZEN = (
    "work_id", "id", "party_id", "kind", "filename", "sha256", "bytes", "issued_on", "from_party",
    "to_party", "covers", "grant_id", "created_at",
)  # fmt: skip


def upgrade() -> None:
    op.execute("DROP TRIGGER rights_grant_stays ON rights_grant")
    _columns()
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- a wider one of the same name follows at once\n"
        "ALTER TABLE rights_grant DROP CONSTRAINT rights_grant_held_names_its_deal"
    )
    for name, rule in CHECKS.items():
        op.create_check_constraint(f"rights_grant_{name}", "rights_grant", rule)
    _no_double_sale(
        f"{ROOT_NO} WITH &&, uuidrange(root_id, root_id, '[]') WITH &&, "
        f"uuidrange(under, under, '[]') WITH &&, units WITH &&, {BOX}, lane WITH &&"
    )
    op.create_index("rights_grant_root", "rights_grant", ["root_id", "under"])
    op.create_index(
        "rights_grant_due", "rights_grant", ["expires_at"],
        postgresql_where=sa.text("expires_at IS NOT NULL AND state IN ('reserved', 'held')"),
    )  # fmt: skip
    _keeps("rights_grant_keeps_its_box", FROZEN)
    op.execute(
        "CREATE TRIGGER rights_grant_stays BEFORE UPDATE ON rights_grant "
        "FOR EACH ROW EXECUTE FUNCTION rights_grant_keeps_its_box()"
    )
    op.execute(STAYS_INSIDE)
    op.execute(
        "CREATE TRIGGER rights_grant_inside BEFORE INSERT ON rights_grant "
        "FOR EACH ROW EXECUTE FUNCTION rights_grant_stays_inside()"
    )
    _documents()


def downgrade() -> None:
    op.drop_table("title_document")
    op.execute("DROP FUNCTION title_document_keeps()")
    op.execute("DROP TRIGGER rights_grant_inside ON rights_grant")
    op.execute("DROP FUNCTION rights_grant_stays_inside()")
    _keeps("rights_grant_keeps_its_box", FROZEN_BEFORE)
    op.drop_index("rights_grant_due")
    op.drop_index("rights_grant_root")
    _no_double_sale(f"uuidrange(work_id, work_id, '[]') WITH &&, {BOX}, lane WITH &&")
    for name in CHECKS:
        op.drop_constraint(f"rights_grant_{name}", "rights_grant")
    # Rows of the newer kinds stay as they are: a grant is never deleted.
    op.execute(
        "ALTER TABLE rights_grant ADD CONSTRAINT rights_grant_held_names_its_deal "
        f"CHECK ({HELD_BEFORE}) NOT VALID"
    )
    for column in reversed(COLUMNS):
        op.drop_column("rights_grant", column)


def _columns() -> None:
    for column in (
        sa.Column("root_id", sa.Uuid(), nullable=True),
        sa.Column("units", pg.INT4RANGE(), nullable=True),
        sa.Column("under", sa.Uuid(), nullable=False, server_default=sa.text(NIL)),
        sa.Column("sublicence_depth", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("round_no", sa.Integer(), nullable=True),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("licensee_name", sa.String(), nullable=True),
        sa.Column("origin", sa.String(), nullable=False, server_default=sa.text("'exchange'")),
        sa.Column("ended_reason", sa.String(), nullable=True),
        sa.Column("ended_note", sa.String(), nullable=True),
    ):
        op.add_column("rights_grant", column)
    op.execute(
        "UPDATE rights_grant SET root_id = work.root_id, "
        "units = int4range(work.unit_first, work.unit_after) "
        "FROM work WHERE work.id = rights_grant.work_id"
    )
    for name in ("root_id", "units"):
        op.execute(
            "-- squawk-ignore adding-not-nullable-field -- grants are few; the lock is had anyway\n"
            f"ALTER TABLE rights_grant ALTER COLUMN {name} SET NOT NULL"
        )


def _no_double_sale(axes: str) -> None:
    """Replace the constraint by one on these axes, under the lock that is had anyway."""
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- a wider one of the same name follows at once\n"
        "ALTER TABLE rights_grant DROP CONSTRAINT rights_grant_no_double_sale"
    )
    op.execute(
        "ALTER TABLE rights_grant ADD CONSTRAINT rights_grant_no_double_sale "
        f"EXCLUDE USING gist ({axes}) {LIVE}"
    )


def _keeps(function: str, frozen: tuple[str, ...]) -> None:
    old, new = (", ".join(f"{row}.{name}" for name in frozen) for row in ("OLD", "NEW"))
    op.execute(
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql "
        "SET search_path = public, pg_temp AS $$ BEGIN "
        f"IF ({old}) IS DISTINCT FROM ({new}) OR OLD.state IN ('released', 'ended') "
        "OR (OLD.state = 'effective' AND NEW.state NOT IN ('effective', 'ended')) "
        "THEN RAISE EXCEPTION 'grant % keeps its box', OLD.id USING errcode = '23514'; END IF; "
        "RETURN NEW; END $$"
    )


def _documents() -> None:
    op.create_table(
        "title_document",
        sa.Column("work_id", sa.Uuid(), sa.ForeignKey("work.id"), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("from_party", sa.String(), nullable=True),
        sa.Column("to_party", sa.String(), nullable=True),
        sa.Column("covers", pg.JSONB(none_as_null=True), nullable=True),
        sa.Column("grant_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("filed_at", INSTANT, nullable=True),
        *(
            sa.CheckConstraint(rule, name=f"title_document_{name}")
            for name, rule in DOCUMENT_CHECKS.items()
        ),
    )
    old, new = (", ".join(f"{row}.{name}" for name in DOCUMENT_FROZEN) for row in ("OLD", "NEW"))
    op.execute(
        "CREATE FUNCTION title_document_keeps() RETURNS trigger LANGUAGE plpgsql "
        "SET search_path = public, pg_temp AS $$ BEGIN "
        f"IF ({old}) IS DISTINCT FROM ({new}) OR OLD.state = 'filed' "
        "THEN RAISE EXCEPTION 'document % stays as it is', OLD.id USING errcode = '23514'; END IF; "
        "RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER title_document_stays BEFORE UPDATE ON title_document "
        "FOR EACH ROW EXECUTE FUNCTION title_document_keeps()"
    )
    op.execute(
        "CREATE TRIGGER title_document_is_kept BEFORE DELETE ON title_document "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
