"""Payees' onboarding at the provider: how their accounts stand there, and the link to its page."""

import sqlalchemy as sa
from alembic import op

revision = "0081"
down_revision = "0080"

RULES = {
    "capability_is_known": "capability IN ('active', 'pending', 'inactive')",
    "seen_when": "(capability IS NULL) = (seen_at IS NULL)",
    "link_until_when": "(link_url IS NULL) = (link_until IS NULL)",
    "looked_at_when_ready": "look_at IS NULL OR state = 'ready'",
}
TEXTS = ("capability", "return_url", "link_url")
INSTANTS = ("seen_at", "look_at", "link_until")


def upgrade() -> None:
    """Add what is known of an account at the provider; nothing is known of those there are."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name in TEXTS:
        op.add_column("payout_account", sa.Column(name, sa.String(), nullable=True))
    for name in INSTANTS:
        column = sa.Column(name, sa.DateTime(timezone=True), nullable=True)
        op.add_column("payout_account", column)
    for name, rule in RULES.items():
        op.execute(
            f"ALTER TABLE payout_account ADD CONSTRAINT payout_account_{name} "
            f"CHECK ({rule}) NOT VALID"
        )
    op.create_index(
        "ix_payout_account_look",
        "payout_account",
        ["look_at"],
        postgresql_where=sa.text("look_at IS NOT NULL"),
    )
    op.add_column("inbound_event", sa.Column("account", sa.String(), nullable=True))
    op.execute("UPDATE payout_account SET look_at = now() WHERE state = 'ready'")


def downgrade() -> None:
    """Forget it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("inbound_event", "account")
    op.drop_index("ix_payout_account_look")
    for name in RULES:
        op.drop_constraint(f"payout_account_{name}", "payout_account")
    for name in (*INSTANTS, *TEXTS):
        op.drop_column("payout_account", name)
