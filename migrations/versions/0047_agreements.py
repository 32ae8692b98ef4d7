"""Agreements with the exchange: frozen terms, revisions that never change, signing sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0051"

INSTANT = sa.DateTime(timezone=True)
HEX = "~ '^[0-9a-f]{64}$'"
AGREEMENT = {
    "agreement_kind_is_known": "kind = 'deposit'",
    "agreement_state_is_known": "state IN ('certified', 'signed')",
    "agreement_terms_sha256_is_hex": f"terms_sha256 {HEX}",
    "agreement_base_sha256_is_hex": f"base_sha256 {HEX}",
    "agreement_pdf_sha256_is_hex": f"pdf_sha256 {HEX}",
    "agreement_signed_has_time": "(state = 'signed') = (signed_at IS NOT NULL)",
}
SESSION = {
    "agreement_session_role_is_known": "role = 'bidder'",
    "agreement_session_has_time": "expires_at > opened_at",
    "agreement_session_done_is_whole": "(completed_at IS NULL) = (signature IS NULL)",
}

# What was agreed stays agreed; a signature is put under it once, and never taken back.
KEPT = """
CREATE FUNCTION agreement_is_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF tg_op = 'DELETE' OR old.state = 'signed'
    OR to_jsonb(new) - '{state,pdf_sha256,signed_at}'::text[]
       <> to_jsonb(old) - '{state,pdf_sha256,signed_at}'::text[]
  THEN
    RAISE EXCEPTION 'an agreement stays what was certified, and is signed once'
      USING errcode = '23514', constraint = 'agreement_stays';
  END IF;
  RETURN new;
END $$
"""


def upgrade() -> None:
    """Make the three tables."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _agreement()
    _document()
    _session()
    op.execute(KEPT)
    op.execute(
        "CREATE TRIGGER agreement_is_kept BEFORE UPDATE OR DELETE ON agreement "
        "FOR EACH ROW EXECUTE FUNCTION agreement_is_kept()"
    )
    op.execute(
        "CREATE TRIGGER agreement_document_stays BEFORE UPDATE OR DELETE ON agreement_document "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def _agreement() -> None:
    op.create_table(
        "agreement",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False, index=True),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        sa.Column("terms_sha256", sa.String(), nullable=False),
        sa.Column("base_sha256", sa.String(), nullable=False),
        sa.Column("pdf_sha256", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("signed_at", INSTANT, nullable=True),
        *[sa.CheckConstraint(rule, name=name) for name, rule in AGREEMENT.items()],
    )
    op.create_index(
        "agreement_one_of_a_party", "agreement", ["subject_id", "party_id", "kind"], unique=True
    )


def _document() -> None:
    op.create_table(
        "agreement_document",
        sa.Column("agreement_id", sa.Uuid(), sa.ForeignKey("agreement.id"), primary_key=True),
        sa.Column("revision", sa.Integer(), primary_key=True),
        sa.Column("pdf", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.CheckConstraint("revision >= 0", name="agreement_document_revision_is_known"),
        sa.CheckConstraint(f"sha256 {HEX}", name="agreement_document_sha256_is_hex"),
    )


def _session() -> None:
    op.create_table(
        "agreement_session",
        sa.Column("agreement_id", sa.Uuid(), sa.ForeignKey("agreement.id"), primary_key=True),
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
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("completed_at", INSTANT, nullable=True),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        *[sa.CheckConstraint(rule, name=name) for name, rule in SESSION.items()],
    )
    op.create_index(
        "agreement_session_signs_once",
        "agreement_session",
        ["agreement_id"],
        unique=True,
        postgresql_where=sa.text("completed_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop the tables again."""
    op.drop_table("agreement_session")
    op.drop_table("agreement_document")
    op.drop_table("agreement")
    op.execute("DROP FUNCTION agreement_is_kept()")
