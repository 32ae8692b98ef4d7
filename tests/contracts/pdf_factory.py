"""PDF files by hand: bytes of objects in, a file or one more revision of a file out.

No library stands between a test and what it attacks: every byte of an update is the test's own.
"""

import zlib
from collections.abc import Iterable, Mapping
from io import BytesIO

from pyhanko.pdf_utils.generic import Reference
from pyhanko.pdf_utils.reader import PdfFileReader


def written(objects: Mapping[int, bytes], *, root: int = 1) -> bytes:
    """A file of one revision; each object is what stands between `obj` and `endobj`."""
    return _revision(b"%PDF-1.7\n", objects, freed=(), trailer=b"/Root %d 0 R" % root)


def updated(
    pdf: bytes,
    objects: Mapping[int, bytes],
    *,
    freed: Iterable[int] = (),
    trailer: bytes = b"",
    previous: int | None = None,
) -> bytes:
    """The file with one more revision, with a cross-reference table.

    `freed` objects are given up; `trailer` is added to the trailer; `previous` is where the table
    before is said to begin.
    """
    return _revision(
        pdf, objects, freed=freed, trailer=_trailer(pdf) + trailer,
        previous=startxref(pdf) if previous is None else previous, least=_size(pdf),
    )  # fmt: skip


def streamed(pdf: bytes, objects: Mapping[int, bytes], inside: Mapping[int, bytes]) -> bytes:
    """The file with one more revision, with a cross-reference stream; objects `inside` another.

    Two objects are added behind all others: the one that holds those inside, and the stream.
    """
    last = max([_size(pdf) - 1, *objects, *inside])
    holder, table = last + 1, last + 2
    made = bytearray(pdf)
    entries = {number: (2, holder, place) for place, number in enumerate(inside)}
    for number, body in {**objects, holder: _holder(inside)}.items():
        entries[number] = (1, len(made), 0)
        made += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(made)
    entries[table] = (1, start, 0)
    index = b" ".join(b"%d 1" % number for number in sorted(entries))
    data = b"".join(
        kind.to_bytes(1) + where.to_bytes(4) + place.to_bytes(2)
        for _, (kind, where, place) in sorted(entries.items())
    )
    made += b"%d 0 obj\n<</Type/XRef/W[1 4 2]/Index[%b]/Size %d" % (table, index, table + 1)
    made += b"/Prev %d%b/Length %d>>\n" % (startxref(pdf), _trailer(pdf), len(data))
    made += b"stream\n%b\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % (data, start)
    return bytes(made)


def bodies(pdf: bytes, revision: int) -> dict[int, bytes]:
    """What a revision of a file wrote, by object number; those of generation 0 in the open."""
    reader = PdfFileReader(BytesIO(pdf))
    found = {}
    for ref in sorted(reader.xrefs.explicit_refs_in_revision(revision), key=lambda one: one.idnum):
        at = reader.xrefs.get_historical_ref(Reference(ref.idnum, 0), revision)
        if isinstance(at, int):
            end = pdf.index(b"endobj", _data_end(pdf, at))
            found[ref.idnum] = pdf[pdf.index(b"obj", at) + 3 : end].strip(b"\r\n ")
    return found


def stream(entries: bytes, data: bytes) -> bytes:
    """A stream object, compressed."""
    packed = zlib.compress(data)
    return b"<<%b/Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream" % (
        entries, len(packed), packed,
    )  # fmt: skip


def startxref(pdf: bytes) -> int:
    """Where the last table of a file begins."""
    return int(pdf[pdf.rindex(b"startxref") + 9 :].split()[0])


def ending(pdf: bytes) -> bytes:
    """The lines that end a file."""
    return pdf[pdf.rindex(b"startxref") :]


def _data_end(pdf: bytes, at: int) -> int:
    """Where to look for the end of an object: behind its data, where it is a stream."""
    start, end = pdf.find(b"stream", at), pdf.find(b"endobj", at)
    return pdf.index(b"endstream", start) if -1 < start < end else at


def _holder(inside: Mapping[int, bytes]) -> bytes:
    heads, text = [], b""
    for number, body in inside.items():
        heads.append(b"%d %d" % (number, len(text)))
        text += body + b"\n"
    head = b" ".join(heads) + b"\n"
    return stream(b"/Type/ObjStm/N %d/First %d" % (len(inside), len(head)), head + text)


def _revision(
    pdf: bytes,
    objects: Mapping[int, bytes],
    *,
    freed: Iterable[int],
    trailer: bytes,
    previous: int | None = None,
    least: int = 0,
) -> bytes:
    made = bytearray(pdf)
    entries = dict.fromkeys(freed, b"0000000000 00001 f \n")
    if previous is None:
        entries[0] = b"0000000000 65535 f \n"
    for number, body in objects.items():
        entries[number] = b"%010d 00000 n \n" % len(made)
        made += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(made)
    made += b"xref\n" + b"".join(b"%d 1\n%b" % one for one in sorted(entries.items()))
    size = max([least, *(number + 1 for number in entries)])
    before = b"" if previous is None else b"/Prev %d" % previous
    made += b"trailer\n<</Size %d%b%b>>\n" % (size, before, trailer)
    return bytes(made) + b"startxref\n%d\n%%%%EOF\n" % start


def _trailer(pdf: bytes) -> bytes:
    """The entries of a file's trailer that a further revision repeats."""
    trailer = PdfFileReader(BytesIO(pdf)).trailer
    kept = BytesIO()
    for key in ("/Root", "/Info", "/ID"):
        if key in trailer:
            kept.write(key.encode() + b" ")
            trailer.raw_get(key).write_to_stream(kept)
    return kept.getvalue()


def _size(pdf: bytes) -> int:
    return int(PdfFileReader(BytesIO(pdf)).trailer["/Size"])
