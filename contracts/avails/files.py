"""A file of avails, XLSX or XML: bytes → document and report; document → bytes."""

from dataclasses import dataclass

from contracts.avails import (
    building,
    checks,
    document,
    elements,
    identifiers,
    mddf,
    sheets,
    workbook,
    writing,
)
from contracts.avails.findings import Report, found
from contracts.avails.model import Document, Place


@dataclass(frozen=True, slots=True)
class Read:
    """What a file says, and what is wrong with it."""

    document: Document
    report: Report


def read(content: bytes) -> Read:
    """Read a file of avails, whichever form it has, and check it.

    Raises:
        AvailsTooLarge: it is larger than what is read.
        AvailsUnreadable: it is neither a workbook of avails nor an AvailList.
        AvailsDangerous: it holds a DTD.
    """
    return _workbook(content) if workbook.is_workbook(content) else _xml(content)


def to_xml(some: Document, *, version: str = mddf.NEWEST_XML) -> bytes:
    """Return the document as XML of a version."""
    return document.dump(building.build(some, version=version))


def to_workbook(some: Document, *, version: str = mddf.NEWEST_SHEET) -> bytes:
    """Return the document as a workbook of a version."""
    return workbook.write("Avails", writing.rows(some, version=version))


def _workbook(content: bytes) -> Read:
    some, odd = sheets.read(workbook.read(content))
    version = mddf.NEWEST_XML  # the newest XML says all that every workbook can
    report = checks.check(some, building.build(some, version=version), version=version)
    return Read(some, Report.of([*odd, *report.findings]))


def _xml(content: bytes) -> Read:
    root, version = document.parse(content)
    some = elements.read(root, version=version)
    formal = [
        found("schema", Place(path=fault.path), None, message=fault.message, version=version)
        for fault in document.faults(root, version=version)
    ]
    named = [finding for avail in some.avails for finding in identifiers.in_avail(avail)]
    report = checks.check(some, root, version=version)
    return Read(some, Report.of([*formal, *named, *report.findings]))
