"""The table of what holds of contracts, log and deliveries, each kept by a test named after it.

Source: the project's field notes on contracts, signatures and logs, §8, in our words. The tests of
auctions have a list of their own under the same numbers; they are kept apart by their files.
"""

import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Where contracts, log and deliveries are tested; auctions, deposits and sealed bids are elsewhere.
FILES = (
    "contracts/test_*.py", "exchange/test_deals_*.py", "exchange/test_evidence*.py",
    "exchange/test_verif*.py", "exchange/test_witness*.py", "exchange/test_deliver*.py",
    "listings/test_deliver*.py",
)  # fmt: skip
NAMED = re.compile(r"^(?:async )?def (test_invariant_(\d\d)_\w+)", re.MULTILINE)
INVARIANTS = {
    1: "canonical bytes read back and write the same",
    2: "order and white space never change the hash",
    3: "what has no one canonical form is refused",
    4: "changing any leaf of the terms changes the hash",
    5: "both languages hold the same numbers, dates, amounts and names",
    6: "the same terms print the same bytes in any process",
    7: "a font without a glyph that is used fails the print",
    8: "what is attached are the canonical terms",
    9: "the printed hash is that of the terms",
    10: "what people type is printed or refused, and never run",
    11: "each revision begins with the bytes of the one before",
    12: "one order of signatures alone leads to a contract",
    13: "any flipped byte under a signature is found by three programs",
    14: "nothing but an archive follows the last signature",
    15: "a signature of one contract is worth nothing in another",
    16: "a session completed twice, late or with another key changes nothing",
    17: "the hash of the final file is the logged one",
    18: "a certificate revoked before its signature is refused, after it not",
    19: "without time-stamps a contract is signed at a lower level, and raised later",
    20: "no key is a refusal, and never a throw-away certificate",
    21: "pdfsig counts as many valid signatures as there are signers",
    22: "every proof holds, and no change of it does",
    23: "tiles, entries and checkpoint have one root",
    24: "a growth changes no full tile",
    25: "tile paths are those of the standard",
    26: "concurrent writers leave no gap and no duplicate",
    27: "a kill at any step leaves one growing log",
    28: "no two roots are signed for one size",
    29: "a restored backup signs nothing",
    30: "the checkpoint comes after every file that it refers to",
    31: "a witness never goes back",
    32: "each fact has one leaf, in order, in one chain",
    33: "no leaf holds a word of its record",
    34: "what is executed is what everybody agreed to",
    35: "what has ended stays ended, and replaying the facts gives the state",
    36: "two exclusive grants that overlap are never both executed",
    37: "a timer that fires twice fires once",
    38: "the patch makes the terms after of the terms before",
    39: "no key is read before the payment is booked, and its release is logged first",
    40: "the judge upholds every corrupted chunk and rejects every honest one",
    41: "a key sealed for one contract opens in no other",
}


@pytest.fixture(scope="module")
def kept() -> dict[int, list[str]]:
    """The tests of each number."""
    found: dict[int, list[str]] = defaultdict(list)
    for pattern in FILES:
        for path in sorted((ROOT / "tests").glob(pattern)):
            for name, number in NAMED.findall(path.read_text(encoding="utf-8")):
                found[int(number)].append(f"{path.name}::{name}")
    return found


def test_every_invariant_of_contracts_is_a_test_named_after_it(kept: dict[int, list[str]]) -> None:
    assert list(INVARIANTS) == list(range(1, 42))
    assert {number: said for number, said in INVARIANTS.items() if not kept[number]} == {}


def test_no_test_is_named_after_a_number_that_is_not_in_the_table(
    kept: dict[int, list[str]],
) -> None:
    assert set(kept) <= set(INVARIANTS)
