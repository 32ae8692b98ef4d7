"""RFC 6902 (JSON Patch): what an amendment changes, as data that anybody can apply (pure).

Source: RFC 6902 §4 (operations), §5 (errors); RFC 6901 (pointers).
Differs from the source: values are compared as canonical JSON knows them, so `1` is not `true`, and
there are no floats.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from contracts.refusal import Kind, Refusal

MEMBERS: Mapping[str, frozenset[str]] = {
    "add": frozenset({"path", "value"}),
    "remove": frozenset({"path"}),
    "replace": frozenset({"path", "value"}),
    "move": frozenset({"from", "path"}),
    "copy": frozenset({"from", "path"}),
    "test": frozenset({"path", "value"}),
}


class PatchFails(Refusal):
    """The patch cannot be applied to this document."""

    kind, code = Kind.INVALID, "patch-fails"
    hint = "Send RFC 6902 operations whose paths are there; `place` counts from 0."


def apply(patch: Sequence[Mapping[str, Any]], before: Any) -> Any:
    """Return the document after the whole patch; the one given stays as it is.

    Raises:
        PatchFails: an operation is malformed, names nothing, or tests false.
    """
    document = copy.deepcopy(before)
    for place, operation in enumerate(patch):
        try:
            document = _applied(operation, document)
        except PatchFails as fault:
            raise PatchFails(fault.detail, place=place, **fault.data) from None
    return document


def difference(before: Any, after: Any, path: str = "") -> list[dict[str, Any]]:
    """Return a patch that turns one document into the other; arrays are replaced whole.

    Its operations stand in the order of the members' names, so that equal documents give equal
    patches.
    """
    if not (isinstance(before, dict) and isinstance(after, dict)):
        same = equal(before, after)
        return [] if same else [{"op": "replace", "path": path, "value": copy.deepcopy(after)}]
    found: list[dict[str, Any]] = []
    for name in sorted(before.keys() | after.keys()):
        here = f"{path}/{_escaped(name)}"
        if name not in after:
            found.append({"op": "remove", "path": here})
        elif name not in before:
            found.append({"op": "add", "path": here, "value": copy.deepcopy(after[name])})
        else:
            found += difference(before[name], after[name], here)
    return found


def tokens(pointer: str) -> list[str]:
    """Return the reference tokens of a JSON pointer.

    Raises:
        PatchFails: it is neither empty nor begins with a slash, or an escape is wrong.
    """
    if pointer == "":
        return []
    if not pointer.startswith("/"):
        raise PatchFails("A path begins with a slash.", path=pointer)
    return [_unescaped(token, pointer) for token in pointer[1:].split("/")]


def equal(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are equal; a number is no truth value."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def _applied(operation: Mapping[str, Any], document: Any) -> Any:
    name, path = _checked(operation), tokens(operation["path"])
    if name == "test":
        if not equal(_at(document, path), operation["value"]):
            raise PatchFails("The test of the patch fails.", path=operation["path"])
        return document
    if name == "remove":
        return _removed(document, path)
    if name == "replace":
        return _replaced(document, path, copy.deepcopy(operation["value"]))
    if name == "add":
        return _added(document, path, copy.deepcopy(operation["value"]))
    source = tokens(operation["from"])
    value = copy.deepcopy(_at(document, source))
    if name == "move":
        if path[: len(source)] == source and path != source:
            raise PatchFails("Nothing moves into itself.", path=operation["path"])
        document = _removed(document, source)
    return _added(document, path, value)


def _checked(operation: Mapping[str, Any]) -> str:
    """Return the name of an operation that has every member that it needs."""
    name = operation.get("op")
    needs = MEMBERS.get(name) if isinstance(name, str) else None
    if not isinstance(name, str) or needs is None or not needs <= operation.keys():
        raise PatchFails("This is no operation of RFC 6902.", op=str(name))
    if any(not isinstance(operation[one], str) for one in needs & {"path", "from"}):
        raise PatchFails("A path is text.", op=name)
    return name


def _at(document: Any, path: Sequence[str]) -> Any:
    for token in path:
        document = document[_member(document, token)]
    return document


def _added(document: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _at(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(last, most=len(parent)), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise PatchFails("Nothing can be added to a plain value.", path="/".join(path))
    return document


def _replaced(document: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    parent = _at(document, path[:-1])
    parent[_member(parent, path[-1])] = value
    return document


def _removed(document: Any, path: Sequence[str]) -> Any:
    if not path:
        raise PatchFails("The whole document cannot be removed.")
    parent = _at(document, path[:-1])
    del parent[_member(parent, path[-1])]
    return document


def _member(parent: Any, token: str) -> Any:
    if isinstance(parent, list) and parent:
        return _index(token, most=len(parent) - 1)
    if isinstance(parent, dict) and token in parent:
        return token
    raise PatchFails("The path names nothing.", token=token)


def _index(digits: str, *, most: int) -> int:
    plain = digits.isascii() and digits.isdigit() and (digits == "0" or digits[0] != "0")
    if not plain or int(digits) > most:
        raise PatchFails("The path names no place of the array.", token=digits)
    return int(digits)


def _escaped(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")


def _unescaped(token: str, pointer: str) -> str:
    if "~" in token.replace("~0", "").replace("~1", ""):
        raise PatchFails("A tilde is followed by 0 or 1.", path=pointer)
    return token.replace("~1", "/").replace("~0", "~")
