"""MovieLabs' own data: versions, columns, vocabularies, structural rules; interpreted, not retyped.

Source: repository MovieLabs/mddf, commit e7f032b; the files under `data/mddf/` are unchanged.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

# XML version → version of the common metadata (md, mdmec) that it is written with.
MD_OF = {"2.4": "2.7", "2.5": "2.8", "2.6": "2.10", "2.6.1": "2.11", "2.7": "2.12"}
# Versions without rules of their own are held to those of the nearest version that has some.
RULES_OF = {"2.4": "2.4", "2.5": "2.5", "2.6": "2.6", "2.6.1": "2.6.1", "2.7": "2.6.1"}
SHEET_VERSIONS = ("1.7", "1.7.2", "1.7.3", "1.8", "1.9")
NEWEST_XML, NEWEST_SHEET = "2.7", "1.9"
# Columns of the published templates that the mapping does not know; XML has no place for them.
UNMAPPED = ("Avail:StoreType", "AvailAsset:PackageLabel")
NOT_CARRIED = "n.a"
_CONTAINERS = {
    "Season": "SeasonMetadata", "Series": "SeriesMetadata", "Episode": "EpisodeMetadata",
    "Volume": "VolumeMetadata",
}  # fmt: skip
# What XML says of a volume, season or series and no column does.
_BESIDE = {
    "VolumeFirstEpisodeNumber": ("Volume", "{avail}VolumeMetadata/{avail}VolumeFirstEpisodeNumber"),
    "VolumeNumberOfEpisodes": ("Volume", "{avail}VolumeMetadata/{avail}VolumeNumberOfEpisodes"),
    "VolumeStatus": ("Volume", "{avail}VolumeMetadata/{avail}Status"),
    "SeasonStatus": ("Season", "{avail}SeasonMetadata/{avail}SeasonStatus"),
    "SeasonEIDR": ("Season", "{avail}SeasonMetadata/{avail}SeasonEIDR-URN"),
    "SeriesEIDR": ("Series", "{avail}SeriesMetadata/{avail}SeriesEIDR-URN"),
}


def folder() -> Traversable:
    """Return the folder of MovieLabs' files."""
    return files("contracts.avails") / "data" / "mddf"


def namespaces(version: str) -> dict[str, str]:
    """Return the namespaces of an XML version by their usual prefixes."""
    md = MD_OF[version]
    base = "http://www.movielabs.com/schema"
    return {
        "avail": f"{base}/avails/v{version}/avails",
        "md": f"{base}/md/v{md}/md",
        "mdmec": f"{base}/mdmec/v{md}",
    }


@cache
def columns(sheet_version: str, kind: str = "Movies") -> Mapping[str, Any]:
    """Return the columns of a workbook version (`group:column`), each with its XPath or XPaths.

    Args:
        sheet_version: one of SHEET_VERSIONS.
        kind: Movies or TV; from 1.8 both have the same columns.
    """
    found = _json("Mappings.json")[f"V{sheet_version.replace('.', '_')}"]
    layout: Mapping[str, Any] = found.get("AllAvails") or found[kind]
    return layout


@cache
def vocabulary(version: str) -> Mapping[str, frozenset[str]]:
    """Return the controlled vocabularies of an XML version; WorkType comes from the common ones."""
    words: dict[str, list[str]] = dict(_json(f"vocab_avail_v{version}.json")["avail"])
    common = {"2.7": "2.8"}.get(MD_OF[version], MD_OF[version])
    words["WorkType"] = _json(f"vocab_cm_v{common}.json")["cm"]["WorkType"]
    return {name: frozenset(values) for name, values in words.items()}


@cache
def structure(version: str) -> Mapping[str, Any]:
    """Return the structural rules of an XML version: targets, and what each target must hold."""
    rules: Mapping[str, Any] = _json(f"structure_avail_v{RULES_OF[version]}.json")["StrucRqmts"]
    return rules


def container(work_type: str) -> str:
    """Return the element that holds the metadata of a type of work."""
    return _CONTAINERS.get(work_type, "Metadata")


@cache
def paths(column: str, work_type: str) -> tuple[str, ...]:
    """Return where XML keeps a column of the newest layout for a type of work, from the Asset.

    Differs from the source: a director is looked for in the person, not in the whole file;
    LocalizationType is mapped for episodes alone there, and a series is
    mapped only below its season; here a film and a series by itself have them too.
    """
    if column in _BESIDE:
        kind, path = _BESIDE[column]
        return (path,) if kind == work_type else ()
    found = _mapped(column)
    if isinstance(found, dict) and "%FUNCTION" in found:
        found = found["%FUNCTION"].get("args", {}).get("xpath", NOT_CARRIED)
    if isinstance(found, dict):
        found = found.get(work_type) or _of_series(found, work_type) or found.get("-default-")
    some = [found] if isinstance(found, str) else list(found or ())
    box = f"{{avail}}{container(work_type)}/"
    if box == "{avail}Metadata/":
        some = [re.sub(r"^\{avail\}EpisodeMetadata/(?=\{avail\}Local)", box, one) for one in some]
    return tuple(
        path.replace("//{avail}", "/{avail}").replace("[//{md}", "[.//{md}")
        for path in some
        if path.startswith(box)
    )


@cache
def asset_columns() -> tuple[str, ...]:
    """Return the columns that say something of an asset (without their group), in file order."""
    skipped = {"WorkType", "ContentID", "EpisodeContentID", "Metadata", "Any", "CaptionIncluded"}
    names = [
        key.partition(":")[2]
        for key, path in columns(NEWEST_SHEET).items()
        if key.startswith(("AvailAsset:", "AvailMetadata:")) and path != NOT_CARRIED
    ]
    return (*(name for name in names if name not in skipped), *_BESIDE)


@cache
def term_columns() -> Mapping[str, tuple[str, str]]:
    """Return the columns that are a Term of their own: column → (kind, termName)."""
    form = re.compile(r"\{avail\}Term/\{avail\}(\w+)\[\.\./@termName='([\w-]+)'\]")
    found = {
        key.partition(":")[2]: form.fullmatch(path)
        for key, path in columns(NEWEST_SHEET).items()
        if isinstance(path, str)
    }
    return {column: (hit[1], hit[2]) for column, hit in found.items() if hit}


@cache
def price_types() -> Mapping[str, str]:
    """Return the price terms of PriceType, each with the kind of its value: Money or Text."""
    money, text = columns(NEWEST_SHEET)["AvailTrans:PriceValue"]
    names = dict.fromkeys(re.findall(r"\.='([\w-]+)'", money), "Money")
    return {**dict.fromkeys(re.findall(r"\.='([\w-]+)'", text), "Text"), **names}


def _mapped(column: str) -> Any:
    layout = columns(NEWEST_SHEET)
    return layout.get(f"AvailMetadata:{column}") or layout.get(f"AvailAsset:{column}")


def _of_series(found: Mapping[str, str], work_type: str) -> str | None:
    below = found.get("Season", "").removeprefix("{avail}SeasonMetadata/")
    return below if work_type == "Series" and below.startswith("{avail}SeriesMetadata/") else None


@cache
def _json(name: str) -> Any:
    return json.loads((folder() / "rules" / name).read_text("utf-8"))
