"""Checks of a document: MovieLabs' structural rules and vocabularies, interpreted from their data.

A workbook is checked as the XML that it means, so both forms are held to the same rules; findings
name the row it came from.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from lxml import etree

from contracts.avails import mddf, values
from contracts.avails.findings import Finding, Report, Severity, found, structure_zh
from contracts.avails.model import Document, Place

# Vocabularies that are suggestions: contracts add names of their own to them.
_OPEN = ("Term@termName", "LicenseRightsDescription")
# Vocabularies whose name is not the element's (or element@attribute's) that they bind.
_BOUND_ELSEWHERE = {
    "SeasonStatus": ".//a:SeasonMetadata/a:SeasonStatus",
    "SeriesStatus": ".//a:SeriesMetadata/a:SeriesStatus",
    "VolumeStatus": ".//a:VolumeMetadata/a:Status",
    "AltIdentifier@scope": ".//a:AltIdentifier/@scope",
    "Language@asset": ".//a:AllowedLanguage/@asset | .//a:AssetLanguage/@asset"
    " | .//a:HoldbackLanguage/@asset",
}
_APART = ("DateTimeCondition", "ProgressCode")  # looked at in `values`, and not in an AvailList
_SHOWN = 8  # how many words of a vocabulary a message names


def check(document: Document, root: Any, *, version: str) -> Report:
    """Return everything wrong with a document, from the elements it is made of.

    Args:
        document: the model, whose places are reported.
        root: the same document as an AvailList of `version`.
        version: the XML version whose rules count.
    """
    checker = _Checker(document, version)
    return Report.of(
        [
            *checker.structure(root),
            *checker.vocabulary(root),
            *values.check(document, version=version),
        ]
    )


class _Checker:
    """Holds elements to the data of one version, and knows where each came from."""

    def __init__(self, document: Document, version: str) -> None:
        spaces = mddf.namespaces(version)
        self._document = document
        self._version = version
        self._spaces = tuple({"a": spaces["avail"], "m": spaces["md"]}.items())
        self._numbers: dict[Any, dict[Any, int]] = {}  # by parent: its children's places by name

    def structure(self, root: Any) -> Iterator[Finding]:
        """Yield every structural rule that is broken, once per target."""
        for name, rule in mddf.structure(self._version).items():
            for target in self._find(root, rule["targetPath"]):
                for constraint in rule["constraint"]:
                    if not self._holds(target, constraint):
                        yield self._broken(name, target, constraint)

    def vocabulary(self, root: Any) -> Iterator[Finding]:
        """Yield every value that its vocabulary does not have."""
        for name, words in mddf.vocabulary(self._version).items():
            if name in (*_OPEN, *_APART):
                continue
            for hit in self._find(root, _bound(name)):
                text = " ".join(str(hit if isinstance(hit, str) else hit.text or "").split())
                if text and text not in words:
                    yield self._strange(name, hit, text, words)

    def _holds(self, target: Any, constraint: Mapping[str, Any]) -> bool:
        paths = constraint["xpath"]
        some = [paths] if isinstance(paths, str) else paths
        count = sum(len(self._find(target, path)) for path in some)
        return int(constraint.get("min", 0)) <= count <= int(constraint.get("max", count))

    def _broken(self, name: str, target: Any, constraint: Mapping[str, Any]) -> Finding:
        english = constraint.get("msg") or f"The rule {name} of {constraint['xpath']} is broken."
        data = {"message": english, "message_zh": structure_zh().get(name, english)}
        place, column = self._place(target)
        return Finding(
            "structure",
            place,
            column,
            data,
            graver=Severity(str(constraint.get("severity", "Error")).lower()),
        )

    def _strange(self, name: str, hit: Any, text: str, words: frozenset[str]) -> Finding:
        smart = hasattr(hit, "is_attribute")  # an attribute's text knows its element
        element = hit.getparent() if smart else hit
        place, _ = self._place(element)
        column = name.partition("='")[2].rstrip("'") or name.rpartition("@")[2]
        known = sorted(words)
        shown = ", ".join(known[:_SHOWN]) + (" …" if len(known) > _SHOWN else "")
        return found("vocabulary", place, column, value=text, known=shown)

    def _place(self, element: Any) -> tuple[Place, str | None]:
        """Return where an element came from, and the column (its name) if it is a value."""
        column = None
        chain = [element, *element.iterancestors()]
        for at, owner in enumerate(chain):
            name = etree.QName(owner).localname
            if name in ("Transaction", "Asset", "Avail"):
                return self._owner(owner, name), column
            column = name if at == 0 else column
        return Place(), column

    def _owner(self, owner: Any, name: str) -> Place:
        number = self._number(owner)
        if name == "Avail":
            return self._document.avails[number].place
        parent = owner.getparent()
        avail = self._document.avails[self._number(parent)]
        some = avail.transactions if name == "Transaction" else avail.assets
        return some[number].place

    def _number(self, element: Any) -> int:
        """Return how many siblings of its name stand before an element; counted once per parent."""
        parent = element.getparent()
        if parent is None:
            return 0
        if parent not in self._numbers:
            counts: dict[Any, int] = {}
            known: dict[Any, int] = {}
            for child in parent:
                known[child] = counts.get(child.tag, 0)
                counts[child.tag] = known[child] + 1
            self._numbers[parent] = known
        return self._numbers[parent][element]

    def _find(self, element: Any, path: str) -> list[Any]:
        return list(_compiled(path, self._spaces)(element))


def _bound(name: str) -> str:
    """Return the XPath of what a vocabulary binds."""
    if name in _BOUND_ELSEWHERE:
        return _BOUND_ELSEWHERE[name]
    if name.startswith("@termName"):
        return f".//a:Term[{name}]/a:Text"
    element, _, attribute = name.partition("@")
    return f".//a:{element}/@{attribute}" if attribute else f".//a:{element}"


@cache
def _compiled(path: str, spaces: tuple[tuple[str, str], ...]) -> Any:
    form = path.replace("{avail}", "a:").replace("{md}", "m:")
    return etree.XPath(form, namespaces=dict(spaces))
