"""Works, and the register of who owns and holds what."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0005"
down_revision = "0004"

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _works()
    _shares()
    _grants()
    _grants_stay()


def downgrade() -> None:
    op.drop_table("rights_grant")
    op.execute("DROP FUNCTION rights_grant_keeps_its_box()")
    op.execute("DROP SEQUENCE rights_lane")
    op.execute("DROP TYPE uuidrange")
    op.drop_table("share")
    op.drop_table("work")


def _works() -> None:
    op.create_table(
        "work",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False, index=True),
        sa.Column("title_zh", sa.String(), nullable=False),
        sa.Column("title_en", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("eidr", sa.String(), nullable=True),
        sa.Column("isan", sa.String(), nullable=True),
        sa.Column("permit_no", sa.String(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('film', 'series', 'episode', 'documentary', 'sports', 'variety', "
            "'animation', 'other')",
            name="work_kind_is_known",
        ),
        sa.CheckConstraint("year BETWEEN 1888 AND 2200", name="work_year_is_possible"),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name="work_country_has_form"),
        sa.CheckConstraint(
            "char_length(title_zh) BETWEEN 1 AND 200 AND char_length(title_en) BETWEEN 1 AND 200",
            name="work_has_titles",
        ),
        sa.CheckConstraint(
            "eidr ~ '^10[.]5240/([0-9A-F]{4}-){5}[0-9A-Z]$'", name="work_eidr_has_form"
        ),
        sa.CheckConstraint(
            "isan ~ '^([0-9A-F]{4}-){4}[0-9A-Z](-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-Z])?$'",
            name="work_isan_has_form",
        ),
    )


def _shares() -> None:
    op.create_table(
        "share",
        sa.Column("work_id", sa.Uuid(), sa.ForeignKey("work.id"), primary_key=True),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("party.id"), primary_key=True),
        sa.Column("share_bp", sa.Integer(), nullable=False),
        sa.Column("consented_at", INSTANT, nullable=True),
        sa.CheckConstraint("share_bp BETWEEN 1 AND 10000", name="share_is_a_part"),
    )


def _grants() -> None:
    # A range of one uuid stands in for equality, which a GiST index offers no operator for.
    op.execute("CREATE TYPE uuidrange AS RANGE (subtype = uuid)")
    op.execute("CREATE SEQUENCE rights_lane")
    op.create_table(
        "rights_grant",
        sa.Column("work_id", sa.Uuid(), sa.ForeignKey("work.id"), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("grantor_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=False),
        sa.Column("grantee_id", sa.Uuid(), sa.ForeignKey("party.id"), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("deal_id", sa.Uuid(), nullable=True),
        sa.Column("right_no", pg.INT4RANGE(), nullable=False),
        sa.Column("media", pg.INT4MULTIRANGE(), nullable=False),
        sa.Column("territories", pg.INT4MULTIRANGE(), nullable=False),
        sa.Column("languages", pg.INT4MULTIRANGE(), nullable=False),
        sa.Column("during", pg.TSTZRANGE(), nullable=False),
        sa.Column("lane", pg.INT8RANGE(), nullable=False),
        sa.Column("exclusivity", sa.String(), nullable=False),
        sa.Column("runs_max", sa.Integer(), nullable=True),
        sa.Column("wire", pg.JSONB(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("effective_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        *_grant_checks(),
    )
    op.create_index("rights_grant_source", "rights_grant", ["work_id", "source"])
    op.create_index("rights_grant_deal", "rights_grant", ["work_id", "deal_id"])
    op.execute(
        "ALTER TABLE rights_grant ADD CONSTRAINT rights_grant_no_double_sale EXCLUDE USING gist ("
        "uuidrange(work_id, work_id, '[]') WITH &&, right_no WITH &&, media WITH &&, "
        "territories WITH &&, languages WITH &&, during WITH &&, lane WITH &&) "
        "WHERE (state IN ('reserved', 'held', 'effective'))"
    )


def _grant_checks() -> tuple[sa.CheckConstraint, ...]:
    rules = {
        "state_is_known": "state IN ('reserved', 'held', 'effective', 'released', 'ended')",
        "exclusivity_is_known": "exclusivity IN ('exclusive', 'sole', 'non-exclusive')",
        "lane_fits": (
            "CASE exclusivity WHEN 'non-exclusive' "
            "THEN coalesce(upper(lane) - lower(lane) = 1, false) "
            "ELSE lower_inf(lane) AND upper_inf(lane) END"
        ),
        "is_not_empty": (
            "NOT (isempty(right_no) OR isempty(media) OR isempty(territories) "
            "OR isempty(languages) OR isempty(during) OR isempty(lane))"
        ),
        "is_one_licensable_right": (
            "right_no <@ int4range(5, 18) AND upper(right_no) - lower(right_no) = 1"
        ),
        "has_an_end": "NOT (lower_inf(during) OR upper_inf(during))",
        "runs_are_positive": "runs_max > 0",
        "held_names_its_deal": (
            "state NOT IN ('held', 'effective') OR (grantee_id IS NOT NULL AND deal_id IS NOT NULL)"
        ),
    }
    return tuple(
        sa.CheckConstraint(rule, name=f"rights_grant_{name}") for name, rule in rules.items()
    )


def _grants_stay() -> None:
    frozen = (
        "work_id", "id", "grantor_id", "source", "right_no", "media", "territories", "languages",
        "during", "lane", "exclusivity", "runs_max", "wire", "created_at",
    )  # fmt: skip
    old, new = (", ".join(f"{row}.{name}" for name in frozen) for row in ("OLD", "NEW"))
    op.execute(
        "CREATE FUNCTION rights_grant_keeps_its_box() RETURNS trigger LANGUAGE plpgsql "
        "SET search_path = public, pg_temp AS $$ BEGIN "
        f"IF ({old}) IS DISTINCT FROM ({new}) OR OLD.state IN ('released', 'ended') "
        "OR (OLD.state = 'effective' AND NEW.state NOT IN ('effective', 'ended')) "
        "THEN RAISE EXCEPTION 'grant % keeps its box', OLD.id USING errcode = '23514'; END IF; "
        "RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER rights_grant_stays BEFORE UPDATE ON rights_grant "
        "FOR EACH ROW EXECUTE FUNCTION rights_grant_keeps_its_box()"
    )
    op.execute(
        "CREATE TRIGGER rights_grant_is_kept BEFORE DELETE ON rights_grant "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
