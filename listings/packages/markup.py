"""XML of packages: bytes → elements, with nothing that a hostile file could reach for.

No DTD, no entities, no network; the size is bounded before anything is parsed.
"""

from typing import Any

from lxml import etree

MOST_BYTES = 16 * 1024**2  # the CPL of a series of a hundred reels is below one
MOST_ELEMENTS = 200_000


class BadMarkup(ValueError):
    """The bytes are no XML that is read here; the message says why."""


def parse(content: bytes) -> Any:
    """Return the root element.

    Raises:
        BadMarkup: too large, not well-formed, or with a document type declaration.
    """
    if len(content) > MOST_BYTES:
        raise BadMarkup("too large")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False,
        huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root: Any = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as wrong:
        raise BadMarkup(f"not well-formed: {str(wrong)[:200]}") from wrong
    if root.getroottree().docinfo.doctype:
        raise BadMarkup("it has a document type declaration")
    for count, _ in enumerate(root.iter()):
        if count > MOST_ELEMENTS:
            raise BadMarkup("too many elements")
    return root


def name(element: Any) -> str:
    """Return the local name of an element."""
    return str(etree.QName(element).localname)


def namespace(element: Any) -> str:
    """Return the namespace of an element; empty when it has none."""
    return str(etree.QName(element).namespace or "")


def child(element: Any, wanted: str) -> Any | None:
    """Return the first child of a local name, or None."""
    return next((one for one in element if name(one) == wanted), None)


def children(element: Any | None, wanted: str) -> list[Any]:
    """Return the children of a local name; none of no element."""
    return [] if element is None else [one for one in element if name(one) == wanted]


def text(element: Any | None, wanted: str) -> str | None:
    """Return the trimmed text of the first child of a local name; None when it is empty."""
    found = None if element is None else child(element, wanted)
    return None if found is None else (found.text or "").strip() or None
