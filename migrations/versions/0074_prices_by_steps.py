"""Prices by steps: a right may be open to a guarantee with a share that changes by steps."""

from alembic import op

revision = "0074"
down_revision = "0076"

BEFORE = ("flat", "instalments", "guarantee-share", "per-run", "share")
AFTER = ("flat", "instalments", "guarantee-share", "guarantee-tiers", "per-run", "share")


def upgrade() -> None:
    """Let a right be sold so."""
    _replace(AFTER)


def downgrade() -> None:
    """Take the model away; rights that are open to it cannot be said any more."""
    _replace(BEFORE)


def _replace(models: tuple[str, ...]) -> None:
    known = ", ".join(f"'{model}'" for model in models)
    _check("offerable_models_are_known", f"models <@ ARRAY[{known}]::varchar[]")
    _check("offerable_has_models", f"cardinality(models) BETWEEN 1 AND {len(models)}")


def _check(name: str, rule: str) -> None:
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- the next statement puts another in its place\n"
        f"ALTER TABLE offerable DROP CONSTRAINT {name}"
    )
    op.execute(f"ALTER TABLE offerable ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")
