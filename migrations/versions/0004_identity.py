"""Parties, their keys, people, sessions and API keys."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _parties()
    _people()
    _api_keys()


def downgrade() -> None:
    for table in ("api_key", "sign_in_failures", "sign_in", "person", "party_key", "party"):
        op.drop_table(table)


def _parties() -> None:
    op.create_table(
        "party",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("uscc", sa.String(), nullable=False, unique=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('rights_holder', 'broadcaster', 'exchange')", name="party_kind_is_known"
        ),
        sa.CheckConstraint(
            "(kind = 'exchange') = (id = '00000000-0000-7000-8000-000000000001')",
            name="party_exchange_is_one",
        ),
        sa.CheckConstraint("state IN ('registered', 'verified')", name="party_state_is_known"),
        sa.CheckConstraint(
            "char_length(name_zh) BETWEEN 1 AND 200 AND char_length(name_en) BETWEEN 1 AND 200",
            name="party_has_names",
        ),
        sa.CheckConstraint(
            "CASE kind WHEN 'exchange' THEN uscc = '' "
            "ELSE uscc ~ '^[0-9]{8}[0-9A-HJ-NPQRTUWXY]{10}$' END",
            name="party_code_has_form",
        ),
    )
    op.create_table(
        "party_key",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False, index=True),
        sa.Column("spki_sha256", sa.String(), nullable=False, unique=True),
        sa.Column("public_key_pem", sa.String(), nullable=False),
        sa.Column("certificate_pem", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("registered_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.CheckConstraint("state IN ('active', 'revoked')", name="party_key_state_is_known"),
        sa.CheckConstraint(
            "(state = 'revoked') = (revoked_at IS NOT NULL)", name="party_key_revoked_when"
        ),
        sa.CheckConstraint("spki_sha256 ~ '^[0-9a-f]{64}$'", name="party_key_hash_is_hex"),
    )


def _people() -> None:
    op.create_table(
        "person",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False, index=True),
        sa.Column("email", sa.String(), nullable=False, unique=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "role IN ('holder', 'broadcaster', 'operator', 'approver', 'auditor')",
            name="person_role_is_known",
        ),
        sa.CheckConstraint("state IN ('active', 'suspended')", name="person_state_is_known"),
        sa.CheckConstraint("email = lower(email)", name="person_email_is_lower_case"),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name="person_has_a_name"),
    )
    op.create_table(
        "sign_in",
        sa.Column("id_hash", sa.LargeBinary(), primary_key=True),
        sa.Column("person_id", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False, index=True),
        sa.Column("csrf_token", sa.String(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False, index=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("octet_length(id_hash) = 32", name="sign_in_id_is_a_hash"),
        sa.CheckConstraint("expires_at > created_at", name="sign_in_expires_later"),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("email_hash", sa.LargeBinary(), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since", INSTANT, nullable=False, index=True),
        sa.CheckConstraint("octet_length(email_hash) = 32", name="sign_in_failures_id_is_a_hash"),
        sa.CheckConstraint("failures > 0", name="sign_in_failures_are_counted"),
    )


def _api_keys() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("person_id", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False, index=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False, index=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("last4", sa.String(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("octet_length(secret_sha256) = 32", name="api_key_secret_is_a_hash"),
        sa.CheckConstraint(
            "scopes <@ ARRAY['read', 'list', 'bid', 'deal', 'money']::varchar[] "
            "AND cardinality(scopes) > 0",
            name="api_key_scopes_are_known",
        ),
        sa.CheckConstraint("prefix IN ('rx_test_', 'rx_live_')", name="api_key_prefix_is_known"),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name="api_key_has_a_name"),
        sa.CheckConstraint("char_length(last4) = 4", name="api_key_shows_four"),
    )
