"""Negotiations: the list, the form that makes an offer, and the room of its two sides."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import pricing
from contracts.money import EXPONENTS, Money, percent
from contracts.parties import queries as parties
from exchange.api import offers as api
from exchange.api.deps import Now, Session
from exchange.portal import negotiating, render
from exchange.portal.forms import Form, Sent, shape
from exchange.portal.language import ZONE, Language
from exchange.portal.visitors import SignedIn, Visitor
from listings.offers import queries
from listings.offers.queries import Shown

router = APIRouter(prefix="/offers")
PAGE = 50
MOST_CHOICES = 200
FIELDS: Mapping[str, tuple[str, ...]] = {
    "flat": ("amount",),
    "instalments": ("amount", "parts", "rate", "security"),
    "guarantee-share": ("guarantee", "share"),
    "guarantee-tiers": ("guarantee", "fee", "costs", "steps"),
    "per-run": ("per_run", "runs_paid"),
    "share": ("share",),
}

# What each field is called in the API, and how it is read; the others are amounts.
_READERS: Mapping[str, tuple[str, Callable[[Form, str], Any]]] = {
    "share": ("share_bp", Form.basis_points),
    "runs_paid": ("runs_paid", Form.whole),
    "parts": ("parts", Form.parts),
    "rate": ("rate_bp", Form.basis_points),
    "security": ("security", Form.text),
    "fee": ("fee_bp", Form.basis_points),
}


@router.get("")
async def offers_page(
    request: Request, visitor: SignedIn, session: Session, now: Now, after: UUID | None = None
) -> Response:
    """Show the negotiations of the visitor's organisation."""
    found = await api.list_offers(
        session=session, caller=visitor.caller, now=now, after=after, limit=PAGE
    )
    return render.page(
        request, "offers.html", offers=found.items, next=found.next, mine=visitor.caller.party_id
    )


@router.get("/new")
async def offer_form(
    request: Request,
    visitor: SignedIn,
    session: Session,
    now: Now,
    offerable: list[UUID] = Query(default=[]),
) -> Response:
    """Show the form of a first version about the rights that were chosen."""
    shown = await _visible(session, offerable, visitor)
    holders = visitor.role == "holder"
    licensees = await parties.verified(session, "broadcaster", limit=MOST_CHOICES)
    spoken = render.speaks(request)
    return render.page(
        request,
        "offer_new.html",
        offer_id=ids.new(now),
        licensees=[(each.id, spoken.pick(each.name_zh, each.name_en)) for each in licensees]
        if holders
        else [],
        **asking(shown, None, spoken=spoken, now=now),
    )


@router.post("")
async def send_offer(
    request: Request, visitor: SignedIn, form: Sent, session: Session, now: Now
) -> Response:
    """Open a negotiation, and show its room."""
    offer_id = form.id("offer_id")
    await _say(form, offer_id, visitor, session, now)
    return render.see(request, f"/offers/{offer_id}")


@router.get("/{offer_id}")
async def offer_page(
    request: Request, offer_id: UUID, visitor: SignedIn, session: Session, now: Now
) -> Response:
    """Show a negotiation to its two sides: every version, and what each changed."""
    offer = await api.get_offer(offer_id, session=session, caller=visitor.caller, now=now)
    spoken = render.speaks(request)
    side = "licensor" if offer.licensor.id == visitor.caller.party_id else "licensee"
    latest = offer.versions[-1]
    named = [UUID(one) for work in latest.content["works"] for one in work["offerables"]]
    found = await queries.shown(session, named)
    return render.page(
        request,
        "offer.html",
        offer=offer,
        side=side,
        latest=latest,
        versions=_told(offer.versions, spoken),
        **asking([found[one] for one in named], latest.content, spoken=spoken, now=now),
    )


