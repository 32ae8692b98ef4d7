"""Payout batches: several payouts approved at once, each in one batch that is not refused.

A payout is approved by an approval of its own, or by that of a batch which says its very hash; in
both cases by another person than the one who prepared the payout.
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0047"

INSTANT = sa.DateTime(timezone=True)
_PLAIN = "LANGUAGE plpgsql SET search_path = public, pg_temp AS $$\n"
BATCH_CHECKS = {
    "state_is_known": "state IN ('prepared', 'approved', 'refused')",
    "needs_two_people": "prepared_by <> decided_by",
    "decided_by_whom_and_when": "(state = 'prepared') = (decided_by IS NULL) "
    "AND (decided_by IS NULL) = (decided_at IS NULL)",
    "refused_with_a_reason": "(state = 'refused') = (reason IS NOT NULL)",
    "reason_has_length": "char_length(reason) BETWEEN 1 AND 500",
    "sha256_is_hex": "content_sha256 ~ '^[0-9a-f]{64}$'",
}
ITEM_CHECKS = {
    "state_is_known": "state IN ('prepared', 'approved', 'refused')",
    "amount_is_positive": "amount_minor > 0",
    "currency_is_a_code": "currency ~ '^[A-Z]{3}$'",
    "sha256_is_hex": "payout_sha256 ~ '^[0-9a-f]{64}$'",
}
# What is approved is what the content says: each payout with its hash and what it pays.
SAYS = f"""
CREATE FUNCTION payout_batch_pays_what_it_says() RETURNS trigger {_PLAIN}
DECLARE said jsonb; rows jsonb;
BEGIN
  IF new.state <> 'approved' OR old.state = 'approved' THEN
    RETURN new;
  END IF;
  said := convert_from(new.content, 'UTF8')::jsonb -> 'payouts';
  SELECT jsonb_agg(jsonb_build_object('payout', i.payout_id::text, 'content_sha256',
      i.payout_sha256, 'amount_minor', i.amount_minor, 'currency', i.currency)) INTO rows
    FROM payout_batch_item i JOIN payout p ON p.id = i.payout_id
      AND p.content_sha256 = i.payout_sha256
    WHERE i.batch_id = new.id;
  IF rows IS NULL OR jsonb_array_length(said) <> jsonb_array_length(rows)
    OR NOT (said @> rows AND rows @> said)
  THEN
    RAISE EXCEPTION 'batch % has other payouts than it says', new.id
      USING errcode = '23514', constraint = 'payout_batch_pays_what_it_says';
  END IF;
  RETURN new;
END $$
"""
ITEM = f"""
CREATE FUNCTION payout_batch_item_is_kept() RETURNS trigger {_PLAIN}
DECLARE whole text;
BEGIN
  IF tg_op = 'DELETE' THEN
    RAISE EXCEPTION 'an item of a batch stays'
      USING errcode = '23514', constraint = 'payout_batch_item_stays';
  END IF;
  SELECT state INTO whole FROM payout_batch WHERE id = new.batch_id;
  IF new.state <> whole OR (tg_op = 'INSERT' AND whole <> 'prepared')
    OR (tg_op = 'UPDATE' AND to_jsonb(new) - 'state' <> to_jsonb(old) - 'state')
  THEN
    RAISE EXCEPTION 'an item is as its batch is, and says the same for ever'
      USING errcode = '23514', constraint = 'payout_batch_item_stays';
  END IF;
  RETURN new;
END $$
"""
ALONE = "      AND (a.used_at IS NOT NULL OR new.state = 'refused'))\n"
OR_IN_A_BATCH = (
    ALONE
    + """    AND NOT (new.state = 'approved' AND new.decided_by <> new.prepared_by AND EXISTS (
      SELECT FROM payout_batch_item i JOIN payout_batch b ON b.id = i.batch_id
        JOIN approval a ON a.object_type = 'payout-batch' AND a.object_id = b.id
          AND a.object_hash = b.content_sha256 AND a.maker_id = b.prepared_by
        WHERE i.payout_id = new.id AND i.payout_sha256 = new.content_sha256
          AND b.state = 'approved' AND b.decided_by = new.decided_by
          AND a.checker_id = new.decided_by AND a.used_at IS NOT NULL))
"""
)


def upgrade() -> None:
    """Create the rows of batches, and let the approval of a batch approve its payouts."""
    op.create_table(
        "payout_batch",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("prepared_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("prepared_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        *[sa.CheckConstraint(rule, name=f"payout_batch_{n}") for n, rule in BATCH_CHECKS.items()],
    )
    op.create_index(
        "ix_payout_batch_to_decide",
        "payout_batch",
        ["prepared_at"],
        postgresql_where=sa.text("state = 'prepared'"),
    )
    op.create_table(
        "payout_batch_item",
        sa.Column("batch_id", sa.Uuid(), sa.ForeignKey("payout_batch.id"), primary_key=True),
        sa.Column("payout_id", sa.Uuid(), sa.ForeignKey("payout.id"), primary_key=True),
        sa.Column("payout_sha256", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        *[
            sa.CheckConstraint(rule, name=f"payout_batch_item_{n}")
            for n, rule in ITEM_CHECKS.items()
        ],
    )
    op.create_index(
        "ix_payout_in_one_batch",
        "payout_batch_item",
        ["payout_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'refused'"),
    )
    for function in (SAYS, ITEM):
        op.execute(function)
    guard = import_module("migrations.versions.0046_proofs").guard
    arguments = "'payout-batch', 'prepared', 'content', 'content_sha256', 'prepared_by'"
    op.execute(guard("payout_batch", arguments))
    op.execute(
        "CREATE TRIGGER payout_batch_pays BEFORE UPDATE ON payout_batch "
        "FOR EACH ROW EXECUTE FUNCTION payout_batch_pays_what_it_says()"
    )
    op.execute(
        "CREATE TRIGGER payout_batch_item_kept BEFORE INSERT OR UPDATE OR DELETE "
        "ON payout_batch_item FOR EACH ROW EXECUTE FUNCTION payout_batch_item_is_kept()"
    )
    op.execute(_payout(OR_IN_A_BATCH))


def downgrade() -> None:
    """Let payouts be approved one by one again."""
    op.execute(_payout(ALONE))
    op.drop_table("payout_batch_item")
    op.drop_table("payout_batch")
    op.execute("DROP FUNCTION payout_batch_item_is_kept()")
    op.execute("DROP FUNCTION payout_batch_pays_what_it_says()")


def _payout(decided: str) -> str:
    """Return the function that keeps payouts, with what counts as an approval of one."""
    body: str = import_module("migrations.versions.0045_approvals").PAYOUT
    replaced = body.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    assert ALONE in replaced  # noqa: S101 - the function of 0045 has this clause.
    return replaced.replace(ALONE, decided)
