"""Rows of titles: who owns a work, and who holds which rights in it.

Source of the constraint: PostgreSQL "Exclusion Constraints". Every axis of a grant is a range of
the vocabulary's numbers, so that one constraint, without an extension, refuses two live grants that
share a use when either keeps others out: an exclusive grant takes the whole of `lane`, a
non-exclusive one a number of its own. Grants under another grant (转授权) are kept apart from each
other, not from the grant they are made under. Migration 0013 has the triggers that take root and
units from the work and keep every grant inside what its grantor holds.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    Sequence,
    String,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import (
    INT4MULTIRANGE,
    INT4RANGE,
    INT8RANGE,
    JSONB,
    TSTZRANGE,
    ExcludeConstraint,
    Range,
)
from sqlmodel import Field, SQLModel

from contracts import column
from contracts.rights import axes, vocabulary
from contracts.rights.algebra import Exclusivity, RightsBox
from contracts.rights.axes import Axis
from contracts.titles.rules import NIL, Units
from contracts.window import Window

LIVE = ("reserved", "held", "effective")
# The root as a number: says no more than the root, but GiST keeps numbers apart at any size.
ROOT_NO = (
    "int8range(uuid_hash_extended(root_id, 0) >> 1, uuid_hash_extended(root_id, 0) >> 1, '[]')"
)
LANES = Sequence("rights_lane", metadata=SQLModel.metadata)


def _defaulted(kind: Any, value: str) -> Column[Any]:
    return Column(kind, nullable=False, server_default=text(value))


class Share(SQLModel, table=True):
    """A co-owner's part of a work (共有份额), in basis points, and when it agreed to it."""

    __tablename__ = "share"
    __table_args__ = (
        CheckConstraint("share_bp BETWEEN 1 AND 10000", name="share_is_a_part"),
        ForeignKeyConstraint(["work_id"], ["work.id"]),
        ForeignKeyConstraint(["party_id"], ["party.id"]),
    )

    work_id: UUID = Field(primary_key=True)
    party_id: UUID = Field(primary_key=True)
    share_bp: int
    consented_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))


