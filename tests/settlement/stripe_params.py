"""Checks request parameters against the parameter types that the pinned `stripe` package ships.

The package's TypedDicts are generated from the provider's own description of that API version, so
they are an oracle that is not of our making. A `Literal[…] | str` is read as the Literal: the
package leaves room for later values, the pinned version knows only these.
"""

import functools
import importlib
import re
import sys
import types
import typing
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import typing_extensions
from stripe._request_options import RequestOptions
from stripe._stripe_context import StripeContext
from stripe._stripe_object import UntypedStripeObject

# The operation behind each of the executor's instructions.
OPERATIONS = {
    "payment_intent.create": "payment_intents.create",
    "account.create": "accounts.create",
    "transfer.create": "transfers.create",
    "refund.create": "refunds.create",
    "transfer.reverse": "transfer_reversals.create",
    "payout.create": "payouts.create",
    "payment_intent.hold": "payment_intents.create",
    "payment_intent.confirm": "payment_intents.confirm",
    "payment_intent.capture": "payment_intents.capture",
    "payment_intent.cancel": "payment_intents.cancel",
}
# How a path names its operation: `POST /v1/transfers/tr_1/reversals` → transfer_reversals.create.
_PATHS = (
    (r"/v1/transfers/[^/]+/reversals", "transfer_reversals"),
    (r"/v1/customers/[^/]+/cash_balance_transactions", "customer_cash_balance_transactions"),
    (r"/v1/(\w+)", r"\1"),
    (r"/v2/core/(\w+)", r"v2.core.\1"),
)
# Those whose verb is neither of a list's nor of an item's.
_NAMED = (
    (r"/v1/balance", "balance.retrieve"),
    (r"/v1/customers/[^/]+/cash_balance", "customer_cash_balances.retrieve"),
    (r"/v1/(test_helpers)/(\w+)/[^/]+/(\w+)", r"\1.\2.\3"),
)
_ITEM = re.compile(r"/(?:v1|(v2)/(core))/(\w+)/[^/]+(?:/(\w+))?")
# The types name each other in quotes without importing what the quotes hold.
_NAMES: dict[str, Any] = {
    **{name: getattr(typing, name) for name in typing.__all__},
    **{name: getattr(typing_extensions, name) for name in typing_extensions.__all__},
    "UntypedStripeObject": UntypedStripeObject,
    "StripeContext": StripeContext,
    "Decimal": Decimal,
}
_OPTIONS = frozenset(typing.get_type_hints(RequestOptions, localns=_NAMES))


class WrongRequestError(AssertionError):
    """A request does not fit the types of the pinned version."""


def faults_of(op: str, params: Mapping[str, Any]) -> list[str]:
    """Name what is wrong with an instruction; what it is about may go into the path."""
    given = dict(params)
    if op in ("payment_intent.confirm", "payment_intent.capture", "payment_intent.cancel"):
        assert str(given.pop("payment_intent")).startswith("pi_")
    if op == "transfer.reverse":
        assert str(given.pop("transfer")).startswith("tr_")
    return faults(given, params_type(OPERATIONS[op]))


def operation(method: str, path: str) -> str:
    """Return the operation of a request, e.g. GET /v1/refunds → `refunds.list`."""
    for pattern, name in _NAMED:
        found = re.fullmatch(pattern, path)
        if found is not None:
            return found.expand(name)
    verb = "create" if method.upper() == "POST" else "list"
    for pattern, noun in _PATHS:
        found = re.fullmatch(pattern, path)
        if found is not None:
            return f"{found.expand(noun)}.{verb}"
    item = _ITEM.fullmatch(path)
    if item is None:
        raise WrongRequestError(f"no operation is known for {method} {path}")
    verb = item[4] or ("retrieve" if method.upper() == "GET" else "update")
    return ".".join([*(part for part in item.group(1, 2) if part), item[3], verb])


def check_request(method: str, path: str, params: Mapping[str, Any] | None) -> None:
    """Fail when a request does not fit.

    Raises:
        WrongRequestError: a parameter is unknown, missing or of the wrong type.
    """
    name = operation(method, path)
    found = faults(dict(params or {}), params_type(name))
    if found:
        raise WrongRequestError(f"{name}: {'; '.join(found)}")


def params_type(operation: str) -> type:
    """Return the TypedDict of an operation, e.g. `transfers.create` → TransferCreateParams."""
    *places, noun, verb = operation.split(".")
    name = f"{noun.removesuffix('s')}_{verb}"
    module = importlib.import_module(".".join(["stripe.params", *places, f"_{name}_params"]))
    found: type = getattr(module, "".join(part.title() for part in name.split("_")) + "Params")
    return found


def names(shape: type) -> frozenset[str]:
    """Return the parameters of a TypedDict, without the options of the request itself."""
    return frozenset(_members(shape)) - _OPTIONS


def required(shape: type) -> frozenset[str]:
    """Return the parameters that must be given."""
    return frozenset(shape.__required_keys__) - _OPTIONS


def faults(given: Any, shape: Any, path: str = "") -> list[str]:
    """Name what is unknown, missing or of the wrong type; nothing when the request is right."""
    if typing_extensions.is_typeddict(shape):
        return _object_faults(given, shape, path)
    origin, arguments = typing.get_origin(shape), typing.get_args(shape)
    if origin in (typing.Union, types.UnionType):
        return _union_faults(given, arguments, path)
    if origin in (typing.Literal, typing_extensions.Literal):
        return [] if given in arguments else [f"{path}: {given!r} is none of {arguments[:5]}"]
    if origin is list:
        return _each(given, list, arguments[0], path)
    if origin is dict or (isinstance(origin, type) and issubclass(origin, UntypedStripeObject)):
        return _each(given, dict, arguments[-1], path)
    if shape in (int, str, bool, float):
        return [] if type(given) is shape else [f"{path}: not {shape.__name__}"]
    return []


@functools.cache
def _members(shape: type) -> Mapping[str, Any]:
    scope = {**_NAMES, **vars(sys.modules[shape.__module__])}
    return typing_extensions.get_type_hints(shape, globalns=scope, localns=scope)


def _object_faults(given: Any, shape: type, path: str) -> list[str]:
    if not isinstance(given, Mapping):
        return [f"{path}: not an object"]
    members = _members(shape)
    found = [f"{path}[{name}]: missing" for name in required(shape) if name not in given]
    for name, value in given.items():
        where = f"{path}[{name}]" if path else name
        if name not in members or name in _OPTIONS:
            found.append(f"{where}: unknown parameter")
        else:
            found += faults(value, members[name], where)
    return found


def _union_faults(given: Any, choices: tuple[Any, ...], path: str) -> list[str]:
    real = [choice for choice in choices if choice is not types.NoneType]
    if any(typing.get_origin(choice) is typing.Literal for choice in real):
        real = [choice for choice in real if choice is not str]
    return min((faults(given, choice, path) for choice in real), key=len)


def _each(given: Any, container: type, inner: Any, path: str) -> list[str]:
    if not isinstance(given, container):
        return [f"{path}: not a {container.__name__}"]
    members: Any = given  # of a class that mypy cannot see
    items = members.items() if isinstance(given, dict) else enumerate(members)
    return [fault for key, value in items for fault in faults(value, inner, f"{path}[{key}]")]
