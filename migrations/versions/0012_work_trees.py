"""Works as trees: series, seasons, episodes, edits; dates of protection; DCI and registration.

A work's block of numbers is one of 1024 equal, aligned parts of its parent's block. Aligned blocks
of 2^30, 2^20, 2^10 and 1 are nested or apart, never partly over each other; two of one tree that
begin at one number would have to be the same node, for part 0 is kept for the parent itself. So the
size check and the unique (root_id, unit_first) keep siblings apart, whatever wrote the rows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

COLUMNS = (
    "parent_id", "root_id", "unit_first", "unit_after", "completed_on", "published_on",
    "dci", "registration_no",
)  # fmt: skip
KINDS_BEFORE = (
    "kind IN ('film', 'series', 'episode', 'documentary', 'sports', 'variety', "
    "'animation', 'other')"
)
KINDS = (
    "kind IN ('film', 'series', 'season', 'episode', 'edit', 'documentary', 'sports', "
    "'variety', 'animation', 'other')"
)
CHECKS = {
    "work_kind_is_known": KINDS,
    "work_root_is_its_own": (
        "CASE WHEN parent_id IS NULL "
        "THEN root_id = id AND unit_first = 0 AND unit_after = 1073741824 "
        "ELSE root_id <> id AND parent_id <> id AND unit_first > 0 END"
    ),
    "work_block_is_aligned": (
        "unit_first >= 0 AND unit_after <= 1073741824 "
        "AND unit_after - unit_first IN (1, 1024, 1048576, 1073741824) "
        "AND unit_first % (unit_after - unit_first) = 0"
    ),
    "work_completed_on_is_possible": "completed_on BETWEEN '1888-01-01' AND '2200-12-31'",
    "work_published_on_is_possible": (
        "published_on BETWEEN '1888-01-01' AND '2200-12-31' AND published_on >= "
        "coalesce(completed_on, published_on)"
    ),
    "work_dci_is_short": "char_length(dci) BETWEEN 1 AND 200",
    "work_registration_no_has_form": (
        "registration_no ~ '^.{1,2}作登字-20[0-9]{2}-[A-Z]-[0-9]{8,12}$'"
    ),
}
# The parent is read as it is committed or written by this transaction; a work is never deleted and
# never changes its place, so what was true when it was added stays true.
TAKES_ITS_PLACE = """
CREATE FUNCTION work_takes_its_place() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$ BEGIN
  IF NEW.parent_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM work AS parent WHERE parent.id = NEW.parent_id
      AND parent.root_id = NEW.root_id AND parent.party_id = NEW.party_id
      AND parent.unit_first < NEW.unit_first AND NEW.unit_after <= parent.unit_after
      AND (NEW.unit_after::bigint - NEW.unit_first) * 1024
        = parent.unit_after - parent.unit_first
  ) THEN
    RAISE EXCEPTION 'work % has no place below %', NEW.id, NEW.parent_id USING errcode = '23514';
  END IF;
  RETURN NEW;
END $$
"""
KEEPS_ITS_PLACE = """
CREATE FUNCTION work_keeps_its_place() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$ BEGIN
  IF (OLD.id, OLD.party_id, OLD.parent_id, OLD.root_id, OLD.unit_first, OLD.unit_after)
    IS DISTINCT FROM
    (NEW.id, NEW.party_id, NEW.parent_id, NEW.root_id, NEW.unit_first, NEW.unit_after)
    OR OLD.completed_on <> NEW.completed_on OR OLD.published_on <> NEW.published_on
    OR (OLD.completed_on IS NOT NULL AND NEW.completed_on IS NULL)
    OR (OLD.published_on IS NOT NULL AND NEW.published_on IS NULL)
  THEN
    RAISE EXCEPTION 'work % keeps its place and its dates', OLD.id USING errcode = '23514';
  END IF;
  RETURN NEW;
END $$
"""
TRIGGERS = {
    "work_placed": "BEFORE INSERT ON work FOR EACH ROW EXECUTE FUNCTION work_takes_its_place()",
    "work_stays": "BEFORE UPDATE ON work FOR EACH ROW EXECUTE FUNCTION work_keeps_its_place()",
    "work_is_kept": "BEFORE DELETE ON work FOR EACH ROW EXECUTE FUNCTION refuse_change()",
}


def upgrade() -> None:
    _columns()
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- a wider one of the same name follows at once\n"
        "ALTER TABLE work DROP CONSTRAINT work_kind_is_known"
    )
    for name, rule in CHECKS.items():
        op.create_check_constraint(name, "work", rule)
    op.create_index("ix_work_parent_id", "work", ["parent_id"])
    op.create_index("work_root_block", "work", ["root_id", "unit_first"], unique=True)
    op.execute(TAKES_ITS_PLACE)
    op.execute(KEEPS_ITS_PLACE)
    for name, when in TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {when}")


def downgrade() -> None:
    for name in TRIGGERS:
        op.execute(f"DROP TRIGGER {name} ON work")
    op.execute("DROP FUNCTION work_takes_its_place()")
    op.execute("DROP FUNCTION work_keeps_its_place()")
    op.drop_index("work_root_block")
    op.drop_index("ix_work_parent_id")
    for name in CHECKS:
        op.drop_constraint(name, "work")
    for column in COLUMNS:
        op.drop_column("work", column)
    # Rows of the newer kinds stay as they are: a work is never deleted.
    op.execute(
        f"ALTER TABLE work ADD CONSTRAINT work_kind_is_known CHECK ({KINDS_BEFORE}) NOT VALID"
    )


def _columns() -> None:
    op.add_column("work", sa.Column("parent_id", sa.Uuid(), nullable=True))
    op.create_foreign_key("work_parent_id_fkey", "work", "work", ["parent_id"], ["id"])
    op.add_column("work", sa.Column("root_id", sa.Uuid(), nullable=True))
    op.execute("UPDATE work SET root_id = id WHERE root_id IS NULL")
    op.execute(
        "-- squawk-ignore adding-not-nullable-field -- works are few, and the lock is had anyway\n"
        "ALTER TABLE work ALTER COLUMN root_id SET NOT NULL"
    )
    for name, value in (("unit_first", "0"), ("unit_after", "1073741824")):
        op.add_column(
            "work", sa.Column(name, sa.Integer(), nullable=False, server_default=sa.text(value))
        )
    for name in ("completed_on", "published_on"):
        op.add_column("work", sa.Column(name, sa.Date(), nullable=True))
    for name in ("dci", "registration_no"):
        op.add_column("work", sa.Column(name, sa.String(), nullable=True))