class RightsGrant(SQLModel, table=True):
    """Rights taken out of a work for somebody: offered, in signature, or granted.

    `source` is the listing whose offer reserved them, `hold:…` or `recorded:…`; `wire` is the offer
    as published; the ranges are its box, resolved when it was reserved. They never change
    (migration 0013 has a trigger). `under` is the grant that the grantor grants from, NIL for the
    owners' own rights; `units` is the work's block of numbers in the tree of `root_id`.
    """

    __tablename__ = "rights_grant"
    __table_args__ = (
        ForeignKeyConstraint(["work_id"], ["work.id"]),
        ForeignKeyConstraint(["grantor_id"], ["party.id"]),
        ForeignKeyConstraint(["grantee_id"], ["party.id"]),
        CheckConstraint(
            "state IN ('reserved', 'held', 'effective', 'released', 'ended')",
            name="rights_grant_state_is_known",
        ),
        CheckConstraint(
            "exclusivity IN ('exclusive', 'sole', 'non-exclusive')",
            name="rights_grant_exclusivity_is_known",
        ),
        CheckConstraint(
            "CASE exclusivity WHEN 'non-exclusive' "
            "THEN coalesce(upper(lane) - lower(lane) = 1, false) "
            "ELSE lower_inf(lane) AND upper_inf(lane) END",
            name="rights_grant_lane_fits",
        ),
        CheckConstraint(
            "NOT (isempty(right_no) OR isempty(media) OR isempty(territories) "
            "OR isempty(languages) OR isempty(during) OR isempty(lane))",
            name="rights_grant_is_not_empty",
        ),
        CheckConstraint(
            "right_no <@ int4range(5, 18) AND upper(right_no) - lower(right_no) = 1",
            name="rights_grant_is_one_licensable_right",
        ),
        CheckConstraint(
            "NOT (lower_inf(during) OR upper_inf(during))", name="rights_grant_has_an_end"
        ),
        CheckConstraint("runs_max > 0", name="rights_grant_runs_are_positive"),
        CheckConstraint(
            "CASE state WHEN 'held' "
            "THEN grantee_id IS NOT NULL AND (deal_id IS NOT NULL OR source LIKE 'hold:%') "
            "WHEN 'effective' THEN (grantee_id IS NOT NULL AND deal_id IS NOT NULL) OR "
            "(origin = 'recorded' AND (grantee_id IS NOT NULL OR licensee_name IS NOT NULL)) "
            "ELSE true END",
            name="rights_grant_held_names_its_deal",
        ),
        CheckConstraint(
            "sublicence_depth BETWEEN 0 AND 5", name="rights_grant_sublicence_is_possible"
        ),
        CheckConstraint("round_no BETWEEN 1 AND 9", name="rights_grant_round_is_possible"),
        CheckConstraint("origin IN ('exchange', 'recorded')", name="rights_grant_origin_is_known"),
        CheckConstraint(
            "expires_at IS NULL OR state IN ('reserved', 'held', 'released')",
            name="rights_grant_expires_while_it_waits",
        ),
        CheckConstraint(
            "ended_reason IS NULL OR (state IN ('released', 'ended') AND ended_reason IN "
            "('expired', 'lifted', 'default', 'expiry-of-option', 'agreement', 'termination', "
            "'parent-ended'))",
            name="rights_grant_ended_has_a_reason",
        ),
        CheckConstraint(
            "ended_note IS NULL OR (state = 'ended' AND char_length(ended_note) BETWEEN 1 AND 500)",
            name="rights_grant_ended_note_is_short",
        ),
        CheckConstraint(
            "char_length(licensee_name) BETWEEN 1 AND 200",
            name="rights_grant_licensee_name_is_short",
        ),
        CheckConstraint("under <> id", name="rights_grant_is_not_under_itself"),
        CheckConstraint(
            "lower(units) >= 0 AND upper(units) <= 1073741824 AND NOT isempty(units)",
            name="rights_grant_units_are_a_block",
        ),
        Index("rights_grant_source", "work_id", "source"),
        Index("rights_grant_deal", "work_id", "deal_id"),
        Index("rights_grant_root", "root_id", "under"),
        Index(
            "rights_grant_due",
            "expires_at",
            postgresql_where=text("expires_at IS NOT NULL AND state IN ('reserved', 'held')"),
        ),
        ExcludeConstraint(
            (text(ROOT_NO), "&&"),
            (text("uuidrange(root_id, root_id, '[]')"), "&&"),
            (text("uuidrange(under, under, '[]')"), "&&"),
            ("units", "&&"),
            ("right_no", "&&"),
            ("media", "&&"),
            ("territories", "&&"),
            ("languages", "&&"),
            ("during", "&&"),
            ("lane", "&&"),
            where=text("state IN ('reserved', 'held', 'effective')"),
            name="rights_grant_no_double_sale",
        ),
    )
    model_config: ClassVar[Any] = {"arbitrary_types_allowed": True}

    work_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    state: str = "reserved"
    grantor_id: UUID
    grantee_id: UUID | None = None
    source: str
    deal_id: UUID | None = None
    right_no: Range[int] = Field(sa_column=Column(INT4RANGE, nullable=False))
    media: list[Range[int]] = Field(sa_column=Column(INT4MULTIRANGE, nullable=False))
    territories: list[Range[int]] = Field(sa_column=Column(INT4MULTIRANGE, nullable=False))
    languages: list[Range[int]] = Field(sa_column=Column(INT4MULTIRANGE, nullable=False))
    during: Range[datetime] = Field(sa_column=Column(TSTZRANGE, nullable=False))
    lane: Range[int] = Field(sa_column=Column(INT8RANGE, nullable=False))
    exclusivity: str
    runs_max: int | None = None
    root_id: UUID
    units: Range[int] = Field(sa_column=Column(INT4RANGE, nullable=False))
    under: UUID = Field(default=NIL, sa_column=_defaulted(Uuid, f"'{NIL}'"))
    sublicence_depth: int = Field(default=0, sa_column=_defaulted(Integer, "0"))
    round_no: int | None = None
    origin: str = Field(default="exchange", sa_column=_defaulted(String, "'exchange'"))
    licensee_name: str | None = None
    wire: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = Field(sa_column=column.instant())
    effective_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    ended_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    expires_at: datetime | None = Field(default=None, sa_column=column.instant(nullable=True))
    ended_reason: str | None = None
    ended_note: str | None = None

    def box(self) -> RightsBox:
        """Return the box that was reserved, read back from the ranges, not from the words."""
        start, end, right_no = self.during.lower, self.during.upper, self.right_no.lower
        if start is None or end is None or right_no is None:
            raise ValueError("the table's constraints forbid open ranges")
        numbers = {right.number: right.code for right in vocabulary.RIGHTS.values()}
        return RightsBox(
            right=numbers[right_no],
            media=mask(axes.MEDIA, self.media),
            territories=mask(axes.TERRITORIES, self.territories),
            languages=mask(axes.LANGUAGES, self.languages),
            window=Window(start, end),
            exclusivity=Exclusivity(self.exclusivity),
            runs_max=self.runs_max,
        )

    def block(self) -> Units:
        """Return the block of numbers in the tree that the rights are in."""
        return self.units.lower or 0, self.units.upper or 0


def columns(box: RightsBox, *, lane: int) -> dict[str, Any]:
    """Return a box as the range columns of a grant; `lane` is the number of a 普通 grant."""
    number = vocabulary.RIGHTS[box.right].number
    shared = box.exclusivity is Exclusivity.NON_EXCLUSIVE
    return {
        "right_no": Range(number, number + 1),
        "media": spans(axes.MEDIA, box.media),
        "territories": spans(axes.TERRITORIES, box.territories),
        "languages": spans(axes.LANGUAGES, box.languages),
        "during": Range(box.window.start, box.window.end),
        "lane": Range(lane, lane + 1) if shared else Range(None, None, bounds="()"),
        "exclusivity": box.exclusivity.value,
        "runs_max": box.runs_max,
    }


def spans(axis: Axis, mask: int) -> list[Range[int]]:
    """Return the leaves of a mask as the ranges of numbers that the database keeps."""
    return [Range(low, high) for low, high in axis.ranges(mask)]


def mask(axis: Axis, ranges: Iterable[Range[int]]) -> int:
    """Return the leaves that ranges from the database hold."""
    return axis.of_ranges((one.lower or 0, one.upper or 0) for one in ranges)
