"""Taxes withheld from payees abroad, where they reside, and what is remitted to the authority.

The database keeps invariant 23 for itself: what a payee is paid and what is withheld of it make its
gross; each withheld tax is in one remittance that is not refused; what is remitted is what was
withheld, less what went back before.
"""

from importlib import import_module
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0066"

INSTANT = sa.DateTime(timezone=True)
_PLAIN = "LANGUAGE plpgsql SET search_path = public, pg_temp AS $$\n"
DECIDED = {
    "needs_two_people": "prepared_by <> decided_by",
    "decided_by_whom_and_when": "(state = 'prepared') = (decided_by IS NULL) "
    "AND (decided_by IS NULL) = (decided_at IS NULL)",
    "refused_with_a_reason": "(state = 'refused') = (reason IS NOT NULL)",
    "sha256_is_hex": "content_sha256 ~ '^[0-9a-f]{64}$'",
}
RESIDENCE = {
    **DECIDED,
    "state_is_known": "state IN ('prepared', 'approved', 'refused')",
    "country_is_a_code": "country ~ '^[A-Z]{2}$'",
    "treaty_is_whole": (
        "num_nonnulls(certificate_no, evidence, evidence_sha256, valid_from, valid_to) "
        "IN (0, 5) AND (certificate_no IS NULL OR country <> 'CN')"
    ),
    "treaty_lasts": "valid_from <= valid_to",
    "treaty_is_shown": (
        "char_length(certificate_no) BETWEEN 1 AND 64 AND char_length(evidence) BETWEEN 1 AND 500"
    ),
    "evidence_is_hashed": "evidence_sha256 ~ '^[0-9a-f]{64}$'",
}
WITHHELD = {
    "is_known": "tax IN ('withheld-income', 'withheld-vat')",
    "is_part_of_it": "amount_minor > 0 AND amount_minor < gross_minor",
    "rate_in_range": "rate_bp BETWEEN 1 AND 10000",
    "currency_is_a_code": "currency ~ '^[A-Z]{3}$'",
    "country_is_a_code": "country ~ '^[A-Z]{2}$'",
    "due_later": "due_on >= withheld_on",
}
RETURN = {
    "state_is_known": "state IN ('reversed', 'claimed')",
    "cause_is_known": "cause IN ('refund', 'dispute', 'red-letter')",
    "amount_is_positive": "amount_minor > 0",
}
AUTHORITY = {
    "code": "code ~ '^[A-Z]{2}(-[A-Z0-9]{1,10})?$'",
    "scheme_is_known": "scheme IN ('iban', 'cnaps')",
    "names_its_bank": "(scheme = 'cnaps') = (member_id IS NOT NULL)",
    "currency_is_a_code": "currency ~ '^[A-Z]{3}$'",
}
STATES = "state IN ('prepared', 'approved', 'refused', 'paid')"
REMITTANCE = {
    **DECIDED,
    "state_is_known": STATES,
    "paid_when": "(state = 'paid') = (paid_at IS NOT NULL)",
    "receipt_once_paid": (
        "num_nonnulls(receipt_no, receipt_on, receipt_by) IN (0, 3) "
        "AND (receipt_no IS NULL OR state = 'paid')"
    ),
    "receipt_has_length": "char_length(receipt_no) BETWEEN 1 AND 64",
    "amount_is_positive": "amount_minor > 0",
    "currency_is_a_code": "currency ~ '^[A-Z]{3}$'",
}
ITEM = {"state_is_known": STATES, "amount_is_positive": "amount_minor > 0"}
# When a payout is approved: what it says is withheld are its rows, and with what is paid they make
# the gross of each payee.
CUT = f"""
CREATE FUNCTION payout_withholds_what_it_says() RETURNS trigger {_PLAIN}
DECLARE said jsonb; rows jsonb;
BEGIN
  said := coalesce(convert_from(new.content, 'UTF8')::jsonb -> 'withheld', '[]'::jsonb);
  SELECT coalesce(jsonb_agg(jsonb_build_object('party', w.party_id::text, 'gross_minor',
      w.gross_minor, 'tax', w.tax, 'rule', w.rule, 'amount_minor', w.amount_minor,
      'currency', w.currency)), '[]'::jsonb) INTO rows
    FROM withheld_tax w WHERE w.payout_id = new.id;
  IF jsonb_array_length(said) <> jsonb_array_length(rows) OR NOT (said @> rows AND rows @> said)
  THEN
    RAISE EXCEPTION 'payout % withholds other taxes than it says', new.id
      USING errcode = '23514', constraint = 'payout_withholds_what_it_says';
  END IF;
  IF EXISTS (SELECT FROM payout_transfer t
    JOIN withheld_tax w ON w.payout_id = t.payout_id AND w.party_id = t.party_id
    WHERE t.payout_id = new.id
    GROUP BY t.payout_id, t.party_id, t.amount_minor, t.currency
    HAVING t.amount_minor + sum(w.amount_minor) <> min(w.gross_minor)
      OR min(w.gross_minor) <> max(w.gross_minor) OR min(w.currency) <> t.currency
      OR max(w.currency) <> t.currency)
  THEN
    RAISE EXCEPTION 'what payout % pays and withholds is not the gross', new.id
      USING errcode = '23514', constraint = 'withheld_and_paid_make_the_gross';
  END IF;
  RETURN NULL;
END $$
"""
# Withheld taxes are added with the approval of their payout, and never after.
IN_TIME = f"""
CREATE FUNCTION withheld_tax_in_time() RETURNS trigger {_PLAIN}
BEGIN
  IF NOT EXISTS (SELECT FROM payout p WHERE p.id = new.payout_id AND p.state = 'approved'
    AND p.deal_id = new.deal_id AND p.decided_at = new.created_at)
  THEN
    RAISE EXCEPTION 'a tax is withheld when its payout is approved'
      USING errcode = '23514', constraint = 'withheld_tax_in_time';
  END IF;
  RETURN new;
END $$
"""
# What went back is off what will be remitted, or is claimed of what was; never more than there was.
BACK = f"""
CREATE FUNCTION withheld_return_fits() RETURNS trigger {_PLAIN}
DECLARE whole bigint; back bigint; is_remitted boolean;
BEGIN
  SELECT amount_minor INTO whole FROM withheld_tax WHERE id = new.withheld_id FOR NO KEY UPDATE;
  SELECT coalesce(sum(amount_minor), 0) INTO back FROM withheld_return
    WHERE withheld_id = new.withheld_id;
  SELECT EXISTS (SELECT FROM remittance_item i WHERE i.withheld_id = new.withheld_id
    AND i.state IN ('approved', 'paid')) INTO is_remitted;
  IF back + new.amount_minor > whole OR is_remitted <> (new.state = 'claimed') THEN
    RAISE EXCEPTION 'withheld tax % does not go back so', new.withheld_id
      USING errcode = '23514', constraint = 'withheld_return_fits';
  END IF;
  RETURN new;
END $$
"""
REMITS = f"""
CREATE FUNCTION remittance_is_kept() RETURNS trigger {_PLAIN}
DECLARE said jsonb; rows jsonb;
BEGIN
  IF (new.authority, new.tax, new.currency, new.period, new.due_on, new.amount_minor, new.account,
      new.holder) IS DISTINCT FROM (old.authority, old.tax, old.currency, old.period, old.due_on,
      old.amount_minor, old.account, old.holder)
    OR (old.state, new.state) NOT IN (('prepared', 'approved'), ('prepared', 'refused'),
      ('approved', 'paid'), ('paid', 'approved')) AND old.state <> new.state
    OR (old.receipt_no IS NOT NULL AND new.state = 'paid'
      AND new.receipt_no IS DISTINCT FROM old.receipt_no)
  THEN
    RAISE EXCEPTION 'remittance % stays what was prepared', new.id
      USING errcode = '23514', constraint = 'remittance_stays';
  END IF;
  IF old.state = 'prepared' AND new.state = 'approved' THEN
    said := convert_from(new.content, 'UTF8')::jsonb;
    SELECT jsonb_agg(jsonb_build_object('withheld', i.withheld_id::text, 'amount_minor',
        i.amount_minor)) INTO rows
      FROM remittance_item i JOIN withheld_tax w ON w.id = i.withheld_id
      WHERE i.remittance_id = new.id AND w.authority = new.authority AND w.tax = new.tax
        AND w.currency = new.currency AND w.period = new.period
        AND i.amount_minor = w.amount_minor - (SELECT coalesce(sum(r.amount_minor), 0)
          FROM withheld_return r WHERE r.withheld_id = w.id);
    IF rows IS NULL OR jsonb_array_length(said -> 'withheld') <> jsonb_array_length(rows)
      OR NOT (said -> 'withheld' @> rows AND rows @> (said -> 'withheld'))
      OR new.amount_minor <> (said ->> 'amount_minor')::bigint
      OR new.account <> said ->> 'account' OR new.holder <> said ->> 'holder'
      OR new.amount_minor <> (SELECT sum(i.amount_minor) FROM remittance_item i
        WHERE i.remittance_id = new.id)
    THEN
      RAISE EXCEPTION 'remittance % pays other than what was withheld', new.id
        USING errcode = '23514', constraint = 'remittance_pays_what_it_says';
    END IF;
  END IF;
  RETURN new;
END $$
"""
KEPT = f"""
CREATE FUNCTION remittance_item_is_kept() RETURNS trigger {_PLAIN}
DECLARE whole text;
BEGIN
  IF tg_op = 'DELETE' THEN
    RAISE EXCEPTION 'an item of a remittance stays'
      USING errcode = '23514', constraint = 'remittance_item_stays';
  END IF;
  SELECT state INTO whole FROM remittance WHERE id = new.remittance_id;
  IF new.state <> whole OR (tg_op = 'INSERT' AND whole <> 'prepared')
    OR (tg_op = 'UPDATE' AND to_jsonb(new) - 'state' <> to_jsonb(old) - 'state')
  THEN
    RAISE EXCEPTION 'an item is as its remittance is, and says the same for ever'
      USING errcode = '23514', constraint = 'remittance_item_stays';
  END IF;
  RETURN new;
END $$
"""
# A bank is only asked to pay a remittance that was approved, and exactly that.
INSTRUCTS = f"""
CREATE FUNCTION payment_item_remits() RETURNS trigger {_PLAIN}
BEGIN
  IF new.remittance_id IS NOT NULL AND NOT EXISTS (SELECT FROM remittance r
    WHERE r.id = new.remittance_id AND r.state = 'approved'
      AND r.amount_minor = new.amount_minor AND r.currency = new.currency)
  THEN
    RAISE EXCEPTION 'payment % remits what nobody approved', new.id
      USING errcode = '23514', constraint = 'payment_item_remits_what_was_approved';
  END IF;
  RETURN new;
END $$
"""
ROLES = {"tax_residence": "tax-residence", "remittance": "remittance"}
TRIGGERS = (
    ("withheld_tax_in_time", "BEFORE INSERT ON withheld_tax"),
    ("withheld_return_fits", "BEFORE INSERT ON withheld_return"),
    ("remittance_is_kept", "BEFORE UPDATE ON remittance"),
    ("remittance_item_is_kept", "BEFORE INSERT OR UPDATE OR DELETE ON remittance_item"),
    ("payment_item_remits", "BEFORE INSERT ON payment_item"),
)
STAYING = ("withheld_tax", "withheld_return")
# The cause of a reversal: what the payee itself gives back, without what was withheld.
WHOLE = "AND new.object_key = 'reversal:' || r.id AND r.amount_minor::text = asked ->> 'amount'"
OWN = (
    "AND new.object_key = 'reversal:' || r.id "
    "AND (r.amount_minor - r.withheld_minor)::text = asked ->> 'amount'"
)


