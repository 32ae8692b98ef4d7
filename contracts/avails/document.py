"""XML files of avails: bytes ↔ elements, with nothing that a hostile file could reach for.

No DTD, no entities, no network, bounded size; the XSD of the version named is the judge of form.
"""

import re
from dataclasses import dataclass
from typing import Any

from lxml import etree

from contracts.avails import mddf, schemas
from contracts.avails.refusals import MOST_BYTES, AvailsDangerous, AvailsTooLarge, AvailsUnreadable

_NAMESPACE = re.compile(r"http://www\.movielabs\.com/schema/avails/v([\d.]+)/avails")
_SCOPES = ("AvailList", "Avail")
MOST_FAULTS = 1000


@dataclass(frozen=True, slots=True)
class Fault:
    """What the XSD says against a document."""

    line: int
    path: str
    message: str


def parse(content: bytes) -> tuple[Any, str]:
    """Return the root element of a file of avails, and the version its namespace names.

    Raises:
        AvailsTooLarge: more bytes than are read.
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
    if found[1] not in mddf.MD_OF:
        raise AvailsUnreadable("This version is not read.", version=found[1], known=[*mddf.MD_OF])
    return root, found[1]


def faults(root: Any, *, version: str) -> list[Fault]:
    """Return what the XSD says against the document, in the order of its lines."""
    schema: Any = schemas.schema(version)
    if schema.validate(root):
        return []
    return [
        Fault(entry.line, _plain_path(entry.path), _plain(entry.message))
        for entry in list(schema.error_log)[:MOST_FAULTS]
    ]


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


def _plain_path(path: str | None) -> str:
    return re.sub(r"/\w+:", "/", path or "")
