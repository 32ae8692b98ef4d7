"""XML files of avails: bytes ↔ elements, with nothing that a hostile file could reach for.

No DTD, no entities, no network, bounded size; the XSD of the version named is the judge of form.
"""

import re
from dataclasses import dataclass
from itertools import islice
from typing import Any

from lxml import etree

from contracts.avails import mddf, schemas
from contracts.avails.refusals import (
    MOST_BYTES,
    MOST_ROWS,
    AvailsDangerous,
    AvailsTooLarge,
    AvailsUnreadable,
)

_NAMESPACE = re.compile(r"http://www\.movielabs\.com/schema/avails/v([\d.]+)/avails")
_SCOPES = ("AvailList", "Avail")
_STEP = re.compile(r"(?:\w+:)?(\*|[\w-]+)(?:\[(\d+)\])?")
MOST_FAULTS = 1000
_MOST_CHILDREN = {"AvailList": MOST_ROWS, "Avail": 20_000}
_MOST_OTHERWISE = 2000


@dataclass(frozen=True, slots=True)
class Fault:
    """What the XSD says against a document."""

    line: int
    path: str
    message: str


def parse(content: bytes) -> tuple[Any, str]:
    """Return the root element of a file of avails, and the version its namespace names.

    Raises:
        AvailsTooLarge: more bytes, or more of anything, than is read.
        AvailsUnreadable: not well-formed, no AvailList, or a version that is not known.
        AvailsDangerous: there is a DTD.
    """
    if len(content) > MOST_BYTES:
        raise AvailsTooLarge("The file is too large.", most_bytes=MOST_BYTES)
    try:
        root: Any = etree.fromstring(content, _parser())
    except (etree.XMLSyntaxError, ValueError) as wrong:
        raise AvailsUnreadable("The file is not well-formed XML.", at=str(wrong)[:200]) from wrong
    if root.getroottree().docinfo.doctype:
        raise AvailsDangerous("The file has a document type declaration.")
    name = etree.QName(root)
    found = _NAMESPACE.fullmatch(name.namespace or "")
    if found is None or name.localname not in _SCOPES:
        raise AvailsUnreadable("The root element is no AvailList.", root=str(root.tag)[:200])
    _bounded(root)
    if found[1] not in mddf.MD_OF:
        raise AvailsUnreadable("This version is not read.", version=found[1], known=[*mddf.MD_OF])
    return root, found[1]


def faults(root: Any, *, version: str) -> list[Fault]:
    """Return what the XSD says against the document, in the order of its avails.

    Each avail is validated by itself, so that a file that is wrong throughout is soon given up.
    """
    schema: Any = schemas.schema(version)
    base, some = ("", [root]) if etree.QName(root).localname == "Avail" else ("/AvailList", root)
    found: list[Fault] = []
    for number, avail in enumerate(some, start=1):
        if etree.QName(avail).localname != "Avail":
            found.append(Fault(avail.sourceline or 0, base, f"{avail.tag[:80]} is not expected."))
        elif not schema.validate(avail):
            path = f"{base}/Avail[{number}]"
            found += (
                Fault(entry.line, _named(entry.path, avail, path), _plain(entry.message))
                for entry in islice(schema.error_log, MOST_FAULTS)
            )
        if len(found) >= MOST_FAULTS:
            break
    if not len(root):
        found.append(Fault(root.sourceline or 0, base, "There is no avail in the file."))
    return found[:MOST_FAULTS]


def dump(root: Any) -> bytes:
    """Return a document as bytes: UTF-8, indented."""
    etree.indent(root)
    found: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return found


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _plain(message: str) -> str:
    return re.sub(r"\{[^}]*\}", "", message)[:300]


def _named(entry_path: str | None, avail: Any, path: str) -> str:
    """Return the path of an element of an avail by local names; the log says `*` for most."""
    here = avail
    for step in (entry_path or "").strip("/").split("/")[1:]:
        said = _STEP.fullmatch(step)
        if said is None:
            break
        some = [one for one in here if said[1] == "*" or etree.QName(one).localname == said[1]]
        here = some[int(said[2] or 1) - 1]
        name = etree.QName(here).localname
        alike = [one for one in here.getparent() if one.tag == here.tag]
        path += f"/{name}" if len(alike) == 1 else f"/{name}[{alike.index(here) + 1}]"
    return path


def _bounded(root: Any) -> None:
    """Refuse an element with more children than any real one has; checking compares siblings."""
    for element in root.iter():
        most = _MOST_CHILDREN.get(etree.QName(element).localname, _MOST_OTHERWISE)
        if len(element) > most:
            raise AvailsTooLarge("An element has too many children.", most=most)
