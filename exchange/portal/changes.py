"""Deals that change, on pages: other numbers, rights or price, and a contract handed on."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals import queries
from contracts.deals.restating import AMENDABLE
from contracts.parties import queries as parties
from contracts.refusal import Unknown
from exchange.api import changes as api
from exchange.api import deals as deals_api
from exchange.api import lives as lives_api
from exchange.api.deps import Now, Session
from exchange.identity.rules import Caller
from exchange.portal import render
from exchange.portal.forms import Form, Sent, shape
from exchange.portal.language import Language, mark
from exchange.portal.signing import Trader
from exchange.portal.visitors import SignedIn

router = APIRouter(prefix="/deals")
MOST_CHOICES = 2_000  # every broadcaster of a country
FIELDS: Mapping[str, str] = {
    "due_days": mark("Days to pay the fee"),
    "delivery_days": mark("Days to deliver the master"),
    "accept_days": mark("Days to accept it"),
    "late_bp_daily": mark("Late payment, ten-thousandths a day"),
    "cure_days": mark("Days to cure a breach"),
    "notice_days": mark("Days to tell of force majeure"),
    "convenience_days": mark("Days of notice of an early end"),
}


async def shown(
    session: AsyncSession,
    deal: deals_api.DealOut,
    terms: Mapping[str, Any],
    life: lives_api.LifeOut,
    *,
    spoken: Language,
) -> dict[str, Any]:
    """Return what the page shows of what changed, and of what may be changed."""
    parameters, price = terms["parameters"], terms["consideration"]
    fixed = price.get("kind", "fixed") == "fixed" and deal.performance == "paid"
    assignor = terms.get("assignment", {}).get("assignor")
    return {
        "changes": _changed(terms, life.changes, spoken=spoken),
        "amendable": [
            (name, label, parameters[name], *AMENDABLE[f"/parameters/{name}"])
            for name, label in FIELDS.items()
            if name in parameters
        ],
        "wires": [] if "works" in terms else terms["grants"],
        "price": price["amount"] if fixed and "works" not in terms else None,
        "assignor": None if assignor is None or life.assignor_id is None
        else spoken.pick(assignor["legal_name"]["zh"], assignor["legal_name"]["en"]),
        "handed_on": await _handed_on(session, life),
    }  # fmt: skip


@router.post("/{deal_id}/amendments")
async def send_amendment(
    request: Request, deal_id: UUID, visitor: SignedIn, form: Sent, session: Session, *, now: Now
) -> Response:
    """Propose an amendment of numbers, rights or price, and show it."""
    amendment_id = form.id("amendment_id")
    body = shape(api.AmendmentIn, **await _asked(form, deal_id, session, visitor.caller))
    await api.propose_amendment(
        deal_id, amendment_id, body,
        response=Response(), session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, f"/deals/{amendment_id}")


@router.get("/{deal_id}/assignment")
async def assignment_page(
    request: Request, deal_id: UUID, visitor: Trader, session: Session
) -> Response:
    """Show the page where a licensee hands its contract on, and signs that with its own key."""
    caller = visitor.caller
    deal = await deals_api.get_deal(deal_id=deal_id, session=session, caller=caller)
    if caller.party_id != deal.licensee.id:
        raise Unknown("There is nothing at this address.")
    spoken = render.speaks(request)
    known = await parties.verified(session, "broadcaster", limit=MOST_CHOICES)
    life = await lives_api.get_deal_life(deal_id, session=session, caller=caller)
    return render.page(
        request,
        "deal_assignment.html",
        deal=deal,
        possible="assign" in life.may and life.amended_by is None,
        paid=deal.performance == "paid",
        parties=[
            (one.id, spoken.pick(one.name_zh, one.name_en))
            for one in known
            if one.id not in (deal.licensor.id, deal.licensee.id)
        ],
    )


async def _asked(
    form: Form, deal_id: UUID, session: AsyncSession, caller: Caller
) -> dict[str, Any]:
    """Return what one of the three forms asks for."""
    what = form.text("what") or "numbers"
    if what == "numbers":
        return {"changes": _numbers(form)}
    deal = await deals_api.get_deal(deal_id=deal_id, session=session, caller=caller)
    if what == "price":
        return {"amount_minor": form.minor("amount", deal.currency)}
    frozen = await deals_api.get_deal_terms(deal_id=deal_id, session=session, caller=caller)
    grants = canonical.loads(bytes(frozen.body))["grants"]
    return {
        "rights": [
            _right(form, place, grant)
            for place, grant in enumerate(grants)
            if not form.text(f"drop_{place}")
        ]
    }


def _numbers(form: Form) -> list[dict[str, Any]]:
    return [
        {"op": "replace", "path": f"/parameters/{name}", "value": form.whole(name)}
        for name in FIELDS
        if form.text(name)
    ]


def _right(form: Form, place: int, grant: Mapping[str, Any]) -> dict[str, Any]:
    runs = f"runs_max_{place}"
    return {
        **{name: value for name, value in grant.items() if name not in ("from", "until")},
        "territories": form.codes(f"territories_{place}"),
        "excluded": form.codes(f"excluded_{place}"),
        "first_day": form.day(f"first_day_{place}"),
        "last_day": form.day(f"last_day_{place}"),
        "runs_max": form.whole(runs) if form.text(runs) else None,
    }


def _changed(
    terms: Mapping[str, Any], changes: Sequence[Mapping[str, Any]], *, spoken: Language
) -> list[tuple[str, str]]:
    """Return what an amendment changes, in words."""
    found = [
        (spoken.say(FIELDS[name]), str(one["value"]))
        for one in changes
        if (name := one["path"].rpartition("/")[2]) in FIELDS
    ]
    price, paths = terms["consideration"], [one["path"] for one in changes]
    if any(path.startswith("/consideration") for path in paths):
        found.append((spoken.say(mark("Price")), f"{price['currency']} {price['amount']}"))
    if any(path.startswith("/grants") for path in paths):
        said = [spoken.pick(one["zh"]["sentence"], one["en"]["sentence"])
                for one in terms["wording"]]  # fmt: skip
        found += [(spoken.say(mark("Right")), sentence) for sentence in said]
    return found


async def _handed_on(session: AsyncSession, life: lives_api.LifeOut) -> bool:
    """Tell whether what takes this deal's place is a contract with another licensee."""
    if life.amended_by is None:
        return False
    found = await queries.get_deal(session, life.amended_by)
    return found.assignor_id is not None
