"""Decisions about the provider's balance: what belongs together, and what differs (pure).

Each movement at the provider and each journal on the provider's clearing account carries the id of
the object that it is of: the reference. Where the sums of a reference differ, the difference is an
item with a name and an age; all items together are what the ledger has more than the provider.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.refusal import Kind, Refusal

# What the ledger's keys of journals begin with, where the journal follows an object of Stripe's.
OBJECT = re.compile(r"(?:pi|tr|trr|re|du|po|txn)_[^:]+(?=:)")
PAYOUT = "po_"
# A payout of the provider that people, not a statement's text, recognised at the bank.
RELEASED = "release:"
DAILY, AGAIN = timedelta(days=1), timedelta(minutes=15)
OVERLAP = timedelta(days=2)  # the list is read from before the last time


class ProviderUneven(Refusal):
    """The provider's list of movements does not make the balance that it shows."""

    kind, code = Kind.UNAVAILABLE, "provider-uneven"
    hint = "Nothing was concluded. Try again in a moment; ask the provider if it stays so."


@dataclass(frozen=True, slots=True)
class Entry:
    """A movement of the balance at the provider: `net_minor` is what it changed by."""

    id: str
    kind: str
    reference: str
    currency: str
    amount_minor: int
    fee_minor: int
    created_at: datetime
    available_at: datetime

    @property
    def net_minor(self) -> int:
        """What the balance changed by."""
        return self.amount_minor - self.fee_minor


@dataclass(frozen=True, slots=True)
class Sums:
    """What ledger and provider have of one reference."""

    reference: str
    ledger_minor: int
    provider_minor: int

    @property
    def difference_minor(self) -> int:
        """What the ledger has more than the provider."""
        return self.ledger_minor - self.provider_minor


def reference(idem_key: str) -> str:
    """Return what a journal's key says it is of: the provider's object, or the journal itself."""
    named = OBJECT.match(idem_key)
    return named.group() if named else idem_key


def summed(
    journals: Sequence[tuple[str, int]], entries: Sequence[tuple[str, int]]
) -> dict[str, Sums]:
    """Return the sums of each reference, of journals' keys and of the provider's references."""
    found: dict[str, list[int]] = {}
    for key, minor in journals:
        found.setdefault(reference(key), [0, 0])[0] += minor
    for named, minor in entries:
        found.setdefault(named, [0, 0])[1] += minor
    return {name: Sums(name, ledger, provider) for name, (ledger, provider) in found.items()}


def differing(sums: Mapping[str, Sums]) -> list[Sums]:
    """Return the references whose sums differ, by name; a payout released by hand is paired.

    Two people said of a release that it is a payout of the provider. It is paired with the one
    payout of its amount, and left apart where there are several, or several such releases.
    """
    left = {name: one for name, one in sums.items() if one.difference_minor}
    payouts, releases = _by_amount(left, PAYOUT), _by_amount(left, RELEASED)
    for minor, names in payouts.items():
        others = releases.get(-minor, [])
        if len(names) == len(others) == 1:
            del left[names[0]], left[others[0]]
    return [left[name] for name in sorted(left)]


def check_listed(listed: Mapping[str, int], balances: Mapping[str, int]) -> None:
    """Check that the movements listed make the balances that the provider shows, by currency.

    Raises:
        ProviderUneven: they do not.
    """
    for currency in sorted({*listed, *balances}):
        has, shows = listed.get(currency, 0), balances.get(currency, 0)
        if has != shows:
            raise ProviderUneven(
                "The provider's list does not make its balance.",
                currency=currency,
                listed_minor=has,
                balance_minor=shows,
            )


def _by_amount(sums: Mapping[str, Sums], prefix: str) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for name, one in sums.items():
        if name.startswith(prefix):
            found.setdefault(one.difference_minor, []).append(name)
    return found
