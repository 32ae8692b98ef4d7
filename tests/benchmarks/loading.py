"""The generated register in a PostgreSQL of its own, built by the migrations, loaded by COPY.

The exclusion constraint is dropped for a load and added back behind it, so that a load that holds a
double sale fails. Triggers and foreign keys rest while rows are copied: the rows name their root
and block themselves.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from uuid import UUID

import psycopg

from contracts import ids
from contracts.rights import axes, vocabulary
from tests.benchmarks import register
from tests.benchmarks.register import USES, Draw, Node, Pools
from tests.contracts.parties_factory import code

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
EXPIRES = datetime(2026, 12, 22, 9, 0, tzinfo=UTC)
OWNERS, LICENSEES = 400, 300
AXES = {axis.name: axis for axis in (axes.MEDIA, axes.TERRITORIES, axes.LANGUAGES)}
CONSTRAINT = "rights_grant_no_double_sale"
GRANT = (
    "work_id", "id", "state", "grantor_id", "grantee_id", "source", "deal_id", "right_no", "media",
    "territories", "languages", "during", "lane", "exclusivity", "wire", "created_at",
    "effective_at", "ended_at", "root_id", "units", "expires_at",
)  # fmt: skip
WORK = (
    "id", "party_id", "title_zh", "title_en", "kind", "year", "country", "created_at", "parent_id",
    "root_id", "unit_first", "unit_after", "completed_on", "published_on",
)  # fmt: skip


class Loader:
    """Copies works and grants; grants of a tree get their ids and licensees from the seed too."""

    def __init__(self, connection: psycopg.Connection, pools: Pools) -> None:
        self._connection, self._pools = connection, pools
        self._random = Random(register.SEED + 1)
        self._lane = 0
        self.owners: list[UUID] = []
        self._licensees: list[UUID] = []

    def parties(self) -> None:
        """Enter owners and licensees."""
        made = [ids.new(NOW) for _ in range(OWNERS + LICENSEES)]
        self.owners, self._licensees = made[:OWNERS], made[OWNERS:]
        columns = ("id", "kind", "name_zh", "name_en", "uscc", "state", "created_at")
        self._copy("party", columns, (
            (id, "rights_holder" if at < OWNERS else "broadcaster", f"机构 {at}", f"Party {at}",
             code(at + 1), "verified", NOW)
            for at, id in enumerate(made)
        ))  # fmt: skip

    def works(self, trees: Iterable[list[Node]]) -> None:
        """Enter the works of trees."""
        self._copy("work", WORK, (self._work(node) for tree in trees for node in tree))

    def grants(self, drawn: Iterable[Draw]) -> None:
        """Enter grants, with the constraint dropped before and added back after."""
        with self._connection.cursor() as cursor:
            rule = cursor.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s",
                [CONSTRAINT],
            ).fetchone()
            if rule is None:
                raise LookupError(CONSTRAINT)
            cursor.execute(f"ALTER TABLE rights_grant DROP CONSTRAINT {CONSTRAINT}")
            self._copy("rights_grant", GRANT, (self._grant(draw) for draw in drawn))
            cursor.execute("SET LOCAL maintenance_work_mem = '1GB'")
            cursor.execute(f"ALTER TABLE rights_grant ADD CONSTRAINT {CONSTRAINT} {rule[0]}")
            cursor.execute("SELECT setval('rights_lane', %s)", [self._lane + 1])

    def _copy(
        self, table: str, columns: tuple[str, ...], rows: Iterator[tuple[object, ...]]
    ) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.execute("SET LOCAL session_replication_role = origin")

    def _work(self, node: Node) -> tuple[object, ...]:
        day = f"{2005 + node.id.int % 20}-05-01"
        return (
            node.id, self.owners[node.owner], "示范作品", "Demonstration Work", node.kind,
            2005 + node.id.int % 20, "CN", NOW, node.parent, node.root, *node.units, day, day,
        )  # fmt: skip

    def _grant(self, draw: Draw) -> tuple[object, ...]:
        node, state = draw.node, draw.state
        id = UUID(int=self._random.getrandbits(128))
        granted, waiting = state in ("effective", "ended"), state in ("reserved", "held")
        shared = draw.exclusivity == "non-exclusive"
        self._lane += shared
        wire = self._pools.wire(draw.use, draw.place, draw.tongue, draw.start, draw.end)
        return (
            node.id, id, state, self.owners[node.owner],
            self._random.choice(self._licensees) if granted or state == "held" else None,
            str(id), id if granted or state == "held" else None, *self._box(draw),
            f"[{self._lane},{self._lane + 1})" if shared else "(,)", draw.exclusivity,
            json.dumps(wire | {"exclusivity": draw.exclusivity, "runs_max": None}), NOW,
            NOW if granted else None, NOW if state in ("ended", "released") else None,
            node.root, f"[{node.units[0]},{node.units[1]})", EXPIRES if waiting else None,
        )  # fmt: skip

    def _box(self, draw: Draw) -> tuple[str, ...]:
        media, territories, languages = self._pools.masks
        number = vocabulary.RIGHTS[USES[draw.use][0]].number
        return (
            f"[{number},{number + 1})",
            spans("medium", media[draw.use]),
            spans("territory", territories[draw.place]),
            spans("language", languages[draw.tongue]),
            during(self._pools, draw.start, draw.end),
        )


@lru_cache(maxsize=100_000)
def spans(axis: str, mask: int) -> str:
    """Return a mask of the axis of this name as the text of a multirange."""
    return "{" + ",".join(f"[{low},{high})" for low, high in AXES[axis].ranges(mask)) + "}"


@lru_cache(maxsize=100_000)
def during(pools: Pools, start: int, end: int) -> str:
    """Return quarters as the text of a range of instants."""
    window = pools.box(0, 0, 0, start, end).window
    return f"[{window.start.isoformat()},{window.end.isoformat()})"
