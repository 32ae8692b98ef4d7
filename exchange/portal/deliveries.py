"""The delivery of a deal on its page: where it stands, and what this side does next."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from fastapi import APIRouter, Request, Response

from exchange.api import deals as deals_api
from exchange.api import deliveries as api
from exchange.api.deliveries import DeliveriesOut
from exchange.api.deps import Now, Session
from exchange.portal import render
from exchange.portal.language import mark
from exchange.portal.visitors import SignedIn

router = APIRouter(prefix="/deals")
STATES: Mapping[str, str] = {
    "offered": mark("Offered: the key waits for payment"),
    "released": mark("Released: the licensee has the key"),
    "accepted": mark("Delivery accepted"),
    "disputed": mark("Disputed: a complaint was upheld"),
    "replaced": mark("Replaced by a later one"),
}
VERDICTS: Mapping[str, str] = {
    "upheld": mark("Complaint upheld"),
    "rejected": mark("Complaint rejected"),
}
KEY = "delivery-key.pem"
# What a side does next, by its step: what it is, and the commands for it.
NEXT: Mapping[str, tuple[str, Sequence[str]]] = {
    "offer": (
        mark("Encrypt the listed master on your own machine, and offer it:"),
        (
            f"exchange delivery new-key && exchange delivery register --key {KEY}",
            f"exchange delivery seal MASTER --deal {{deal}} --key {KEY}",
            "exchange delivery offer MASTER.delivery.json --deal {deal} "
            "--place https://…/MASTER.sealed",
        ),
    ),
    "wait-offer": (mark("The licensor has offered nothing yet."), ()),
    "register": (
        mark("Make a key that deliveries are opened with, and register its public half:"),
        (f"exchange delivery new-key && exchange delivery register --key {KEY}",),
    ),
    "fetch": (
        mark("Fetch the ciphertext and check it before you pay:"),
        ("exchange delivery fetch {deal} --out in",),
    ),
    "wait-key": (mark("The licensee has registered no delivery key yet."), ()),
    "wait-payment": (
        mark("The key is released by itself when the settlement is booked and in the log."),
        (),
    ),
    "open": (
        mark("Open it. What is not as listed becomes a complaint, which is judged at once:"),
        (
            f"exchange delivery open in/MASTER.sealed --deal {{deal}} --key {KEY} --out MASTER",
            "exchange delivery dispute MASTER.complaint.json --deal {deal}",
        ),
    ),
    "wait-answer": (mark("The licensee accepts or complains; silence is acceptance."), ()),
    "done": (mark("There is nothing to do."), ()),
}


@router.get("/{deal_id}/delivery")
async def delivery_page(
    request: Request, deal_id: UUID, visitor: SignedIn, session: Session
) -> Response:
    """Show the deliveries under a deal to its two sides and the staff."""
    caller = visitor.caller
    deal = await deals_api.get_deal(deal_id=deal_id, session=session, caller=caller)
    found = await api.list_deliveries(deal_id, session=session, caller=caller)
    role = {deal.licensor.id: "licensor", deal.licensee.id: "licensee"}.get(caller.party_id, "")
    steps = [NEXT[name] for name in todo(role, found)]
    return render.page(
        request,
        "deal_delivery.html",
        deal=deal,
        found=found,
        steps=[(said, [one.format(deal=deal.id) for one in commands]) for said, commands in steps],
        can_accept=role == "licensee",
        states=STATES,
        verdicts=VERDICTS,
    )


@router.post("/{deal_id}/delivery/{delivery_id}/acceptance")
async def send_acceptance(
    request: Request, deal_id: UUID, delivery_id: UUID, visitor: SignedIn, *, session: Session,
    now: Now,
) -> Response:  # fmt: skip
    """Accept a delivery."""
    await api.accept_delivery(deal_id, delivery_id, session=session, caller=visitor.caller, now=now)
    return render.see(request, f"/deals/{deal_id}/delivery")


def todo(role: str, found: DeliveriesOut) -> list[str]:
    """Return the steps that a side takes next; the staff only looks."""
    state = found.items[0].state if found.items else "none"
    if not role or state == "accepted":
        return ["done"]
    has_key = found.recipient is not None
    if role == "licensor":
        return {
            "offered": ["wait-payment"] if has_key else ["wait-key", "wait-payment"],
            "released": ["wait-answer"],
        }.get(state, ["offer"])
    waits = {"offered": ["fetch", "wait-payment"], "released": ["open"]}.get(state, ["wait-offer"])
    return waits if has_key else ["register", *waits]
