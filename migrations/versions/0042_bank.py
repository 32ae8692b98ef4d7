"""The bank: payees' accounts, payment files, statements, what they match, what waits in suspense.

Statements and their entries are only ever added. The sides of a match make the same amount; where
a payee is paid never changes, another account follows.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"

TABLES = (
    "payee_bank_account", "bank_account", "payment_batch", "payment_item", "bank_file",
    "bank_statement", "bank_entry", "recon_match", "recon_side", "suspense_item",
)  # fmt: skip
ADDED_ONLY = ("bank_file", "bank_statement", "bank_entry", "recon_side")
SIDES = """
CREATE FUNCTION recon_match_is_even() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE uneven numeric;
BEGIN
  SELECT sum(CASE side WHEN 'bank' THEN amount_minor ELSE -amount_minor END) INTO uneven
  FROM recon_side WHERE match_id = new.id;
  IF uneven IS DISTINCT FROM 0 THEN
    RAISE EXCEPTION 'match % is uneven by %', new.id, uneven USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$
"""
STAYS = """
CREATE FUNCTION bank_record_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is only ever added to', tg_table_name USING ERRCODE = 'check_violation';
END $$
"""
KEPT = """
CREATE FUNCTION payee_bank_account_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (new.party_id, new.scheme, new.number, new.member_id, new.holder, new.bank_name,
      new.currency, new.sha256, new.declared_by)
    IS DISTINCT FROM (old.party_id, old.scheme, old.number, old.member_id, old.holder,
      old.bank_name, old.currency, old.sha256, old.declared_by)
  THEN
    RAISE EXCEPTION 'a bank account never changes' USING ERRCODE = 'check_violation';
  END IF;
  RETURN new;
END $$
"""
FILE_KEPT = """
CREATE FUNCTION payment_batch_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (new.account_id, new.message_id, new.currency, new.items, new.sum_minor, new.document,
      new.sha256, new.prepared_by)
    IS DISTINCT FROM (old.account_id, old.message_id, old.currency, old.items, old.sum_minor,
      old.document, old.sha256, old.prepared_by)
  THEN
    RAISE EXCEPTION 'a payment file never changes' USING ERRCODE = 'check_violation';
  END IF;
  RETURN new;