@router.post("/{offer_id}/versions")
async def send_version(
    request: Request, offer_id: UUID, visitor: SignedIn, form: Sent, session: Session, *, now: Now
) -> Response:
    """Make a counter-offer, or say something else instead of one's own last word."""
    await _say(form, offer_id, visitor, session, now)
    return render.see(request, f"/offers/{offer_id}")


@router.post("/{offer_id}/acceptance")
async def send_acceptance(
    request: Request, offer_id: UUID, visitor: SignedIn, form: Sent, session: Session, *, now: Now
) -> Response:
    """Accept the version that the page showed."""
    body = shape(api.AcceptanceIn, version_id=form.id("version_id"), sha256=form.text("sha256"))
    await api.accept_offer(offer_id, body, session=session, caller=visitor.caller, now=now)
    return render.see(request, f"/offers/{offer_id}")


@router.post("/{offer_id}/refusal")
async def send_refusal(
    request: Request, offer_id: UUID, visitor: SignedIn, form: Sent, session: Session, *, now: Now
) -> Response:
    """Say no."""
    body = shape(api.OfferRefusalIn, reason=form.text("reason"))
    await api.decline_offer(offer_id, body, session=session, caller=visitor.caller, now=now)
    return render.see(request, f"/offers/{offer_id}")


@router.post("/{offer_id}/withdrawal")
async def send_withdrawal(
    request: Request, offer_id: UUID, visitor: SignedIn, form: Sent, session: Session, *, now: Now
) -> Response:
    """Take back what one said last."""
    body = shape(api.WithdrawalIn, version_id=form.id("version_id"))
    await api.withdraw_offer(offer_id, body, session=session, caller=visitor.caller, now=now)
    return render.see(request, f"/offers/{offer_id}")


async def read(form: Form, session: AsyncSession) -> dict[str, Any]:
    """Read the fields of an offer, as `offer_fields.html` asks for them."""
    named = [UUID(one) for one in form.many("offerable")]
    found = await queries.shown(session, named)
    currency, model = form.text("currency"), form.text("model")
    works: dict[UUID, dict[str, Any]] = {}
    for one in named:
        shown = found[one]
        work = works.setdefault(
            shown.work.id,
            {"rights": [], "price": _price(form, shown.work.id, model, currency)},
        )
        work["rights"].append({"offerable_id": one, "right": _right(form, shown)})
    return {
        "currency": currency,
        "model": model,
        "works": list(works.values()),
        "message": form.text("message"),
        "contract": form.text("contract") or "each",
        "expires_at": form.instant("expires_at"),
    }


def asking(
    shown: Sequence[Shown],
    content: Mapping[str, Any] | None,
    *,
    spoken: Language,
    now: datetime,
) -> dict[str, Any]:
    """Return what the form of a version is filled with: the last word, or what is open."""
    works: dict[UUID, dict[str, Any]] = {}
    said = {
        one: wire
        for work in (content or {"works": ()})["works"]
        for one, wire in zip(work["offerables"], work["rights"], strict=True)
    }
    prices = {UUID(work["work"]): work["price"] for work in (content or {"works": ()})["works"]}
    currency = content["currency"] if content else "CNY"
    for each in shown:
        work = works.setdefault(
            each.work.id,
            {
                "id": each.work.id,
                "title": spoken.pick(each.work.title_zh, each.work.title_en),
                "price": _typed(prices.get(each.work.id, {}), currency),
                "rights": [],
            },
        )
        wire = said.get(str(each.id), each.row.right)
        work["rights"].append({"id": each.id, "wire": wire, "open": each.row.right})
    common = pricing.common(each.row.models for each in shown)
    ends = (now + timedelta(days=14)).astimezone(ZONE)
    return {
        "works": list(works.values()),
        "contract": (content or {}).get("contract", "each"),
        "models": [
            (code, spoken.say(negotiating.MODELS[code]))
            for code in common
            if code in pricing.SETTLED
        ],
        "unsettled": common == ["share"],
        "model": content["model"] if content else "",
        "currency": currency,
        "currencies": [(code, code) for code in EXPONENTS],
        "expires_at": ends.strftime("%Y-%m-%dT%H:%M"),
        "version_id": ids.new(now),
    }


