"""By which paths each revision of a file uses an object: all that a change of it has to clear.

Source: pyHanko's `HistoricalResolver._load_reverse_xref_cache`, whose answers these are: the same
paths, path by path, which the tests compare for every object of every revision.
Differs from the source: an object is read for its references alone, once for all the revisions in
which it stands at the same place of the file. pyHanko builds all its objects, and copies them for
each revision, which was two thirds of the time that checking a contract took. Where a document is
unusual, pyHanko's own search is asked; so it is about whatever is broken, and refuses it. The
digits of signatures are taken at once, where pyHanko takes one by one.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from io import BytesIO

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import Reference
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader, RawPdfPath

from contracts.deals import references
from contracts.deals.references import NULL, Indirect, Path, Ref, Unplain, Value

ELEMENTS: Path = ("/Root", "/StructTreeRoot", "/K")  # above the elements of the structure tree
PAGES: Path = ("/Root", "/Pages")
# Entries of a path. pyHanko gives up at about a thousand; what comes near that is left to it.
LONGEST = 200
BESIDE = 4096  # bytes of a signature's dictionary after its digits; ours take four hundred
_SIGNATURE = re.compile(rb" obj\n<<\n/Contents <((?:[0-9A-Fa-f]{2})+)>")


class Document(PdfFileReader):
    """A PDF whose revisions look for the usages of their objects in the way of this module."""

    def __init__(self, pdf: bytes) -> None:
        """Read the cross-reference tables of a file, strictly.

        Raises:
            PdfError: it is no PDF, or a broken one.
        """
        self.pdf = pdf
        self._seen: dict[tuple[Ref, int], Indirect] = {}
        self._revisions: dict[int, Revision] = {}
        super().__init__(BytesIO(pdf), strict=True)
        if "/Encrypt" not in self.trailer:
            self._read_signatures()

    def _read_signatures(self) -> None:
        """Read the signatures written as ours are: their digits at once, not one by one."""
        for digits in _SIGNATURE.finditer(self.pdf):
            offset = self.pdf.rfind(b"\n", 0, digits.start()) + 1
            number = self.pdf[offset : digits.start()]
            if not number.endswith(b" 0") or not number[:-2].isdigit():
                continue
            ref = Reference(int(number[:-2]), 0, self)
            try:
                if self.xrefs[ref] == offset:
                    self.indirect((ref.idnum, 0), offset)  # nothing is wrong with it
                    self.resolved_objects[0, ref.idnum] = self._signature(digits, ref)
            except (Unplain, PdfError):
                pass  # pyHanko will read it, or complain, when it comes to it

    def _signature(self, digits: re.Match[bytes], ref: Reference) -> generic.PdfObject:
        rest = self.pdf[digits.end() : digits.end() + BESIDE]
        found = generic.read_object(BytesIO(b"<</Contents<>" + rest), ref)
        if not isinstance(found, generic.DictionaryObject):
            raise Unplain("a signature is no dictionary")
        found["/Contents"] = generic.pdf_string(bytes.fromhex(digits[1].decode("ascii")))
        return found

    def get_historical_resolver(self, revision: int) -> "Revision":
        """Return the view of a revision, 0 being the oldest."""
        if revision not in self._revisions:
            self._revisions[revision] = Revision(self, revision)
        return self._revisions[revision]

    def indirect(self, ref: Ref, offset: int) -> Indirect:
        """Return the object at an offset of the file.

        Raises:
            Unplain: it has to be read by pyHanko.
        """
        place = ref, offset
        if place not in self._seen:
            self._seen[place] = references.read(self.pdf, ref, offset)
        return self._seen[place]


class Revision(HistoricalResolver):
    """A revision of a document, which knows the usages of its objects."""

    reader: Document

    def __init__(self, document: Document, revision: int) -> None:
        """View a revision of a document, 0 being the oldest."""
        super().__init__(document, revision)
        self._known: dict[Ref, Indirect] = {}
        self._found: Mapping[Ref, Sequence[Path]] | None = None

    def _load_reverse_xref_cache(self) -> None:
        """Look for all usages; what pyHanko does not understand of the file, it complains of."""
        try:
            if self._found is None:
                self._found = _Search(self).found()
        except Unplain:
            super()._load_reverse_xref_cache()  # type: ignore[no-untyped-call]  # pyHanko tells no types

    def _get_usages_of_ref(self, ref: Reference) -> set[RawPdfPath]:
        if self._found is None:
            usages: set[RawPdfPath] = super()._get_usages_of_ref(ref)
            return usages
        return {RawPdfPath(*path) for path in self._found.get((ref.idnum, ref.generation), ())}

    def indirect(self, ref: Ref) -> Indirect:
        """Return an object as this revision has it.

        Raises:
            Unplain: it is enciphered, or nothing but a reference.
            PdfError: it is missing or broken.
        """
        if ref not in self._known:
            self._known[ref] = self._indirect(ref)
        return self._known[ref]

    def _indirect(self, ref: Ref) -> Indirect:
        named = Reference(*ref, self)
        offset = self.reader.xrefs.get_historical_ref(named, self.revision)
        if isinstance(offset, int):
            try:
                return self.reader.indirect(ref, offset)
            except Unplain:
                pass
        return Indirect.of(references.plain(self(named)))


class _Search:
    """One search through a revision, from the trailer on.

    A page is entered by its place in the tree of pages alone, an element of the structure tree by
    those in that tree; an object is not entered again from within itself.
    """

    def __init__(self, revision: Revision) -> None:
        if revision.reader.encrypted:
            raise Unplain("the document is enciphered")
        self._revision = revision
        self._trailer = Indirect.of(references.plain(revision.trailer_view))
        root = _dictionary(self._entry(self._trailer.value, "/Root"))
        self._pages: dict[Ref, Path] = {}
        self._list_pages(root.get("/Pages", NULL), PAGES)
        self._elements: set[Ref] = set()
        if "/StructTreeRoot" in root:
            self._list_elements(self._resolved(root["/StructTreeRoot"]), 0)
        self._found: defaultdict[Ref, list[Path]] = defaultdict(list)

    def found(self) -> Mapping[Ref, Sequence[Path]]:
        """Return all paths from the trailer to each object.

        Raises:
            Unplain: pyHanko has to do it.
        """
        self._enter(self._trailer, (), ())
        return self._found

    def _enter(self, inside: Indirect, path: Path, passed: tuple[Ref, ...]) -> None:
        if len(path) > LONGEST:
            raise Unplain("a path is long")
        below = path[:3] == ELEMENTS
        for within, ref in inside.below if below else inside.uses:
            here = path + within
            structure = here[:3] == ELEMENTS
            if ref in passed or (structure and "/P" in here[3:]):
                continue
            self._found[ref].append(here)
            if self._pages.get(ref, here) == here and (structure or ref not in self._elements):
                self._enter(self._revision.indirect(ref), here, (*passed, ref))

    def _list_pages(self, node: Value, path: Path) -> None:
        """List the nodes of the tree of pages, each with its place."""
        if isinstance(node, tuple) and node != NULL:
            if node in self._pages:
                raise Unplain("a page is there twice")
            self._pages[node] = path
        entries = _dictionary(self._resolved(node))
        if path == PAGES or _name(entries.get("/Type", NULL)) == "/Pages":
            kids = self._entry(entries, "/Kids")
            if not isinstance(kids, list) or len(path) > LONGEST:
                raise Unplain("the tree of pages is none")
            for place, kid in enumerate(kids):
                self._list_pages(kid, (*path, "/Kids", place))

    def _list_elements(self, node: Value, depth: int) -> None:
        """List the elements below a node of the structure tree."""
        if depth > LONGEST:
            raise Unplain("the structure tree is deep")
        children = self._entry(node, "/K")
        for child in children if isinstance(children, list) else [children]:
            below = self._resolved(child)
            if not isinstance(below, dict) or not self._is_element(below):
                continue
            if isinstance(child, tuple):
                if child in self._elements:
                    raise Unplain("an element is there twice")
                self._elements.add(child)
            self._list_elements(below, depth + 1)

    def _is_element(self, node: dict[str, Value]) -> bool:
        """Tell whether a child is an element of the structure tree, as it is if it says nothing."""
        return _name(self._entry(node, "/Type")) in ("", "/StructElem")

    def _entry(self, holder: Value, key: str) -> Value:
        """Return the value of an entry; NULL where there is none."""
        return self._resolved(_dictionary(holder).get(key, NULL))

    def _resolved(self, value: Value) -> Value:
        if isinstance(value, tuple) and value != NULL:
            return self._revision.indirect(value).value
        return value


def _dictionary(value: Value) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise Unplain("it is no dictionary")
    return value


def _name(value: Value) -> str:
    if value == NULL:
        return ""
    if not isinstance(value, str):
        raise Unplain("it is no name")
    return value
