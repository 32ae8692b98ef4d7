"""Payees' bank accounts: a holder of another name says why, and an account that waits is withdrawn.

The reason is part of what is approved. Who declared an account takes it back without an approval:
nothing was paid into it yet.
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0075"
down_revision = "0071"

STATES = {
    True: "state IN ('declared', 'verified', 'refused', 'superseded', 'withdrawn')",
    False: "state IN ('declared', 'verified', 'refused', 'superseded')",
}
DECIDED = {
    True: "(state IN ('declared', 'withdrawn')) = (decided_by IS NULL) "
    "AND (decided_by IS NULL) = (decided_at IS NULL)",
    False: "(state = 'declared') = (decided_by IS NULL) "
    "AND (decided_by IS NULL) = (decided_at IS NULL)",
}
USABLE = {
    True: "state IN ('declared', 'refused', 'withdrawn') OR usable_from >= decided_at",
    False: "state IN ('declared', 'refused') OR usable_from >= decided_at",
}
WITHDRAWN = "(state = 'withdrawn') = (withdrawn_at IS NOT NULL)"
REASON = "char_length(name_reason) BETWEEN 1 AND 500"


def upgrade() -> None:
    """Keep the reason with what is approved, and let a waiting account be taken back."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("payee_bank_account", sa.Column("name_reason", sa.String(), nullable=True))
    op.add_column(
        "payee_bank_account",
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
    )
    _check("withdrawn_when", WITHDRAWN)
    _check("name_reason_has_length", REASON)
    _functions(now=True)


def downgrade() -> None:
    """Go back; an account that was withdrawn stays as it is."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _functions(now=False)
    for name in ("withdrawn_when", "name_reason_has_length"):
        op.drop_constraint(f"payee_bank_account_{name}", "payee_bank_account")
    op.drop_column("payee_bank_account", "withdrawn_at")
    op.drop_column("payee_bank_account", "name_reason")


def _functions(*, now: bool) -> None:
    for name, rules in (
        ("state_is_known", STATES),
        ("decided_by_whom_and_when", DECIDED),
        ("usable_once_verified", USABLE),
    ):
        op.execute(
            "-- squawk-ignore ban-drop-constraint -- another of the same name follows at once\n"
            f"ALTER TABLE payee_bank_account DROP CONSTRAINT payee_bank_account_{name}"
        )
        _check(name, rules[now])
    kept: str = import_module("migrations.versions.0062_payee_accounts").KEPT
    decided: str = import_module("migrations.versions.0046_proofs").DECIDED
    decided = decided.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    if now:
        kept = _replaced(
            kept,
            ("IS DISTINCT FROM jsonb_build_object(", "IS DISTINCT FROM jsonb_strip_nulls("
             "jsonb_build_object('name_reason', new.name_reason,"),
            ("concat_ws(':', new.scheme, new.member_id, new.number))\n",
             "concat_ws(':', new.scheme, new.member_id, new.number)))\n"),
            ("new.declared_by, new.declared_at)", "new.declared_by, new.declared_at, "
             "new.name_reason)"),
            ("old.declared_by, old.declared_at)", "old.declared_by, old.declared_at, "
             "old.name_reason)"),
            ("('declared', 'refused'), ", "('declared', 'refused'), ('declared', 'withdrawn'), "),
        )  # fmt: skip
        decided = _replaced(
            decided,
            ("now_is ->> 'state' <> waiting AND NOT EXISTS",
             "now_is ->> 'state' NOT IN (waiting, 'withdrawn') AND NOT EXISTS"),
        )  # fmt: skip
    op.execute(kept)
    op.execute(decided)


def _check(name: str, rule: str) -> None:
    op.execute(
        f"ALTER TABLE payee_bank_account ADD CONSTRAINT payee_bank_account_{name} "
        f"CHECK ({rule}) NOT VALID"
    )


def _replaced(text: str, *pairs: tuple[str, str]) -> str:
    for before, after in pairs:
        assert before in text, before  # noqa: S101 - a migration that finds nothing must stop.
        text = text.replace(before, after)
    return text
