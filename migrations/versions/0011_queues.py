"""Indexes for what loops and queues ask, and checks that rows lacked.

Each index holds only the rows that still wait, so that it stays small however much has been done.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

QUEUES = (
    ("ix_master_overdue", "master", "expires_at", "state = 'uploading'"),
    ("ix_party_to_verify", "party", "created_at", "state = 'registered'"),
    ("ix_settlement_to_pay_out", "settlement", "planned_at", "state = 'funded'"),
    ("ix_payout_to_decide", "payout", "prepared_at", "state = 'prepared'"),
)
CHECKS = (
    ("payment_counts", "payment", "checks >= 0"),
    ("settlement_line_basis_is_not_negative", "settlement_line", "basis_minor >= 0"),
    ("settlement_terms_sha256_is_hex", "settlement", "terms_sha256 ~ '^[0-9a-f]{64}$'"),
    ("outbound_payload_sha256_is_hex", "outbound", "payload_sha256 ~ '^[0-9a-f]{64}$'"),
)


def upgrade() -> None:
    for name, table, column, waiting in QUEUES:
        op.create_index(name, table, [column], postgresql_where=sa.text(waiting))
    op.create_index("ix_payout_transfer_party_id", "payout_transfer", ["party_id"])
    for name, table, rule in CHECKS:
        op.create_check_constraint(name, table, rule)


def downgrade() -> None:
    for name, table, _ in CHECKS:
        op.drop_constraint(name, table)
    op.drop_index("ix_payout_transfer_party_id")
    for name, *_ in QUEUES:
        op.drop_index(name)
