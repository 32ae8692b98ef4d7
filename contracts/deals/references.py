"""Indirect references in the objects of a PDF: each object read once, for what it refers to.

Source: ISO 32000-2 §7.3 (objects) and §7.3.10 (indirect objects).
Differs from the source: only the plain part of the syntax is read, the one in which what wrote our
contracts writes. Comments, escapes in names, nested brackets in strings, object streams and lengths
kept elsewhere are `Unplain`, and left to pyHanko's reader. So is whatever is broken: what is read
here, pyHanko reads without complaint, and finds the same in it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pyhanko.pdf_utils import generic

Ref = tuple[int, int]  # object number and generation
# A dictionary, an array, a reference, a name, a whole number, or SCALAR.
Value = dict[str, "Value"] | list["Value"] | Ref | str | int | bytes
Path = tuple[str | int, ...]  # names of entries and places in arrays, from the outside in

DEPTH = 40  # of dictionaries and arrays within each other; a contract has five
NULL: Ref = (0, 0)  # the object null; no other has the number 0
SCALAR = b""  # strings, truth values and fractions: nobody asks what they say

_REF, _NAME, _NUMBER, _OPEN, _CLOSE, _NULL, _END, _STREAM = 2, 3, 4, 5, 6, 7, 8, 9
_TOKEN = re.compile(
    rb"""[ \r\n\t]*(?:
      ([1-9]\d{0,6})[ ](\d{1,5})[ ]R(?=[ \r\n\t/<>\[\]()])
    | (/[!"$&'*+,\-.0-9:;=?@A-Z\\^_`a-z|~]+)(?=[ \r\n\t/<>\[\]()])
    | ([+-]?\d{1,9})(?=[ \r\n\t/<>\[\]()])
    | (<<|\[)
    | (>>|\])
    | (null)(?=[ \r\n\t/<>\[\]()])
    | (endobj)[\r\n]+(?=[1-9x])
    | (stream)\r?\n
    | [+-]?(?:\d{1,9}\.\d{0,15}|\.\d{1,15})(?=[ \r\n\t/<>\[\]()])
    | (?:true|false)(?=[ \r\n\t/<>\[\]()])
    | <[0-9A-Fa-f]*>
    | \([^()\\]*(?:\\(?:[nrtbf()\\]|[0-3][0-7][0-7])[^()\\]*)*\)
    )""",
    re.VERBOSE,
)
_AFTER = re.compile(rb"[\r\n]*endstream[\r\n]+endobj[\r\n]+[1-9x]")


class Unplain(Exception):
    """The syntax is not of the plain part, or it is broken."""


@dataclass(frozen=True, slots=True)
class Indirect:
    """An indirect object: its value, and where it refers to others.

    Attributes:
        value: what it is.
        uses: paths within it and the references at their ends; none through an entry `/Parent`.
        below: those of `uses` that pass no entry `/P` either.
    """

    value: Value
    uses: Sequence[tuple[Path, Ref]]
    below: Sequence[tuple[Path, Ref]]

    @classmethod
    def of(cls, value: Value) -> "Indirect":
        """Return the object of a value.

        Raises:
            Unplain: it is nothing but a reference to another.
        """
        if isinstance(value, tuple) and value != NULL:
            raise Unplain("an object is a reference")
        uses = list(_uses(value, ()))
        return cls(value, uses, [one for one in uses if "/P" not in one[0]])


def read(pdf: bytes, ref: Ref, offset: int) -> Indirect:
    """Return the indirect object that stands at an offset of a file.

    Raises:
        Unplain: another object stands there, or its syntax is not plain.
    """
    head = b"%d %d obj" % ref
    if not pdf.startswith(head, offset):
        raise Unplain("no such object stands there")
    at, nest = offset + len(head), _Nest()
    for token in _TOKEN.finditer(pdf, at):
        if token.start() != at:
            break
        at, kind = token.end(), token.lastindex
        if kind == _REF:
            nest.inner.append((int(token[1]), int(token[2])))
        elif kind == _NAME:
            nest.inner.append(token[3].decode("ascii"))
        elif kind == _NUMBER:
            nest.inner.append(int(token[4]))
        elif kind in (_END, _STREAM):
            return Indirect.of(nest.ended(pdf, at if kind == _STREAM else None))
        else:
            nest.take(kind, token)
    raise Unplain("the object is not plainly written")


def plain(value: generic.PdfObject) -> Value:
    """Return the value of an object that pyHanko read.

    Raises:
        Unplain: it is enciphered.
    """
    if isinstance(value, generic.DecryptedObjectProxy):
        raise Unplain("the object is enciphered")
    if isinstance(value, generic.IndirectObject):
        return value.idnum, value.generation
    if isinstance(value, generic.DictionaryObject):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, generic.ArrayObject):
        return [plain(one) for one in value]
    if isinstance(value, generic.NullObject):
        return NULL
    if isinstance(value, generic.NameObject):
        return str(value)
    return int(value) if isinstance(value, generic.NumberObject) else SCALAR


class _Nest:
    """Dictionaries and arrays that are being read, the innermost at hand."""

    def __init__(self) -> None:
        self.inner: list[Value] = []
        self._outer: list[tuple[bytes, list[Value]]] = []

    def take(self, kind: int | None, token: re.Match[bytes]) -> None:
        """Take a bracket, null, or a scalar that nobody asks after."""
        if kind == _OPEN:
            self._open(token[_OPEN])
        elif kind == _CLOSE:
            self._close(token[_CLOSE])
        else:
            self.inner.append(NULL if kind == _NULL else SCALAR)

    def ended(self, pdf: bytes, stream: int | None) -> Value:
        """Return the one value that was read; `stream` is where the data of a stream begins."""
        if self._outer or len(self.inner) != 1:
            raise Unplain("an object is one value")
        value = self.inner[0]
        if stream is not None:
            length = value.get("/Length") if isinstance(value, dict) else None
            if not isinstance(length, int) or length < 0:
                raise Unplain("a stream does not say how long it is")
            if not _AFTER.match(pdf, stream + length):
                raise Unplain("a stream does not end where it says")
        return value

    def _open(self, bracket: bytes) -> None:
        if len(self._outer) == DEPTH:
            raise Unplain("nested too deep")
        self._outer.append((bracket, self.inner))
        self.inner = []

    def _close(self, bracket: bytes) -> None:
        values = self.inner
        if not self._outer or self._outer[-1][0] != (b"<<" if bracket == b">>" else b"["):
            raise Unplain("a bracket closes nothing")
        self.inner = self._outer.pop()[1]
        self.inner.append(_dictionary(values) if bracket == b">>" else values)


def _dictionary(values: list[Value]) -> dict[str, Value]:
    pairs = zip(values[::2], values[1::2], strict=False)
    entries = {key: value for key, value in pairs if isinstance(key, str)}
    if 2 * len(entries) != len(values):
        raise Unplain("a key is no name, is there twice, or has no value")
    return entries


def _uses(value: Value, path: Path) -> Iterator[tuple[Path, Ref]]:
    if isinstance(value, tuple):
        if value != NULL:
            yield path, value
        return
    inner: Iterable[tuple[str | int, Value]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for step, one in inner:
        if isinstance(one, dict | list | tuple) and step != "/Parent":
            yield from _uses(one, (*path, step))
