"""Where people come in: the pages on which a card's holder answers, and a customer pays."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from exchange.standins.stripe import authentications, cash, pages
from exchange.standins.stripe.desk import Desk
from exchange.standins.stripe.errors import Problem


def routes(desk: Desk) -> list[Route]:
    """Return the pages."""
    visits = Visits(desk)
    return [
        Route("/_authentications/{id}", visits.authentication, methods=["GET", "POST"]),
        Route("/_transfers/{id}", visits.transfer, methods=["GET", "POST"]),
    ]


class Visits:
    """The pages over one desk."""

    def __init__(self, desk: Desk) -> None:
        """Show what `desk` knows."""
        self.desk = desk

    async def authentication(self, request: Request) -> Response:
        """Ask a card's holder whether it pays; go back with the answer."""
        id_, desk = request.path_params["id"], self.desk
        try:
            desk.catch_up()
            intent = desk.store.get("payment_intent", id_)
            used, back = authentications.waiting(desk.own_call({}, id_), intent)
            if request.method == "GET":
                return _ask(used.last4, intent["amount"], intent["currency"])
            given = {"succeeds": await _answer(request) == "agree"}
            intent = desk.command(authentications.answer, id_, given)
        except Problem as problem:
            return pages.page("无需验证 / Nothing to authenticate", (str(problem),), {}, status=400)
        if back:
            return RedirectResponse(authentications.way_back(intent, back), 303)
        return pages.page("已回答 / Answered", (f"{id_}: {intent['status']}",), {})

    async def transfer(self, request: Request) -> Response:
        """Say where a customer sends its bank transfer; let it send what is missing."""
        id_, desk = request.path_params["id"], self.desk
        try:
            desk.catch_up()
            intent = desk.store.get("payment_intent", id_)
            if not cash.awaits(intent):
                return pages.page("无需转账 / Nothing to transfer", (intent["status"],), {})
            said = intent["next_action"][cash.SHOWN]
            if request.method == "GET":
                return _instruct(said)
            given = {
                "amount": said["amount_remaining"], "currency": said["currency"],
                "reference": said["reference"],
            }  # fmt: skip
            desk.command(cash.fund, intent["customer"], given)
        except Problem as problem:
            return pages.page("无法转账 / No transfer", (str(problem),), {}, status=400)
        return RedirectResponse(request.url.path, 303)


def _instruct(said: Mapping[str, Any]) -> Response:
    amount, money = said["amount_remaining"], said["currency"].upper()
    address = said["financial_addresses"][0]
    return pages.page(
        "银行转账 / Bank transfer",
        (
            f"还需转账 {amount} 最小单位 {money}，附言 {said['reference']}。",
            f"{amount} minor units of {money} are missing; reference {said['reference']}.",
            ", ".join(str(part) for part in address[address["type"]].values() if part),
        ),
        {"send": "转账 / Transfer it"},
    )


def _ask(last4: str, amount: int, currency: str) -> Response:
    return pages.page(
        "持卡人验证 / 3-D Secure",
        (
            f"尾号 {last4} 的卡将支付 {amount} 最小单位 {currency.upper()}。持卡人同意吗？",
            f"The card ending in {last4} is to pay {amount} minor units of {currency.upper()}. "
            "Does its holder agree?",
        ),
        {"agree": "同意 / Agree", "fail": "验证失败 / Fail"},
    )


async def _answer(request: Request) -> str:
    body = (await request.body()).decode("utf-8", "replace")
    return parse_qs(body).get("answer", [""])[0]