def upgrade() -> None:
    """Create the rows, and hold payouts, remittances and payments to them."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _residence()
    _withheld()
    _remittance()
    op.add_column("recovery", _minor("withheld_minor", server_default=sa.text("0")))
    op.execute(
        "ALTER TABLE recovery ADD CONSTRAINT recovery_withheld_is_part_of_it "
        "CHECK (withheld_minor BETWEEN 0 AND amount_minor) NOT VALID"
    )
    _payment_item()
    for function in (CUT, IN_TIME, BACK, REMITS, KEPT, INSTRUCTS):
        op.execute(function)
    for name, when in TRIGGERS:
        op.execute(f"CREATE TRIGGER {name} {when} FOR EACH ROW EXECUTE FUNCTION {name}()")
    op.execute(
        "CREATE CONSTRAINT TRIGGER payout_withholds AFTER UPDATE OF state ON payout "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "WHEN (new.state = 'approved' AND old.state = 'prepared') "
        "EXECUTE FUNCTION payout_withholds_what_it_says()"
    )
    for table in STAYING:
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    guard = import_module("migrations.versions.0046_proofs").guard
    for table, name in ROLES.items():
        arguments = f"'{name}', 'prepared', 'content', 'content_sha256', 'prepared_by'"
        op.execute(guard(table, arguments))
    op.execute(_causes(OWN))


def downgrade() -> None:
    """Drop them again; what was booked stays in the ledger."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_causes(WHOLE))
    op.execute("DROP TRIGGER payout_withholds ON payout")
    op.execute("DROP TRIGGER payment_item_remits ON payment_item")
    op.drop_index("ix_payment_item_remittance_in_one_file", "payment_item")
    op.drop_constraint("payment_item_pays_one_thing", "payment_item")
    op.drop_column("payment_item", "remittance_id")
    for name in ("payout_id", "party_id", "payee_account_id"):
        op.alter_column("payment_item", name, nullable=False)
    op.drop_constraint("recovery_withheld_is_part_of_it", "recovery")
    op.drop_column("recovery", "withheld_minor")
    for table in ("remittance_item", "remittance", "tax_authority", "withheld_return",
                  "withheld_tax", "tax_residence"):  # fmt: skip
        op.drop_table(table)
    for name in ("payout_withholds_what_it_says", *(name for name, _ in TRIGGERS)):
        op.execute(f"DROP FUNCTION {name}()")


