"""Elements of a bank's XML by their local names: every version of a message has them alike."""

from typing import Any

LONGEST = 500


def name(element: Any) -> str:
    """Return the local name of an element."""
    return str(element.tag).rpartition("}")[2]


def children(element: Any, wanted: str) -> list[Any]:
    """Return the children of that name; none of what is not there."""
    return [] if element is None else [one for one in element if name(one) == wanted]


def child(element: Any, wanted: str) -> Any:
    """Return the first child of that name, or None."""
    return next(iter(children(element, wanted)), None)


def text(element: Any, *path: str) -> str | None:
    """Return what stands at the end of a path, at most 500 characters; None if nothing does."""
    for step in path:
        element = child(element, step)
    said = None if element is None else (element.text or "").strip()
    return said[:LONGEST] if said else None
