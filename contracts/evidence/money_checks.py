"""Checks of the money: every journal balances, and what came in went where the facts say."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from contracts import canonical
from contracts.evidence.manifest import SETTLED
from contracts.evidence.opened import EVENTS, POSTINGS, Bundle, Failed

Journals = list[dict[str, Any]]


def stage(bundle: Bundle) -> str:
    """The bundle says itself how far the deal has come; the facts say the same."""
    booked = bool(bundle.all_of("settlement.booked"))
    if booked != (bundle.manifest.stage == SETTLED):
        raise Failed(EVENTS, f"do not fit a deal that is {bundle.manifest.stage}")
    return f"the deal is {bundle.manifest.stage}"


def balance(bundle: Bundle) -> str:
    """Each journal adds up to nothing in each currency."""
    journals: Journals = bundle.json(POSTINGS)
    for journal in journals:
        sums: Counter[str] = Counter()
        for line in journal["lines"]:
            sums[line["currency"]] += line["amount_minor"]
        if len(journal["lines"]) < 2 or any(sums.values()):
            raise Failed(POSTINGS, f"journal {journal['key']} does not balance")
    if len({journal["key"] for journal in journals}) != len(journals):
        raise Failed(POSTINGS, "a journal is there twice")
    return f"{len(journals)} journals balance"


def settlement(bundle: Bundle) -> str:
    """The postings are those booked; payment + deposit = transfers + commission, each in place."""
    if bundle.manifest.stage != SETTLED:
        return "not settled yet; nothing is claimed"
    journals: Journals = bundle.json(POSTINGS)
    booked = bundle.one("settlement.booked").record["postings_sha256"]
    if not any(_digest(journals[:end]) == booked for end in range(len(journals), 0, -1)):
        raise Failed(POSTINGS, "are not the postings whose hash was recorded")
    payments = [event.record for event in bundle.all_of("payment.received")]
    deposits = [event.record for event in bundle.all_of("deposit.applied")]
    transfers = [event.record for event in bundle.all_of("transfer.made")]
    price = _same_price(bundle, [*payments, *deposits])
    for payment in payments:
        _same_account(journals, payment, key=f"{payment['provider']}:received", sign=1)
    for deposit in deposits:
        key = f"deposit:invoice:{deposit['invoice']}:applied"
        _same_account(journals, deposit, key=key, sign=1, prefix="deposit:")
    for transfer in transfers:
        _same_account(journals, transfer, key=f"{transfer['provider']}:made", sign=-1)
    paid_out = sum(transfer["amount_minor"] for transfer in transfers)
    # The exchange's commission holds VAT, which it owes on and books apart.
    commission = -sum(
        _posted(journals, account, price["currency"]) for account in ("commission", "tax:vat:")
    )
    if price["amount_minor"] != paid_out + commission:
        raise Failed(POSTINGS, "the payment is not the transfers and the commission")
    return (
        f"{price['currency']} minor units: {price['amount_minor']} = "
        f"{paid_out} in {len(transfers)} transfers + {commission} commission"
    )


def _same_price(bundle: Bundle, paid: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return what the invoices ask together: the deal's price, to which what was paid adds up.

    A price that is paid in instalments has an invoice for each.
    An amendment asks for no more than its price differs by from the one before.
    """
    issued = [event.record for event in bundle.all_of("invoice.issued")]
    if not issued:
        raise Failed(EVENTS, "there is no invoice.issued")
    asked = {**issued[0], "amount_minor": sum(one["amount_minor"] for one in issued)}
    deal = _due(bundle, bundle.one("deal.executed").record)
    for field in ("deal", "amount_minor", "currency"):
        if deal[field] != asked[field]:
            raise Failed(EVENTS, f"deal.executed and invoice.issued differ in {field}")
    for one in [*issued, *paid]:
        if (one["deal"], one["currency"]) != (asked["deal"], asked["currency"]):
            raise Failed(EVENTS, "a payment is of another deal, or in another currency")
    owed = asked["amount_minor"] - _owed_less(bundle)
    if sum(one["amount_minor"] for one in paid) != owed:
        raise Failed(EVENTS, "invoice.issued and payment.received differ in amount_minor")
    return {**asked, "amount_minor": owed}


def _owed_less(bundle: Bundle) -> int:
    """Return what red letters took off what was owed; those of refunds came after the payment."""
    letters = [event.record for event in bundle.all_of("red-letter.issued")]
    return sum(one["amount_minor"] for one in letters if one["refund"] is None)


def _due(bundle: Bundle, executed: Mapping[str, Any]) -> Mapping[str, Any]:
    changed = [event.record for event in bundle.all_of("price.changed")]
    if not changed:
        return executed
    said = changed[0]
    more = said["amount_minor"] - said["before_minor"]
    agree = said["amount_minor"] == executed["amount_minor"] and more == said["due_minor"]
    if len(changed) > 1 or said["deal"] != executed["deal"] or not agree:
        raise Failed(EVENTS, "price.changed and deal.executed differ")
    return {**executed, "amount_minor": more}


def _same_account(
    journals: Journals, moved: Mapping[str, Any], *, key: str, sign: int, prefix: str = "psp:"
) -> None:
    """Check that the journal `key` moved this money in (+1) or out (-1), at the provider."""
    found = [journal for journal in journals if journal["key"] == key]
    wanted = sign * moved["amount_minor"]
    if len(found) != 1 or _posted(found, prefix, moved["currency"]) != wanted:
        raise Failed(POSTINGS, f"no journal {key} moves what its fact says")


def _posted(journals: Journals, prefix: str, currency: str) -> int:
    return sum(
        line["amount_minor"]
        for journal in journals
        for line in journal["lines"]
        if line["account"].startswith(prefix) and line["currency"] == currency
    )


def _digest(journals: Journals) -> str:
    return canonical.sha256_hex(canonical.dumps(journals))
