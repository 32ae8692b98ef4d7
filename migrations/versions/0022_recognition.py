"""Recognition: what is protected, verdicts on masters, resemblances, declarations."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"

INSTANT = sa.DateTime(timezone=True)
TABLES = ("protected_master", "recognition", "resemblance", "declaration")
PROTECTED_CHECKS = {
    "protected_master_has_an_epoch": "epoch > 0",
    "protected_master_sha256_is_hex": "sha256 ~ '^[0-9a-f]{64}$'",
    "protected_master_essence_is_hex": "essence ~ '^[0-9a-f]{64}$'",
}
RECOGNITION_CHECKS = {
    "recognition_state": "state IN ('clear', 'doubtful', 'copy')",
    "recognition_epoch_counts": "epoch >= 0",
    "recognition_is_open_unless_clear": "(state = 'clear') = (opened_at IS NULL)",
    "recognition_decided_when": "num_nonnulls(reason, decided_by, decided_at) IN (0, 3)",
    "recognition_reason_is_short": "char_length(reason) BETWEEN 1 AND 500",
}
RESEMBLANCE_CHECKS = {
    "resemblance_kind_is_known": (
        "kind IN ('same-file', 'copy', 'excerpt', 'contains', 'versions', 'picture-only', "
        "'sound-only')"
    ),
    "resemblance_shares_are_shares": (
        "coverage_here_bp BETWEEN 0 AND 10000 AND coverage_there_bp BETWEEN 0 AND 10000 "
        "AND confidence_bp BETWEEN 0 AND 10000 AND sound_bp BETWEEN 0 AND 10000"
    ),
    "resemblance_has_segments": "jsonb_typeof(segments) = 'array'",
    "resemblance_state": "state IN ('clear', 'doubtful', 'copy')",
    "resemblance_settled": "settled IN ('cleared', 'refused')",
    "resemblance_is_of_two": "master_id <> other_master_id",
}
DECLARATION_CHECKS = {
    "declaration_claim": "claim IN ('version', 'archive', 'licensed')",
    "declaration_state_is_known": "state IN ('declared', 'accepted', 'rejected')",
    "declaration_decided_when": (
        "(state = 'declared') = (decided_at IS NULL) AND (state = 'declared') = "
        "(decided_by IS NULL) AND (state = 'declared') = (reason IS NULL)"
    ),
    "declaration_stretch_is_whole": (
        "(here_ms IS NULL) = (length_ms IS NULL) AND here_ms >= 0 AND length_ms > 0"
    ),
    "declaration_texts_are_short": (
        "char_length(source) BETWEEN 1 AND 500 AND char_length(reason) BETWEEN 1 AND 500 "
        "AND char_length(objection) BETWEEN 1 AND 500"
    ),
    "declaration_objected_when": "(objection IS NULL) = (objected_at IS NULL)",
}


def upgrade() -> None:
    _protected()
    _recognitions()
    _resemblances()
    _declarations()
    # What was listed before is protected as well; its essence was not hashed then.
    op.execute(
        "INSERT INTO protected_master "
        "(listing_id, master_id, party_id, work_id, root_id, epoch, sha256) "
        "SELECT listing.id, listing.master_id, listing.party_id, work.id, work.root_id, "
        "listing.epoch, master.sha256 FROM listing JOIN work ON work.id = listing.work_id "
        "JOIN master ON master.id = listing.master_id WHERE listing.epoch IS NOT NULL"
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _master(name: str = "master_id", **options: Any) -> sa.Column[Any]:
    """A column that refers to a master; what is about an unfinished upload goes with it."""
    gone = "CASCADE" if name == "master_id" else None
    return sa.Column(
        name, sa.Uuid(), sa.ForeignKey("master.id", ondelete=gone), nullable=False, **options
    )


def _party(name: str = "party_id") -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid(), sa.ForeignKey("party.id"), nullable=False)


def _decider() -> sa.Column[Any]:
    return sa.Column("decided_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True)


def _checks(rules: dict[str, str]) -> list[sa.CheckConstraint]:
    return [sa.CheckConstraint(rule, name=name) for name, rule in rules.items()]


def _protected() -> None:
    op.create_table(
        "protected_master",
        sa.Column("listing_id", sa.Uuid(), sa.ForeignKey("listing.id"), primary_key=True),
        sa.Column("master_id", sa.Uuid(), sa.ForeignKey("master.id"), nullable=False, index=True),
        _party(),
        sa.Column("work_id", sa.Uuid(), sa.ForeignKey("work.id"), nullable=False),
        sa.Column("root_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False, unique=True),
        sa.Column("sha256", sa.String(), nullable=True, index=True),
        sa.Column("essence", sa.String(), nullable=True, index=True),
        *_checks(PROTECTED_CHECKS),
    )


def _recognitions() -> None:
    op.create_table(
        "recognition",
        _master(primary_key=True),
        _party(),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("searched_at", INSTANT, nullable=False),
        sa.Column("opened_at", INSTANT, nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        _decider(),
        sa.Column("decided_at", INSTANT, nullable=True),
        *_checks(RECOGNITION_CHECKS),
    )
    op.create_index(
        "recognition_open",
        "recognition",
        ["opened_at"],
        postgresql_where=sa.text("opened_at IS NOT NULL"),
    )


def _resemblances() -> None:
    op.create_table(
        "resemblance",
        _master(primary_key=True),
        _master("other_master_id", primary_key=True, index=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("sure", sa.Boolean(), nullable=False),
        sa.Column("segments", JSONB(), nullable=False),
        sa.Column("coverage_here_bp", sa.Integer(), nullable=False),
        sa.Column("coverage_there_bp", sa.Integer(), nullable=False),
        sa.Column("confidence_bp", sa.Integer(), nullable=False),
        sa.Column("sound_bp", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("settled", sa.String(), nullable=True),
        sa.Column("found_at", INSTANT, nullable=False),
        *_checks(RESEMBLANCE_CHECKS),
    )


def _declarations() -> None:
    op.create_table(
        "declaration",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _master(index=True),
        _party(),
        _master("other_master_id", index=True),
        _party("other_party_id"),
        sa.Column("listing_id", sa.Uuid(), sa.ForeignKey("listing.id"), nullable=False),
        sa.Column("claim", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("here_ms", sa.Integer(), nullable=True),
        sa.Column("length_ms", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        _decider(),
        sa.Column("objection", sa.String(), nullable=True),
        sa.Column("objected_at", INSTANT, nullable=True),
        sa.Column("declared_at", INSTANT, nullable=False),
        sa.Column("decided_at", INSTANT, nullable=True),
        *_checks(DECLARATION_CHECKS),
    )
    op.create_index(
        "declaration_open",
        "declaration",
        ["declared_at"],
        postgresql_where=sa.text("state = 'declared'"),
    )
