"""XML elements of avails → the model: what the XPaths of MovieLabs' mapping find."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from lxml import etree

from contracts.avails import mddf, texts
from contracts.avails.model import (
    Asset,
    Avail,
    Bound,
    Document,
    Format,
    Place,
    Term,
    TermKind,
    Tongue,
    Transaction,
)
from contracts.avails.order import settled

_EIDR_URN = re.compile(r"urn:eidr:(10\.\d{4}):(.+)")
_DURATIONS, _DAYS = ("TotalRunTime",), ("ReleaseHistoryOriginal", "ReleaseHistoryPhysicalHV")


def read(root: Any, *, version: str) -> Document:
    """Return the document that an AvailList (or a single Avail) says."""
    reader = _Reader(version)
    found = [root] if etree.QName(root).localname == "Avail" else reader.all(root, "a:Avail")
    base = "" if found == [root] else "/AvailList"
    return Document(
        tuple(
            reader.avail(element, f"{base}/Avail[{n}]") for n, element in enumerate(found, start=1)
        ),
        form="xml",
        version=version,
    )


class _Reader:
    """Reads elements in the namespaces of one version."""

    def __init__(self, version: str) -> None:
        spaces = mddf.namespaces(version)
        self._spaces = {"a": spaces["avail"], "m": spaces["md"]}

    def all(self, element: Any, path: str) -> list[Any]:
        """Return what a relative XPath finds."""
        return list(_compiled(path, tuple(self._spaces.items()))(element))

    def one(self, element: Any, path: str) -> str | None:
        """Return the first text that a relative XPath finds, cleaned."""
        return next(self.many(element, path), None)

    def many(self, element: Any, path: str) -> Iterator[str]:
        """Yield every text that a relative XPath finds, cleaned, empty ones left out."""
        for hit in self.all(element, path):
            text = texts.clean(hit if isinstance(hit, str) else "".join(hit.itertext()))
            if text is not None:
                yield text

    def avail(self, element: Any, path: str) -> Avail:
        """Return one avail."""
        assets = self.all(element, "a:Asset")
        offers = self.all(element, "a:Transaction")
        return settled(
            Avail(
                alid=self.one(element, "a:ALID") or "",
                entry_type=self.one(element, "a:Disposition/a:EntryType") or "",
                licensor=self.one(element, "a:Licensor/m:DisplayName") or "",
                service_provider=self.one(element, "a:ServiceProvider/m:DisplayName"),
                avail_type=self.one(element, "a:AvailType") or "",
                description=self.one(element, "a:ShortDescription") or "",
                assets=tuple(
                    self.asset(one, f"{path}/Asset[{n}]") for n, one in enumerate(assets, start=1)
                ),
                transactions=tuple(
                    self.offer(one, f"{path}/Transaction[{n}]")
                    for n, one in enumerate(offers, start=1)
                ),
                entitlements=tuple(self._entitlements(element)),
                exception=texts.flag(self.one(element, "a:ExceptionFlag") or "") == "true",
                place=Place(path=path),
            )
        )

    def asset(self, element: Any, path: str) -> Asset:
        """Return one asset with its facts."""
        work_type = self.one(element, "a:WorkType") or ""
        return Asset(
            work_type=work_type,
            content_id=self.one(element, "@contentID") or "",
            facts=tuple(
                (column, value)
                for column in mddf.asset_columns()
                for path in mddf.paths(column, work_type)
                for value in self._facts(element, column, path)
            ),
            bundled=tuple(self.many(element, "a:BundledAsset/a:BundledALID")),
            place=Place(path=path),
        )

    def _facts(self, element: Any, column: str, path: str) -> Iterator[str]:
        form = path.replace("{avail}", "a:").replace("{md}", "m:")
        prefix = re.search(r"starts-with\(\., '(\w+)'\)", path)
        for value in self.many(element, form):
            yield fact(column, value.removeprefix(f"{prefix[1]}:") if prefix else value)

    def offer(self, element: Any, path: str) -> Transaction:
        """Return one transaction."""
        format_element = next(iter(self.all(element, "a:FormatProfile")), None)
        return Transaction(
            id=self.one(element, "@TransactionID"),
            licensee=self.one(element, "a:Licensee/m:DisplayName"),
            licence_type=self.one(element, "a:LicenseType") or "",
            description=self.one(element, "a:Description"),
            territories=tuple(self.many(element, "a:Territory/*")),
            excluded=tuple(self.many(element, "a:TerritoryExcluded/*")),
            start=self._bound(element, "Start"),
            end=self._bound(element, "End"),
            window_duration=texts.duration(self.one(element, "a:WindowDuration")),
            allowed=self._tongues(element, "AllowedLanguage"),
            assets=self._tongues(element, "AssetLanguage"),
            holdback=self._tongues(element, "HoldbackLanguage"),
            rights_description=self.one(element, "a:LicenseRightsDescription"),
            format=_format(format_element),
            contract_id=self.one(element, "a:ContractID"),
            reporting_id=self.one(element, "a:ReportingID"),
            ref_alids=tuple(self.many(element, "a:RefALID")),
            terms=tuple(self._terms(element)),
            condition=self.one(element, "a:ExperienceCondition"),
            instructions=self.one(element, "a:OtherInstructions"),
            place=Place(path=path),
        )

    def _bound(self, element: Any, name: str) -> Bound:
        at = self.one(element, f"a:{name}")
        if at is not None:
            return texts.start(at) if name == "Start" else texts.end(at)
        waits = self.one(element, f"a:{name}Condition")
        return texts.condition(waits or "", self.one(element, f"a:{name}Condition/@lag"))

    def _tongues(self, element: Any, name: str) -> tuple[Tongue, ...]:
        return tuple(
            Tongue(
                texts.clean(one.text) or "",
                one.get("asset"),
                provided=texts.flag(one.get("assetProvided", "")) == "true",
            )
            for one in self.all(element, f"a:{name}")
        )

    def _terms(self, element: Any) -> Iterator[Term]:
        for one in self.all(element, "a:Term"):
            value = next((child for child in one if isinstance(child.tag, str)), None)
            if value is not None:
                kind = etree.QName(value).localname
                text = texts.clean("".join(value.itertext())) or ""
                yield term(one.get("termName", ""), kind, text, currency=value.get("currency"))

    def _entitlements(self, element: Any) -> Iterator[tuple[str, str]]:
        for one in self.all(element, "a:SharedEntitlement"):
            for value in self.many(one, "a:EcosystemID"):
                yield one.get("ecosystem", ""), value


def fact(column: str, value: str) -> str:
    """Return what a column says in its canonical form: an EIDR, a running time, a day."""
    if column in _DURATIONS:
        return texts.duration(value) or value
    if column in _DAYS:
        return texts.day(value)
    found = _EIDR_URN.fullmatch(value)
    return f"{found[1]}/{found[2]}" if found else value


def term(name: str, kind: Any, text: str, *, currency: str | None = None) -> Term:
    """Return a term with its value in the canonical form of its kind."""
    if kind in ("Money", "Number"):
        text = texts.amount(text) or text
    elif kind == "Duration":
        text = texts.duration(text) or text
    elif kind == "Boolean":
        text = texts.flag(text)
    elif kind == "Event":
        text = texts.day(text)
    if kind not in get_args(TermKind):  # an AltIdentifier, a Region: kept as what it says
        kind = "Text"
    return Term(name, kind, text, currency)


def _format(element: Any) -> Format:
    if element is None:
        return Format("")
    return Format(
        texts.clean(element.text) or "",
        *(element.get(name) for name in ("HDR", "WCG", "HFR", "NGAudio")),
    )


@cache
def _compiled(path: str, spaces: tuple[tuple[str, str], ...]) -> Any:
    return etree.XPath(path, namespaces=dict(spaces))
