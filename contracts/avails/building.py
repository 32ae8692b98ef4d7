"""The model → XML elements of a version: each fact where the mapping's XPath says, in XSD order."""

import re
from collections.abc import Callable, Iterator
from datetime import date, time
from typing import Any

from lxml import etree

from contracts.avails import mddf, schemas, texts
from contracts.avails.model import (
    Asset,
    Avail,
    Bound,
    Document,
    Format,
    Term,
    Tongue,
    Transaction,
    last_second,
)

Said = Callable[[date, time], tuple[date, time]]
_STEP = re.compile(r"\{(avail|md)\}([\w-]+)(\[.*\])?")
_NAMESPACE_OF_OURS = "org:mddf"  # as MovieLabs' converter writes it beside `Column:value`
_EIDR = re.compile(r"(10\.5240)/(.+)")


def build(document: Document, *, version: str) -> Any:
    """Return the AvailList of a document in the form of a version.

    It is as complete as the document: whether that suffices is for the XSD to say.
    """
    return _Builder(version).document(document)


class _Builder:
    """Builds elements in the namespaces and the order of one version."""

    def __init__(self, version: str) -> None:
        self._spaces = mddf.namespaces(version)
        self._ranks = {
            parent: {name: n for n, name in reversed(list(enumerate(children)))}
            for parent, children in schemas.orders(version).items()
        }

    def document(self, document: Document) -> Any:
        """Return the list of avails."""
        spaces = {"avails": self._spaces["avail"], "md": self._spaces["md"]}
        root = etree.Element(f"{{{self._spaces['avail']}}}AvailList", nsmap=spaces)
        for avail in document.avails:
            self._avail(root, avail)
        return root

    def _avail(self, root: Any, avail: Avail) -> None:
        element = self._add(root, "Avail")
        self._add(element, "ALID", avail.alid)
        self._add(self._add(element, "Disposition"), "EntryType", avail.entry_type)
        self._add(self._add(element, "Licensor"), "DisplayName", avail.licensor, space="md")
        if avail.service_provider:
            box = self._add(element, "ServiceProvider")
            self._add(box, "DisplayName", avail.service_provider, space="md")
        self._add(element, "AvailType", avail.avail_type)
        self._add(element, "ShortDescription", avail.description)
        region = next((place for offer in avail.transactions for place in offer.territories), None)
        for asset in avail.assets:
            self._asset(element, asset, region)
        for offer in avail.transactions:
            self._offer(element, offer)
        for ecosystem, value in avail.entitlements:
            box = self._add(element, "SharedEntitlement")
            box.set("ecosystem", ecosystem)
            self._add(box, "EcosystemID", value)
        if avail.exception:
            self._add(element, "ExceptionFlag", "true")
        self._sort(element)

    def _asset(self, parent: Any, asset: Asset, region: str | None) -> None:
        element = self._add(parent, "Asset")
        element.set("contentID", asset.content_id)
        self._add(element, "WorkType", asset.work_type)
        box = self._add(element, mddf.container(asset.work_type))
        self._needed(box, asset.work_type)
        for column, value in asset.facts:
            self._fact(element, asset.work_type, column, value)
        for number, alid in enumerate(asset.bundled):
            bundled = self._add(element, "BundledAsset")
            bundled.set("sequence", str(number))
            self._add(bundled, "BundledALID", alid)
        for rating in element.iter(f"{{{self._spaces['md']}}}Rating"):
            if region is not None:
                self._region(rating, "Region", region, space="md")

    def _needed(self, box: Any, work_type: str) -> None:
        """Add what the XSD asks of every episode and season, even when nothing is known of it."""
        if work_type == "Episode":
            self._add(box, "EpisodeNumber")
        if work_type == "Volume":
            self._add(box, "VolumeNumber")
        if work_type in ("Episode", "Volume"):
            box = self._add(box, "SeasonMetadata")
        if work_type in ("Episode", "Volume", "Season"):
            self._add(box, "SeasonNumber")
            self._add(box, "SeriesMetadata")

    def _fact(self, asset: Any, work_type: str, column: str, value: str) -> None:
        known = mddf.paths(column, work_type)
        if not known:
            return
        path = known[0]
        if "EIDR-URN" in path:
            found = _EIDR.fullmatch(value)
            if found is None and len(known) > 1:
                path = known[1]
            value = f"urn:eidr:{found[1]}:{found[2]}" if found else value
        self._place(asset, _STEP.findall(path), value)

    def _place(self, element: Any, steps: list[tuple[str, str, str]], value: str) -> None:
        """Put a value at the end of a path, making the elements that are missing on the way."""
        *way, (space, name, predicate) = steps
        prefix = re.search(r"starts-with\(\., '(\w+)'\)", predicate)
        for n, (step_space, step, condition) in enumerate(way):
            repeated = (n == len(way) - 1 and (prefix or predicate)) or condition
            made = self._open(element, step, step_space, fresh=bool(repeated))
            self._mark(made, step, condition or predicate, value)
            element = made
        if prefix:
            self._add(element, "Namespace", _NAMESPACE_OF_OURS, space="md")
            value = f"{prefix[1]}:{value}"
        self._add(element, name, value, space=space)

    def _open(self, element: Any, name: str, space: str, *, fresh: bool) -> Any:
        found = element.find(f"{{{self._spaces[space]}}}{name}")
        return self._add(element, name, space=space) if fresh or found is None else found

    def _mark(self, made: Any, step: str, condition: str, value: str) -> None:
        """Say of a repeated element what its path's condition asks of it."""
        if step == "People":
            self._add(self._add(made, "Job", space="md"), "JobFunction", "Director", space="md")
        elif step == "ReleaseHistory":
            kind = re.findall(r"'(\w+)'", condition)
            self._add(made, "ReleaseType", kind[0] if kind else "original", space="md")
        elif step == "GroupingEntity":
            self._add(made, "Type", "channel", space="md")
            self._add(made, "GroupIdentity", value, space="md")

    def _offer(self, parent: Any, offer: Transaction) -> None:
        element = self._add(parent, "Transaction")
        if offer.id:
            element.set("TransactionID", offer.id)
        if offer.licensee:
            self._add(self._add(element, "Licensee"), "DisplayName", offer.licensee, space="md")
        for name, value in _plain(offer):
            self._add(element, name, value)
        for name, code in _regions(offer):
            self._region(element, name, code)
        self._bound(element, "Start", offer.start, _first)
        self._bound(element, "End", offer.end, last_second)
        for name, tongue in _tongues(offer):
            self._tongue(element, name, tongue)
        self._format(element, offer.format)
        for term in offer.terms:
            self._term(element, term)

    def _bound(self, element: Any, name: str, bound: Bound, said: Said) -> None:
        if bound.day is not None:
            wall = said(bound.day, bound.clock)
            self._add(element, name, texts.wall(wall, offset_s=bound.offset_s))
            return
        made = self._add(element, f"{name}Condition", bound.condition or "")
        if bound.lag:
            made.set("lag", bound.lag)

    def _tongue(self, element: Any, name: str, tongue: Tongue) -> None:
        made = self._add(element, name, tongue.tag)
        if tongue.asset:
            made.set("asset", tongue.asset)
        if tongue.provided:
            made.set("assetProvided", "true")

    def _format(self, element: Any, form: Format) -> None:
        made = self._add(element, "FormatProfile", form.profile)
        said = {"HDR": form.hdr, "WCG": form.wcg, "HFR": form.hfr, "NGAudio": form.ngaudio}
        for name, value in said.items():
            if value:
                made.set(name, value)

    def _term(self, element: Any, term: Term) -> None:
        made = self._add(element, "Term")
        made.set("termName", term.name)
        value = self._add(made, term.kind, term.value)
        if term.currency:
            value.set("currency", term.currency)

    def _region(self, element: Any, name: str, code: str, *, space: str = "avail") -> None:
        box = self._add(element, name, space=space)
        country = re.fullmatch(r"[A-Z]{2}", code)
        self._add(box, "country" if country else "countryRegion", code, space="md")

    def _add(self, parent: Any, name: str, text: str | None = None, *, space: str = "avail") -> Any:
        made = etree.SubElement(parent, f"{{{self._spaces[space]}}}{name}")
        made.text = text
        return made

    def _sort(self, element: Any) -> None:
        ranks = self._ranks.get(etree.QName(element).localname, {})
        children = list(element)
        for child in children:
            self._sort(child)
        element[:] = sorted(
            children, key=lambda child: ranks.get(etree.QName(child).localname, len(ranks))
        )


def _first(day: date, clock: time) -> tuple[date, time]:
    return day, clock


def _plain(offer: Transaction) -> Iterator[tuple[str, str]]:
    said = {
        "LicenseType": offer.licence_type,
        "Description": offer.description,
        "WindowDuration": offer.window_duration,
        "LicenseRightsDescription": offer.rights_description,
        "ContractID": offer.contract_id,
        "ReportingID": offer.reporting_id,
        "ExperienceCondition": offer.condition,
        "OtherInstructions": offer.instructions,
    }
    yield from ((name, value) for name, value in said.items() if value)
    yield from (("RefALID", alid) for alid in offer.ref_alids)


def _regions(offer: Transaction) -> Iterator[tuple[str, str]]:
    yield from (("Territory", code) for code in offer.territories)
    yield from (("TerritoryExcluded", code) for code in offer.excluded)


def _tongues(offer: Transaction) -> Iterator[tuple[str, Tongue]]:
    yield from (("AllowedLanguage", tongue) for tongue in offer.allowed)
    yield from (("AssetLanguage", tongue) for tongue in offer.assets)
    yield from (("HoldbackLanguage", tongue) for tongue in offer.holdback)
