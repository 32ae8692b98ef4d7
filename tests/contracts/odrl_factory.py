"""ODRL policies for tests: what a grant between numbered parties says."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from contracts.money import Money
from contracts.odrl import export, reading
from contracts.odrl.export import Granting, Holdback, Work
from contracts.odrl.policy import Policy
from contracts.rights import rules
from tests.contracts.rights_factory import wire

WORK = Work(UUID(int=7), eidr="10.5240/7791-8534-2C23-9030-8610-5", inside=[UUID(int=6)])


def granting(
    *rights: Mapping[str, Any],
    licensee: int | None = 2,
    holdbacks: Sequence[Holdback] = (),
    price: Money | None = None,
) -> Granting:
    """What party 1 grants to another, or offers to anybody (None)."""
    return Granting(
        id=UUID(int=100 + (licensee or 0)),
        licensor=UUID(int=1),
        licensee=None if licensee is None else UUID(int=licensee),
        work=WORK,
        grants=rights or [wire()],
        holdbacks=holdbacks,
        price=price,
        number="UHDX-2026-0000-0000-0000-0000",
    )


def holdback(**changes: Any) -> Holdback:
    """A promise not to use the rights of the wire."""
    box = rules.resolve(wire(**changes))
    start, end = box.window.start, box.window.end
    return Holdback(box.right, box.media, box.territories, box.languages, start, end)


def document(*rights: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return export.policy(granting(*rights, **changes))


def read(document: Mapping[str, Any]) -> Policy:
    return reading.read(json.dumps(document), form="json-ld")


def policy(*rights: Mapping[str, Any], **changes: Any) -> Policy:
    """What others read of a grant."""
    return read(document(*rights, **changes))
