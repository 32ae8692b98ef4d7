"""How a file of avails changes what is registered: per ALID by its entry type, line by line (pure).

Source: MovieLabs Avails, Disposition/EntryType. A Full Extract is everything there is of an ALID,
so what it leaves out is withdrawn; Create and Update add and change; Delete withdraws the
transactions it names, Full Delete the whole ALID.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any
from uuid import UUID

from contracts import canonical
from contracts.avails import terms
from contracts.avails.model import (
    DELETIONS,
    Asset,
    Avail,
    Bound,
    Document,
    Format,
    Term,
    Tongue,
    Transaction,
)
from contracts.refusal import Kind, Refusal

LONGEST_NAME = 400  # characters of an ALID or key: both together fit into an index entry
LONGEST_TOLD = 4000  # bytes of a field before or after a change
OFFERED, WITHDRAWN = "offered", "withdrawn"
_TITLES = (
    "TitleInternalAlias", "EpisodeTitleInternalAlias", "SeasonTitleInternalAlias",
    "VolumeTitleInternalAlias", "SeriesTitleInternalAlias",
)  # fmt: skip
_PLAIN = [one.name for one in fields(Transaction) if one.name not in ("place", "start", "end")]
Key = tuple[str, str]


class AvailsHaveErrors(Refusal):
    """The file has errors, so that nothing of it is applied."""

    kind, code = Kind.INVALID, "avails-have-errors"
    hint = "Repair what `findings` names, or ask with dry_run=true for the whole report."


class What(Enum):
    """What becomes of a line."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Line:
    """One registered offer: what was said of it, and whether it still stands."""

    alid: str
    key: str
    content: Mapping[str, Any]
    state: str = OFFERED

    @property
    def sha256(self) -> str:
        """The hex SHA-256 of the content's canonical JSON."""
        return canonical.sha256_hex(canonical.dumps(dict(self.content)))


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one line, and field by field what differs: name → (before, after)."""

    what: What
    line: Line
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the change as plain JSON values."""
        return {
            "alid": self.line.alid,
            "key": self.line.key,
            "title": self.line.content["title"],
            "what": self.what.value,
            "fields": {name: [_told(one) for one in pair] for name, pair in self.fields.items()},
        }


def lines_of(avail: Avail, *, work_id: UUID | None) -> Iterator[Line]:
    """Yield the lines of an avail, keyed so that the same transaction has the same key again."""
    counts: dict[str, int] = {}
    for offer in avail.transactions:
        counts[offer.id or ""] = counts.get(offer.id or "", 0) + 1
    taken: dict[str, int] = {}
    for offer in avail.transactions:
        alone = offer.id and len(offer.id) <= LONGEST_NAME and counts[offer.id] == 1
        key = _free(offer.id if alone and offer.id else _key(offer), taken)
        yield Line(avail.alid, key, _content(avail, offer, work_id))


def merge(
    registered: Iterable[Line], document: Document, *, works: Mapping[str, UUID]
) -> list[Change]:
    """Return what becomes of the lines registered and of those in the file, in a stable order.

    Args:
        registered: every line under the ALIDs of the file, withdrawn ones too.
        document: the file.
        works: the party's work that an ALID is about, where one is known.
    """
    known = {(line.alid, line.key): line for line in registered}
    changes: dict[Key, Change] = {}
    for avail in document.avails:
        some = lines_of(avail, work_id=works.get(avail.alid))
        given = {(line.alid, line.key): line for line in some}
        gone = _gone(avail, known, given)
        kept = {} if avail.entry_type in DELETIONS else given
        for key, line in kept.items():
            changes[key] = _compared(known.get(key), line)
        for key in gone - kept.keys():
            changes[key] = _withdrawn(known[key])
    return [changes[key] for key in sorted(changes)]


def counts(changes: Iterable[Change]) -> dict[str, int]:
    """Return how many lines are created, changed, unchanged and withdrawn."""
    found = {what.value: 0 for what in What}
    for change in changes:
        found[change.what.value] += 1
    return found


