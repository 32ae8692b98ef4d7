"""Rows of titles: who owns a work, and who holds which rights in it.

Source of the constraint: PostgreSQL "Exclusion Constraints". Every axis of a grant is a range of
the vocabulary's numbers, so that one constraint, without an extension, refuses two live grants that
share a use when either keeps others out: an exclusive grant takes the whole of `lane`, a
non-exclusive one a number of its own.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Sequence,
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

from contracts.rights import axes, vocabulary
from contracts.rights.algebra import Exclusivity, RightsBox
from contracts.rights.axes import Axis
from contracts.window import Window

LIVE = ("reserved", "held", "effective")
LANES = Sequence("rights_lane", metadata=SQLModel.metadata)


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
    consented_at: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )


class RightsGrant(SQLModel, table=True):
    """Rights taken out of a work for somebody: offered, in signature, or granted.

    `source` is the listing whose offer reserved them; `wire` is the offer as published; the ranges
    are its box, resolved when it was reserved. They never change (migration 0005 has a trigger).
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
            "state NOT IN ('held', 'effective') "
            "OR (grantee_id IS NOT NULL AND deal_id IS NOT NULL)",
            name="rights_grant_held_names_its_deal",
        ),
        Index("rights_grant_source", "work_id", "source"),
        Index("rights_grant_deal", "work_id", "deal_id"),
        ExcludeConstraint(
            (text("uuidrange(work_id, work_id, '[]')"), "&&"),
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
    wire: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    effective_at: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )
    ended_at: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )

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
