"""Form-encoded parameters: `a[b][0]=c` to nested values, and checks by specification."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from exchange.standins.stripe.errors import Problem, invalid, unsupported

Check = Callable[[Any, str], Any]
MOST_FIELDS, MOST_DEPTH = 1_000, 6
# Metadata limits: docs of Stripe's API, "Metadata".
MOST_METADATA, MOST_METADATA_KEY, MOST_METADATA_VALUE = 50, 40, 500


def decode(raw: str) -> dict[str, Any]:
    """Return the nested values of a form body or query string; all leaves are text.

    Raises:
        Problem: too many fields, too deep, or a name used both as value and as container.
    """
    tree: dict[str, Any] = {}
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise invalid("The parameters cannot be read.") from error
    for name, value in pairs:
        _place(tree, name, value)
    return {name: _listed(value) for name, value in tree.items()}


def decode_json(raw: str) -> dict[str, Any]:
    """Return the values of a JSON body.

    Raises:
        Problem: it is no object of JSON.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise invalid("The body is not JSON.") from error
    if not isinstance(body, dict):
        raise invalid("The body is no object.")
    return body


def check(given: Mapping[str, Any], spec: Mapping[str, Check], required: frozenset[str]) -> Any:
    """Return the parameters with their types, refusing unknown, missing and unfit ones."""
    values = nested(spec)(given, "")
    for name in sorted(required - values.keys()):
        raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    return values


def text(value: Any, name: str) -> str:
    """Take a text that is not empty and at most 5,000 characters."""
    if not isinstance(value, str):
        raise invalid("Invalid string.", param=name)
    if not value:
        raise invalid(f"'{name}' is empty.", param=name, code="parameter_invalid_empty")
    if len(value) > 5_000:
        raise invalid(
            f"'{name}' is too long.", param=name, code="parameter_invalid_string_too_long"
        )
    return value


def whole(value: Any, name: str) -> int:
    """Take an integer."""
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,15}", value):
        raise invalid(f"Invalid integer: {value}", param=name, code="parameter_invalid_integer")
    return int(value)


def positive(value: Any, name: str) -> int:
    """Take an integer of at least 1."""
    number = whole(value, name)
    if number < 1:
        raise invalid(
            "This value must be greater than or equal to 1.",
            param=name,
            code="parameter_invalid_integer",
        )
    return number


def truth(value: Any, name: str) -> bool:
    """Take `true` or `false` of a JSON body."""
    if not isinstance(value, bool):
        raise invalid(f"Invalid boolean: {value}", param=name)
    return value


def flag(value: Any, name: str) -> bool:
    """Take `true` or `false`."""
    if value not in ("true", "false"):
        raise invalid(f"Invalid boolean: {value}", param=name)
    return bool(value == "true")


def one_of(*choices: str) -> Check:
    """Take one of the texts."""

    def take(value: Any, name: str) -> str:
        if value not in choices:
            raise invalid(f"Invalid {name}: must be one of {', '.join(choices)}", param=name)
        return str(value)

    return take


def each_of(*choices: str) -> Check:
    """Take a list of some of the texts."""
    one = one_of(*choices)

    def take(value: Any, name: str) -> list[str]:
        return [one(item, name) for item in texts(value, name)]

    return take


def texts(value: Any, name: str) -> list[str]:
    """Take a list of texts."""
    if not isinstance(value, list):
        raise invalid("Invalid array", param=name)
    return [text(item, f"{name}[{index}]") for index, item in enumerate(value)]


def metadata(value: Any, name: str) -> dict[str, str]:
    """Take a flat map of texts within the limits; an empty value unsets, so it leaves no key."""
    if value == "":
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise invalid("Invalid hash", param=name)
    if len(value) > MOST_METADATA:
        raise invalid(f"At most {MOST_METADATA} keys.", param=name)
    for key, item in value.items():
        if len(key) > MOST_METADATA_KEY or len(item) > MOST_METADATA_VALUE:
            raise invalid("A metadata key or value is too long.", param=f"{name}[{key}]")
    return {key: item for key, item in value.items() if item}


def nested(spec: Mapping[str, Check], *, rest: Check | None = None) -> Check:
    """Take a map whose members are checked by name; `rest` checks those of other names."""

    def take(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise invalid("Invalid object", param=name)
        values = {}
        for key, item in value.items():
            full = f"{name}[{key}]" if name else key
            known = spec.get(key, rest)
            if known is None:
                raise _unknown(full)
            values[key] = known(item, full)
        return values

    return take


def created(value: Any, name: str) -> dict[str, int]:
    """Take an instant or a range of instants (Unix seconds)."""
    if isinstance(value, str):
        instant = whole(value, name)
        return {"gte": instant, "lte": instant}
    taken: dict[str, int] = nested({"gt": whole, "gte": whole, "lt": whole, "lte": whole})(
        value, name
    )
    return taken


def no(_value: Any, name: str) -> Any:
    """Refuse a parameter that Stripe knows and the stand-in does not act upon."""
    raise unsupported(name)


def _unknown(name: str) -> Problem:
    return invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")


def _place(tree: dict[str, Any], name: str, value: str) -> None:
    head, *rest = re.split(r"\[", name)
    path = [head, *(part.removesuffix("]") for part in rest)]
    if len(path) > MOST_DEPTH:
        raise invalid("The parameters are nested too deeply.", param=head)
    here = tree
    for part in path[:-1]:
        here = here.setdefault(part or str(len(here)), {})
        if not isinstance(here, dict):
            raise invalid("A parameter is both a value and an object.", param=head)
    last = path[-1] or str(len(here))
    if isinstance(here.get(last), dict):
        raise invalid("A parameter is both a value and an object.", param=head)
    here[last] = value


def _listed(value: Any) -> Any:
    """Turn maps whose keys are 0, 1, 2 … into lists."""
    if not isinstance(value, dict):
        return value
    if value and set(value) == {str(index) for index in range(len(value))}:
        return [_listed(value[str(index)]) for index in range(len(value))]
    return {key: _listed(item) for key, item in value.items()}
