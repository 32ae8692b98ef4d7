"""Lost disputes take their invoice back: red letters that nobody decides, as the bank has."""

import sqlalchemy as sa
from alembic import op

revision = "0063"
down_revision = "0061"

# Named by table: what the constraint becomes, and what it was.
WIDENED = {
    "red_letter_decided_by_whom_and_when": (
        "(state = 'prepared') = (decided_at IS NULL) AND (decided_by IS NULL) = "
        "(decided_at IS NULL OR dispute_id IS NOT NULL)",
        "(state = 'prepared') = (decided_by IS NULL) "
        "AND (decided_by IS NULL) = (decided_at IS NULL)",
    ),
}
ADDED = {
    "red_letter_made_by_whom": "(dispute_id IS NULL) = (prepared_by IS NOT NULL)",
    "red_letter_of_a_dispute_is_issued": (
        "dispute_id IS NULL OR (state = 'issued' AND refund_id IS NULL)"
    ),
}
# Whoever writes one without makers must show the loss that it follows, and never changes it.
FOLLOWS = """
CREATE FUNCTION red_letter_follows_a_loss() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF tg_op <> 'INSERT' THEN
    IF old.dispute_id IS NULL AND (tg_op = 'DELETE' OR new.dispute_id IS NULL) THEN
      RETURN CASE tg_op WHEN 'DELETE' THEN old ELSE new END;
    END IF;
    RAISE EXCEPTION 'a red letter that follows a dispute stays'
      USING errcode = '23514', constraint = 'red_letter_of_a_dispute_stays';
  END IF;
  IF new.dispute_id IS NOT NULL AND NOT EXISTS (SELECT FROM dispute d
    JOIN payment p ON p.id = d.payment_id
    JOIN invoice i ON i.id = p.invoice_id AND i.paid_by = p.id
    WHERE d.id = new.dispute_id AND d.state = 'lost' AND d.charged_at IS NOT NULL
      AND i.id = new.invoice_id AND new.amount_minor <= d.drawn_minor
      AND new.currency = d.currency
      AND encode(sha256(new.content), 'hex') = new.content_sha256)
  THEN
    RAISE EXCEPTION 'red letter % follows no lost dispute of its invoice', new.id
      USING errcode = '23514', constraint = 'red_letter_follows_a_loss';
  END IF;
  RETURN new;
END $$
"""


def upgrade() -> None:
    """Let red letters follow disputes."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "red_letter",
        sa.Column("dispute_id", sa.Uuid(), sa.ForeignKey("dispute.id"), nullable=True),
    )
    op.create_unique_constraint("red_letter_dispute_id_key", "red_letter", ["dispute_id"])
    op.execute(
        "-- squawk-ignore ban-drop-not-null -- those that follow disputes have no maker\n"
        "ALTER TABLE red_letter ALTER COLUMN prepared_by DROP NOT NULL"
    )
    for name, (rule, _) in WIDENED.items():
        _replace(name, rule)
    for name, rule in ADDED.items():
        op.execute(f"ALTER TABLE red_letter ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")
    op.execute(FOLLOWS)
    op.execute(
        "CREATE TRIGGER red_letter_follows BEFORE INSERT OR UPDATE OR DELETE ON red_letter "
        "FOR EACH ROW EXECUTE FUNCTION red_letter_follows_a_loss()"
    )


def downgrade() -> None:
    """Ask for two people again; those that follow disputes keep it from going back."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TRIGGER red_letter_follows ON red_letter")
    op.execute("DROP FUNCTION red_letter_follows_a_loss()")
    for name in ADDED:
        op.drop_constraint(name, "red_letter")
    for name, (_, rule) in WIDENED.items():
        _replace(name, rule)
    op.alter_column("red_letter", "prepared_by", nullable=False)
    op.drop_column("red_letter", "dispute_id")


def _replace(name: str, rule: str) -> None:
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- the next statement adds it again\n"
        f"ALTER TABLE red_letter DROP CONSTRAINT {name}"
    )
    op.execute(f"ALTER TABLE red_letter ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")
