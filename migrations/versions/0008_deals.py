"""Deals: frozen terms, revisions of the contract that are never changed, signing sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


# What was agreed stays agreed: only the regions of state and the document's hashes may move.
KEEP_TERMS = """
CREATE FUNCTION keep_terms() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF (NEW.id, NEW.work_id, NEW.contract_no, NEW.listing_id, NEW.auction_id, NEW.licensor_id,
      NEW.licensee_id, NEW.terms, NEW.terms_sha256, NEW.amount_minor, NEW.currency, NEW.created_at)
     IS DISTINCT FROM
     (OLD.id, OLD.work_id, OLD.contract_no, OLD.listing_id, OLD.auction_id, OLD.licensor_id,
      OLD.licensee_id, OLD.terms, OLD.terms_sha256, OLD.amount_minor, OLD.currency, OLD.created_at)
  THEN RAISE EXCEPTION 'the terms of a deal are frozen' USING errcode = '23514';
  END IF;
  IF OLD.signing = 'executed'
     AND (NEW.signing, NEW.base_sha256, NEW.pdf_sha256, NEW.executed_at)
     IS DISTINCT FROM (OLD.signing, OLD.base_sha256, OLD.pdf_sha256, OLD.executed_at)
  THEN RAISE EXCEPTION 'an executed deal stays executed' USING errcode = '23514';
  END IF;
  RETURN NEW;
END $$
"""


def upgrade() -> None:
    _deal()
    _document()
    _session()
    op.execute(KEEP_TERMS)
    op.execute(
        "CREATE TRIGGER deal_keeps_terms BEFORE UPDATE ON deal "
        "FOR EACH ROW EXECUTE FUNCTION keep_terms()"
    )
    op.execute(
        "CREATE TRIGGER deal_stays BEFORE DELETE ON deal "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER deal_document_stays BEFORE UPDATE OR DELETE ON deal_document "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def _deal() -> None:
    op.create_table(
        "deal",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("work_id", sa.Uuid(), sa.ForeignKey("work.id"), nullable=False, index=True),
        sa.Column("contract_no", sa.String(), nullable=False, unique=True),
        sa.Column("listing_id", sa.Uuid(), nullable=False, unique=True),
        sa.Column("auction_id", sa.Uuid(), nullable=False),
        sa.Column("licensor_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False, index=True),
        sa.Column("licensee_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False, index=True),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        sa.Column("terms_sha256", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("signing", sa.String(), nullable=False),
        sa.Column("performance", sa.String(), nullable=False),
        sa.Column("ended", sa.String(), nullable=True),
        sa.Column("base_sha256", sa.String(), nullable=True),
        sa.Column("pdf_sha256", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("executed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "signing IN ('drafted', 'certified', 'licensor_signed', 'executed', 'voided')",
            name="deal_signing_is_known",
        ),
        sa.CheckConstraint(
            "performance IN ('pending', 'effective', 'paid')", name="deal_performance_is_known"
        ),
        sa.CheckConstraint(
            "ended IN ('expired', 'terminated', 'superseded')", name="deal_ended_is_known"
        ),
        sa.CheckConstraint("amount_minor > 0", name="deal_amount_is_positive"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="deal_currency_is_a_code"),
        sa.CheckConstraint("licensor_id <> licensee_id", name="deal_has_two_sides"),
        sa.CheckConstraint("terms_sha256 ~ '^[0-9a-f]{64}$'", name="deal_terms_sha256_is_hex"),
        sa.CheckConstraint(
            "signing IN ('drafted', 'voided') "
            "OR (base_sha256 IS NOT NULL AND pdf_sha256 IS NOT NULL)",
            name="deal_certified_has_document",
        ),
        sa.CheckConstraint(
            "(signing = 'executed') = (executed_at IS NOT NULL)", name="deal_executed_has_time"
        ),
        sa.CheckConstraint(
            "performance = 'pending' OR signing = 'executed'", name="deal_performs_when_executed"
        ),
    )


def _document() -> None:
    op.create_table(
        "deal_document",
        sa.Column("deal_id", sa.Uuid(), sa.ForeignKey("deal.id"), primary_key=True),
        sa.Column("revision", sa.Integer(), primary_key=True),
        sa.Column("pdf", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("revision BETWEEN 0 AND 3", name="deal_document_revision_is_known"),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="deal_document_sha256_is_hex"),
    )


def _session() -> None:
    op.create_table(
        "signing_session",
        sa.Column("deal_id", sa.Uuid(), sa.ForeignKey("deal.id"), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("key_id", sa.Uuid(), sa.ForeignKey("party_key.id"), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("spki_sha256", sa.String(), nullable=False),
        sa.Column("certificate_pem", sa.String(), nullable=False),
        sa.Column("on_sha256", sa.String(), nullable=False),
        sa.Column("prepared", sa.LargeBinary(), nullable=False),
        sa.Column("document_digest", sa.LargeBinary(), nullable=False),
        sa.Column("gap_start", sa.Integer(), nullable=False),
        sa.Column("gap_end", sa.Integer(), nullable=False),
        sa.Column("tbs", sa.LargeBinary(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "role IN ('licensor', 'licensee')", name="signing_session_role_is_known"
        ),
        sa.CheckConstraint("expires_at > opened_at", name="signing_session_has_time"),
        sa.CheckConstraint(
            "(completed_at IS NULL) = (signature IS NULL)", name="signing_session_done_is_whole"
        ),
    )


def downgrade() -> None:
    op.drop_table("signing_session")
    op.drop_table("deal_document")
    op.drop_table("deal")
    op.execute("DROP FUNCTION keep_terms()")