def _causes(said: str) -> str:
    body: str = import_module("migrations.versions.0066_pledges").CAUSE_NOW
    assert WHOLE in body  # noqa: S101 - the function of 0066 has this clause.
    return body.replace(WHOLE, said)


def _residence() -> None:
    op.create_table(
        "tax_residence",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        *[_text(name, nullable=True) for name in ("certificate_no", "evidence", "evidence_sha256")],
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        *_deciding(),
        *_checked("tax_residence", RESIDENCE),
    )
    op.create_index("ix_tax_residence_party_id", "tax_residence", ["party_id"])
    op.create_index(
        "ix_tax_residence_one_open", "tax_residence", ["party_id"], unique=True,
        postgresql_where=sa.text("state = 'prepared'"),
    )  # fmt: skip


def _withheld() -> None:
    op.create_table(
        "withheld_tax",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("payout_id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("deal_id", sa.Uuid(), sa.ForeignKey("settlement.deal_id"), nullable=False),
        _text("tax"),
        _text("rule"),
        sa.Column("rate_bp", sa.Integer(), nullable=False),
        _text("legal_basis"),
        _text("authority"),
        sa.Column("country", sa.String(2), nullable=False),
        _text("certificate_no", nullable=True),
        _minor("gross_minor"),
        _minor("amount_minor"),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("withheld_on", sa.Date(), nullable=False),
        _text("period"),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["payout_id", "party_id"], ["payout_transfer.payout_id", "payout_transfer.party_id"]
        ),
        sa.UniqueConstraint("payout_id", "party_id", "tax", name="withheld_tax_once_each"),
        *_checked("withheld_tax", WITHHELD),
    )
    for name in ("party_id", "deal_id"):
        op.create_index(f"ix_withheld_tax_{name}", "withheld_tax", [name])
    op.create_index(
        "ix_withheld_tax_group", "withheld_tax", ["authority", "tax", "currency", "period"]
    )
    op.create_table(
        "withheld_return",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("withheld_id", sa.Uuid(), sa.ForeignKey("withheld_tax.id"), nullable=False),
        _text("cause"),
        sa.Column("cause_id", sa.Uuid(), nullable=False),
        _minor("amount_minor"),
        _text("state"),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.UniqueConstraint("withheld_id", "cause", "cause_id", name="withheld_return_once_each"),
        *_checked("withheld_return", RETURN),
    )


