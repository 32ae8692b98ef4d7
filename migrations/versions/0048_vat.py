"""VAT booked apart: what an invoice's price holds of it, and what the commission holds.

Invoices from before booked no VAT, so theirs within the commission stays nothing; that within the
price is written down by the rate of 2026, which was shown for them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0046"

NAME = "invoice_tax_is_part_of_it"
RULE = (
    "tax_minor BETWEEN 0 AND amount_minor AND tax_rate_bp BETWEEN 0 AND 10000 "
    "AND fee_tax_minor BETWEEN 0 AND amount_minor"
)
COLUMNS = {
    "tax_minor": sa.BigInteger(),
    "tax_rate_bp": sa.Integer(),
    "fee_tax_minor": sa.BigInteger(),
}


def upgrade() -> None:
    """Add the columns, and fill in what the price of earlier invoices holds."""
    for name, kind in COLUMNS.items():
        op.add_column("invoice", sa.Column(name, kind, nullable=False, server_default=sa.text("0")))
    op.execute(
        "UPDATE invoice SET tax_rate_bp = 600, "
        "tax_minor = (2 * amount_minor * 600 + 10600) / (2 * 10600) "
        "WHERE (issued_at AT TIME ZONE 'Asia/Shanghai')::date >= '2026-01-01'"
    )
    op.execute(f"ALTER TABLE invoice ADD CONSTRAINT {NAME} CHECK ({RULE}) NOT VALID")


def downgrade() -> None:
    """Drop them again; what was booked stays in the ledger."""
    op.drop_constraint(NAME, "invoice")
    for name in COLUMNS:
        op.drop_column("invoice", name)
