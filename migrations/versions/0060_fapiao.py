"""Fapiao: to whom they are made out, those asked for and issued, and their files."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0058"

INSTANT = sa.DateTime(timezone=True)
LIVE = "state <> 'refused'"
DETAILS = {
    "fapiao_details_title": "char_length(title) BETWEEN 1 AND 100",
    "fapiao_details_tax_id": "tax_id ~ '^[0-9A-Z]{15,20}$'",
    "fapiao_details_account": "account ~ '^([0-9]{8,32})?$'",
}
FAPIAO = {
    "fapiao_type_is_known": "type IN ('81', '82')",
    "fapiao_state_is_known": "state IN ('requested', 'issued', 'refused')",
    "fapiao_issued_with_a_number": (
        "(state = 'issued') = (number IS NOT NULL) "
        "AND (number IS NULL) = (issued_on IS NULL) "
        "AND (state = 'issued') = (recorded_by IS NOT NULL)"
    ),
    "fapiao_number_has_twenty_digits": "number ~ '^[0-9]{20}$'",
    "fapiao_refused_why": "(state = 'refused') = (refused_reason IS NOT NULL)",
    "fapiao_red_has_a_sheet": "(red_letter_id IS NULL) = (confirmation IS NULL)",
    "fapiao_confirmation_is_known": "confirmation ~ '^(0[1-9]|10)$'",
    "fapiao_red_issued_once_confirmed": (
        "state <> 'issued' OR confirmation IS NULL OR confirmation IN ('01', '04')"
    ),
    "fapiao_amounts_are_positive": "total_minor > 0 AND tax_minor BETWEEN 0 AND total_minor",
    "fapiao_sha256_is_hex": "content_sha256 ~ '^[0-9a-f]{64}$'",
}
FILE = {
    "fapiao_file_form_is_known": "form IN ('pdf', 'ofd', 'xml')",
    "fapiao_file_has_a_size": "octet_length(content) BETWEEN 1 AND 1000000",
    "fapiao_file_is_what_was_hashed": "sha256 = encode(sha256(content), 'hex')",
}
# What was asked for never changes; what was issued or refused stays so.
KEPT = """
CREATE FUNCTION fapiao_is_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF tg_op = 'DELETE' OR old.state <> 'requested'
    OR (new.id, new.invoice_id, new.red_letter_id, new.type, new.total_minor, new.tax_minor,
        new.content, new.requested_by, new.requested_at)
      IS DISTINCT FROM (old.id, old.invoice_id, old.red_letter_id, old.type, old.total_minor,
        old.tax_minor, old.content, old.requested_by, old.requested_at)
  THEN
    RAISE EXCEPTION 'fapiao % stays what was asked for, and how it ended', old.id
      USING errcode = '23514', constraint = 'fapiao_stays';
  END IF;
  RETURN new;
END $$
"""


def upgrade() -> None:
    """Create the rows, and hold them to what was asked for."""
    op.create_table(
        "fapiao_details",
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), primary_key=True),
        *[_text(name) for name in ("title", "tax_id", "address", "phone", "bank", "account")],
        _person("updated_by"),
        sa.Column("updated_at", INSTANT, nullable=False),
        *_checked(DETAILS),
    )
    _fapiao()
    op.create_table(
        "fapiao_file",
        sa.Column("fapiao_id", sa.Uuid(), sa.ForeignKey("fapiao.id"), primary_key=True),
        sa.Column("form", sa.String(), primary_key=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        _text("sha256"),
        _person("kept_by"),
        sa.Column("kept_at", INSTANT, nullable=False),
        *_checked(FILE),
    )
    op.execute(KEPT)
    op.execute(
        "CREATE TRIGGER fapiao_is_kept BEFORE UPDATE OR DELETE ON fapiao "
        "FOR EACH ROW EXECUTE FUNCTION fapiao_is_kept()"
    )
    op.execute(
        "CREATE TRIGGER fapiao_file_stays BEFORE UPDATE OR DELETE ON fapiao_file "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """Drop them again."""
    for table in ("fapiao_file", "fapiao", "fapiao_details"):
        op.drop_table(table)
    op.execute("DROP FUNCTION fapiao_is_kept()")


def _fapiao() -> None:
    op.create_table(
        "fapiao",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("invoice_id", sa.Uuid(), sa.ForeignKey("invoice.id"), nullable=False),
        sa.Column("red_letter_id", sa.Uuid(), sa.ForeignKey("red_letter.id"), nullable=True),
        sa.Column("buyer_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("seller_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        _text("type"),
        _text("state"),
        _text("confirmation", nullable=True),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        _text("content_sha256"),
        _person("requested_by"),
        sa.Column("requested_at", INSTANT, nullable=False),
        _text("number", nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        _text("refused_reason", nullable=True),
        sa.UniqueConstraint("number"),
        *_checked(FAPIAO),
    )
    for name in ("invoice_id", "buyer_id", "seller_id"):
        op.create_index(f"ix_fapiao_{name}", "fapiao", [name])
    for name, column, live in (
        ("ix_fapiao_one_blue", "invoice_id", f"{LIVE} AND red_letter_id IS NULL"),
        ("ix_fapiao_one_red", "red_letter_id", LIVE),
    ):
        op.create_index(name, "fapiao", [column], unique=True, postgresql_where=sa.text(live))


def _checked(rules: dict[str, str]) -> list[sa.CheckConstraint]:
    return [sa.CheckConstraint(rule, name=name) for name, rule in rules.items()]


def _text(name: str, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.String(), nullable=more.pop("nullable", False), **more)


def _person(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid(), sa.ForeignKey("person.id"), nullable=False)
