"""Where people come in: pages on which holders answer, customers pay, payees are onboarded."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from exchange.standins.stripe import authentications, cash, links, pages
from exchange.standins.stripe.accounts import REQUIRED
from exchange.standins.stripe.desk import Desk
from exchange.standins.stripe.errors import Problem
from exchange.standins.stripe.links import Link

# What an account's owner answers, and how the account then stands.
_STATUS = {"complete": "active", "review": "pending"}


def routes(desk: Desk) -> list[Route]:
    """Return the pages."""
    visits = Visits(desk)
    return [
        Route("/_authentications/{id}", visits.authentication, methods=["GET", "POST"]),
        Route("/_onboarding/{token}", visits.onboarding, methods=["GET", "POST"]),
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

    async def onboarding(self, request: Request) -> Response:
        """Say what an account is asked for, once; take what its owner answers."""
        token, desk = request.path_params["token"], self.desk
        link = links.find(desk.own_call({}, token))
        if link is None:
            return pages.page("没有这个链接 / No such link", (), {}, status=404)
        if request.method == "GET":
            account = desk.command(links.open_once, token, {})
            if account:
                return _onboard(link, account)
            return RedirectResponse(link.refresh_url, 303)
        chosen = _STATUS.get(await _answer(request))
        account = desk.command(links.answer, token, {} if chosen is None else {"status": chosen})
        if not account:
            return RedirectResponse(link.refresh_url, 303)
        if link.return_url:
            return RedirectResponse(link.return_url, 303)
        return pages.page("已完成 / Done", (link.account,), {})


def _onboard(link: Link, account: Mapping[str, Any]) -> Response:
    names = {"account_onboarding": "开户 / Onboarding", "account_update": "更新资料 / Update"}
    return pages.page(
        names[link.purpose],
        (
            f"账户 {link.account} 将接收平台的转账。真实的 Stripe 在此核实身份、证件与银行账户；"
            "本替身不要求任何资料。",
            f"The account {link.account} ({account['metadata'].get('party', '')}) is to receive "
            "transfers of the platform. Stripe itself verifies identity, papers and a bank account "
            "here; this stand-in asks for none.",
            ", ".join(REQUIRED),
        ),
        {
            "complete": "全部提交并通过 / All given, and verified",
            "review": "提交待审 / All given, to be reviewed",
            "later": "稍后再说 / Later",
        },
    )


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
