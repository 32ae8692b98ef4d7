"""The XSDs of Avails: compiled for validation, and read for the order of elements.

Nothing is fetched: what a schema imports is answered from the same folder.
Differs from the source: `mdmec-v2.11.xsd`, which 2.6.1 imports, is not published with the others;
the text of 2.10 stands in for it with its namespaces renumbered (2.11 changed md alone).
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from lxml import etree

from contracts.avails import mddf

XS = "{http://www.w3.org/2001/XMLSchema}"
_STAND_IN = {"mdmec-v2.11.xsd": ("mdmec-v2.10.xsd", "v2.10", "v2.11")}


def schema(version: str) -> etree.XMLSchema:
    """Compile the XSD of a version, for one thread: a compiled schema keeps its own error log."""
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    parser.resolvers.add(_Folder())
    name = f"avails-v{version}.xsd"
    return etree.XMLSchema(etree.fromstring(_text(name), parser, base_url=f"mddf/{name}"))


@cache
def orders(version: str) -> Mapping[str, tuple[str, ...]]:
    """Return the order of the children of each element, by local names, as the XSD has it."""
    types = {f"{prefix}:{name}": kind for prefix, name, kind in _types(version)}
    found: dict[str, tuple[str, ...]] = {"AvailList": ("Avail",)}
    waiting = [("Avail", "avails:Avail-type")]
    while waiting:
        element, type_name = waiting.pop(0)
        if element in found or type_name not in types:
            continue
        children = list(_children(type_name, types))
        found[element] = tuple(name for name, _ in children)
        waiting += [(name, type_of) for name, type_of in children if type_of]
    return found


def _types(version: str) -> Iterator[tuple[str, str, Any]]:
    md = {"2.7": "2.7.1"}.get(mddf.MD_OF[version], mddf.MD_OF[version])
    files = {"avails": f"avails-v{version}", "md": f"md-v{md}", "mdmec": f"mdmec-v{md}"}
    for prefix, name in files.items():
        root = etree.fromstring(_text(f"{name}.xsd"))
        for kind in root.findall(f"{XS}complexType"):
            yield prefix, str(kind.get("name")), kind


def _children(type_name: str, types: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Yield the names of a type's elements in order, with their types; a base comes first."""
    kind = types[type_name]
    base = kind.find(f"{XS}complexContent/{XS}extension")
    if base is not None and base.get("base") in types:
        yield from _children(str(base.get("base")), types)
    for element in kind.iter(f"{XS}element"):
        if any(above.tag == f"{XS}element" for above in element.iterancestors()):
            continue
        name = element.get("name") or str(element.get("ref")).rpartition(":")[2]
        yield name, element.get("type") or _inner(element)


def _inner(element: Any) -> str | None:
    base = element.find(f"{XS}complexType/{XS}complexContent/{XS}extension")
    return None if base is None else str(base.get("base"))


class _Folder(etree.Resolver):
    """Answers every import from MovieLabs' folder."""

    def resolve(self, system_url: str, _public_id: str, context: Any) -> Any:  # type: ignore[override]  # the stubs know no context
        """Return the schema of this name."""
        name = system_url.rpartition("/")[2]
        return self.resolve_string(_text(name), context, base_url=f"mddf/{name}")


def _text(name: str) -> bytes:
    name, old, new = _STAND_IN.get(name, (name, "", ""))
    text = (mddf.folder() / "schemas" / name).read_bytes()
    return text.replace(old.encode(), new.encode()) if old else text