def _gone(avail: Avail, known: Mapping[Key, Line], given: Mapping[Key, Line]) -> set[Key]:
    """Return the registered lines that the entry withdraws, unless it names them anew."""
    whole = {key for key in known if key[0] == avail.alid}
    if avail.entry_type in ("Full Extract", "Full Delete"):
        return whole
    return whole & given.keys() if avail.entry_type == "Delete" else set()


def _compared(old: Line | None, new: Line) -> Change:
    if old is None:
        return Change(What.CREATED, new)
    fields = {
        name: (old.content.get(name), value)
        for name, value in new.content.items()
        if old.content.get(name) != value
    }
    if old.state != new.state:
        fields["state"] = (old.state, new.state)
    return Change(What.CHANGED if fields else What.UNCHANGED, new, fields)


def _told(value: Any) -> Any:
    """Return a value as a change tells it: what is very long by its hash and length."""
    text = canonical.dumps({"value": value})
    if len(text) <= LONGEST_TOLD:
        return value
    return {"sha256": canonical.sha256_hex(text), "bytes": len(text)}


def _withdrawn(line: Line) -> Change:
    if line.state == WITHDRAWN:
        return Change(What.UNCHANGED, line)
    return Change(What.WITHDRAWN, replace(line, state=WITHDRAWN), {"state": (OFFERED, WITHDRAWN)})


def _key(offer: Transaction) -> str:
    """Return a key for a transaction without an id of its own: the hash of what makes it one."""
    makes = {
        "licence": offer.licence_type,
        "rights": offer.rights_description,
        "format": _jsonable(offer.format),
        "territories": list(offer.territories),
        "languages": _jsonable((*offer.allowed, *offer.assets)),
        "start": _bound(offer.start),
        "id": offer.id,
    }
    return f"sha256:{canonical.sha256_hex(canonical.dumps(makes))[:32]}"


def _free(key: str, taken: dict[str, int]) -> str:
    """Return the key, or with a number behind it where it is taken."""
    number = taken[key] = taken.get(key, 0) + 1
    return key if number == 1 else _free(f"{key}#{number}", taken)


def _content(avail: Avail, offer: Transaction, work_id: UUID | None) -> dict[str, Any]:
    """Return everything a line says as plain JSON values: no place, no text as written.

    `work` and `rights` are what the exchange makes of it, null where it makes nothing of it.
    """
    wire = terms.to_wire(offer)
    return {
        **{name: _jsonable(getattr(offer, name)) for name in _PLAIN},
        "start": _bound(offer.start),
        "end": _bound(offer.end),
        "title": _title(avail),
        "licensor": avail.licensor,
        "work": None if work_id is None else str(work_id),
        "rights": None if isinstance(wire, terms.Unread) else wire,
        "assets_on_offer": [_asset(asset) for asset in avail.assets],
    }


def _asset(asset: Asset) -> dict[str, Any]:
    return {
        "work_type": asset.work_type,
        "content_id": asset.content_id,
        "facts": [list(pair) for pair in asset.facts],
        "bundled": list(asset.bundled),
    }


def _title(avail: Avail) -> str:
    said = (asset.fact(column) for asset in avail.assets for column in _TITLES)
    return next((title for title in said if title), avail.alid)


def _bound(bound: Bound) -> dict[str, Any]:
    """Return a bound as JSON; an end is half-open."""
    if bound.day is None:
        return {"condition": bound.condition, "lag": bound.lag}
    wall = f"{bound.day.isoformat()}T{bound.clock.isoformat('seconds')}"
    return {"wall": wall, "offset_s": bound.offset_s}


def _jsonable(value: Any) -> Any:
    """Return a value of the model as JSON: a frozen class as an object, a tuple as an array."""
    if isinstance(value, tuple):
        return [_jsonable(one) for one in value]
    if isinstance(value, Format | Term | Tongue):
        return {name: getattr(value, name) for name in value.__slots__}
    return value
