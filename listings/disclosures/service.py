"""Filing, reviewing and running disclosures, up to the publicity of their result."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import calendar, locking
from contracts.facts import service as facts
from contracts.refusal import Unknown
from listings.auctions import payment
from listings.catalogue.tables import Listing
from listings.disclosures import filing as filings
from listings.disclosures import gate, paying, progress, queries, rules
from listings.disclosures.filing import Filing
from listings.disclosures.progress import DisclosureState, Progress
from listings.disclosures.rules import BadDisclosure, DisclosureNeeded, Notice
from listings.disclosures.tables import Disclosure, DisclosureStep, PartyOwnership

_REPLACEABLE = ("filed", "returned", "accepted")


async def declare_ownership(
    session: AsyncSession,
    party_id: UUID,
    *,
    ownership: str,
    threshold_minor: int | None,
    person_id: UUID,
    by_exchange: bool,
    now: datetime,
) -> PartyOwnership:
    """Declare who owns a party: the party itself once, the exchange whenever it is wrong.

    Raises:
        OwnershipDeclared: the party declared something else before.
        BadDisclosure: it is no known ownership, or a threshold of somebody not state-owned.
    """
    if ownership not in rules.OWNERSHIPS:
        raise BadDisclosure("The ownership is unknown.", field="ownership")
    if threshold_minor is not None and ownership not in rules.STATE_OWNED:
        raise BadDisclosure("Only the state-owned set a threshold.", field="threshold_minor")
    row = await locking.find_locked(
        session, PartyOwnership, col(PartyOwnership.party_id) == party_id
    )
    if row is not None and (row.ownership, row.threshold_minor) == (ownership, threshold_minor):
        return row
    if row is not None and not by_exchange:
        raise rules.OwnershipDeclared("It was declared before.", ownership=row.ownership)
    row = row or PartyOwnership(
        party_id=party_id, ownership=ownership, by_exchange=by_exchange, declared_by=person_id,
        declared_at=now,
    )  # fmt: skip
    row.ownership, row.threshold_minor = ownership, threshold_minor
    row.by_exchange, row.declared_by, row.declared_at = by_exchange, person_id, now
    session.add(row)
    await session.flush()
    record = {"party": str(party_id), "ownership": ownership, "by_exchange": by_exchange}
    await facts.record(session, "ownership.declared", party_id, record, parties=[party_id], now=now)
    return row


async def file(
    session: AsyncSession,
    listing_id: UUID,
    *,
    party_id: UUID,
    person_id: UUID,
    filing: Filing,
    now: datetime,
) -> tuple[Disclosure, bool]:
    """File the disclosure of a draft; return it and whether it is new. Again replaces it.

    Raises:
        Unknown: the listing is not the party's, or the disclosure before is not of this work.
        DisclosureState: the listing is published, or the one before has not ended.
        Refusal: any of `rules.check_filing`.
    """
    listing = await locking.find_locked(session, Listing, col(Listing.id) == listing_id)
    if listing is None or listing.party_id != party_id:
        raise Unknown("There is no such listing.")
    known = await _locked(session, listing_id)
    if listing.state != "draft" or (known and known.state not in _REPLACEABLE):
        raise DisclosureState("The listing is published.", state=known.state if known else "none")
    notice = await _notice(session, listing, filing)
    rules.check_filing(notice, today=calendar.day_of(now))
    row = known or Disclosure(
        listing_id=listing_id, party_id=party_id, work_id=listing.work_id, subject=filing.subject,
        filing={}, content_sha256="", currency="", floor_minor=1, assessed_minor=1,
        assessed_on=filing.assessed_on, filed_at=now,
    )  # fmt: skip
    _write(row, listing, filing, notice, now=now)
    session.add(row)
    await session.flush()
    await _step(session, row, "filed", by=person_id, reason=None, now=now)
    record = {
        "listing": str(listing_id),
        "party": str(party_id),
        "floor_minor": row.floor_minor,
        "assessed_minor": row.assessed_minor,
        "currency": row.currency,
    }
    await facts.record(session, "disclosure.filed", listing_id, record, parties=[party_id], now=now)
    return row, known is None


async def review(
    session: AsyncSession,
    listing_id: UUID,
    *,
    outcome: str,
    reason: str | None,
    person_id: UUID,
    now: datetime,
) -> Disclosure:
    """Accept what was filed, or return it with a reason; the same again changes nothing.

    Raises:
        Unknown: there is no such disclosure.
        DisclosureState: it is not waiting for a review.
        BadDisclosure: it is returned without a reason.
    """
    row = await _get_locked(session, listing_id)
    if row.state == outcome:
        return row
    if outcome == "returned" and not reason:
        raise BadDisclosure("Say why it is returned.", field="reason")
    row.stand(progress.review(row.progress(), outcome=outcome))
    await _step(session, row, outcome, by=person_id, reason=reason, now=now)
    record = {"listing": str(listing_id), "outcome": outcome, "reason": reason}
    await facts.record(
        session, "disclosure.reviewed", listing_id, record, parties=[row.party_id], now=now
    )
    return row


async def admit(
    session: AsyncSession, listing: Listing, *, licence: str, now: datetime
) -> Disclosure | None:
    """Let a listing be published: its method licensed, its disclosure begun where there is one.

    Raises:
        MethodNotLicensed, NoticeTooShort: see `gate`.
        InstalmentsNotAllowed: a state-owned seller would be paid in other parts than the rules of
            the day let it.
        DisclosureNeeded: the seller has to disclose and nothing is filed, the filing is not
            accepted, or the listing has changed since.
        DisclosureTooShort: the bidding would begin too early; the first lawful instant is named.
        YearNotLoaded: the disclosure reaches into a year whose working days are not known.
        Refusal: any of `rules.check_filing`.
    """
    sale = listing.sale
    opens_at = datetime.fromisoformat(sale["opens_at"])
    gate.check_method(licence, sale["method"])
    gate.check_notice(licence, sale["method"], opens_at=opens_at, now=now)
    await paying.check(session, listing.party_id, [payment.schedule(sale.get("payment"))], now=now)
    row = await _locked(session, listing.id)
    if row is None:
        await _check_not_needed(session, listing)
        return None
    same = row.content_sha256 == filings.content_sha256(listing.rights, sale)
    if row.state != "accepted" or not same:
        raise DisclosureNeeded(
            "The disclosure of this listing, as it now is, is not accepted.",
            state=row.state if same else "changed",
        )
    after = progress.disclose(row.notice(), row.progress(), today=calendar.day_of(now))
    progress.check_times(
        after,
        opens_at=opens_at,
        closes_at=datetime.fromisoformat(sale["closes_at"]),
        preset=sale.get("preset"),
    )
    row.stand(after)
    await _step(session, row, "disclosed", by=None, reason=None, now=now)
    await facts.record(session, "disclosure.begun", listing.id, _begun(row), now=now)
    return row


async def change(
    session: AsyncSession,
    row: Disclosure,
    after: Progress,
    *,
    kind: str,
    reason: str,
    person_id: UUID,
    now: datetime,
) -> Disclosure:
    """Write a change of a running disclosure and make it known."""
    row.stand(after)
    await _step(session, row, kind, by=person_id, reason=reason, now=now)
    record = {
        "listing": str(row.listing_id),
        "kind": kind,
        "reason": reason,
        "last_on": None if row.last_on is None else row.last_on.isoformat(),
    }
    await facts.record(session, "disclosure.changed", row.listing_id, record, now=now)
    return row


async def conclude(
    session: AsyncSession, listing_id: UUID, *, bidders: int, sold: bool, now: datetime
) -> None:
    """Take the result of the auction; a listing without a running disclosure has none to end."""
    row = await _locked(session, listing_id)
    if row is None or row.state != "disclosed":
        return
    row.stand(progress.decide(row.progress(), bidders=bidders, sold=sold))
    row.basis = progress.basis(bidders)
    await _step(session, row, row.state, by=None, reason=None, now=now)
    record = {"listing": str(listing_id), "outcome": row.state, "basis": row.basis}
    await facts.record(session, "disclosure.ended", listing_id, record, now=now)


async def end(session: AsyncSession, listing_id: UUID, *, now: datetime) -> None:
    """Terminate a disclosure whose auction was voided; one that has ended stays as it is."""
    row = await _locked(session, listing_id)
    if row is None or row.state not in progress.RUNNING:
        return
    row.stand(progress.terminate(row.progress()))
    await _step(session, row, "terminated", by=None, reason="auction-voided", now=now)
    record = {"listing": str(listing_id), "outcome": row.state, "basis": "none"}
    await facts.record(session, "disclosure.ended", listing_id, record, now=now)


async def publicise(
    session: AsyncSession, listing_id: UUID, *, price_minor: int, now: datetime
) -> None:
    """Make the result public for five working days, once the contract has taken effect."""
    row = await _locked(session, listing_id)
    if row is None or row.state != "decided":
        return
    row.price_minor = price_minor
    row.stand(progress.publicise(row.progress(), today=calendar.day_of(now)))
    await _step(session, row, "publicised", by=None, reason=None, now=now)
    record = {
        "listing": str(listing_id),
        "work": str(row.work_id),
        "assessed_minor": row.assessed_minor,
        "floor_minor": row.floor_minor,
        "price_minor": price_minor,
        "currency": row.currency,
        "from": str(row.publicity_from),
        "until": str(row.publicity_until),
    }
    await facts.record(session, "result.publicised", listing_id, record, now=now)


async def get_locked(session: AsyncSession, listing_id: UUID) -> Disclosure:
    """Return a disclosure with its row locked.

    Raises:
        Unknown: there is none.
    """
    return await _get_locked(session, listing_id)


async def _notice(session: AsyncSession, listing: Listing, filing: Filing) -> Notice:
    first_on, changed = None, False
    if filing.previous is not None:
        before = await queries.find_disclosure(session, filing.previous)
        if before is None or (before.party_id, before.work_id) != (
            listing.party_id, listing.work_id,
        ):  # fmt: skip
            raise Unknown("There is no such disclosure of this work.", field="previous")
        if before.state not in progress.ENDED:
            raise DisclosureState("The disclosure before has not ended.", state=before.state)
        first_on = rules.chained_from(
            before.first_on or before.started_on, assessed_on=filing.assessed_on
        )
        changed = before.content_sha256 != filings.content_sha256(listing.rights, listing.sale)
    return filings.notice(filing, sale=listing.sale, first_on=first_on, changed=changed)


async def _check_not_needed(session: AsyncSession, listing: Listing) -> None:
    owned = await queries.ownership(session, listing.party_id)
    if owned is None:
        return
    # What is listed are licences: nothing on the exchange assigns the copyright itself.
    if rules.is_required(
        owned.ownership,
        "licence",
        floor_minor=listing.sale["floor_minor"],
        threshold_minor=owned.threshold_minor,
    ):
        raise DisclosureNeeded(
            "The seller's own threshold asks for a disclosure.",
            threshold_minor=owned.threshold_minor,
            state="none",
        )


def _write(
    row: Disclosure, listing: Listing, filing: Filing, notice: Notice, *, now: datetime
) -> None:
    row.subject, row.filing = filing.subject, filing.stored()
    row.content_sha256 = filings.content_sha256(listing.rights, listing.sale)
    row.currency, row.floor_minor = notice.currency, notice.floor_minor
    row.assessed_minor, row.assessed_on = notice.assessed_minor, notice.assessed_on
    row.extension_days, row.previous_id = notice.extension_days, filing.previous
    row.first_on, row.changed, row.consented = notice.first_on, notice.changed, notice.consented
    row.state, row.filed_at = "filed", now


async def _step(
    session: AsyncSession,
    row: Disclosure,
    kind: str,
    *,
    by: UUID | None,
    reason: str | None,
    now: datetime,
) -> None:
    """Add a step; the row of the disclosure is locked, so its number is its own."""
    count = select(func.count()).where(col(DisclosureStep.listing_id) == row.listing_id)
    number = (await session.execute(count)).scalar_one() + 1
    session.add(
        DisclosureStep(
            listing_id=row.listing_id, number=number, kind=kind, at=now, by=by, reason=reason,
            last_on=row.last_on,
        )
    )  # fmt: skip
    await session.flush()


def _begun(row: Disclosure) -> Mapping[str, Any]:
    return {
        "listing": str(row.listing_id),
        "work": str(row.work_id),
        "floor_minor": row.floor_minor,
        "assessed_minor": row.assessed_minor,
        "currency": row.currency,
        "started_on": _text(row.started_on),
        "last_on": _text(row.last_on),
        "working_days": row.required_days,
    }


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


async def _locked(session: AsyncSession, listing_id: UUID) -> Disclosure | None:
    return await locking.find_locked(session, Disclosure, col(Disclosure.listing_id) == listing_id)


async def _get_locked(session: AsyncSession, listing_id: UUID) -> Disclosure:
    row = await _locked(session, listing_id)
    if row is None:
        raise Unknown("There is no such disclosure.")
    return row
