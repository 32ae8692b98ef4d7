"""Checks exports against shapes from elsewhere: `python -m tests.contracts.odrl_shapes FILE …`.

Give the shapes that W3C published (`semantics/shacl/shapesv2.ttl` of w3c/poe) and the vocabulary
they lean on (`ODRL22.ttl`), or any others. Exit status 0: a rich deal and a plain offer conform.
"""

import sys
from pathlib import Path

import rdflib
from pyshacl import validate
from rich.console import Console

from tests.contracts.odrl_factory import document
from tests.contracts.rights_factory import wire
from tests.contracts.test_odrl_export import FULL, PROFILE, graph


def main(files: list[str]) -> int:
    """Validate exports against all the files together, and say what does not conform."""
    shapes = rdflib.Graph()
    for name in files:
        shapes.parse(Path(name))
    console, faults = Console(), 0
    rights = [wire(sublicence_depth=2, round_no=2), wire(right="projection", media=["theatrical"])]
    exports = {"deal": document(*rights, **FULL), "offer": document(licensee=None)}
    for title, exported in exports.items():
        conforms, _, text = validate(
            graph(exported) + PROFILE + shapes, shacl_graph=shapes, inference="rdfs"
        )
        faults += not conforms
        console.print(f"{title}: {'conforms' if conforms else text}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
