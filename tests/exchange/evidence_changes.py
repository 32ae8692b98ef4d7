"""Changes to an opened bundle of evidence, each of which breaks a rule."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from contracts import canonical
from contracts.evidence.opened import AUCTION, CONTRACT, POSTINGS, TERMS, Bundle, Event

Change = Callable[[Bundle], Bundle]


def fact(kind: str, *, nth: int = 0, **changed: Any) -> Change:
    """Change fields in the record of the nth fact of a kind."""

    def change(whole: Bundle) -> Bundle:
        chosen = whole.all_of(kind)[nth]
        told = replace(chosen, record={**chosen.record, **changed})
        return with_events(whole, [told if one is chosen else one for one in whole.events])

    return change


def with_events(whole: Bundle, events: list[Event]) -> Bundle:
    return replace(whole, events=tuple(events))


def file(name: str, edit: Callable[[Any], Any]) -> Change:
    """Change a file that holds JSON."""

    def change(whole: Bundle) -> Bundle:
        return with_file(whole, name, canonical.dumps(edit(whole.json(name))))

    return change


def with_file(whole: Bundle, name: str, content: bytes) -> Bundle:
    return replace(whole, files={**whole.files, name: content})


def both(*changes: Change) -> Change:
    def change(whole: Bundle) -> Bundle:
        for one in changes:
            whole = one(whole)
        return whole

    return change


def old(*changes: Change) -> Change:
    """Make changes to a bundle from before auctions had logs."""

    def change(whole: Bundle) -> Bundle:
        files = {name: file for name, file in whole.files.items() if name != AUCTION}
        return both(*changes)(replace(whole, files=files))

    return change


def cheaper(whole: Bundle) -> Bundle:
    """The first bid in the auction's log, a yuan lower."""
    head, opened, bid, *rest = whole.files[AUCTION].splitlines()
    read = canonical.loads(bid)
    read["body"]["content"]["amount_minor"] -= 100
    lines = [head, opened, canonical.dumps(read), *rest]
    return with_file(whole, AUCTION, b"".join(line + b"\n" for line in lines))


def without(kind: str) -> Change:
    return lambda whole: with_events(whole, [one for one in whole.events if one.kind != kind])


def twice(kind: str) -> Change:
    return lambda whole: with_events(whole, [*whole.events, whole.all_of(kind)[-1]])


def other_terms(whole: Bundle) -> Bundle:
    """Terms of another price, recorded as such by every fact, beside the same contract."""
    changed = file(TERMS, lambda terms: {**terms, "contract": "UHDX-0"})(whole)
    digest = canonical.sha256_hex(changed.files[TERMS])
    kinds = ("deal.opened", "deal.certified", "deal.executed")
    return both(*(fact(kind, terms_sha256=digest) for kind in kinds))(changed)


def late_key(whole: Bundle) -> Bundle:
    """The licensor's key, registered only after it had signed."""
    signed = whole.all_of("deal.signed")[0]
    last = whole.events[-1].index
    events = [
        replace(one, index=last + 1) if _is_key_of(one, signed) else one for one in whole.events
    ]
    return with_events(whole, events)


def revoked_key(whole: Bundle) -> Bundle:
    """The licensor's key, revoked before it signed."""
    signed = whole.all_of("deal.signed")[0]
    key = next(one for one in whole.events if _is_key_of(one, signed))
    return with_events(whole, [*whole.events, replace(key, kind="key.revoked")])


def cut_back(whole: Bundle) -> Bundle:
    """The contract before the licensee signed it, and no fact that says otherwise."""
    pdf = whole.files[CONTRACT]
    earlier = pdf[: pdf.rindex(b"%%EOF", 0, pdf.rindex(b"%%EOF")) + len(b"%%EOF\n")]
    last = whole.all_of("deal.signed")[1]
    changed = with_events(whole, [one for one in whole.events if one is not last])
    return with_file(changed, CONTRACT, earlier)


def _is_key_of(event: Event, signed: Event) -> bool:
    record: Mapping[str, Any] = event.record
    return event.kind == "key.registered" and record["spki_sha256"] == signed.record["spki_sha256"]


def postings(edit: Callable[[list[dict[str, Any]]], Any]) -> Change:
    """Change the journals, and the fact that names their hash along with them."""

    def change(whole: Bundle) -> Bundle:
        journals = whole.json(POSTINGS)
        edit(journals)
        digest = canonical.sha256_hex(canonical.dumps(journals))
        changed = with_file(whole, POSTINGS, canonical.dumps(journals))
        return fact("settlement.booked", postings_sha256=digest)(changed)

    return change


def rename(kind: str) -> Change:
    """Book the journal of a kind under another key: it is no longer that of its fact."""

    def edit(journals: list[dict[str, Any]]) -> None:
        next(one for one in journals if one["kind"] == kind)["key"] = "another"

    return postings(edit)


def pocket(journals: list[dict[str, Any]]) -> None:
    """Move a yuan from the payees to the commission, in balance."""
    issued = next(one for one in journals if one["kind"] == "invoice.issued")
    for line in issued["lines"]:
        if line["account"].startswith("commission"):
            line["amount_minor"] -= 100
    next(line for line in issued["lines"] if line["account"].startswith("payee:"))[
        "amount_minor"
    ] += 100


def spoil_proof(whole: Bundle) -> Bundle:
    name = whole.events[0].proof
    lines = whole.files[name].decode().split("\n")
    lines[2] = "A" * 43 + "="
    return with_file(whole, name, "\n".join(lines).encode())


def swap_proofs(whole: Bundle) -> Bundle:
    first, second = whole.events[0].proof, whole.events[1].proof
    changed = with_file(whole, first, whole.files[second])
    return with_file(changed, second, whole.files[first])
