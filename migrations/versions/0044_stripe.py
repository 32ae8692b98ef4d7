"""Refunds, disputes, and what both take back from those who were paid.

A refund is prepared by one person and decided by another; what each line of a settlement gives
back is written down once for each cause.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"

OPS_BEFORE = "op IN ('payment_intent.create', 'account.create', 'transfer.create')"
OPS = (
    "op IN ('payment_intent.create', 'account.create', 'transfer.create', "
    "'refund.create', 'transfer.reverse')"
)
CURRENCY = "currency ~ '^[A-Z]{3}$'"
RECOVERY = {
    "recovery_cause_is_known": "cause IN ('refund', 'dispute')",
    "recovery_state_is_known": "state IN ('taken', 'owed', 'sending', 'reversed')",
    "recovery_reversed_has_an_id": "(state = 'reversed') = (provider_id IS NOT NULL)",
    "recovery_sent_has_an_intent": "(state IN ('sending', 'reversed')) = (intent_id IS NOT NULL)",
    "recovery_amount_is_positive": "amount_minor > 0",
    "recovery_currency_is_a_code": CURRENCY,
}
REFUND = {
    "refund_state_is_known": "state IN ('prepared', 'approved', 'refused', 'made', 'failed')",
    "refund_needs_two_people": "prepared_by <> decided_by",
    "refund_decided_by_whom_and_when": (
        "(state = 'prepared') = (decided_by IS NULL) "
        "AND (decided_by IS NULL) = (decided_at IS NULL)"
    ),
    "refund_refused_why": "(state = 'refused') = (refused_reason IS NOT NULL)",
    "refund_made_has_an_id": "(state IN ('made', 'failed')) = (provider_id IS NOT NULL)",
    "refund_amount_is_positive": "amount_minor > 0",
    "refund_currency_is_a_code": CURRENCY,
    "refund_reason_has_length": "char_length(reason) BETWEEN 1 AND 500",
    "refund_sha256_is_hex": "content_sha256 ~ '^[0-9a-f]{64}$'",
}
DISPUTE = {
    "dispute_state_is_known": (
        "state IN ('inquiry', 'inquiry_closed', 'received', 'under_review', 'won', 'lost')"
    ),
    "dispute_amount_is_positive": "amount_minor > 0",
    "dispute_charged_once_it_is_lost": "charged_at IS NULL OR state = 'lost'",
    "dispute_currency_is_a_code": CURRENCY,
}


def upgrade() -> None:
    """Widen what may be instructed; make the three tables."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _widen(OPS)
    _recovery()
    _refund()
    _dispute()


def downgrade() -> None:
    """Take them away; instructions of the new kinds go with them."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("recovery", "refund", "dispute"):
        op.drop_table(table)
    op.execute("DELETE FROM outbound WHERE op IN ('refund.create', 'transfer.reverse')")
    _widen(OPS_BEFORE)


def _widen(rule: str) -> None:
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- another of the same name follows at once\n"
        "ALTER TABLE outbound DROP CONSTRAINT outbound_op_is_known"
    )
    op.execute(f"ALTER TABLE outbound ADD CONSTRAINT outbound_op_is_known CHECK ({rule}) NOT VALID")


def _recovery() -> None:
    op.create_table(
        "recovery",
        _id("id"), _text("cause"), _id("cause_id"), _id("deal_id", "settlement.deal_id"),
        sa.Column("line", sa.Integer(), nullable=False), _text("kind"),
        _id("payee_id", "party.id"), _minor("amount_minor"), _code("currency"), _text("state"),
        _id("intent_id", "outbound.id", null=True), _text("provider_id", null=True),
        _instant("created_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("cause", "cause_id", "line", name="recovery_once_for_a_cause"),
        sa.UniqueConstraint("intent_id"), sa.UniqueConstraint("provider_id"),
        *_checked(RECOVERY),
    )  # fmt: skip
    op.create_index("ix_recovery_deal_id", "recovery", ["deal_id"])
    op.create_index(
        "ix_recovery_open", "recovery", ["created_at"],
        postgresql_where=sa.text("state IN ('owed', 'sending')"),
    )  # fmt: skip


def _refund() -> None:
    op.create_table(
        "refund",
        _id("id"), _id("payment_id", "payment.id"), _id("deal_id", "settlement.deal_id"),
        _id("payer_id", "party.id"), _minor("amount_minor"), _code("currency"), _text("reason"),
        _text("state"), sa.Column("content", sa.LargeBinary(), nullable=False),
        _text("content_sha256"), _id("prepared_by", "person.id"), _instant("prepared_at"),
        _id("decided_by", "person.id", null=True), _instant("decided_at", null=True),
        _text("refused_reason", null=True), _id("intent_id", "outbound.id", null=True),
        _text("provider_id", null=True), _instant("made_at", null=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("intent_id"), sa.UniqueConstraint("provider_id"),
        *_checked(REFUND),
    )  # fmt: skip
    op.create_index("ix_refund_payment_id", "refund", ["payment_id"])
    op.create_index("ix_refund_deal_id", "refund", ["deal_id"])
    op.create_index(
        "ix_refund_one_open", "refund", ["payment_id"], unique=True,
        postgresql_where=sa.text("state IN ('prepared', 'approved')"),
    )  # fmt: skip


def _dispute() -> None:
    op.create_table(
        "dispute",
        _id("id"), _text("provider_id"), _id("payment_id", "payment.id"),
        _id("deal_id", "settlement.deal_id"), _minor("amount_minor"), _code("currency"),
        _text("reason"), _text("state"), _minor("drawn_minor"),
        _instant("evidence_due_at", null=True), _instant("opened_at"),
        _instant("closed_at", null=True), _instant("charged_at", null=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("provider_id"),
        *_checked(DISPUTE),
    )  # fmt: skip
    op.create_index("ix_dispute_payment_id", "dispute", ["payment_id"])
    op.create_index("ix_dispute_deal_id", "dispute", ["deal_id"])
    op.create_index(
        "ix_dispute_to_charge", "dispute", ["opened_at"],
        postgresql_where=sa.text("state = 'lost' AND charged_at IS NULL"),
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


def _code(name: str) -> sa.Column[Any]:
    return _column(sa.String(3), name, None, False)


def _minor(name: str) -> sa.Column[Any]:
    return _column(sa.BigInteger(), name, None, False)


def _instant(name: str, *, null: bool = False) -> sa.Column[Any]:
    return _column(sa.DateTime(timezone=True), name, None, null)
