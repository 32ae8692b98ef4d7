"""Decisions about the provider's balance: what belongs together, and what differs (pure).

Each movement at the provider and each journal on the provider's clearing account carries the id of
the object that it is of: the reference. Where the sums of a reference differ, the difference is an
item with a name and an age; all items together are what the ledger has more than the provider.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import NAMESPACE_OID, UUID, uuid5

from contracts.refusal import Kind, Refusal
from settlement.ledger import rules as accounts

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


@dataclass(frozen=True, slots=True)
class Moved:
    """What journals of one kind and key moved on the account of what is in suspense here.

    `number` is the first journal's: of several at one instant it was booked first.
    """

    key: str
    kind: str
    currency: str
    posted_minor: int
    since: datetime
    number: int


@dataclass(frozen=True, slots=True)
class Held:
    """Money in suspense at the provider, of one of its objects (渠道待核销).

    Attributes:
        id: the same for the same object and currency, always.
        reference: the provider's object, or a journal that is of none.
        currency: its currency.
        amount_minor: what is held for nobody; negative where it is missing.
        kind: the kind of the journal that put it there.
        key: that journal's key, which a line by hand names to explain it.
        opened_at: when that was.
    """

    id: UUID
    reference: str
    currency: str
    amount_minor: int
    kind: str
    key: str
    opened_at: datetime

    @property
    def account(self) -> str:
        """The ledger's account that holds it, by its stored code."""
        return accounts.account_code(accounts.SUSPENSE_PSP, self.currency)


def held(moved: Sequence[Moved]) -> list[Held]:
    """Return what is left in suspense of each object, the oldest first.

    What journals by hand, refunds and reversals moved is of the object whose money it was.
    """
    found: dict[tuple[str, str], list[Moved]] = {}
    for one in moved:
        found.setdefault((one.currency, reference(one.key)), []).append(one)
    items = []
    for (currency, named), several in found.items():
        first = min(several, key=lambda one: (one.since, one.number))
        left = -sum(one.posted_minor for one in several)
        if left:
            id = uuid5(NAMESPACE_OID, f"suspense:psp:{currency}:{named}")
            items.append(Held(id, named, currency, left, first.kind, first.key, first.since))
    return sorted(items, key=lambda one: (one.opened_at, one.id))


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