def _remittance() -> None:
    op.create_table(
        "tax_authority",
        sa.Column("code", sa.String(), primary_key=True),
        sa.Column("currency", sa.String(3), primary_key=True),
        *[_text(name) for name in ("name_zh", "name_en", "scheme", "number")],
        _text("member_id", nullable=True),
        *[_text(name) for name in ("holder", "bank_name")],
        sa.Column("updated_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        *_checked("tax_authority", AUTHORITY),
    )
    op.create_table(
        "remittance",
        sa.Column("id", sa.Uuid(), primary_key=True),
        *[_text(name) for name in ("authority", "tax")],
        sa.Column("currency", sa.String(3), nullable=False),
        _text("period"),
        sa.Column("due_on", sa.Date(), nullable=False),
        _minor("amount_minor"),
        *[_text(name) for name in ("account", "holder")],
        *_deciding(),
        sa.Column("paid_at", INSTANT, nullable=True),
        _text("receipt_no", nullable=True),
        sa.Column("receipt_on", sa.Date(), nullable=True),
        sa.Column("receipt_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        *_checked("remittance", REMITTANCE),
    )
    op.create_index(
        "ix_remittance_one_open", "remittance", ["authority", "tax", "currency", "period"],
        unique=True, postgresql_where=sa.text("state = 'prepared'"),
    )  # fmt: skip
    op.create_index("ix_remittance_receipt", "remittance", ["authority", "receipt_no"], unique=True)
    op.create_table(
        "remittance_item",
        sa.Column("remittance_id", sa.Uuid(), sa.ForeignKey("remittance.id"), primary_key=True),
        sa.Column("withheld_id", sa.Uuid(), sa.ForeignKey("withheld_tax.id"), primary_key=True),
        _minor("amount_minor"),
        _text("state"),
        *_checked("remittance_item", ITEM),
    )
    op.create_index(
        "ix_withheld_in_one_remittance", "remittance_item", ["withheld_id"], unique=True,
        postgresql_where=sa.text("state <> 'refused'"),
    )  # fmt: skip


def _payment_item() -> None:
    op.add_column(
        "payment_item",
        sa.Column("remittance_id", sa.Uuid(), sa.ForeignKey("remittance.id"), nullable=True),
    )
    for name in ("payout_id", "party_id", "payee_account_id"):
        op.execute(
            "-- squawk-ignore ban-drop-not-null -- a remittance has none of them\n"
            f"ALTER TABLE payment_item ALTER COLUMN {name} DROP NOT NULL"
        )
    op.execute(
        "ALTER TABLE payment_item ADD CONSTRAINT payment_item_pays_one_thing CHECK ("
        "num_nonnulls(payout_id, party_id, payee_account_id) = "
        "CASE WHEN remittance_id IS NULL THEN 3 ELSE 0 END) NOT VALID"
    )
    op.create_index(
        "ix_payment_item_remittance_in_one_file", "payment_item", ["remittance_id"], unique=True,
        postgresql_where=sa.text("state NOT IN ('returned', 'failed')"),
    )  # fmt: skip


def _deciding() -> list[sa.Column[Any]]:
    """Return the columns of what one person prepares and another decides."""
    return [
        _text("state"),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        _text("content_sha256"),
        sa.Column("prepared_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("prepared_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        _text("reason", nullable=True),
    ]


def _checked(table: str, rules: dict[str, str]) -> list[sa.CheckConstraint]:
    return [sa.CheckConstraint(rule, name=f"{table}_{name}") for name, rule in rules.items()]


def _text(name: str, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.String(), nullable=more.pop("nullable", False), **more)


def _minor(name: str, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False, **more)
