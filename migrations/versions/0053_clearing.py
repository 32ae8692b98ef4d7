"""The provider's balance beside the ledger: its movements, cut-offs, and named differences."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0054"

INSTANT = sa.DateTime(timezone=True)
CURRENCY = "currency ~ '^[A-Z]{3}$'"
# A cut-off is worth something only if the items that stand when it commits are all it speaks of.
NAMED = """
CREATE FUNCTION psp_cutoff_names_all() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE named record; listed record;
BEGIN
  SELECT coalesce(sum(i.ledger_minor - i.provider_minor), 0)::bigint AS minor,
    count(*)::int AS items
    INTO named FROM psp_item i WHERE i.currency = new.currency AND i.closed_at IS NULL;
  SELECT coalesce(sum(e.amount_minor - e.fee_minor), 0)::bigint AS minor, count(*)::int AS entries
    INTO listed FROM psp_entry e WHERE e.currency = new.currency;
  IF (new.open_minor, new.items, new.provider_minor, new.entries)
    IS DISTINCT FROM (named.minor, named.items, listed.minor, listed.entries)
  THEN
    RAISE EXCEPTION 'cut-off % does not name what differs', new.id
      USING errcode = '23514', constraint = 'psp_cutoff_names_all';
  END IF;
  RETURN new;
END $$
"""
TRIGGERS = (
    "CREATE TRIGGER psp_cutoff_names_all BEFORE INSERT ON psp_cutoff "
    "FOR EACH ROW EXECUTE FUNCTION psp_cutoff_names_all()",
    "CREATE TRIGGER psp_cutoff_stays BEFORE UPDATE OR DELETE ON psp_cutoff "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER psp_entry_stays BEFORE UPDATE OR DELETE ON psp_entry "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER psp_item_stays BEFORE DELETE ON psp_item "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER psp_cutoff_stays_whole BEFORE TRUNCATE ON psp_cutoff "
    "EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER psp_entry_stays_whole BEFORE TRUNCATE ON psp_entry "
    "EXECUTE FUNCTION refuse_change()",
)


def upgrade() -> None:
    """Make the three tables, and a second list that is read without being told."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _lists("name IN ('returns', 'movements')")
    op.execute("INSERT INTO provider_list (name, next_at) VALUES ('movements', '2026-01-01Z')")
    _entry()
    _item()
    _cutoff()
    for statement in (NAMED, *TRIGGERS):
        op.execute(statement)


def _lists(rule: str) -> None:
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- another of the same name follows at once\n"
        "ALTER TABLE provider_list DROP CONSTRAINT provider_list_name_is_known"
    )
    op.execute(
        f"ALTER TABLE provider_list ADD CONSTRAINT provider_list_name_is_known CHECK ({rule}) "
        "NOT VALID"
    )


def _entry() -> None:
    op.create_table(
        "psp_entry",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        *[_minor(name) for name in ("amount_minor", "fee_minor")],
        *[_instant(name) for name in ("created_at", "available_at", "imported_at")],
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint(CURRENCY, name="psp_entry_currency_is_a_code"),
    )
    op.create_index("ix_psp_entry_reference", "psp_entry", ["currency", "reference"])


def _item() -> None:
    op.create_table(
        "psp_item",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        *[_minor(name) for name in ("ledger_minor", "provider_minor")],
        _instant("opened_at"),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint(CURRENCY, name="psp_item_currency_is_a_code"),
        sa.CheckConstraint("ledger_minor <> provider_minor", name="psp_item_differs"),
        sa.CheckConstraint("closed_at >= opened_at", name="psp_item_closes_later"),
    )
    op.create_index(
        "ix_psp_item_open",
        "psp_item",
        ["currency", "reference"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def _cutoff() -> None:
    op.create_table(
        "psp_cutoff",
        sa.Column("id", sa.Uuid(), nullable=False),
        _instant("at"),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        *[_minor(name) for name in ("ledger_minor", "provider_minor", "open_minor")],
        sa.Column("items", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint(CURRENCY, name="psp_cutoff_currency_is_a_code"),
        sa.CheckConstraint(
            "ledger_minor - provider_minor = open_minor", name="psp_cutoff_difference_is_named"
        ),
        sa.CheckConstraint("entries >= 0 AND items >= 0", name="psp_cutoff_counts"),
    )
    op.create_index("ix_psp_cutoff_last", "psp_cutoff", ["currency", "at"])


def _minor(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _instant(name: str) -> sa.Column[datetime]:
    return sa.Column(name, INSTANT, nullable=False)


def downgrade() -> None:
    """Drop them again; the provider keeps its own list."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("psp_cutoff", "psp_item", "psp_entry"):
        op.drop_table(table)
    op.execute("DROP FUNCTION psp_cutoff_names_all()")
    op.execute("DELETE FROM provider_list WHERE name = 'movements'")
    _lists("name IN ('returns')")