async def _say(
    form: Form, offer_id: UUID, visitor: Visitor, session: AsyncSession, now: datetime
) -> None:
    licensee = form.id("licensee_id") if form.text("licensee_id") else None
    body = shape(api.VersionIn, **await read(form, session), licensee_id=licensee)
    await api.make_offer(
        offer_id, form.id("version_id"), body,
        response=Response(), session=session, caller=visitor.caller, now=now,
    )  # fmt: skip


async def _visible(session: AsyncSession, chosen: Sequence[UUID], visitor: Visitor) -> list[Shown]:
    """Return the chosen rights that the visitor may make an offer for."""
    found = await queries.shown(session, chosen)
    mine = visitor.caller.party_id
    return [
        found[one]
        for one in chosen
        if one in found
        and (found[one].row.party_id == mine or found[one].row.audience == "broadcasters")
    ]


def _told(versions: Sequence[api.VersionOut], spoken: Language) -> list[dict[str, Any]]:
    before: list[Mapping[str, Any] | None] = [None, *(one.content for one in versions[:-1])]
    return [
        {"row": one, "lines": negotiating.lines(one.content, last, spoken),
         "message": one.content["message"]}
        for one, last in zip(versions, before, strict=True)
    ][::-1]  # fmt: skip


def _price(form: Form, work_id: UUID, model: str, currency: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in FIELDS.get(model, ()):
        name = f"{field}_{work_id}"
        if field in _READERS:
            wire, reader = _READERS[field]
            found[wire] = reader(form, name)
        elif field == "steps":
            found["steps"] = form.steps(name, currency)
        else:
            found[f"{field}_minor"] = form.minor(name, currency)
    return found


def _typed(price: Mapping[str, Any], currency: str) -> dict[str, str]:
    """Return a price as it is typed."""
    parts = [f"{percent(one['share_bp'])}/{one['due_days']}" for one in price.get("parts", ())]
    return {
        "parts": ", ".join(parts),
        "rate": percent(price["rate_bp"]) if "rate_bp" in price else "",
        "security": price.get("security", ""),
        "amount": _major(price.get("amount_minor"), currency),
        "guarantee": _major(price.get("guarantee_minor"), currency),
        "share": percent(price["share_bp"]) if "share_bp" in price else "",
        "fee": percent(price["fee_bp"]) if "fee_bp" in price else "",
        "costs": _major(price.get("costs_minor"), currency),
        "steps": ", ".join(_step(one, currency) for one in price.get("steps", ())),
        "per_run": _major(price.get("per_run_minor"), currency),
        "runs_paid": str(price.get("runs_paid", "")),
    }


def _step(one: Mapping[str, Any], currency: str) -> str:
    share = percent(one["share_bp"])
    end = one.get("upto_minor")
    return share if end is None else f"{_major(end, currency)}/{share}"


def _major(minor: int | None, currency: str) -> str:
    return "" if minor is None else Money(minor, currency).decimal()


def _right(form: Form, shown: Shown) -> dict[str, Any]:
    """Return the right that is asked for: what is open, with what was changed in the form."""
    wire, one = dict(shown.row.right), shown.id
    wire["first_day"] = form.day(f"first_day_{one}").isoformat()
    wire["last_day"] = form.day(f"last_day_{one}").isoformat()
    wire["territories"] = form.words(f"territories_{one}")
    wire["excluded"] = form.words(f"excluded_{one}")
    wire["media"] = form.words(f"media_{one}")
    runs = form.text(f"runs_max_{one}")
    wire["runs_max"] = form.whole(f"runs_max_{one}") if runs else None
    held: dict[str, Any] = canonical.loads(canonical.dumps(wire))
    return held
