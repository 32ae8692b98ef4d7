"""Works of the exchange ↔ assets of avails: what is said of a work, and which work is meant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.avails import identifiers, terms
from contracts.avails.model import Asset, Avail
from contracts.avails.order import settled
from contracts.avails.terms import Wire

# Which columns may name the work itself, by its type: our own id, then EIDR and ISAN.
_NAMES = {
    "Episode": ("EpisodeAltID", "EpisodeID", "EpisodeTitleID"),
    "Season": ("SeasonAltID", "SeasonID", "SeasonEIDR"),
    "Series": ("SeriesAltID", "SeriesID", "SeriesEIDR"),
}
_OTHERWISE = ("AltID", "EditID", "TitleID")
_TYPES = {"series": ("Series", "series"), "season": ("Season", "season")}


@dataclass(frozen=True, slots=True)
class Described:
    """A work as an avail says it; `number` is its place in its parent, `above` its parents."""

    id: UUID
    kind: str
    title_zh: str
    title_en: str
    year: int
    eidr: str | None = None
    isan: str | None = None
    number: int = 1
    above: tuple["Described", ...] = ()


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier that may be a work's: `scheme` is id, eidr or isan."""

    scheme: str
    value: str


def avail_of(work: Described, offered: Sequence[tuple[str, Wire]], *, licensor: str) -> Avail:
    """Return the avail that offers a work: its rights, each with the id of its transaction.

    Raises:
        Refusal: as `terms.of_wire` refuses an offer.
    """
    work_type, avail_type = _TYPES.get(work.kind, ("Movie", "single"))
    if work.kind == "episode" and work.above:
        work_type = avail_type = "Episode"
    asset = Asset(work_type, _content_id(work), tuple(_facts(work, work_type)))
    return settled(
        Avail(
            alid=f"md:alid:{_identity(work)}",
            entry_type="Full Extract",
            licensor=licensor,
            avail_type=avail_type.lower(),
            assets=(asset,),
            transactions=tuple(terms.of_wire(wire, id=key) for key, wire in offered),
            description=work.title_en,
        )
    )


def names_of(avail: Avail) -> Iterator[Name]:
    """Yield the identifiers by which an avail names its work, the surest first."""
    assets = [asset for asset in avail.assets if not asset.bundled] or list(avail.assets)
    if len(assets) != 1:
        return
    asset = assets[0]
    said = [value for column in _NAMES.get(asset.work_type, _OTHERWISE)
            for value in asset.all(column)]  # fmt: skip
    said += [asset.content_id, avail.alid]
    yield from (Name("id", str(one)) for one in map(_own_id, said) if one is not None)
    for value in said:
        eidr, isan = identifiers.eidr_of(value), identifiers.isan_of(value)
        if eidr is not None:
            yield Name("eidr", eidr)
        if isan is not None:
            yield Name("isan", isan)


def _own_id(value: str) -> UUID | None:
    if not value.startswith(identifiers.OURS):
        return None
    try:
        return UUID(value.removeprefix(identifiers.OURS))
    except ValueError:
        return None


def _facts(work: Described, work_type: str) -> Iterator[tuple[str, str]]:
    if work_type == "Movie":
        yield from _said(work, "", alt="AltID", eidr="TitleID")
    if work_type == "Episode":
        yield from _said(work, "Episode", alt="EpisodeAltID", eidr="EpisodeTitleID")
        yield "EpisodeNumber", str(work.number)
    if work_type in ("Episode", "Season"):
        season = work if work_type == "Season" else _nearest(work, "season")
        yield from _season(season or work.above[-1])
    if work_type != "Movie":
        yield from _series(work.above[-1] if work.above else work)
    yield "ReleaseYear", str(work.year)


def _season(work: Described) -> Iterator[tuple[str, str]]:
    """Yield what is said of a season; a series whose episodes have none is its own only season."""
    yield "SeasonContentID", _content_id(work)
    yield "SeasonNumber", str(work.number)
    yield from _said(work, "Season", alt="SeasonAltID", eidr="SeasonID")


def _series(work: Described) -> Iterator[tuple[str, str]]:
    yield "SeriesContentID", _content_id(work)
    yield from _said(work, "Series", alt="SeriesAltID", eidr="SeriesID")


def _said(work: Described, prefix: str, *, alt: str, eidr: str) -> Iterator[tuple[str, str]]:
    yield f"{prefix}TitleInternalAlias", work.title_en
    yield f"{prefix}TitleDisplayUnlimited", work.title_zh
    yield alt, f"{identifiers.OURS}{work.id}"
    if work.isan:
        yield alt, f"urn:isan:{work.isan}"
    if work.eidr:
        yield eidr, work.eidr


def _nearest(work: Described, kind: str) -> Described | None:
    return next((one for one in work.above if one.kind == kind), None)


def _content_id(work: Described) -> str:
    return f"md:cid:{_identity(work)}"


def _identity(work: Described) -> str:
    return f"eidr-s:{work.eidr.rpartition('/')[2]}" if work.eidr else f"org:uhdx:{work.id}"
