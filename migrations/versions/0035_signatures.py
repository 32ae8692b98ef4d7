"""Archived contracts: revisions after the last signature, each a time-stamp over the whole file."""

from alembic import op

revision = "0035"
down_revision = "0034"

NAME = "deal_document_revision_is_known"


def upgrade() -> None:
    _check("revision >= 0")


def downgrade() -> None:
    _check("revision BETWEEN 0 AND 3")


def _check(rule: str) -> None:
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- another one of the same name follows at once\n"
        f"ALTER TABLE deal_document DROP CONSTRAINT {NAME}"
    )
    op.execute(f"ALTER TABLE deal_document ADD CONSTRAINT {NAME} CHECK ({rule}) NOT VALID")