END $$
"""
# Rules that are widened: table, name, before, now.
CHECKS = (
    ("payment", "method_is_known", "method IN ('card')", "method IN ('card', 'wire')"),
    (
        "payout_transfer", "sent_has_an_intent",
        "(state = 'pending') = (intent_id IS NULL)",
        "(state = 'pending') = (intent_id IS NULL) "
        "OR (account ~ '^(iban|cnaps):' AND intent_id IS NULL)",
    ),
)  # fmt: skip


PAYEE_BANK_ACCOUNT = {
    "payee_bank_account_currency_is_a_code": "currency ~ '^[A-Z]{3}$'",
    "payee_bank_account_decided_by_whom_and_when": (
        "(state = 'declared') = (decided_by IS NULL) AND "
        "(decided_by IS NULL) = (decided_at IS NULL)"
    ),
    "payee_bank_account_member_id_has_twelve_digits": "member_id ~ '^[0-9]{12}$'",
    "payee_bank_account_names_its_bank": "(scheme = 'cnaps') = (member_id IS NOT NULL)",
    "payee_bank_account_needs_two_people": "declared_by <> decided_by",
    "payee_bank_account_scheme_is_known": "scheme IN ('iban', 'cnaps')",
    "payee_bank_account_sha256_is_hex": "sha256 ~ '^[0-9a-f]{64}$'",
    "payee_bank_account_state_is_known": (
        "state IN ('declared', 'verified', 'refused', 'superseded')"
    ),
    "payee_bank_account_usable_once_verified": (
        "state IN ('declared', 'refused') OR usable_from >= decided_at"
    ),
}
BANK_ACCOUNT = {
    "bank_account_currency_is_a_code": "currency ~ '^[A-Z]{3}$'",
    "bank_account_names_its_bank": "(scheme = 'cnaps') = (member_id IS NOT NULL)",
    "bank_account_scheme_is_known": "scheme IN ('iban', 'cnaps', 'other')",
}
PAYMENT_BATCH = {
    "payment_batch_decided_by_whom_and_when": (
        "(state = 'prepared') = (decided_by IS NULL) AND "
        "(decided_by IS NULL) = (decided_at IS NULL)"
    ),
    "payment_batch_given_once_approved": "given_at IS NULL OR state IN ('approved', 'settled')",
    "payment_batch_needs_two_people": "prepared_by <> decided_by",
    "payment_batch_pays_something": "items >= 1 AND sum_minor > 0",
    "payment_batch_refused_with_a_reason": "(state = 'refused') = (reason IS NOT NULL)",
    "payment_batch_sha256_is_hex": "sha256 ~ '^[0-9a-f]{64}$'",
    "payment_batch_state_is_known": "state IN ('prepared', 'approved', 'refused', 'settled')",
}
PAYMENT_ITEM = {
    "payment_item_amount_is_positive": "amount_minor > 0",
    "payment_item_state_is_known": (
        "state IN ('waiting', 'instructed', 'paid', 'returned', 'failed')"
    ),
}
BANK_FILE = {
    "bank_file_sha256_is_hex": "sha256 ~ '^[0-9a-f]{64}$'",
}
BANK_STATEMENT = {
    "bank_statement_adds_up": "opening_minor + movements_minor = closing_minor",
    "bank_statement_has_balances": (
        "(kind = 'statement') = (turn IS NOT NULL) AND "
        "(turn IS NULL) = (opening_minor IS NULL) AND "
        "(turn IS NULL) = (closing_minor IS NULL)"
    ),
    "bank_statement_kind": "kind IN ('statement', 'notification')",
}
BANK_ENTRY: dict[str, str] = {}
RECON_MATCH = {
    "recon_match_by_hand_has_a_proposer": (
        "(rule = 'by-hand') = (proposed_by IS NOT NULL) AND (rule = 'by-hand') = (state <> 'made')"
    ),
    "recon_match_decided_by_whom_and_when": (
        "(state IN ('approved', 'refused')) = (decided_by IS NOT NULL) AND "
        "(decided_by IS NULL) = (decided_at IS NULL)"
    ),
    "recon_match_needs_two_people": "proposed_by <> decided_by",
    "recon_match_rule_is_known": (
        "rule IN ('end-to-end', 'provider-id', 'batch-id', 'invoice-number', 'by-hand')"
    ),
    "recon_match_score": "score BETWEEN 0 AND 100",
    "recon_match_state_is_known": "state IN ('made', 'proposed', 'approved', 'refused')",
}
RECON_SIDE = {
    "recon_side_bank_is_known": "side = 'book' OR kind IN ('entry', 'suspense')",
    "recon_side_book_is_known": "side = 'bank' OR kind IN ('invoice', 'payment', 'account')",
    "recon_side_is_known": "side IN ('bank', 'book')",
    "recon_side_is_something": "amount_minor <> 0",
}
SUSPENSE_ITEM = {
    "suspense_item_cause_is_known": "cause IN ('unmatched', 'opening')",
    "suspense_item_is_of_an_entry": "(cause = 'unmatched') = (entry_id IS NOT NULL)",
    "suspense_item_is_something": "amount_minor <> 0",
    "suspense_item_released_when": "(state = 'released') = (released_at IS NOT NULL)",
    "suspense_item_state_is_known": "state IN ('open', 'released')",
}


def upgrade() -> None:
    _checks("now")
    op.add_column("payment", sa.Column("account", sa.String(), nullable=True))
    op.execute(
        "ALTER TABLE payment ADD CONSTRAINT payment_wire_into_an_account "
        "CHECK ((method = 'wire') = (account IS NOT NULL)) NOT VALID"
    )
    _payee_bank_account()
    _bank_account()
    _payment_batch()
    _payment_item()
    _bank_file()
    _bank_statement()
    _bank_entry()
    _recon_match()
    _recon_side()
    _suspense_item()
    op.execute(SIDES)
    op.execute(
        "CREATE CONSTRAINT TRIGGER recon_match_even AFTER INSERT OR UPDATE ON recon_match "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION recon_match_is_even()"
    )
    op.execute(STAYS)
    for table in ADDED_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION bank_record_stays()"
        )
    for table, function in (("payee_bank_account", KEPT), ("payment_batch", FILE_KEPT)):
        op.execute(function)
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE UPDATE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_stays()"
        )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    for function in (
        "recon_match_is_even", "bank_record_stays", "payee_bank_account_stays",
        "payment_batch_stays",
    ):  # fmt: skip
        op.execute(f"DROP FUNCTION {function}()")
    op.drop_constraint("payment_wire_into_an_account", "payment")
    op.drop_column("payment", "account")
    _checks("before")


def _checks(which: str) -> None:
    """Put rules of the same names in place; rows of the wider kinds stay as they are."""
    for table, name, before, now in CHECKS:
        rule = now if which == "now" else before
        op.execute(
            "-- squawk-ignore ban-drop-constraint -- another of the same name follows at once\n"
            f"ALTER TABLE {table} DROP CONSTRAINT {table}_{name}"
        )
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_{name} CHECK ({rule}) NOT VALID")


def _payee_bank_account() -> None:
    op.create_table(
        "payee_bank_account",
        _id("id"), _id("party_id", "party.id"), _text("scheme"), _text("number"),
        _text("member_id", null=True), _text("holder"), _text("bank_name"), _code("currency"),
        _text("sha256"), _text("state"), _id("declared_by", "person.id"), _instant("declared_at"),
        _id("decided_by", "person.id", null=True), _instant("decided_at", null=True),
        _text("evidence", null=True), _instant("usable_from", null=True),
        sa.PrimaryKeyConstraint("id"),
        *_checked(PAYEE_BANK_ACCOUNT),
    )  # fmt: skip
    op.create_index(
        "ix_payee_bank_account_in_force", "payee_bank_account", ["party_id", "currency"],
        unique=True,
        postgresql_where=sa.text("state = 'verified'"),
    )  # fmt: skip
    op.create_index("ix_payee_bank_account_party_id", "payee_bank_account", ["party_id"])
    op.create_index(
        "ix_payee_bank_account_waiting", "payee_bank_account", ["party_id", "currency"],
        unique=True,
        postgresql_where=sa.text("state = 'declared'"),
    )  # fmt: skip


def _bank_account() -> None:
    op.create_table(
        "bank_account",
        _id("id"), _text("name"), _text("scheme"), _text("number"), _text("member_id", null=True),
        _text("bic", null=True), _text("holder"), _code("currency"), _flag("instruct_only"),
        _id("opened_by", "person.id"), _instant("opened_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number", "currency", name="bank_account_is_followed_once"),
        *_checked(BANK_ACCOUNT),
    )  # fmt: skip


def _payment_batch() -> None:
    op.create_table(
        "payment_batch",
        _id("id"), _id("account_id", "bank_account.id"), _text("message_id"), _code("currency"),
        _count("items"), _minor("sum_minor"), _day("execute_on"), _bytes("document"),
        _text("sha256"), _text("state"), _id("prepared_by", "person.id"), _instant("prepared_at"),
        _id("decided_by", "person.id", null=True), _instant("decided_at", null=True),
        _text("reason", null=True), _instant("given_at", null=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("message_id"),
        *_checked(PAYMENT_BATCH),
    )  # fmt: skip
    op.create_index("ix_payment_batch_account_id", "payment_batch", ["account_id"])


def _payment_item() -> None:
    op.create_table(
        "payment_item",
        _id("id"), _id("batch_id", "payment_batch.id"), _id("payout_id", "payout.id"),
        _id("party_id", "party.id"), _id("payee_account_id", "payee_bank_account.id"),
        _minor("amount_minor"), _code("currency"), _text("end_to_end_id"), _text("state"),
        _text("return_reason", null=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("end_to_end_id"),
        *_checked(PAYMENT_ITEM),
    )  # fmt: skip
    op.create_index("ix_payment_item_batch_id", "payment_item", ["batch_id"])
    op.create_index(
        "ix_payment_item_in_one_file", "payment_item", ["payout_id", "party_id"], unique=True,
        postgresql_where=sa.text("state NOT IN ('returned', 'failed')"),
    )  # fmt: skip


def _bank_file() -> None:
    op.create_table(
        "bank_file",
        _id("id"), _text("sha256"), _bytes("content"), _id("received_by", "person.id"),
        _instant("received_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sha256"),
        *_checked(BANK_FILE),
    )  # fmt: skip


def _bank_statement() -> None:
    op.create_table(
        "bank_statement",
        _id("id"), _id("account_id", "bank_account.id"), _id("file_id", "bank_file.id"),
        _text("kind"), _text("statement_id"), _count("turn", null=True),
        _minor("opening_minor", null=True), _minor("movements_minor"),
        _minor("closing_minor", null=True), _day("closed_on", null=True), _count("entries"),
        _text("content_sha256"), _instant("imported_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "account_id", "kind", "statement_id", name="bank_statement_is_read_once"
        ),
        sa.UniqueConstraint("account_id", "turn", name="bank_statement_in_sequence"),
        *_checked(BANK_STATEMENT),
    )  # fmt: skip
    op.create_index("ix_bank_statement_file_id", "bank_statement", ["file_id"])


def _bank_entry() -> None:
    op.create_table(
        "bank_entry",
        _id("id"), _id("statement_id", "bank_statement.id"), _count("seq"),
        _minor("amount_minor"), _day("booked_on", null=True), _day("valued_on", null=True),
        _text("bank_ref", null=True), _text("end_to_end_id", null=True),
        _text("batch_id", null=True), _text("name", null=True), _text("account", null=True),
        _text("text", null=True), _text("return_reason", null=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("statement_id", "seq", name="bank_entry_has_its_place"),
        *_checked(BANK_ENTRY),
    )  # fmt: skip
    op.create_index(
        "ix_bank_entry_reference", "bank_entry", ["bank_ref"],
        postgresql_where=sa.text("bank_ref IS NOT NULL"),
    )  # fmt: skip


def _recon_match() -> None:
    op.create_table(
        "recon_match",
        _id("id"), _id("account_id", "bank_account.id"), _text("rule"), _count("score"),
        _text("state"), _bytes("content"), _text("sha256"),
        _id("proposed_by", "person.id", null=True), _instant("made_at"),
        _id("decided_by", "person.id", null=True), _instant("decided_at", null=True),
        _text("reason", null=True),
        sa.PrimaryKeyConstraint("id"),
        *_checked(RECON_MATCH),
    )  # fmt: skip
    op.create_index("ix_recon_match_account_id", "recon_match", ["account_id"])
    op.create_index(
        "ix_recon_match_proposed", "recon_match", ["made_at"],
        postgresql_where=sa.text("state = 'proposed'"),
    )  # fmt: skip


def _recon_side() -> None:
    op.create_table(
        "recon_side",
        _id("match_id", "recon_match.id"), _count("line"), _text("side"), _text("kind"),
        _text("name"), _minor("amount_minor"),
        sa.PrimaryKeyConstraint("match_id", "line"),
        *_checked(RECON_SIDE),
    )  # fmt: skip
    op.create_index("ix_recon_side_object", "recon_side", ["kind", "name"])


def _suspense_item() -> None:
    op.create_table(
        "suspense_item",
        _id("id"), _id("account_id", "bank_account.id"),
        _id("entry_id", "bank_entry.id", null=True), _text("cause"), _minor("amount_minor"),
        _code("currency"), _id("owner_id", "person.id"), _instant("opened_at"), _day("due_on"),
        _text("state"), _id("match_id", "recon_match.id", null=True),
        _instant("released_at", null=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("entry_id"),
        *_checked(SUSPENSE_ITEM),
    )  # fmt: skip
    op.create_index("ix_suspense_item_account_id", "suspense_item", ["account_id"])
    op.create_index("ix_suspense_item_match_id", "suspense_item", ["match_id"])
    op.create_index(
        "ix_suspense_item_open", "suspense_item", ["due_on"],
        postgresql_where=sa.text("state = 'open'"),
    )  # fmt: skip


def _checked(rules: dict[str, str]) -> list[sa.CheckConstraint]:
    return [sa.CheckConstraint(rule, name=name) for name, rule in rules.items()]


def _column(kind: Any, name: str, of: str | None, null: bool) -> sa.Column[Any]:
    keys = [] if of is None else [sa.ForeignKey(of)]
    return sa.Column(name, kind, *keys, nullable=null)


def _id(name: str, of: str | None = None, *, null: bool = False) -> sa.Column[Any]:
    return _column(sa.Uuid(), name, of, null)


def _text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return _column(sa.String(), name, None, null)


def _code(name: str, *, null: bool = False) -> sa.Column[Any]:
    return _column(sa.String(3), name, None, null)


def _instant(name: str, *, null: bool = False) -> sa.Column[Any]:
    return _column(sa.DateTime(timezone=True), name, None, null)


def _minor(name: str, *, null: bool = False) -> sa.Column[Any]:
    return _column(sa.BigInteger(), name, None, null)


def _count(name: str, *, null: bool = False) -> sa.Column[Any]:
    return _column(sa.Integer(), name, None, null)


def _day(name: str, *, null: bool = False) -> sa.Column[Any]:
    return _column(sa.Date(), name, None, null)


def _bytes(name: str, *, null: bool = False) -> sa.Column[Any]:
    return _column(sa.LargeBinary(), name, None, null)


def _flag(name: str, *, null: bool = False) -> sa.Column[Any]:
    return _column(sa.Boolean(), name, None, null)
